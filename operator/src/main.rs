//! Binary `evaljob-operator`: flags, logs, signals; everything else is in the library.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use evaljob_operator::client;
use evaljob_operator::clock::Clock;
use evaljob_operator::options::Options;
use evaljob_operator::{operator, selftest};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Operator of EvalJob: watches jobs, sends them to node agents, stores one status each.
#[derive(Debug, Parser)]
#[command(
    name = "evaljob-operator",
    version,
    args_conflicts_with_subcommands = true
)]
struct Command {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Runs one EvalJob and ten hostile programs in a cluster, and says whether each stayed inside
    Selftest(selftest::Options),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let filter = EnvFilter::try_from_env("EVALJOB_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let result = match command.command {
        None => run(command.options).map(|()| true),
        Some(Subcommands::Selftest(options)) => test(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the operator ends");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads")
}

fn test(options: &selftest::Options) -> anyhow::Result<bool> {
    runtime()?.block_on(async {
        let clock = Clock::new();
        let client = client::connect(clock.clone()).await?;
        Ok(selftest::run(options, client, &clock, &mut std::io::stdout()).await?)
    })
}

fn run(options: Options) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let clock = Clock::new();
        let client = client::connect(clock.clone()).await?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let identity = identity().context("cannot make a name for this process")?;
        operator::run(options, client, clock, identity, shutdown).await?;
        Ok(())
    });
    // Tasks that still wait for the network hold nothing that has to be finished.
    runtime.shutdown_background();
    result
}

/// A name no other process ever has: two processes of one Pod, or a restarted one, are different holders.
fn identity() -> std::io::Result<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let random = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Ok(format!("{}_{}", host.trim(), random.trim()))
}

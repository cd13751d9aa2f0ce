//! Binary `evaljob-operator`: flags, logs, signals; everything else is in the library.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use evaljob_operator::client;
use evaljob_operator::clock::Clock;
use evaljob_operator::operator;
use evaljob_operator::options::Options;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_env("EVALJOB_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the operator ends");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads")?;
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

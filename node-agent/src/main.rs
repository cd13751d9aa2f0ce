//! `evaljob-agent`: flags and wiring. The first call may turn the process into the spawner of a sandbox.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use evaljob_agent::{doctor, run, serve};
use tracing_subscriber::EnvFilter;

/// Judges EvalJobs on this machine: for an operator (serve), or by itself (run).
#[derive(Debug, Parser)]
#[command(name = "evaljob-agent", version)]
struct Command {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Runs jobs of an operator on this node
    Serve(Box<serve::Options>),
    /// Runs EvalJobs from files on this machine, without a cluster
    Run(run::Options),
    /// Says what this machine can enforce, and what to change
    Doctor(run::HostOptions),
}

fn main() -> anyhow::Result<ExitCode> {
    evaljob_sandbox::maybe_become_spawner();
    let command = Command::parse().command;
    let filter = EnvFilter::try_from_env("EVALJOB_LOG");
    match command {
        Subcommands::Serve(options) => {
            tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_writer(std::io::stderr)
                .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new("info")))
                .init();
            serve::run(&options)?;
            Ok(ExitCode::SUCCESS)
        }
        Subcommands::Run(options) => {
            tracing_subscriber::fmt()
                .with_writer(std::io::stderr)
                .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new("warn")))
                .init();
            Ok(run::run(&options))
        }
        Subcommands::Doctor(options) => Ok(doctor::run(&options)?),
    }
}

//! `make bench`, the part with a cluster: what a job costs from its creation to its stored verdict.
//!
//! Control plane, operator and one agent as host processes with real tokens, as in the demo. Each round runs the jobs
//! through everything, then stops the operator and lets the ceiling client do the same number of creates and status
//! writes on the same API server. Figures and whether they meet their bars are printed, never asserted.
//! Environment: JOBS (2000), ROUNDS (3), LATENCY_JOBS (300). Standard output is the table and nothing else.

mod ceiling;
mod latency;
mod memory;
mod requests;
mod table;
mod throughput;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use evaljob_e2e::Case;
use evaljob_e2e::cluster::Cluster;
use evaljob_e2e::control_plane::Options;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::namespaces::{self, Entered};
use evaljob_e2e::note::note;
use evaljob_e2e::wait::{self, Seen};
use serde_json::Value;

use memory::Idle;
use throughput::Round;

/// Longest for a process to end after SIGTERM.
const END: Duration = Duration::from_secs(30);

/// Everything that was measured.
#[derive(Debug)]
struct Figures {
    machine: String,
    jobs: u32,
    /// Sorted.
    latency: Vec<Duration>,
    /// Sorted by rate.
    rounds: Vec<Round>,
    /// Of each round, for each number in flight.
    ceiling: Vec<[f64; 3]>,
    fresh: Idle,
    used: Idle,
    operator: u64,
}

fn main() -> Result<ExitCode> {
    let directory = match namespaces::enter(evaljob_e2e::programs::build_product)? {
        Entered::Outside(code) => return Ok(code),
        Entered::Existing(_) => bail!(
            "KUBECONFIG is set (hint: unset it; figures of a cluster that others use mean nothing)"
        ),
        Entered::Private(directory) => directory,
    };
    let figures = tokio::runtime::Runtime::new()?.block_on(measure(&directory))?;
    table::print(&figures);
    Ok(ExitCode::SUCCESS)
}

async fn measure(directory: &Path) -> Result<Figures> {
    let (jobs, count) = (setting("JOBS", 2000), setting("ROUNDS", 3));
    let machine = table::machine()?;
    note("starting control plane, operator and agent");
    let cluster = Cluster::start(directory, Options::default()).await?;
    cluster.apply_crd().await?;
    cluster.apply_roles().await?;
    let case = Case::new(Arc::new(cluster), "bench").await?;
    let mut installation = Installation::start(&case).await?;
    let slots = u32::try_from(std::thread::available_parallelism()?.get())?;
    let mut agent = installation.agent("node-1", slots).await?;
    connected(&installation).await?;
    note("apply to Finished, one job at a time");
    let fresh = memory::idle(&agent)?;
    let latency = latency::measure(&case, setting("LATENCY_JOBS", 300)).await?;
    let status = stored_status(&case).await?;
    let mut rounds = Vec::new();
    let mut ceiling = Vec::new();
    for number in 1..=count {
        note(&format!("round {number} of {count}: {jobs} jobs"));
        let prefix = format!("round-{number}");
        connected(&installation).await?;
        rounds.push(throughput::measure(&case, &mut installation, &agent, &prefix, jobs).await?);
        installation.operator().terminate(END).await?;
        note(&format!("round {number} of {count}: the ceiling client"));
        let prefix = format!("ceiling-{number}");
        ceiling.push(ceiling::measure(&case, &prefix, jobs, &status).await?);
        installation.start_operator_again().await?;
    }
    rounds.sort_by(|left, right| left.rate.total_cmp(&right.rate));
    let used = memory::idle(&agent)?;
    note("memory of the operator");
    agent.process.terminate(END).await?;
    let operator = memory::operator(&case, &mut installation, jobs).await?;
    Ok(Figures {
        machine,
        jobs,
        latency,
        rounds,
        ceiling,
        fresh,
        used,
        operator,
    })
}

/// The status that the operator stored for a job that ran `true`.
async fn stored_status(case: &Case) -> Result<Value> {
    let job = case.jobs().get(&latency::name(0)).await?;
    let status = job.data.get("status");
    Ok(status.context("a job without status")?.clone())
}

/// Waits until the agent has found the operator.
async fn connected(installation: &Installation) -> Result<()> {
    wait::until("the agent at the operator", END, || async {
        let agents = throughput::metric(&installation.metrics().await?, "agents_connected");
        Ok(if agents >= 1.0 {
            Seen::Yes(())
        } else {
            Seen::NotYet("no agent".into())
        })
    })
    .await
}

fn setting(name: &str, default: u32) -> u32 {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

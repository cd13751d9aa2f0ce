//! `make bench`, the part with a cluster: what a job costs from its creation to its stored verdict.
//!
//! A control plane with one node and the chart installed. Each round runs the jobs through operator and agent as host
//! processes with real tokens, then through the Pods of the release, then Jobs of Kubernetes on the same node; then the
//! ceiling client does as many creates and status writes on the same API server. What is compared was measured in one
//! round, one right after the other, because a machine may be faster in the next; the median of the rounds counts.
//! Figures and whether they meet their bars are printed, never asserted.
//! Environment: JOBS (1000), ROUNDS (5), LATENCY_JOBS (300), BATCH_JOBS (50),
//! FAST_CONTROLLERS (0; 1: the controllers may ask as much of the API server as in the tests). Standard output is the table alone.

mod batch;
mod ceiling;
mod latency;
mod memory;
mod pods;
mod product;
mod requests;
mod rest;
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
use evaljob_e2e::installation::{Agent, Installation};
use evaljob_e2e::namespaces::{self, Entered};
use evaljob_e2e::note::note;
use evaljob_e2e::programs;
use serde_json::Value;

use memory::Idle;
use product::Product;
use throughput::Round;

/// Longest for a process to end after SIGTERM.
const END: Duration = Duration::from_secs(30);

/// Everything that was measured.
#[derive(Debug)]
struct Figures {
    machine: String,
    jobs: u32,
    /// Whether the controllers kept to a cluster's own rate of requests.
    default_rates: bool,
    /// Sorted.
    latency: Vec<Duration>,
    rounds: Vec<Round>,
    /// Of each round, for each number in flight.
    ceiling: Vec<[f64; 3]>,
    /// Through Pods, of each round.
    in_pods: Vec<Round>,
    fresh: Idle,
    used: Idle,
    operator: u64,
    /// From `helm install` to the first verdict.
    install: Duration,
    pods_memory: pods::Memory,
    /// Jobs of Kubernetes a second, of each round.
    batch: Vec<f64>,
    batch_jobs: u32,
}

fn main() -> Result<ExitCode> {
    let prepare = || {
        programs::build_product()?;
        programs::build_toolbox().map(drop)
    };
    let directory = match namespaces::enter(prepare)? {
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
    let (jobs, count) = (setting("JOBS", 1000), setting("ROUNDS", 5));
    let machine = table::machine()?;
    let slots = u32::try_from(std::thread::available_parallelism()?.get())?;
    note("starting control plane and node");
    let options = Options {
        nodes: 1,
        default_rates: setting("FAST_CONTROLLERS", 0) == 0,
        ..Options::default()
    };
    let cluster = Cluster::start(directory, options).await?;
    let case = Case::new(Arc::new(cluster), "bench").await?;
    note("helm install");
    let install = pods::install(&case, slots).await?;
    pods::rest(&case).await?;
    note("starting operator and agent as host processes");
    let mut host = Host::start(&case, slots).await?;
    note("apply to Finished, one job at a time");
    let fresh = memory::idle(host.product()?.agent)?;
    let latency = latency::measure(&case, setting("LATENCY_JOBS", 300)).await?;
    let status = stored_status(&case).await?;
    let batch_jobs = setting("BATCH_JOBS", 50);
    let (mut rounds, mut in_pods) = (Vec::new(), Vec::new());
    let (mut ceiling, mut batch) = (Vec::new(), Vec::new());
    let mut pods_memory = None;
    for number in 1..=count {
        let say = |what: &str| note(&format!("round {number} of {count}: {what}"));
        rest::settle().await?;
        say(&format!("{jobs} jobs, host processes"));
        let product = host.product()?;
        let prefix = format!("round-{number}");
        let round = throughput::measure(&case, &product, &prefix, jobs).await?;
        say(&format!("{:.0} jobs/s", round.rate));
        rounds.push(round);
        host.rest().await?;
        rest::clear(&case).await?;
        say(&format!("{jobs} jobs, Pods"));
        let product = pods::lead(&case).await?;
        rest::settle().await?;
        let prefix = format!("pods-{number}");
        let round = throughput::measure(&case, &product, &prefix, jobs).await?;
        say(&format!("{:.0} jobs/s", round.rate));
        in_pods.push(round);
        if number == count {
            pods_memory = Some(pods::memory(&case, &product).await?);
        }
        pods::rest(&case).await?;
        rest::clear(&case).await?;
        rest::settle().await?;
        say(&format!("{batch_jobs} Jobs of Kubernetes"));
        let rate = batch::measure(&case, batch_jobs).await?;
        say(&format!("{rate:.2} Jobs/s"));
        batch.push(rate);
        rest::settle().await?;
        say("the ceiling client");
        let prefix = format!("ceiling-{number}");
        ceiling.push(ceiling::measure(&case, &prefix, jobs, &status).await?);
        rest::clear(&case).await?;
        host.start_again().await?;
    }
    let product = host.product()?;
    let used = memory::idle(product.agent)?;
    note("memory of the operator");
    host.agent.process.terminate(END).await?;
    let operator = memory::operator(&case, &product, jobs).await?;
    Ok(Figures {
        machine,
        jobs,
        default_rates: options.default_rates,
        latency,
        rounds,
        in_pods,
        ceiling,
        fresh,
        used,
        operator,
        install,
        pods_memory: pods_memory.context("no round")?,
        batch,
        batch_jobs,
    })
}

/// Operator and agent as processes of this machine.
struct Host {
    installation: Installation,
    agent: Agent,
    slots: u32,
    starts: u32,
}

impl Host {
    async fn start(case: &Case, slots: u32) -> Result<Self> {
        let installation = Installation::start(case).await?;
        let agent = installation.agent("node-1", slots).await?;
        let mut host = Self {
            installation,
            agent,
            slots,
            starts: 1,
        };
        host.product()?.connected().await?;
        Ok(host)
    }

    fn product(&mut self) -> Result<Product> {
        Product::on_host(&mut self.installation, &self.agent)
    }

    /// Ends both.
    async fn rest(&mut self) -> Result<()> {
        self.installation.operator().terminate(END).await?;
        self.agent.process.terminate(END).await.map(drop)
    }

    async fn start_again(&mut self) -> Result<()> {
        self.installation.start_operator_again().await?;
        let (pod, slots) = (&self.agent.pod, self.slots);
        let process = self.installation.agent_process(pod, slots, self.starts);
        self.agent.process = process.await?;
        self.starts += 1;
        self.product()?.connected().await
    }
}

/// The status that the operator stored for a job that ran `true`.
async fn stored_status(case: &Case) -> Result<Value> {
    let job = case.jobs().get(&latency::name(0)).await?;
    let status = job.data.get("status");
    Ok(status.context("a job without status")?.clone())
}

fn setting(name: &str, default: u32) -> u32 {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

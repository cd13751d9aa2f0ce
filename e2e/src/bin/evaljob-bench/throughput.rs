//! Jobs a second through everything: created with bounded concurrency, run by the agent, each with its verdict stored.
//!
//! The end is read from the operator's own count of stored verdicts, because a watcher's share of the machine would count
//! against the operator; that every job has the right verdict is looked at afterwards.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use evaljob_e2e::Case;
use evaljob_e2e::processes;
use evaljob_e2e::wait::{self, Seen};
use kube::api::ListParams;

use crate::product::Product;
use crate::requests::{self, Path};

/// Creates under way.
const IN_FLIGHT: usize = 32;
/// Longest for all jobs of a round.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whose CPU time is counted.
pub(crate) const PARTIES: [&str; 5] =
    ["API server", "etcd", "operator", "agent and runs", "client"];

/// A round.
#[derive(Debug)]
pub(crate) struct Round {
    /// Jobs a second.
    pub(crate) rate: f64,
    /// CPU milliseconds a job of each of [`PARTIES`].
    pub(crate) cpu: [f64; 5],
}

/// Runs `jobs` jobs.
pub(crate) async fn measure(
    case: &Case,
    product: &Product,
    prefix: &str,
    jobs: u32,
) -> Result<Round> {
    let (client, path) = (case.client(), Path::new(case.namespace()));
    let names: Vec<String> = (0..jobs)
        .map(|number| format!("{prefix}-{number}"))
        .collect();
    let (operator, agent) = (product.operator, product.agent);
    let before = finished(product).await?;
    let wanted = before + f64::from(jobs);
    let (begun, cpu) = (Instant::now(), cpu(operator, agent));
    requests::for_each(names, IN_FLIGHT, |name| {
        let (client, path) = (client.clone(), path.clone());
        async move { requests::create(&client, &path, &name).await.map(drop) }
    })
    .await?;
    wait::until("every verdict to be stored", PATIENCE, || async {
        let finished = finished(product).await?;
        Ok(if finished >= wanted {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{} of {jobs}", finished - before))
        })
    })
    .await?;
    let took = begun.elapsed().as_secs_f64();
    let spent = self::cpu(operator, agent);
    check(case, prefix, jobs).await?;
    let mut cpu_ms = [0.0; 5];
    for ((figure, after), before) in cpu_ms.iter_mut().zip(spent).zip(cpu) {
        *figure = (after - before) * 1e3 / f64::from(jobs);
    }
    Ok(Round {
        rate: f64::from(jobs) / took,
        cpu: cpu_ms,
    })
}

/// Every job of the round ran `true`, and its verdict says so.
async fn check(case: &Case, prefix: &str, jobs: u32) -> Result<()> {
    let completed = ListParams::default().fields("status.verdict=Completed");
    let list = case.jobs().list(&completed).await?;
    let of_round = list
        .iter()
        .filter_map(|job| job.metadata.name.as_deref()?.strip_prefix(prefix))
        .filter(|rest| rest.starts_with('-'))
        .count();
    ensure!(
        of_round == usize::try_from(jobs)?,
        "{of_round} of {jobs} jobs are Completed"
    );
    Ok(())
}

/// Verdicts the operator has stored since it started.
async fn finished(product: &Product) -> Result<f64> {
    product.metric("jobs_finished_total").await
}

fn cpu(operator: u32, agent: u32) -> [f64; 5] {
    [
        processes::cpu_seconds(&processes::named("kube-apiserver")),
        processes::cpu_seconds(&processes::named("etcd")),
        processes::cpu_seconds(&[operator]),
        processes::cpu_seconds(&processes::tree(agent)),
        processes::cpu_seconds(&[std::process::id()]),
    ]
}

//! Resident memory: of the operator with many live jobs, of an idle agent and of its spawner.

use std::time::Duration;

use anyhow::{Context, Result};
use evaljob_e2e::Case;
use evaljob_e2e::processes;
use evaljob_e2e::wait::{self, Seen};

use crate::product::Product;
use crate::requests::{self, Path};

/// Longest for the operator to know all jobs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of an agent that has nothing to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Idle {
    /// The agent itself.
    pub(crate) agent: u64,
    /// Its spawner.
    pub(crate) spawner: u64,
    /// The spawner's helpers: a worker a slot and the network maker.
    pub(crate) helpers: u64,
}

/// An agent without a job.
pub(crate) fn idle(agent: u32) -> Result<Idle> {
    let below = processes::children(agent);
    let spawner = *below.first().context("the agent has no spawner")?;
    let helpers = processes::children(spawner);
    Ok(Idle {
        agent: processes::resident(agent)?,
        spawner: processes::resident(spawner)?,
        helpers: helpers
            .into_iter()
            .filter_map(|helper| processes::resident(helper).ok())
            .sum(),
    })
}

/// An operator with `jobs` jobs that no agent can take.
pub(crate) async fn operator(case: &Case, product: &Product, jobs: u32) -> Result<u64> {
    let (client, path) = (case.client(), Path::new(case.namespace()));
    let names = (0..jobs).map(|number| format!("live-{number}")).collect();
    requests::for_each(names, 8, |name| {
        let (client, path) = (client.clone(), path.clone());
        async move { requests::create(&client, &path, &name).await.map(drop) }
    })
    .await?;
    wait::until("live jobs in the operator", PATIENCE, || async {
        let live = product.metric("jobs_live").await?;
        Ok(if live >= f64::from(jobs) {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{live} live jobs"))
        })
    })
    .await?;
    processes::resident(product.operator)
}

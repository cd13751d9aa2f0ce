//! What a round must not pay for: jobs of the one before it, and what starting and ending Pods still does to the machine.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use evaljob_e2e::Case;
use evaljob_e2e::wait::{self, Seen};
use kube::api::{DeleteParams, ListParams};

/// Longest for each.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the machine is watched.
const LOOK: Duration = Duration::from_secs(2);
/// Share of all CPU time below which it is at rest: an idle cluster takes a part of this.
const BUSY: f64 = 0.2;

/// Deletes all jobs: an operator that has just begun to lead lists those that have ended.
pub(crate) async fn clear(case: &Case) -> Result<()> {
    let jobs = case.jobs();
    wait::until("the jobs to be gone", PATIENCE, || async {
        jobs.delete_collection(&DeleteParams::default(), &ListParams::default())
            .await?;
        let left = jobs
            .list(&ListParams::default().limit(1))
            .await?
            .items
            .len();
        Ok(Seen::some((left == 0).then_some(()), "some are left"))
    })
    .await
}

/// Waits until the machine has next to nothing to do.
pub(crate) async fn settle() -> Result<()> {
    wait::until("the machine to be at rest", PATIENCE, || async {
        let (busy, all) = ticks()?;
        tokio::time::sleep(LOOK).await;
        let (busy_then, all_then) = ticks()?;
        let share = (busy_then - busy) / (all_then - all).max(1.0);
        Ok(if share < BUSY {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{:.0} % busy", share * 100.0))
        })
    })
    .await
}

/// Busy and all clock ticks of all CPUs since boot (proc(5), /proc/stat; the fourth and fifth are idle and iowait).
fn ticks() -> Result<(f64, f64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("/proc/stat is empty")?;
    let mut all = 0.0;
    let mut idle = 0.0;
    // Guests' time, from the ninth on, is counted as the user's already.
    for (at, field) in line.split_whitespace().skip(1).take(8).enumerate() {
        let ticks: f64 = field.parse()?;
        all += ticks;
        if at == 3 || at == 4 {
            idle += ticks;
        }
    }
    Ok((all - idle, all))
}

//! From the create request to the moment a watcher sees the verdict, one job at a time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use evaljob_e2e::Case;
use futures::TryStreamExt;
use kube::ResourceExt;
use kube::api::{ListParams, WatchEvent, WatchParams};

use crate::requests::{self, Path};

/// Jobs before the first that counts.
const WARM_UP: u32 = 10;
/// Longest for one job.
const PATIENCE: Duration = Duration::from_secs(60);

/// Times of `jobs` jobs, sorted.
pub(crate) async fn measure(case: &Case, jobs: u32) -> Result<Vec<Duration>> {
    let api = case.jobs();
    let (client, path) = (case.client(), Path::new(case.namespace()));
    let list = api.list(&ListParams::default().limit(1)).await?;
    let version = list.metadata.resource_version.context("no version")?;
    let parameters = WatchParams::default().timeout(290);
    let mut events = std::pin::pin!(api.watch(&parameters, &version).await?);
    let mut times = Vec::new();
    for number in 0..WARM_UP + jobs {
        let name = self::name(number);
        let begun = Instant::now();
        requests::create(&client, &path, &name).await?;
        let seen = async {
            while let Some(event) = events.try_next().await? {
                if let WatchEvent::Modified(job) = event
                    && job.name_any() == name
                    && job.data.pointer("/status/verdict").is_some()
                {
                    return Ok(begun.elapsed());
                }
            }
            bail!("the watch ended")
        };
        let time = tokio::time::timeout(PATIENCE, seen)
            .await
            .with_context(|| format!("no verdict of {name}"))??;
        if number >= WARM_UP {
            times.push(time);
        }
    }
    times.sort_unstable();
    Ok(times)
}

/// Name of a job.
pub(crate) fn name(number: u32) -> String {
    format!("latency-{number}")
}

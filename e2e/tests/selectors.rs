//! Field selectors: what the operator watches, and what people ask for.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use evaljob_e2e::{Case, trials};
use kube::ResourceExt;
use kube::api::{ListParams, WatchEvent, WatchParams};
use libtest_mimic::Trial;
use serde_json::json;

use crate::crd::condition;

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        jobs_are_selected_by_verdict_and_by_node,
        a_job_that_gets_its_verdict_leaves_the_watch_for_live_jobs,
        kubectl_wait_returns_for_the_end_before_and_after_it,
    ]
}

fn finished() -> serde_json::Value {
    json!({"verdict": "Accepted", "nodeName": "n1", "attempt": 1, "conditions": [condition("Finished", "True", "Accepted")]})
}

async fn jobs_are_selected_by_verdict_and_by_node(case: Case) -> Result<()> {
    let done = case.create("done", json!({"command": ["true"]})).await?;
    case.create("live", json!({"command": ["true"]})).await?;
    case.write_status(&done, finished()).await?;
    let rows = [
        (
            "no verdict, which is how a new job looks",
            "status.verdict=",
            "live",
        ),
        ("a verdict", "status.verdict=Accepted", "done"),
        ("another verdict", "status.verdict!=Accepted", "live"),
        ("a node", "status.nodeName=n1", "done"),
    ];
    for (row, selector, expected) in rows {
        let list = case
            .jobs()
            .list(&ListParams::default().fields(selector))
            .await?;
        let names: Vec<_> = list.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, [expected], "{row}");
    }
    Ok(())
}

async fn a_job_that_gets_its_verdict_leaves_the_watch_for_live_jobs(case: Case) -> Result<()> {
    use futures::TryStreamExt;
    let jobs = case.jobs();
    let start = jobs
        .list(&ListParams::default())
        .await?
        .metadata
        .resource_version
        .context("no version")?;
    let watch = WatchParams::default().fields("status.verdict=").timeout(60);
    let mut events = std::pin::pin!(jobs.watch(&watch, &start).await?);
    let job = case.create("a", json!({"command": ["true"]})).await?;
    let running = json!({"attempt": 1, "conditions": [condition("Finished", "False", "Running")]});
    case.write_status(&job, running).await?;
    case.write_status(&job, finished()).await?;
    let mut seen = Vec::new();
    while seen.last() != Some(&"DELETED") {
        let next = tokio::time::timeout(Duration::from_secs(60), events.try_next()).await;
        seen.push(match next.context("no event")?? {
            Some(WatchEvent::Added(_)) => "ADDED",
            Some(WatchEvent::Modified(_)) => "MODIFIED",
            Some(WatchEvent::Deleted(_)) => "DELETED",
            other => bail!("after {seen:?}: {other:?}"),
        });
    }
    assert_eq!(seen, ["ADDED", "MODIFIED", "DELETED"]);
    ensure!(
        jobs.get_opt("a").await?.is_some(),
        "the job itself is still there"
    );
    Ok(())
}

async fn kubectl_wait_returns_for_the_end_before_and_after_it(case: Case) -> Result<()> {
    let job = case.create("a", json!({"command": ["true"]})).await?;
    let kubectl = case.kubectl();
    let arguments = [
        "wait",
        "evaljob/a",
        "--for=condition=Finished",
        "--timeout=60s",
    ];
    let (before, written) =
        tokio::join!(kubectl.ok(&arguments), case.write_status(&job, finished()));
    written?;
    before.context("waiting began before the end")?;
    // Later edits that are allowed change the generation, and must not make wait hang.
    kubectl
        .ok(&[
            "patch",
            "evaljob",
            "a",
            "--type=merge",
            "--patch",
            r#"{"spec":{"ttlSecondsAfterFinished":900}}"#,
        ])
        .await?;
    kubectl
        .ok(&arguments)
        .await
        .context("waiting began after the end")?;
    Ok(())
}

//! Two nodes with one release: jobs on both; one is drained, comes back, and is killed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::barrier::Barrier;
use evaljob_e2e::node::{self, Node};
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, release, trials_alone};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;
use libtest_mimic::Trial;
use serde_json::Value;

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials_alone![
        one_of_two_nodes_is_drained_comes_back_and_dies_and_no_job_is_lost_or_blamed
    ])
}

const PATIENCE: Duration = Duration::from_secs(120);

/// Slots of each node: CPUs of the agent's container.
const SLOTS: usize = 2;

async fn one_of_two_nodes_is_drained_comes_back_and_dies_and_no_job_is_lost_or_blamed(
    case: Case,
) -> Result<()> {
    let (stays, goes) = (node::name(1), node::name(2));
    let barrier = Barrier::new(&case, &["both", "after"])?;
    release::import_product(case.cluster()).await?;
    install(&case, &barrier, &stays).await?;

    for number in 0..2 * SLOTS {
        let name = format!("both-{number}");
        case.create(&name, barrier.job("both")).await?;
    }
    on(&case, "both", &stays, SLOTS).await?;
    let of_both = on(&case, "both", &goes, SLOTS).await?;

    // Drained: what runs there ends there, what is new goes to the other, where there are slots for one half.
    let kubectl = case.cluster().kubectl();
    kubectl.ok(&["cordon", &goes]).await?;
    kubectl.ok(&["drain", "--ignore-daemonsets", &goes]).await?;
    for number in 0..2 * SLOTS {
        let name = format!("after-{number}");
        case.create(&name, barrier.job("after")).await?;
    }
    barrier.open("both")?;
    for name in &of_both {
        completed(&case, name, &goes, 1).await?;
    }
    on(&case, "after", &stays, SLOTS).await?;
    assert_eq!(
        shown_on(&case, "after", &goes).await?,
        Vec::<String>::new(),
        "placed on a drained node"
    );

    kubectl.ok(&["uncordon", &goes]).await?;
    let victims = on(&case, "after", &goes, SLOTS).await?;
    let nodes = case.cluster().nodes();
    let dead = nodes.iter().find(|node| node.name() == goes);
    let dead = dead.context("no second node")?;
    dies(&case, dead).await?;
    barrier.open("after")?;
    for number in 0..2 * SLOTS {
        let name = format!("after-{number}");
        let attempt = if victims.contains(&name) { 2 } else { 1 };
        completed(&case, &name, &stays, attempt).await?;
    }
    nodes[0].ready(&case.client()).await?;
    dead.start_again().await?;
    dead.ready(&case.client()).await?;
    release::ready(&case).await?;
    release::uninstall(&case).await
}

/// The release, with the operator on one node and the barrier on both.
async fn install(case: &Case, barrier: &Barrier, operator: &str) -> Result<()> {
    let values = [
        format!(r"--set=operator.nodeSelector.kubernetes\.io/hostname={operator}"),
        "--set=operator.agentGrace=3s".to_owned(),
        format!("--set=agent.slots={SLOTS}"),
        "--set=agent.nodeDirectories[0].name=barrier".to_owned(),
        format!(
            "--set=agent.nodeDirectories[0].path={}",
            barrier.directory().display()
        ),
    ];
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    release::install(case, &values).await?;
    release::ready(case).await
}

/// Waits until so many jobs of a kind are shown as running on a node; returns them.
async fn on(case: &Case, kind: &str, node: &str, count: usize) -> Result<Vec<String>> {
    let what = format!("{count} jobs {kind} on {node}");
    let seen = wait::until(&what, PATIENCE, || async {
        let shown = shown_on(case, kind, node).await?;
        Ok(if shown.len() == count {
            Seen::Yes(shown)
        } else {
            Seen::NotYet(format!("{shown:?}"))
        })
    })
    .await;
    match seen {
        Ok(shown) => Ok(shown),
        Err(error) => Err(error.context(release::said(case).await)),
    }
}

/// Jobs of a kind whose status names a node, as anybody would ask for them.
async fn shown_on(case: &Case, kind: &str, node: &str) -> Result<Vec<String>> {
    let selector = format!("--field-selector=status.nodeName={node}");
    let names = case
        .kubectl()
        .ok(&["get", "evaljobs", &selector, "-o", "name"])
        .await?;
    Ok(names
        .lines()
        .filter_map(|name| name.strip_prefix("evaljob.evaljob.dev/"))
        .filter(|name| name.starts_with(kind))
        .map(str::to_owned)
        .collect())
}

/// A job ended well on this node, with this attempt, and its program is not blamed for those before.
async fn completed(case: &Case, name: &str, node: &str, attempt: i64) -> Result<()> {
    let job = case.verdict(name, PATIENCE).await?;
    let status = &job.data["status"];
    assert_eq!(status["verdict"], "Completed", "{name}: {status}");
    assert_eq!(status["nodeName"], node, "{name}: {status}");
    assert_eq!(status["attempt"], attempt, "{name}: {status}");
    let failures = status["infrastructureFailures"].as_i64().unwrap_or(0);
    assert_eq!(failures, attempt - 1, "{name}: {status}");
    let succeeded = status["conditions"].as_array().into_iter().flatten();
    let succeeded: Vec<&Value> = succeeded
        .filter(|condition| condition["type"] == "Succeeded")
        .map(|condition| &condition["status"])
        .collect();
    assert_eq!(succeeded, ["True"], "{name}: {status}");
    Ok(())
}

/// Kills a node, sees that nothing of it runs on and that the cluster notices.
async fn dies(case: &Case, node: &Node) -> Result<()> {
    ensure!(!node.processes()?.is_empty(), "no process of it is seen");
    node.kill().await?;
    wait::until("the dead node's processes to be gone", PATIENCE, || async {
        let left = node.processes()?;
        Ok(if left.is_empty() {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{left:?}"))
        })
    })
    .await?;
    let objects = Api::<NodeObject>::all(case.client());
    wait::until("the dead node to be NotReady", PATIENCE, || async {
        let status = objects.get(node.name()).await?.status.unwrap_or_default();
        let ready = status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .find(|one| one.type_ == "Ready")
            .context("no condition Ready")?;
        Ok(if ready.status == "True" {
            Seen::NotYet(ready.status)
        } else {
            Seen::Yes(())
        })
    })
    .await
}

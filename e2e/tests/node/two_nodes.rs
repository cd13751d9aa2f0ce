//! Two nodes on one machine: each runs Pods; a killed one is seen by the cluster, and nothing of it runs on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, node, trials_alone};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::PostParams;
use libtest_mimic::Trial;
use serde_json::json;

use crate::pods;

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![a_killed_node_is_seen_and_nothing_of_it_runs_on]
}

async fn a_killed_node_is_seen_and_nothing_of_it_runs_on(case: Case) -> Result<()> {
    pods::account(&case).await?;
    let victim = node::name(2);
    let pods = Api::<Pod>::namespaced(case.client(), case.namespace());
    for number in 1..=2 {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": format!("on-{number}")},
            "spec": {
                "nodeName": node::name(number),
                "automountServiceAccountToken": false,
                "containers": [{"name": "a", "image": "registry.local/pause:e2e", "imagePullPolicy": "Never"}],
            },
        }))?;
        pods.create(&PostParams::default(), &pod).await?;
    }
    case.kubectl()
        .ok(&[
            "wait",
            "pod",
            "--all",
            "--for=condition=Ready",
            "--timeout=120s",
        ])
        .await?;
    let nodes = case.cluster().nodes();
    let dead = nodes
        .iter()
        .find(|node| node.name() == victim)
        .context("no second node")?;
    ensure!(
        !dead.processes()?.is_empty(),
        "no process of the Pod is seen"
    );
    dead.kill().await?;
    wait::until("the dead node's processes to be gone", PATIENCE, || async {
        let left = dead.processes()?;
        Ok(if left.is_empty() {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{left:?}"))
        })
    })
    .await?;
    let objects = Api::<Node>::all(case.client());
    wait::until("the dead node to be NotReady", PATIENCE, || async {
        let status = objects.get(&victim).await?.status.unwrap_or_default();
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
    .await?;
    nodes[0].ready(&case.client()).await?;
    dead.start_again().await?;
    dead.ready(&case.client()).await
}

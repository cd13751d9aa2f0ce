//! The control plane itself does what other tests build on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::agent_pod::AgentPod;
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::metrics::Requests;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials, trials_alone};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use libtest_mimic::Trial;
use serde_json::json;

use crate::crd::condition;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![the_scheduler_places_a_pod_on_a_node_made_by_a_test];
    tests.extend(on_own_cluster(trials_alone![
        objects_outlive_a_killed_api_server,
        metrics_and_audit_log_count_the_same_requests
    ]));
    tests
}

async fn objects_outlive_a_killed_api_server(case: Case) -> Result<()> {
    let before = case.create("a", json!({"command": ["true"]})).await?;
    let control_plane = case.cluster().control_plane()?;
    control_plane.kill_api_server().await?;
    ensure!(case.jobs().get("a").await.is_err(), "nobody answers");
    control_plane.start_api_server().await?;
    assert_eq!(case.jobs().get("a").await?.uid(), before.uid());
    Ok(())
}

async fn metrics_and_audit_log_count_the_same_requests(case: Case) -> Result<()> {
    let audit = case.audit()?;
    let before = Requests::read(&case.client()).await?;
    let job = case.create("a", json!({"command": ["true"]})).await?;
    case.jobs().get("a").await?;
    let status =
        json!({"verdict": "Accepted", "conditions": [condition("Finished", "True", "Accepted")]});
    case.write_status(&job, status).await?;
    // The audit log is written after the answer.
    let expected = [
        "create evaljobs 201",
        "get evaljobs 200",
        "patch evaljobs/status 200",
    ];
    wait::until("three requests in the audit log", PATIENCE, || async {
        let requests = audit.requests()?;
        let own = requests
            .iter()
            .filter(|request| request.namespace == case.namespace() && request.user == "admin");
        let own: Vec<_> = own
            .map(|request| format!("{} {} {}", request.verb, request.resource, request.code))
            .collect();
        Ok(if own == expected {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{own:?}"))
        })
    })
    .await?;
    let new = Requests::read(&case.client()).await?.since(&before);
    let all: Vec<_> = new.of("evaljobs").collect();
    assert_eq!(new.count("POST", "evaljobs", ""), 1, "{all:?}");
    assert_eq!(new.count("GET", "evaljobs", ""), 1, "{all:?}");
    assert_eq!(new.count("PATCH", "evaljobs", "status"), 1, "{all:?}");
    Ok(())
}

async fn the_scheduler_places_a_pod_on_a_node_made_by_a_test(case: Case) -> Result<()> {
    let agent = AgentPod::create(case.cluster(), case.namespace()).await?;
    let pods = Api::<Pod>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": case.namespace()},
        "spec": {
            "serviceAccountName": "evaljob-agent",
            "nodeSelector": {"kubernetes.io/hostname": agent.node()},
            "containers": [{"name": "a", "image": "registry.invalid/a"}],
        },
    }))?;
    pods.create(&PostParams::default(), &pod).await?;
    let node = wait::until("the Pod to have a node", PATIENCE, || async {
        let pod = pods.get(case.namespace()).await?;
        Ok(Seen::some(pod.spec.and_then(|spec| spec.node_name), "none"))
    })
    .await?;
    assert_eq!(node, agent.node());
    pods.delete(case.namespace(), &DeleteParams::default().grace_period(0))
        .await
        .context("cannot delete the Pod")?;
    agent.delete().await
}

//! The same operator and agent as Pods of a release, on a node beside the processes they are compared with.
//!
//! The operator's Deployment has one replica while it is measured and none otherwise: one leads at a time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, node, processes, release};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::product::Product;

/// Longest for a Pod to come or go, and for the first verdict.
const PATIENCE: Duration = Duration::from_secs(180);

/// Bytes of the Pods, idle after all rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Proportional set size of the operator.
    pub(crate) operator: u64,
    /// Of the agent itself.
    pub(crate) agent: u64,
    /// Of its spawner.
    pub(crate) spawner: u64,
    /// What the kubelet counts for the operator's Pod.
    pub(crate) operator_pod: u64,
    /// And for the agent's.
    pub(crate) agent_pod: u64,
}

/// Installs the chart; how long it took from the command to the first verdict, images being there.
pub(crate) async fn install(case: &Case, slots: u32) -> Result<Duration> {
    release::import_product(case.cluster()).await?;
    let worker = node::name(1);
    let slots = release::slots(usize::try_from(slots)?);
    // Host processes have a Node of their own, on which no Pod may be expected.
    let places = ["operator", "agent"]
        .map(|part| format!(r"--set={part}.nodeSelector.kubernetes\.io/hostname={worker}"));
    let values: Vec<&str> = slots.iter().chain(&places).map(String::as_str).collect();
    let begun = Instant::now();
    release::install(case, &values).await?;
    let spec = json!({"command": ["true"], "tests": [{"name": "1", "expectedStdout": ""}]});
    case.create("first", spec).await?;
    let verdict = case.verdict("first", PATIENCE).await?;
    let took = begun.elapsed();
    ensure!(
        verdict.data["status"]["verdict"] == "Accepted",
        "{:?}",
        verdict.data
    );
    Ok(took)
}

/// Starts the operator's Pod; both, when the agent has found it.
pub(crate) async fn lead(case: &Case) -> Result<Product> {
    scale(case, 1).await?;
    release::ready(case).await?;
    let pods = operators(case).await?;
    let address = pods
        .first()
        .and_then(|pod| pod.status.as_ref()?.pod_ip.clone());
    let product = Product {
        // The kernel cuts names to 15 bytes.
        operator: single("evaljob-operato")?,
        agent: single("evaljob-agent")?,
        pages: format!(
            "{}:8080",
            address.context("the operator's Pod has no address")?
        ),
    };
    product.connected().await?;
    Ok(product)
}

/// Ends the operator's Pod.
pub(crate) async fn rest(case: &Case) -> Result<()> {
    scale(case, 0).await?;
    wait::until("the operator's Pod to be gone", PATIENCE, || async {
        let left = operators(case).await?.len();
        Ok(Seen::some((left == 0).then_some(()), "still there"))
    })
    .await
}

/// Memory of both Pods.
pub(crate) async fn memory(case: &Case, product: &Product) -> Result<Memory> {
    let spawner = processes::children(product.agent);
    let spawner = *spawner.first().context("the agent has no spawner")?;
    Ok(Memory {
        operator: processes::proportional(product.operator)?,
        agent: processes::proportional(product.agent)?,
        spawner: processes::proportional(spawner)?,
        operator_pod: working_set(case, "evaljob-operator-").await?,
        agent_pod: working_set(case, "evaljob-agent-").await?,
    })
}

/// As `kubectl top` would show it, counted from now on: the kubelet looks every ten seconds.
async fn working_set(case: &Case, prefix: &str) -> Result<u64> {
    let path = format!("/api/v1/nodes/{}/proxy/stats/summary", node::name(1));
    let (client, now) = (case.client(), Timestamp::now());
    wait::until("the kubelet to count memory", PATIENCE, || async {
        let summary: Value = client
            .request(http::Request::get(&path).body(Vec::new())?)
            .await?;
        let pods = summary["pods"].as_array().into_iter().flatten();
        let bytes = pods
            .filter(|pod| pod["podRef"]["namespace"] == SYSTEM_NAMESPACE)
            .filter(|pod| {
                let name = pod["podRef"]["name"].as_str();
                name.is_some_and(|name| name.starts_with(prefix))
            })
            .filter(|pod| {
                let time = pod["memory"]["time"].as_str();
                time.and_then(|time| time.parse().ok())
                    .is_some_and(|time: Timestamp| time > now)
            })
            .find_map(|pod| pod["memory"]["workingSetBytes"].as_u64());
        Ok(Seen::some(bytes, "no figure"))
    })
    .await
}

async fn scale(case: &Case, replicas: u8) -> Result<()> {
    let replicas = format!("--replicas={replicas}");
    let arguments = [
        "-n",
        SYSTEM_NAMESPACE,
        "scale",
        "deployment/evaljob-operator",
        &replicas,
    ];
    case.cluster().kubectl().ok(&arguments).await.map(drop)
}

async fn operators(case: &Case) -> Result<Vec<Pod>> {
    let pods = Api::<Pod>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let selector = ListParams::default().labels("app.kubernetes.io/component=operator");
    Ok(pods.list(&selector).await?.items)
}

/// The only process of this name that no other of it has started.
fn single(name: &str) -> Result<u32> {
    let all = processes::named(name);
    let below: Vec<u32> = all
        .iter()
        .flat_map(|pid| processes::children(*pid))
        .collect();
    let mut first = all.into_iter().filter(|pid| !below.contains(pid));
    let found = first.next().with_context(|| format!("no {name}"))?;
    ensure!(first.next().is_none(), "a second {name}");
    Ok(found)
}

//! The product's images run on a kubelet; the agent's sandbox holds in a Pod with six capabilities.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, chart, product_images, programs, release, trials};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::Api;
use kube::api::PostParams;
use libtest_mimic::Trial;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        the_operator_starts_in_an_empty_image_as_nobody,
        doctor_is_green_in_a_pod_with_six_capabilities,
        the_smallest_job_is_judged_in_a_pod,
        without_any_one_of_six_capabilities_no_job_runs_and_it_is_named,
    ]
}

async fn the_operator_starts_in_an_empty_image_as_nobody(case: Case) -> Result<()> {
    release::import(case.cluster(), &product_images::operator()?).await?;
    let image = product_images::reference("evaljob-operator", product_images::TAG);
    let security = json!({
        "runAsNonRoot": true,
        "readOnlyRootFilesystem": true,
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let container = json!({
        "name": "operator", "image": image, "imagePullPolicy": "IfNotPresent",
        "args": ["--version"], "securityContext": security,
    });
    let log = run(&case, "operator", json!({"containers": [container]})).await?;
    ensure!(log.starts_with("evaljob-operator "), "{log}");
    Ok(())
}

async fn doctor_is_green_in_a_pod_with_six_capabilities(case: Case) -> Result<()> {
    toolbox(&case).await?;
    let arguments = ["doctor", "--allow-cgroup-v1", "--rootfs", "/toolbox"];
    let log = run(&case, "doctor", agent_pod(&arguments).await?).await?;
    ensure!(log.ends_with("jobs run here\n"), "{log}");
    let compared = "the kernel holds floor and profile as compiled";
    ensure!(log.contains(compared), "{log}");
    Ok(())
}

async fn the_smallest_job_is_judged_in_a_pod(case: Case) -> Result<()> {
    toolbox(&case).await?;
    example(&case, "hello.yaml").await?;
    let log = run(&case, "hello", job_pod("hello.yaml").await?).await?;
    let line: Value = serde_json::from_str(&log).with_context(|| log.clone())?;
    assert_eq!(line["status"]["verdict"], "Accepted", "{log}");
    Ok(())
}

async fn without_any_one_of_six_capabilities_no_job_runs_and_it_is_named(case: Case) -> Result<()> {
    toolbox(&case).await?;
    // With a step: what it leaves is owned by the run and lies below each test.
    example(&case, "c-compile-and-test.yaml").await?;
    let pod = job_pod("c-compile-and-test.yaml").await?;
    let whole = run(&case, "whole", pod.clone()).await?;
    ensure!(whole.contains("Accepted"), "{whole}");
    let given = pod["containers"][0]["securityContext"]["capabilities"]["add"].clone();
    let given: Vec<String> = serde_json::from_value(given)?;
    ensure!(given.len() == 6, "the chart gives {given:?}");
    // What fails without each, if it ran all the same, is shown by the container tests of the sandbox.
    let runs = given.iter().map(|missing| {
        let (case, mut pod) = (case.clone(), pod.clone());
        let left: Vec<&String> = given.iter().filter(|one| *one != missing).collect();
        async move {
            pod["containers"][0]["securityContext"]["capabilities"]["add"] = json!(left);
            let name = missing.to_lowercase().replace('_', "-");
            let (phase, log) = end(&case, &format!("no-{name}"), pod).await?;
            let failed = phase == "Failed" && log.contains("InfrastructureError");
            let named = log.contains(&format!("Capabilities: the spawner lacks {missing}"));
            anyhow::Ok((!failed || !named).then(|| format!("{missing}: {phase} {log}")))
        }
    });
    let ends = futures::future::try_join_all(runs).await?;
    let harmless: Vec<String> = ends.into_iter().flatten().collect();
    ensure!(harmless.is_empty(), "not missed: {harmless:#?}");
    Ok(())
}

/// An example as a ConfigMap, for [`job_pod`].
async fn example(case: &Case, file: &str) -> Result<()> {
    let path = programs::checkout("examples").join(file);
    let path = path.to_str().context("a path that is not text")?;
    case.kubectl()
        .ok(&["create", "configmap", "manifests", "--from-file", path])
        .await
        .map(drop)
}

/// The agent's Pod with `evaljob-agent run` of an example.
async fn job_pod(file: &str) -> Result<Value> {
    let path = format!("/manifests/{file}");
    let arguments = [
        "run",
        "--allow-cgroup-v1",
        "--rootfs",
        "/toolbox",
        "-o",
        "json",
        "-f",
        &path,
    ];
    let mut pod = agent_pod(&arguments).await?;
    let volume = json!({"name": "manifests", "configMap": {"name": "manifests"}});
    let mount = json!({"name": "manifests", "mountPath": "/manifests"});
    append(&mut pod["volumes"], volume)?;
    append(&mut pod["containers"][0]["volumeMounts"], mount)?;
    Ok(pod)
}

fn append(list: &mut Value, item: Value) -> Result<()> {
    list.as_array_mut().context("not a list")?.push(item);
    Ok(())
}

/// The agent in a Pod with the privileges that the chart gives it, and nothing writable but /tmp.
async fn agent_pod(arguments: &[&str]) -> Result<Value> {
    let objects = chart::objects(&chart::render(&[]).await?)?;
    let agent = objects.iter().find(|object| object["kind"] == "DaemonSet");
    let security = agent
        .and_then(|agent| agent.pointer("/spec/template/spec/containers/0/securityContext"))
        .context("the chart has no agent")?;
    let container = json!({
        "name": "agent",
        "image": product_images::reference("evaljob-agent", product_images::TOOLBOX_TAG),
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "securityContext": security,
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    });
    Ok(json!({"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}))
}

async fn toolbox(case: &Case) -> Result<()> {
    let directory = programs::build_toolbox()?;
    release::import(case.cluster(), &product_images::agent_toolbox(&directory)?).await
}

/// Waits for what every Pod of the namespace needs.
async fn account(case: &Case) -> Result<()> {
    let accounts = Api::<ServiceAccount>::namespaced(case.client(), case.namespace());
    wait::until("the namespace's account", PATIENCE, || async {
        Ok(Seen::some(accounts.get_opt("default").await?, "none"))
    })
    .await
    .map(drop)
}

/// Runs a Pod to its end; returns the log of its only container, and fails where it does not end with 0.
async fn run(case: &Case, name: &str, spec: Value) -> Result<String> {
    let (phase, log) = end(case, name, spec).await?;
    if phase != "Succeeded" {
        bail!("Pod {name} {phase}: {log}");
    }
    Ok(log)
}

/// Runs a Pod to its end; returns its phase and the log of its only container.
async fn end(case: &Case, name: &str, spec: Value) -> Result<(String, String)> {
    account(case).await?;
    let mut pod = json!({"metadata": {"name": name}, "spec": spec});
    pod["spec"]["restartPolicy"] = "Never".into();
    pod["spec"]["automountServiceAccountToken"] = false.into();
    let pod: Pod = serde_json::from_value(pod)?;
    let pods = Api::<Pod>::namespaced(case.client(), case.namespace());
    pods.create(&PostParams::default(), &pod).await?;
    let phase = wait::until(&format!("the end of Pod {name}"), PATIENCE, || async {
        let status = pods.get(name).await?.status.unwrap_or_default();
        let phase = status.phase.clone().unwrap_or_default();
        Ok(if phase == "Succeeded" || phase == "Failed" {
            Seen::Yes(phase)
        } else {
            Seen::NotYet(serde_json::to_string(&status)?)
        })
    })
    .await?;
    let log = case.kubectl().ok(&["logs", name]).await?;
    Ok((phase, log))
}

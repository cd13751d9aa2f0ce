//! The product's images run on a kubelet; the agent's sandbox holds in a Pod with six capabilities.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use evaljob_e2e::images::Image;
use evaljob_e2e::note::note;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, product_images, programs, trials};
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
    ]
}

async fn the_operator_starts_in_an_empty_image_as_nobody(case: Case) -> Result<()> {
    import(&case, &product_images::operator()?).await?;
    let image = product_images::reference("evaljob-operator", product_images::TAG);
    let security = json!({
        "runAsNonRoot": true,
        "readOnlyRootFilesystem": true,
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let container = json!({
        "name": "operator", "image": image, "imagePullPolicy": "Never",
        "args": ["--version"], "securityContext": security,
    });
    let log = run(&case, "operator", json!({"containers": [container]})).await?;
    ensure!(log.starts_with("evaljob-operator "), "{log}");
    Ok(())
}

async fn doctor_is_green_in_a_pod_with_six_capabilities(case: Case) -> Result<()> {
    toolbox(&case).await?;
    let arguments = ["doctor", "--allow-cgroup-v1", "--rootfs", "/toolbox"];
    let log = run(&case, "doctor", agent_pod(&arguments)).await?;
    ensure!(log.ends_with("jobs run here\n"), "{log}");
    Ok(())
}

async fn the_smallest_job_is_judged_in_a_pod(case: Case) -> Result<()> {
    toolbox(&case).await?;
    let manifest = programs::checkout("examples/hello.yaml");
    let manifest = manifest.to_str().context("a path that is not text")?;
    case.kubectl()
        .ok(&["create", "configmap", "manifests", "--from-file", manifest])
        .await?;
    let mut pod = agent_pod(&[
        "run",
        "--allow-cgroup-v1",
        "--rootfs",
        "/toolbox",
        "-o",
        "json",
        "-f",
        "/manifests/hello.yaml",
    ]);
    let volume = json!({"name": "manifests", "configMap": {"name": "manifests"}});
    let mount = json!({"name": "manifests", "mountPath": "/manifests"});
    append(&mut pod["volumes"], volume)?;
    append(&mut pod["containers"][0]["volumeMounts"], mount)?;
    let log = run(&case, "hello", pod).await?;
    let line: Value = serde_json::from_str(&log).with_context(|| log.clone())?;
    assert_eq!(line["status"]["verdict"], "Accepted", "{log}");
    Ok(())
}

fn append(list: &mut Value, item: Value) -> Result<()> {
    list.as_array_mut().context("not a list")?.push(item);
    Ok(())
}

/// The agent in a Pod as the chart makes it: six capabilities, no other privilege, nothing writable but /tmp.
fn agent_pod(arguments: &[&str]) -> Value {
    let capabilities = [
        "SYS_ADMIN",
        "SETUID",
        "SETGID",
        "DAC_OVERRIDE",
        "CHOWN",
        "FOWNER",
    ];
    let security = json!({
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"], "add": capabilities},
        "seccompProfile": {"type": "Unconfined"},
    });
    let container = json!({
        "name": "agent",
        "image": product_images::reference("evaljob-agent", product_images::TOOLBOX_TAG),
        "imagePullPolicy": "Never",
        "args": arguments,
        "securityContext": security,
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    });
    json!({"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]})
}

async fn toolbox(case: &Case) -> Result<()> {
    let directory = programs::build_toolbox()?;
    import(case, &product_images::agent_toolbox(&directory)?).await
}

pub(crate) async fn import(case: &Case, image: &Image) -> Result<()> {
    let start = Instant::now();
    for node in case.cluster().nodes() {
        node.import(image).await?;
    }
    note(&format!(
        "import of {}: {:.1} s",
        image.reference,
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Waits for what every Pod of the namespace needs.
pub(crate) async fn account(case: &Case) -> Result<()> {
    let accounts = Api::<ServiceAccount>::namespaced(case.client(), case.namespace());
    wait::until("the namespace's account", PATIENCE, || async {
        Ok(Seen::some(accounts.get_opt("default").await?, "none"))
    })
    .await
    .map(drop)
}

/// Runs a Pod to its end; returns the log of its only container, and fails where it does not end with 0.
async fn run(case: &Case, name: &str, spec: Value) -> Result<String> {
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
    if phase != "Succeeded" {
        bail!("Pod {name} {phase}: {log}");
    }
    Ok(log)
}

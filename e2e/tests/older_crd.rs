//! A CustomResourceDefinition that is older than the operator: the API server drops fields of a manifest, and nothing
//! is run with less than the manifest asks for. The way out is the newer definition, while the operator runs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![
        nothing_runs_under_a_crd_without_a_field_of_the_spec,
        jobs_run_under_a_crd_without_a_field_of_the_status
    ]
}

const SOON: Duration = Duration::from_secs(60);
/// Creation times are whole seconds.
const SECOND: Duration = Duration::from_millis(1_100);

async fn nothing_runs_under_a_crd_without_a_field_of_the_spec(case: Case) -> Result<()> {
    let result = without_a_limit(&case).await;
    // Other tests need the definition as it is.
    case.cluster().apply_crd().await?;
    result
}

async fn without_a_limit(case: &Case) -> Result<()> {
    remove(case, "spec/properties/limits/properties/openFiles").await?;
    wait::until("the limit to be dropped", SOON, || async {
        let job = create(case, None).await?;
        Ok(Seen::some(
            limit(&job).is_null().then_some(()),
            "it is kept",
        ))
    })
    .await?;
    create(case, Some("before")).await?;
    tokio::time::sleep(SECOND).await;
    let mut installation = Installation::start(case).await?;
    let _agent = installation.agent("older-crd", 2).await?;
    waits(case, "before", "CrdOutdated").await?;
    warned(case).await?;
    create(case, Some("meanwhile")).await?;
    waits(case, "meanwhile", "FieldsLost").await?;

    renew(case, &installation).await?;
    ends(case, "before", "Completed").await?;
    let message = ends(case, "meanwhile", "InvalidSpec").await?;
    ensure!(message.contains("spec.limits.openFiles"), "{message}");
    ensure!(message.contains("create it again"), "{message}");
    tokio::time::sleep(SECOND).await;
    let job = create(case, Some("again")).await?;
    ensure!(*limit(&job) == 77, "{:?}", job.data);
    ends(case, "again", "Completed").await?;

    // Now under an operator that has seen the newer one.
    remove(case, "spec/properties/limits/properties/openFiles").await?;
    shown(&installation, "spec", 1).await?;
    create(case, Some("later")).await?;
    waits(case, "later", "FieldsLost").await?;
    renew(case, &installation).await?;
    ends(case, "later", "InvalidSpec").await?;
    installation.operator().terminate(SOON).await.map(drop)
}

async fn jobs_run_under_a_crd_without_a_field_of_the_status(case: Case) -> Result<()> {
    let result = without_a_result(&case).await;
    case.cluster().apply_crd().await?;
    result
}

async fn without_a_result(case: &Case) -> Result<()> {
    let mut installation = Installation::start(case).await?;
    let _agent = installation.agent("older-status", 2).await?;
    create(case, Some("whole")).await?;
    ends(case, "whole", "Completed").await?;
    ensure!(version(case, "whole").await?.is_string(), "no version");
    remove(case, "status/properties/agentVersion").await?;
    shown(&installation, "status", 1).await?;
    create(case, Some("less")).await?;
    ends(case, "less", "Completed").await?;
    ensure!(version(case, "less").await?.is_null(), "it is stored");
    installation.operator().terminate(SOON).await.map(drop)
}

async fn version(case: &Case, name: &str) -> Result<Value> {
    Ok(case.jobs().get(name).await?.data["status"]["agentVersion"].take())
}

fn limit(job: &kube::core::DynamicObject) -> &Value {
    &job.data["spec"]["limits"]["openFiles"]
}

/// A job with a limit that is not the default; without a name it is only tried.
async fn create(case: &Case, name: Option<&str>) -> Result<kube::core::DynamicObject> {
    let spec = json!({
        "command": ["true"],
        "limits": {"openFiles": 77},
    });
    let job =
        kube::core::DynamicObject::new(name.unwrap_or("tried"), &evaljob_e2e::cluster::evaljobs())
            .data(json!({"spec": spec}));
    let parameters = kube::api::PostParams {
        dry_run: name.is_none(),
        ..kube::api::PostParams::default()
    };
    case.jobs()
        .create(&parameters, &job)
        .await
        .map_err(Into::into)
}

/// Takes a field out of the definition that is served.
async fn remove(case: &Case, field: &str) -> Result<()> {
    let path = format!("/spec/versions/0/schema/openAPIV3Schema/properties/{field}");
    let patch = json!([{"op": "remove", "path": path}]).to_string();
    case.cluster()
        .kubectl()
        .ok(&[
            "patch",
            "crd/evaljobs.evaljob.dev",
            "--type=json",
            "--patch",
            &patch,
        ])
        .await
        .map(drop)
}

/// The newer definition; the operator has seen it.
async fn renew(case: &Case, installation: &Installation) -> Result<()> {
    case.cluster().apply_crd().await?;
    shown(installation, "spec", 0).await
}

/// The operator's page says how many fields are missing.
async fn shown(installation: &Installation, part: &str, count: u32) -> Result<()> {
    let line = format!("evaljob_operator_crd_{part}_fields_missing {count}\n");
    wait::until(line.trim_end(), SOON, || async {
        let page = installation.metrics().await?;
        Ok(Seen::some(
            page.contains(&line).then_some(()),
            "another number",
        ))
    })
    .await
}

/// The job is not run, and says why and what to do.
async fn waits(case: &Case, name: &str, reason: &str) -> Result<()> {
    let jobs = case.jobs();
    let status = wait::until(&format!("{name} to say {reason}"), SOON, || async {
        let status = jobs.get(name).await?.data["status"].take();
        let conditions = status["conditions"].as_array();
        let says = |one: &Value| one["type"] == "Admitted" && one["reason"] == reason;
        let says = conditions.is_some_and(|all| all.iter().any(says));
        Ok(if says {
            Seen::Yes(status)
        } else {
            Seen::NotYet(status.to_string())
        })
    })
    .await?;
    let message = status["message"].as_str().context("no message")?;
    for part in ["spec.limits.openFiles", "helm upgrade"] {
        ensure!(message.contains(part), "{message}");
    }
    ensure!(status["dispatchedTime"].is_null(), "{status}");
    Ok(())
}

async fn ends(case: &Case, name: &str, verdict: &str) -> Result<String> {
    let status = case.verdict(name, SOON).await?.data["status"].take();
    ensure!(status["verdict"] == verdict, "{name}: {status}");
    Ok(status["message"].as_str().unwrap_or_default().to_owned())
}

/// An event names the field.
async fn warned(case: &Case) -> Result<()> {
    let events = Api::<Event>::namespaced(case.client(), SYSTEM_NAMESPACE);
    wait::until("an event CrdOutdated", SOON, || async {
        let all = events.list(&ListParams::default()).await?;
        let found = all.iter().any(|event| {
            let note = event.note.as_deref().unwrap_or_default();
            event.reason.as_deref() == Some("CrdOutdated") && note.contains("spec.limits.openFiles")
        });
        Ok(Seen::some(found.then_some(()), "none"))
    })
    .await
}

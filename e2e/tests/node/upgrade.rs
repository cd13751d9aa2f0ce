//! An upgrade and a rollback while two hundred jobs run: none lost, none blamed.
//!
//! Before: the chart as it was packaged at its first landing, 0.1.0. After: this checkout's, with a higher version, one
//! field of the CRD and one flag of the operator more. No build of 0.1.0 is kept, so the images of both versions hold
//! this build's programs: what is shown is what chart, CRD, rollouts and drains do to jobs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::note::note;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, chart, programs, release, trials_alone};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials_alone![upgrade_and_rollback_lose_and_blame_no_job])
}

const PATIENCE: Duration = Duration::from_secs(300);

/// All jobs of a batch run at once on two nodes; agents have less time to drain than some of them take.
const VALUES: [&str; 5] = [
    "--set=agent.slots=60",
    "--set=agent.resources.limits.memory=2Gi",
    "--set=agent.drainSeconds=2",
    "--wait",
    "--timeout=300s",
];

async fn upgrade_and_rollback_lose_and_blame_no_job(case: Case) -> Result<()> {
    release::import_versions(&case, &["0.1.0", chart::VERSION]).await?;
    let old = programs::checkout("e2e/fixtures/evaljob-0.1.0.tgz");
    // What the CRD of another test's release has more is taken back.
    release::put(&case, "install", &old.display().to_string(), &VALUES).await?;
    ensure!(!knows_agent_version(&case).await?, "the older CRD");
    ensure!(!flags(&case).await?.contains("--flush="), "the older flags");

    jobs(&case, "upgraded", 200).await?;
    in_the_middle(&case, "upgraded").await?;
    let start = Instant::now();
    let new = chart::path("").display().to_string();
    release::put(&case, "upgrade", &new, &VALUES).await?;
    note(&format!(
        "helm upgrade --wait: {:.1} s",
        start.elapsed().as_secs_f64()
    ));
    ensure!(knows_agent_version(&case).await?, "the newer CRD");
    ensure!(flags(&case).await?.contains("--flush="), "the newer flags");
    judged(&case, "upgraded").await?;

    jobs(&case, "rolled-back", 100).await?;
    in_the_middle(&case, "rolled-back").await?;
    let start = Instant::now();
    release::helm(&case, "rollback", &["--wait", "--timeout=300s"]).await?;
    note(&format!(
        "helm rollback --wait: {:.1} s",
        start.elapsed().as_secs_f64()
    ));
    ensure!(!knows_agent_version(&case).await?, "the older CRD again");
    judged(&case, "rolled-back").await?;
    release::helm(&case, "uninstall", &["--wait"])
        .await
        .map(drop)
}

/// Jobs of a batch: most take a second, some longer than an agent drains.
async fn jobs(case: &Case, batch: &str, count: usize) -> Result<()> {
    futures::stream::iter((0..count).map(|number| {
        let seconds = if number % 8 == 0 { 6 } else { 1 };
        let spec = json!({
            "command": ["sh", "-c", format!("sleep {seconds}; echo done")],
            "tests": [{"name": "1", "expectedStdout": "done"}],
            "limits": {"memory": "8Mi", "wallTimeMilliseconds": 600_000},
        });
        let name = format!("{batch}-{number}");
        async move { case.create(&name, spec).await }
    }))
    .buffer_unordered(16)
    .try_for_each(|_| async { Ok(()) })
    .await
    .map_err(Into::into)
}

async fn batch(case: &Case, batch: &str) -> Result<Vec<Value>> {
    let all = case.jobs().list(&ListParams::default()).await?;
    let own = |name: &str| {
        name.strip_prefix(batch)
            .is_some_and(|rest| rest.starts_with('-'))
    };
    let own = all.items.into_iter().filter(|job| own(&job.name_any()));
    Ok(own.map(|job| job.data).collect())
}

/// Some are done, and many are not.
async fn in_the_middle(case: &Case, name: &str) -> Result<()> {
    let left = wait::until("the first verdicts", PATIENCE, || async {
        let all = batch(case, name).await?;
        let done = all
            .iter()
            .filter(|job| job["status"]["verdict"].is_string());
        let left = all.len() - done.count();
        Ok(Seen::some((left < all.len()).then_some(left), "none"))
    })
    .await?;
    note(&format!(
        "{name}: {left} jobs without a verdict at the beginning"
    ));
    ensure!(left > 20, "only {left} jobs are left");
    Ok(())
}

/// Every job is accepted, and none has an attempt that counts as failed.
async fn judged(case: &Case, name: &str) -> Result<()> {
    let what = format!("verdicts of all jobs {name}");
    let all = wait::until(&what, PATIENCE, || async {
        let all = batch(case, name).await?;
        let left = all
            .iter()
            .filter(|job| !job["status"]["verdict"].is_string());
        Ok(match left.count() {
            0 => Seen::Yes(all),
            left => Seen::NotYet(format!("{left} without")),
        })
    })
    .await;
    let all = match all {
        Ok(all) => all,
        Err(error) => return Err(error.context(release::said(case).await)),
    };
    let blamed: Vec<&Value> = all
        .iter()
        .map(|job| &job["status"])
        .filter(|status| status["verdict"] != "Accepted" || status["infrastructureFailures"] != 0)
        .collect();
    let again = all.iter().filter(|job| job["status"]["attempt"] != 1);
    note(&format!("{name}: {} jobs ran again", again.count()));
    ensure!(
        blamed.is_empty(),
        "{} of {}: {}",
        blamed.len(),
        all.len(),
        blamed[0]
    );
    Ok(())
}

/// The field that came after 0.1.0.
async fn knows_agent_version(case: &Case) -> Result<bool> {
    let crds = Api::<CustomResourceDefinition>::all(case.client());
    let crd = serde_json::to_value(crds.get("evaljobs.evaljob.dev").await?)?;
    let field = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/agentVersion";
    Ok(crd.pointer(field).is_some())
}

async fn flags(case: &Case) -> Result<String> {
    let path = "jsonpath={.spec.template.spec.containers[0].args}";
    case.cluster()
        .kubectl()
        .ok(&[
            "-n",
            SYSTEM_NAMESPACE,
            "get",
            "deployment/evaljob-operator",
            "-o",
            path,
        ])
        .await
        .context("the flag that came after 0.1.0")
}

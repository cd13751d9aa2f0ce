//! The chart as a release: what `helm install`, upgrade and uninstall do to a cluster, and to each other.
//!
//! There is no kubelet here: operators and agents are scheduled nowhere, objects are what is looked at.

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::kubectl::Output;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::{Case, chart, trials_alone};
use libtest_mimic::Trial;
use serde_json::json;

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials_alone![
        a_release_is_the_only_one_and_leaves_crd_and_jobs_behind
    ])
}

const CRD: &str = "crd/evaljobs.evaljob.dev";

async fn a_release_is_the_only_one_and_leaves_crd_and_jobs_behind(case: Case) -> Result<()> {
    let kubectl = case.cluster().kubectl();
    // Applied without Helm, as the tests do, the CRD is nobody's; a test before may have handed it over.
    for key in ["name", "namespace"] {
        let key = format!("meta.helm.sh/release-{key}-");
        kubectl.ok(&["annotate", CRD, &key]).await?;
    }
    let refused = refusal(helm(&case, "install", chart::RELEASE, SYSTEM_NAMESPACE).await?)?;
    ensure!(refused.contains("belongs to no release"), "{refused}");
    for line in refused.lines().map(str::trim) {
        if let Some(arguments) = line.strip_prefix("kubectl ") {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            kubectl.ok(&arguments).await.context("the way out")?;
        }
    }
    accepted(helm(&case, "install", chart::RELEASE, SYSTEM_NAMESPACE).await?)?;

    let second = refusal(helm(&case, "install", "another", case.namespace()).await?)?;
    ensure!(
        second.contains("already in this cluster") && second.contains("helm upgrade evaljob"),
        "{second}"
    );
    accepted(helm(&case, "upgrade", chart::RELEASE, SYSTEM_NAMESPACE).await?)?;

    case.create("kept", json!({"command": ["true"]})).await?;
    accepted(
        chart::helm_in(
            &case,
            &["uninstall", chart::RELEASE, "-n", SYSTEM_NAMESPACE],
        )
        .await?,
    )?;
    case.jobs().get("kept").await.context("the job is gone")?;
    let gone = [
        "get",
        "deployment",
        "evaljob-operator",
        "-n",
        SYSTEM_NAMESPACE,
    ];
    kubectl.refused(&gone, "").await?;

    accepted(helm(&case, "install", chart::RELEASE, SYSTEM_NAMESPACE).await?)?;
    case.jobs().get("kept").await.context("the job is gone")?;
    accepted(
        chart::helm_in(
            &case,
            &["uninstall", chart::RELEASE, "-n", SYSTEM_NAMESPACE],
        )
        .await?,
    )?;
    // Other tests need accounts and roles.
    case.cluster().apply_roles().await
}

async fn helm(case: &Case, verb: &str, release: &str, namespace: &str) -> Result<Output> {
    let chart = chart::path("").display().to_string();
    let arguments = [
        verb,
        release,
        &chart,
        "--namespace",
        namespace,
        // Accounts and roles are there already.
        "--take-ownership",
        "--set=operator.replicas=0",
        "--set-string=agent.nodeSelector.nowhere=true",
    ];
    chart::helm_in(case, &arguments).await
}

fn accepted(output: Output) -> Result<()> {
    ensure!(output.status.success(), "helm: {}", output.stderr);
    Ok(())
}

fn refusal(output: Output) -> Result<String> {
    ensure!(!output.status.success(), "helm: {}", output.stdout);
    Ok(output.stderr)
}

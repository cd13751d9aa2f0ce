//! Two operators of one release, of which one leads, and a release that is removed and installed again: jobs go on.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::kubectl::Kubectl;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, chart, release, trials_alone};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::api::ListParams;
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials_alone![
        jobs_outlive_the_leader_an_agent_and_the_release
    ])
}

const PATIENCE: Duration = Duration::from_secs(180);

async fn jobs_outlive_the_leader_an_agent_and_the_release(case: Case) -> Result<()> {
    release::import_versions(&case, &[chart::VERSION]).await?;
    let new = chart::path("").display().to_string();
    let values = [
        "--set=operator.replicas=2",
        // The operator of the second install waits for the first one's Lease.
        "--set=operator.leaseDuration=5s",
        "--set=agent.slots=8",
        "--set=agent.drainSeconds=2",
        "--wait",
        "--timeout=180s",
    ];
    release::put(&case, "install", &new, &values).await?;
    a_budget_keeps_one_operator(&case).await?;
    the_leader_goes(&case).await?;
    an_agent_goes(&case).await?;

    running(&case, "at-the-end", 4).await?;
    release::helm(&case, "uninstall", &["--wait"]).await?;
    create(&case, "without", 0).await?;
    release::put(&case, "install", &new, &values).await?;
    // Nobody may have been left who could store that the agent gave it back.
    let status = accepted(&case, "at-the-end", 0..=1).await?;
    ensure!(status["attempt"] == 2, "{status}");
    accepted(&case, "without", 0..=0).await?;
    release::helm(&case, "uninstall", &["--wait"])
        .await
        .map(drop)
}

/// A drain of a node may take one operator at a time.
async fn a_budget_keeps_one_operator(case: &Case) -> Result<()> {
    let budgets = Api::<PodDisruptionBudget>::namespaced(case.client(), SYSTEM_NAMESPACE);
    wait::until("a budget for two operators", PATIENCE, || async {
        let status = budgets.get("evaljob-operator").await?.status;
        let status = status.unwrap_or_default();
        let seen = (status.expected_pods, status.disruptions_allowed);
        Ok(Seen::some(
            (seen == (2, 1)).then_some(()),
            format!("{seen:?}"),
        ))
    })
    .await
}

/// The Pod of the leader is deleted: the other one takes over, and running jobs are not even begun again.
async fn the_leader_goes(case: &Case) -> Result<()> {
    running(case, "over-the-leader", 6).await?;
    let leader = leader(case).await?;
    delete(&case.cluster().kubectl(), &[&leader, "--wait=false"]).await?;
    wait::until("another leader", PATIENCE, || async {
        let now = self::leader(case).await.unwrap_or_default();
        let another = !now.is_empty() && now != leader;
        Ok(Seen::some(another.then_some(()), now))
    })
    .await?;
    let status = accepted(case, "over-the-leader", 0..=0).await?;
    ensure!(status["attempt"] == 1, "{status}");
    create(case, "after-the-leader", 0).await?;
    accepted(case, "after-the-leader", 0..=0).await.map(drop)
}

/// An agent's Pod is deleted, first with time to drain, then without: its jobs run again.
async fn an_agent_goes(case: &Case) -> Result<()> {
    let rows = [
        ("drained", &["--wait=false"][..], 0),
        (
            "killed",
            &["--wait=false", "--force", "--grace-period=0"],
            1,
        ),
    ];
    for (name, how, failures) in rows {
        let place = running(case, name, 6).await?;
        let pod = agent_on(case, &place).await?;
        let mut arguments = vec![pod.as_str()];
        arguments.extend(how);
        delete(&case.cluster().kubectl(), &arguments).await?;
        let status = accepted(case, name, failures..=failures).await?;
        ensure!(status["attempt"] == 2, "{status}");
    }
    Ok(())
}

async fn create(case: &Case, name: &str, seconds: u32) -> Result<()> {
    let spec = json!({
        "command": ["sh", "-c", format!("sleep {seconds}; echo done")],
        "tests": [{"name": "1", "expectedStdout": "done"}],
        "limits": {"memory": "8Mi", "wallTimeMilliseconds": 600_000},
    });
    case.create(name, spec).await?;
    Ok(())
}

/// Creates a job and waits until it runs; returns its node.
async fn running(case: &Case, name: &str, seconds: u32) -> Result<String> {
    create(case, name, seconds).await?;
    let jobs = case.jobs();
    let seen = wait::until(&format!("{name} to run"), PATIENCE, || async {
        let status = jobs.get(name).await?.data["status"].take();
        let conditions = status["conditions"].as_array();
        let runs = conditions.is_some_and(|all| all.iter().any(|one| one["reason"] == "Running"));
        let node = status["nodeName"].as_str().filter(|_| runs);
        Ok(Seen::some(node.map(str::to_owned), status.to_string()))
    })
    .await;
    match seen {
        Ok(node) => Ok(node),
        Err(error) => Err(error.context(release::said(case).await)),
    }
}

/// The verdict, and that many attempts that count as failed.
async fn accepted(case: &Case, name: &str, failures: RangeInclusive<i64>) -> Result<Value> {
    let job = match case.verdict(name, PATIENCE).await {
        Ok(job) => job,
        Err(error) => return Err(error.context(release::said(case).await)),
    };
    let status = &job.data["status"];
    let failed = status["infrastructureFailures"].as_i64();
    let failed = failed.context("no number of failures")?;
    ensure!(
        status["verdict"] == "Accepted" && failures.contains(&failed),
        "{name}: {status}"
    );
    Ok(status.clone())
}

/// The Pod that holds the Lease.
async fn leader(case: &Case) -> Result<String> {
    let leases = Api::<Lease>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let spec = leases.get("evaljob-operator").await?.spec;
    let holder = spec.and_then(|spec| spec.holder_identity);
    let holder = holder.context("nobody leads")?;
    let (pod, _) = holder.split_once('_').context("not a holder's name")?;
    Ok(pod.to_owned())
}

async fn agent_on(case: &Case, place: &str) -> Result<String> {
    let pods = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let agents = ListParams::default()
        .labels("app.kubernetes.io/component=agent")
        .fields(&format!("spec.nodeName={place}"));
    let alive = pods.list(&agents).await?.items.into_iter();
    let mut alive = alive.filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let pod = alive.next().and_then(|pod| pod.metadata.name);
    pod.with_context(|| format!("no agent on {place}"))
}

async fn delete(kubectl: &Kubectl, arguments: &[&str]) -> Result<()> {
    let mut all = vec!["-n", SYSTEM_NAMESPACE, "delete", "pod"];
    all.extend(arguments);
    kubectl.ok(&all).await.map(drop)
}

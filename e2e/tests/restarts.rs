//! An operator that ends and comes back: nothing is lost, nothing runs twice, nothing is written twice.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::audit::Audit;
use evaljob_e2e::barrier::Barrier;
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials_alone![
        queued_jobs_outlive_five_restarts_and_finished_ones_are_left_alone,
        a_hundred_runs_outlive_a_killed_operator,
        a_leader_that_ends_keeps_its_lease_until_its_verdicts_are_stored,
    ])
}

/// Longest for any of these.
const PATIENCE: Duration = Duration::from_secs(120);
const QUEUED: usize = 200;
const RUNNING: usize = 100;
/// The operator's Lease, and the role that lets it write statuses.
const LEASE: &str = "evaljob-operator";
const ROLE: &str = "evaljob-operator";

async fn queued_jobs_outlive_five_restarts_and_finished_ones_are_left_alone(
    case: Case,
) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    let audit = case.audit()?;
    let spec = json!({"command": ["sleep", "0.1"], "tests": [{"name": "1", "expectedStdout": ""}]});
    create_all(
        &case,
        (0..QUEUED).map(|number| (format!("j{number}"), spec.clone())),
    )
    .await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 4)
        .await?;
    for restart in 1..=5 {
        let stored = written(&case, &audit, restart * QUEUED / 8).await?;
        installation.operator().terminate(PATIENCE).await?;
        ensure!(
            stored < QUEUED,
            "restart {restart} came after the last result"
        );
        installation.start_operator_again().await?;
    }
    written(&case, &audit, QUEUED).await?;
    let jobs = case.jobs().list(&ListParams::default()).await?;
    assert_eq!(jobs.items.len(), QUEUED);
    for job in &jobs {
        let status = &job.data["status"];
        assert_eq!(status["verdict"], "Accepted", "{status}");
        assert_eq!(status["attempt"], 1, "{status}");
    }
    let versions = |jobs: &[kube::core::DynamicObject]| -> BTreeMap<_, _> {
        jobs.iter()
            .map(|job| (job.name_any(), job.resource_version()))
            .collect()
    };
    // One more restart: what has a verdict is not touched, and a new job runs.
    installation.operator().terminate(PATIENCE).await?;
    installation.start_operator_again().await?;
    case.create("new", json!({"command": ["true"]})).await?;
    case.verdict("new", PATIENCE).await?;
    let selector = ListParams::default().fields("metadata.name!=new");
    let later = case.jobs().list(&selector).await?;
    assert_eq!(versions(&later.items), versions(&jobs.items));
    each_written(&case, &audit, 1)
}

async fn a_hundred_runs_outlive_a_killed_operator(case: Case) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    let barrier = Barrier::new(&case, &["away", "back"])?;
    installation.give_agents(barrier.agent_arguments());
    let slots = u32::try_from(RUNNING)?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), slots)
        .await?;
    let audit = case.audit()?;
    let job = |number: usize| {
        let name = if number.is_multiple_of(2) {
            "away"
        } else {
            "back"
        };
        (format!("j{number}"), barrier.job(name))
    };
    create_all(&case, (0..RUNNING).map(job)).await?;
    // Each is shown as running, which is its first write.
    written(&case, &audit, RUNNING).await?;
    assert_eq!(barrier.waiting("away")?.len(), RUNNING / 2);
    assert_eq!(barrier.waiting("back")?.len(), RUNNING / 2);
    installation.operator().kill().await?;
    // One half ends while nobody takes results, the other after the operator is back.
    barrier.open("away")?;
    wait::until("the first half to end", PATIENCE, || async {
        let left = barrier.waiting("away")?.len();
        Ok(if left == 0 {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{left} run"))
        })
    })
    .await?;
    installation.start_operator_again().await?;
    assert_eq!(
        barrier.waiting("back")?.len(),
        RUNNING / 2,
        "runs ended with the operator"
    );
    barrier.open("back")?;
    for number in 0..RUNNING {
        let job = case.verdict(&format!("j{number}"), PATIENCE).await?;
        let status = &job.data["status"];
        assert_eq!(status["verdict"], "Completed", "{status}");
        assert_eq!(status["attempt"], 1, "{status}");
        let failures = status["infrastructureFailures"].as_i64().unwrap_or(0);
        assert_eq!(failures, 0, "{status}");
    }
    written(&case, &audit, 2 * RUNNING).await?;
    each_written(&case, &audit, 2)
}

/// The operator may not store a verdict when it is told to end. It asks again for several times the life of its Lease, which
/// nobody else can take meanwhile; once it may, it stores the verdict, gives the Lease back and ends.
async fn a_leader_that_ends_keeps_its_lease_until_its_verdicts_are_stored(
    case: Case,
) -> Result<()> {
    let mut installation = Installation::start_shared(&case, &["--flush=120s"]).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 1)
        .await?;
    let roles = Api::<ClusterRole>::all(case.client());
    let whole = roles.get(ROLE).await?.rules;
    let writes = |rule: &PolicyRule| {
        let resources = rule.resources.iter().flatten();
        resources.into_iter().any(|name| name == "evaljobs/status")
    };
    let others = whole.iter().flatten().filter(|rule| !writes(rule));
    let without = others.cloned().collect::<Vec<_>>();
    ensure!(
        whole
            .as_ref()
            .is_some_and(|rules| rules.len() > without.len()),
        "no rule for statuses in {whole:?}"
    );
    grant(&roles, Some(without)).await?;
    let kept = keeps_its_lease_without_the_right_to_write(&case, &mut installation).await;
    // Whatever came of it: other tests use the role.
    grant(&roles, whole).await?;
    kept?;
    case.verdict("late", PATIENCE).await?;
    installation.operator().terminate(PATIENCE).await?;
    let given_back = lease(&case).await?;
    assert_eq!(given_back.holder_identity.as_deref(), Some(""));
    Ok(())
}

/// A verdict that may not be stored, and an operator that is told to end.
async fn keeps_its_lease_without_the_right_to_write(
    case: &Case,
    installation: &mut Installation,
) -> Result<()> {
    case.create("late", json!({"command": ["true"]})).await?;
    wait::until("a write to be refused", PATIENCE, || async {
        let page = installation.metrics().await?;
        let refused = page.lines().any(|line| {
            line.starts_with("evaljob_operator_status_writes_total")
                && line.contains(r#"kind="final""#)
                && line.contains(r#"outcome="unavailable""#)
        });
        Ok(Seen::some(refused.then_some(()), page))
    })
    .await?;
    let leader = lease(case).await?;
    installation.operator().signal(Signal::TERM)?;
    let told = Timestamp::now();
    wait::until("the Lease to be renewed for long", PATIENCE, || async {
        let lease = lease(case).await?;
        ensure!(
            lease.holder_identity == leader.holder_identity
                && lease.lease_transitions == leader.lease_transitions,
            "given away: {lease:?}"
        );
        let renewed = lease.renew_time.context("no time of renewal")?.0;
        let kept = renewed.duration_since(told).as_secs();
        let life = lease.lease_duration_seconds.context("no duration")?;
        Ok(if kept > 2 * i64::from(life) {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("renewed {kept} s after the end was asked for"))
        })
    })
    .await
}

async fn lease(case: &Case) -> Result<LeaseSpec> {
    let leases = Api::<Lease>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let lease = leases.get(LEASE).await?;
    lease.spec.context("a Lease without spec")
}

/// Gives the operator's role these rules.
async fn grant(roles: &Api<ClusterRole>, rules: Option<Vec<PolicyRule>>) -> Result<()> {
    let mut role = roles.get(ROLE).await?;
    role.rules = rules;
    roles.replace(ROLE, &PostParams::default(), &role).await?;
    Ok(())
}

/// Creates jobs, some at a time.
async fn create_all(case: &Case, jobs: impl Iterator<Item = (String, Value)>) -> Result<()> {
    futures::stream::iter(jobs)
        .map(|(name, spec)| async move { case.create(&name, spec).await })
        .buffer_unordered(16)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await
        .map_err(Into::into)
}

/// Waits until this many statuses of the test's jobs are stored; how many there are.
async fn written(case: &Case, audit: &Audit, count: usize) -> Result<usize> {
    wait::until(&format!("{count} stored statuses"), PATIENCE, || async {
        let stored: usize = writes(case, audit)?
            .values()
            .map(|(stored, _)| stored)
            .sum();
        Ok(if stored >= count {
            Seen::Yes(stored)
        } else {
            Seen::NotYet(format!("{stored}"))
        })
    })
    .await
}

/// Each job had exactly so many statuses stored, none refused, and nobody read it one by one.
fn each_written(case: &Case, audit: &Audit, count: usize) -> Result<()> {
    for (name, (stored, other)) in writes(case, audit)? {
        ensure!(stored == count, "{name}: {stored} statuses stored");
        ensure!(other.is_empty(), "{name}: {other:?}");
    }
    Ok(())
}

/// What the operator asked for each job: stored statuses, and other requests.
fn writes(case: &Case, audit: &Audit) -> Result<BTreeMap<String, (usize, Vec<String>)>> {
    let mut jobs: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
    for request in audit.requests()? {
        if request.namespace != case.namespace() || !request.user.ends_with(":evaljob-operator") {
            continue;
        }
        let (stored, other) = jobs.entry(request.name).or_default();
        if request.verb == "patch" && request.resource == "evaljobs/status" && request.code == 200 {
            *stored += 1;
        } else {
            other.push(format!(
                "{} {} {}",
                request.verb, request.resource, request.code
            ));
        }
    }
    Ok(jobs)
}

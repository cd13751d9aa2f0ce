//! What becomes of jobs whose names are long, whose annotations change, whose namespace or time to live ends.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use evaljob_e2e::barrier::Barrier;
use evaljob_e2e::cluster::evaljobs;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use futures::TryStreamExt;
use k8s_openapi::jiff::{Timestamp, ToSpan};
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};
use libtest_mimic::Trial;
use serde_json::json;

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials_alone![
        names_may_be_as_long_as_the_api_server_allows,
        a_namespace_goes_with_its_running_jobs_and_without_an_operator,
        finished_jobs_go_after_their_time_to_live_and_not_before,
    ];
    tests.extend(on_own_cluster(trials_alone![
        annotations_that_change_meanwhile_refuse_no_result
    ]));
    tests
}

/// Longest for any of these.
const SOON: Duration = Duration::from_secs(60);

async fn names_may_be_as_long_as_the_api_server_allows(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let node = format!("{:n<80}", case.namespace());
    let _agent = installation.agent(&node, 1).await?;
    let name = format!("a-very-long.submission{}", "-a".repeat(115)) + "a";
    assert_eq!(name.len(), 253);
    case.create(&name, json!({"command": ["true"]})).await?;
    let job = case.verdict(&name, SOON).await?;
    let status = &job.data["status"];
    assert_eq!(status["verdict"], "Completed", "{status}");
    assert_eq!(status["nodeName"], node.as_str(), "{status}");
    Ok(())
}

async fn annotations_that_change_meanwhile_refuse_no_result(case: Case) -> Result<()> {
    const JOBS: usize = 60;
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 4)
        .await?;
    let audit = case.audit()?;
    let jobs = case.jobs();
    let change = async |number: usize, round: usize| {
        let note = json!({"metadata": {"annotations": {"x": round.to_string()}}});
        let (name, params) = (format!("j{number}"), PatchParams::default());
        let job = jobs.patch(&name, &params, &Patch::Merge(note)).await?;
        anyhow::Ok(job.data["status"]["verdict"].is_null())
    };
    // Changes of a job that had no verdict yet.
    let mut meanwhile = 0;
    for number in 0..JOBS {
        case.create(&format!("j{number}"), json!({"command": ["sleep", "0.3"]}))
            .await?;
        meanwhile += usize::from(change(number, 0).await?);
    }
    let live = ListParams::default().fields("status.verdict=");
    for round in 1.. {
        if jobs.list_metadata(&live).await?.items.is_empty() {
            break;
        }
        for number in 0..JOBS {
            meanwhile += usize::from(change(number, round).await?);
        }
    }
    for job in jobs.list(&ListParams::default()).await? {
        let status = &job.data["status"];
        assert_eq!(status["verdict"], "Completed", "{status}");
        assert_eq!(status["attempt"], 1, "{status}");
    }
    let mine = audit.requests()?;
    let mine = mine.iter().filter(|request| {
        request.namespace == case.namespace() && request.user.ends_with(":evaljob-operator")
    });
    let mine: Vec<_> = mine.collect();
    assert_eq!(mine.len(), JOBS, "one request a job: {mine:?}");
    ensure!(meanwhile >= JOBS, "{meanwhile} changes before a verdict");
    Ok(())
}

async fn a_namespace_goes_with_its_running_jobs_and_without_an_operator(case: Case) -> Result<()> {
    const JOBS: usize = 50;
    let mut installation = Installation::start(&case).await?;
    let barrier = Barrier::new(&case, &["never"])?;
    installation.give_agents(barrier.agent_arguments());
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), u32::try_from(JOBS)?)
        .await?;
    let waiting = |wanted: usize| {
        let barrier = &barrier;
        wait::until("runs of the namespace", SOON, move || async move {
            let seen = barrier.waiting("never")?.len();
            Ok(if seen == wanted {
                Seen::Yes(())
            } else {
                Seen::NotYet(seen.to_string())
            })
        })
    };
    let kubectl = case.cluster().kubectl();
    for with_operator in [true, false] {
        let name = format!("{}-{with_operator}", case.namespace());
        kubectl.ok(&["create", "namespace", &name]).await?;
        let jobs = Api::<DynamicObject>::namespaced_with(case.client(), &name, &evaljobs());
        for number in 0..JOBS {
            let job = DynamicObject::new(&format!("j{number}"), &evaljobs());
            let job = job.data(json!({"spec": barrier.job("never")}));
            jobs.create(&PostParams::default(), &job).await?;
        }
        waiting(JOBS).await?;
        if !with_operator {
            installation.operator().kill().await?;
        }
        kubectl
            .ok(&["delete", "namespace", &name, "--timeout=60s"])
            .await?;
        if with_operator {
            waiting(0).await?;
        }
    }
    installation.start_operator_again().await?;
    waiting(0).await
}

async fn finished_jobs_go_after_their_time_to_live_and_not_before(case: Case) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 2)
        .await?;
    let jobs = case.jobs();
    let start = jobs.list_metadata(&ListParams::default()).await?.metadata;
    let start = start.resource_version.context("no version")?;
    let watch = WatchParams::default().timeout(120);
    let mut events = std::pin::pin!(jobs.watch(&watch, &start).await?);
    let rows = [
        ("at-once", Some(0)),
        ("away", Some(4)),
        ("raised", Some(4)),
        ("default", None),
    ];
    for (name, ttl) in rows {
        case.create(
            name,
            json!({"command": ["true"], "ttlSecondsAfterFinished": ttl}),
        )
        .await?;
    }
    for name in ["away", "raised", "default"] {
        case.verdict(name, SOON).await?;
    }
    let longer = Patch::Merge(json!({"spec": {"ttlSecondsAfterFinished": 3600}}));
    jobs.patch("raised", &PatchParams::default(), &longer)
        .await?;
    let mut finished = std::collections::BTreeSet::new();
    let mut deleted = Vec::new();
    while deleted.len() < 3 {
        let next = tokio::time::timeout(SOON, events.try_next()).await;
        match next.with_context(|| format!("no event; deleted: {deleted:?}"))?? {
            Some(WatchEvent::Added(job) | WatchEvent::Modified(job)) => {
                if job.data.pointer("/status/verdict").is_some() {
                    finished.insert(job.name_any());
                }
            }
            Some(WatchEvent::Deleted(job)) => {
                let name = job.name_any();
                ensure!(
                    finished.contains(&name),
                    "{name} went before its result was seen"
                );
                let ended = job.data["status"]["completionTime"].as_str();
                let ended: Timestamp = ended.context("no completionTime")?.parse()?;
                let ttl = job.data["spec"]["ttlSecondsAfterFinished"].as_i64();
                let due = ended + ttl.context("no time to live")?.seconds();
                ensure!(Timestamp::now() >= due, "{name} went before {due}");
                deleted.push(name);
                if deleted.len() == 2 {
                    // It goes later than the raised one would have gone.
                    let spec = json!({"command": ["true"], "ttlSecondsAfterFinished": 4});
                    case.create("last", spec).await?;
                }
                if deleted.len() == 1 {
                    // The other's time ends while nobody is there.
                    installation.operator().kill().await?;
                    tokio::time::sleep(Duration::from_secs(4)).await;
                    ensure!(jobs.get_opt("away").await?.is_some(), "who deleted it?");
                    installation.start_operator_again().await?;
                }
            }
            other => bail!("{other:?}"),
        }
    }
    assert_eq!(deleted, ["at-once", "away", "last"]);
    for name in ["raised", "default"] {
        ensure!(jobs.get_opt(name).await?.is_some(), "{name} is gone");
    }
    Ok(())
}

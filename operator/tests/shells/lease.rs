//! The Lease on a mocked API server: won, kept, fenced, lost and given back.

use std::time::Duration;

use crate::mock::{Api, DEADLINE};
use evaljob_operator::clock::Clock;
use evaljob_operator::decide::{Event, Former};
use evaljob_operator::lease::{Leader, LeaseError, Settings};
use evaljob_operator::names::{Epoch, NodeName};
use kube::api::Api as KubeApi;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/n/leases";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/n/leases/l";

fn settings(seconds: u64) -> Settings {
    Settings {
        namespace: "n".to_owned(),
        name: "l".to_owned(),
        identity: "me".to_owned(),
        duration: Duration::from_secs(seconds),
    }
}

/// What was sent, as the server would store it.
fn stored(mut body: Value, version: u32) -> Value {
    body["metadata"]["uid"] = json!("lease-uid");
    body["metadata"]["resourceVersion"] = json!(version.to_string());
    body
}

fn lease(holder: &str, transitions: i32, agents: Option<&str>) -> Value {
    let annotations = agents.map(|agents| json!({"evaljob.dev/agents": agents}));
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "l", "namespace": "n", "uid": "lease-uid", "resourceVersion": "1", "annotations": annotations},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": transitions},
    })
}

/// Wins a Lease that was given back.
async fn won(seconds: u64) -> (Leader, Api, Clock) {
    let (client, mut api) = crate::mock::pair();
    let clock = Clock::new();
    let (holder, _) = watch::channel(None);
    let winning = {
        let clock = clock.clone();
        tokio::spawn(async move {
            Leader::win(
                KubeApi::namespaced(client, "n"),
                settings(seconds),
                clock,
                &holder,
            )
            .await
        })
    };
    api.expect("GET", LEASE)
        .await
        .ok(&lease("", 4, Some("n1,n2")));
    let taken = api.expect("PUT", &format!("{LEASE}?")).await;
    assert_eq!(
        taken.body["metadata"]["resourceVersion"], "1",
        "a race is decided by the server"
    );
    assert_eq!(taken.body["spec"]["holderIdentity"], "me");
    let body = stored(taken.body.clone(), 2);
    taken.ok(&body);
    let (leader, epoch, former) = tokio::time::timeout(DEADLINE, winning)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        epoch,
        Epoch {
            lease_uid: "lease-uid".into(),
            transitions: 5
        }
    );
    assert_eq!(
        former,
        Former::Known(["n1", "n2"].map(NodeName::from).into())
    );
    (leader, api, clock)
}

struct Keeping {
    task: tokio::task::JoinHandle<(LeaseError, Leader)>,
    events: mpsc::Receiver<Event>,
    may_write: watch::Receiver<bool>,
    wanted: watch::Sender<Option<Former>>,
}

fn keep(mut leader: Leader) -> Keeping {
    let (wanted, wishes) = watch::channel(None);
    let (sender, events) = mpsc::channel(64);
    let (may_write_in, may_write) = watch::channel(true);
    let task =
        tokio::spawn(async move { (leader.keep(wishes, &sender, &may_write_in).await, leader) });
    Keeping {
        task,
        events,
        may_write,
        wanted,
    }
}

#[tokio::test]
async fn a_missing_lease_is_made_and_a_lost_race_is_no_error() {
    let (client, mut api) = crate::mock::pair();
    let (holder, mut holders) = watch::channel(None);
    let winning = tokio::spawn(async move {
        Leader::win(
            KubeApi::namespaced(client, "n"),
            settings(15),
            Clock::new(),
            &holder,
        )
        .await
    });
    api.expect("GET", LEASE).await.refuse(404, "not found");
    api.expect("POST", &format!("{LEASES}?"))
        .await
        .refuse(409, "already exists");
    api.expect("GET", LEASE).await.ok(&lease("other", 0, None));
    holders
        .wait_for(|holder| holder.as_deref() == Some("other"))
        .await
        .unwrap();
    assert!(
        api.is_quiet() && !winning.is_finished(),
        "a lost race is tried again later"
    );
    winning.abort();
}

#[tokio::test]
async fn a_node_is_enlisted_only_after_the_lease_names_it() {
    let (leader, mut api, _) = won(15).await;
    let mut keeping = keep(leader);
    let renewal = api.expect("PUT", &format!("{LEASE}?")).await;
    let before = &renewal.body["metadata"]["annotations"]["evaljob.dev/agents"];
    assert_eq!(
        before, "n1,n2",
        "the core has not spoken: the earlier leader's agents stay named"
    );
    let body = stored(renewal.body.clone(), 3);
    renewal.ok(&body);
    let named = Former::Known([NodeName::from("n7")].into());
    keeping.wanted.send_replace(Some(named.clone()));
    let renewal = api.expect("PUT", &format!("{LEASE}?")).await;
    assert_eq!(
        renewal.body["metadata"]["annotations"]["evaljob.dev/agents"],
        "n7"
    );
    assert!(keeping.events.try_recv().is_err(), "not stored yet");
    let body = stored(renewal.body.clone(), 4);
    renewal.ok(&body);
    assert!(matches!(keeping.events.recv().await, Some(Event::Enlisted(now)) if now == named));
    keeping.task.abort();
}

#[tokio::test]
async fn a_leader_that_cannot_renew_stops_writing_at_two_thirds_and_ends_at_the_whole() {
    let (leader, mut api, clock) = won(3).await;
    let mut keeping = keep(leader);
    let begun = clock.now().mono;
    // The API server takes the request and never answers.
    let _unanswered = api.expect("PUT", &format!("{LEASE}?")).await;
    assert!(matches!(keeping.events.recv().await, Some(Event::Fenced)));
    assert!(!*keeping.may_write.borrow());
    assert!(!keeping.task.is_finished(), "fenced, not lost yet");
    let fenced = clock.now().mono.saturating_sub(begun);
    let _unanswered = api.expect("PUT", &format!("{LEASE}?")).await;
    let (error, _) = tokio::time::timeout(DEADLINE, keeping.task)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(error, LeaseError::Expired(_)), "{error}");
    let ended = clock.now().mono.saturating_sub(begun);
    assert!(
        fenced < ended && ended <= Duration::from_secs(4),
        "{fenced:?} {ended:?}"
    );
}

#[tokio::test]
async fn a_leader_whose_lease_is_anothers_or_gone_ends_at_once_and_one_whose_lease_was_labelled_goes_on()
 {
    let rows = [
        ("taken", Some(lease("other", 6, None)), "held by"),
        ("deleted", None, "deleted"),
    ];
    for (row, found, words) in rows {
        let (leader, mut api, _) = won(15).await;
        let keeping = keep(leader);
        api.expect("PUT", &format!("{LEASE}?"))
            .await
            .refuse(409, "modified");
        let read = api.expect("GET", LEASE).await;
        match found {
            Some(found) => read.ok(&found),
            None => read.refuse(404, "not found"),
        }
        let (error, _) = tokio::time::timeout(DEADLINE, keeping.task)
            .await
            .unwrap()
            .unwrap();
        assert!(error.to_string().contains(words), "{row}: {error}");
    }
    let (leader, mut api, _) = won(15).await;
    let keeping = keep(leader);
    api.expect("PUT", &format!("{LEASE}?"))
        .await
        .refuse(409, "modified");
    let mut labelled = lease("me", 5, None);
    labelled["metadata"]["resourceVersion"] = json!("77");
    api.expect("GET", LEASE).await.ok(&labelled);
    let renewal = api.expect("PUT", &format!("{LEASE}?")).await;
    assert_eq!(renewal.body["metadata"]["resourceVersion"], "77");
    keeping.task.abort();
}

#[tokio::test]
async fn a_lease_is_given_back_empty() {
    let (leader, mut api, _) = won(15).await;
    let releasing = tokio::spawn(leader.release());
    let release = api.expect("PUT", &format!("{LEASE}?")).await;
    assert_eq!(release.body["spec"]["holderIdentity"], "");
    assert_eq!(release.body["spec"]["leaseTransitions"], 5);
    let body = stored(release.body.clone(), 9);
    release.ok(&body);
    tokio::time::timeout(DEADLINE, releasing)
        .await
        .unwrap()
        .unwrap();
}

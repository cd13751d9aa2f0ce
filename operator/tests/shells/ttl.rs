//! Finished jobs: one paged list at the start, one read and one delete with preconditions each, and nothing early.

use std::time::Duration;

use crate::mock::Api;
use evaljob_operator::clock::Clock;
use evaljob_operator::metrics::Metrics;
use evaljob_operator::names::{JobKey, Uid};
use evaljob_operator::ttl::{Keeper, Note, Settings};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const JOB: &str = "/apis/evaljob.dev/v1alpha1/namespaces/n/evaljobs/j";
const LIST: &str =
    "/apis/evaljob.dev/v1alpha1/evaljobs?&fieldSelector=status.verdict%21%3D&limit=50";

fn start(max_finished: usize) -> (mpsc::UnboundedSender<Note>, Api, Clock) {
    let (client, api) = crate::mock::pair();
    let clock = Clock::new();
    let settings = Settings {
        default_ttl: Duration::from_secs(3_600),
        max_finished,
    };
    let (notes, received) = mpsc::unbounded_channel();
    tokio::spawn(Keeper::new(client, settings, clock.clone(), Metrics::default()).run(received));
    (notes, api, clock)
}

fn finished(uid: &str, version: &str, ttl: Option<u64>, ended: &str) -> Value {
    json!({
        "apiVersion": "evaljob.dev/v1alpha1", "kind": "EvalJob",
        "metadata": {"name": "j", "namespace": "n", "uid": uid, "resourceVersion": version, "creationTimestamp": "2020-01-01T00:00:00Z"},
        "spec": {"command": ["true"], "ttlSecondsAfterFinished": ttl},
        "status": {"verdict": "Accepted", "completionTime": ended},
    })
}

fn page(items: &[Value], token: &str) -> Value {
    json!({"apiVersion": "evaljob.dev/v1alpha1", "kind": "EvalJobList", "metadata": {"continue": token}, "items": items})
}

fn key() -> JobKey {
    JobKey {
        namespace: "n".into(),
        name: "j".into(),
    }
}

fn note(ttl: u64) -> Note {
    Note::Finished(Uid::from("u"), key(), Duration::from_secs(ttl))
}

const LONG_AGO: &str = "2020-01-01T00:00:10.000000Z";

#[tokio::test]
async fn what_was_finished_before_the_start_is_found_page_by_page_and_deleted_with_preconditions() {
    let (_notes, mut api, _) = start(10);
    api.expect("GET", LIST).await.ok(&page(&[], "more"));
    let second = format!("{LIST}&continue=more");
    api.expect("GET", &second)
        .await
        .ok(&page(&[finished("u", "7", Some(5), LONG_AGO)], ""));
    api.expect("GET", JOB)
        .await
        .ok(&finished("u", "8", Some(5), LONG_AGO));
    let delete = api.expect("DELETE", &format!("{JOB}?")).await;
    assert_eq!(
        delete.body["preconditions"],
        json!({"uid": "u", "resourceVersion": "8"}),
        "what was read, no more"
    );
    delete.ok(&json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}));
}

#[tokio::test]
async fn a_time_to_live_that_was_raised_keeps_the_job_and_an_edit_in_between_is_read_again() {
    let (notes, mut api, clock) = start(10);
    api.expect("GET", LIST).await.ok(&page(&[], ""));
    let now = clock.now().wall.to_string();
    notes.send(note(0)).unwrap();
    api.expect("GET", JOB)
        .await
        .ok(&finished("u", "8", Some(1), &now));
    // A second later its time is over, but somebody edits it between the read and the delete.
    api.expect("GET", JOB)
        .await
        .ok(&finished("u", "9", Some(1), &now));
    api.expect("DELETE", &format!("{JOB}?"))
        .await
        .refuse(409, "the object has been modified");
    api.expect("GET", JOB)
        .await
        .ok(&finished("u", "10", Some(3_600), &now));
    notes.send(note(0)).unwrap();
    api.expect("GET", JOB)
        .await
        .ok(&finished("u", "10", Some(3_600), &now));
    assert!(api.is_quiet(), "no delete");
}

#[tokio::test]
async fn another_job_of_the_name_and_a_live_one_are_left_alone() {
    let (notes, mut api, _) = start(10);
    api.expect("GET", LIST).await.ok(&page(&[], ""));
    let live =
        json!({"metadata": {"name": "j", "namespace": "n", "uid": "u"}, "spec": {}, "status": {}});
    for found in [finished("u2", "8", Some(0), LONG_AGO), live] {
        notes.send(note(0)).unwrap();
        api.expect("GET", JOB).await.ok(&found);
    }
    notes.send(note(0)).unwrap();
    api.expect("GET", JOB).await.refuse(404, "not found");
    notes.send(note(0)).unwrap();
    api.expect("GET", JOB).await.refuse(404, "not found");
    assert!(api.is_quiet(), "nothing was deleted");
}

#[tokio::test]
async fn a_verdict_that_names_no_end_counts_from_when_it_was_heard_of() {
    let (notes, mut api, _) = start(10);
    api.expect("GET", LIST).await.ok(&page(&[], ""));
    // The keeper waits for longer than the job is to be kept.
    tokio::time::sleep(Duration::from_secs(3)).await;
    notes.send(Note::Lost(Uid::from("u"), key())).unwrap();
    let mut found = finished("u", "8", Some(2), LONG_AGO);
    found["status"] = json!({"verdict": "Accepted"});
    api.expect("GET", JOB).await.ok(&found);
    // Read again when its time is over, and only then deleted.
    api.expect("GET", JOB).await.ok(&found);
    let delete = api.expect("DELETE", &format!("{JOB}?")).await;
    delete.ok(&json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}));
}

//! Manifests against the facts they become.

use serde_json::json;

use super::*;
use crate::status::{self, Ledger};

const DAY: Duration = Duration::from_secs(86_400);

fn live(spec: Value) -> LiveJob {
    serde_json::from_value(json!({
        "metadata": {"name": "a", "namespace": "n", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
    }))
    .unwrap()
}

fn read(spec: Value) -> JobFacts {
    facts(live(spec), DAY).unwrap()
}

#[test]
fn the_smallest_job_takes_one_slot_and_the_default_memory() {
    let facts = read(json!({"command": ["true"]}));
    assert_eq!(facts.invalid, None);
    assert_eq!((facts.shape.slots, facts.shape.memory), (1, 256 << 20));
    assert_eq!(facts.created.as_second(), 1_767_225_600);
    assert_eq!(facts.recorded, Recorded::default());
    let spec: Value = serde_json::from_slice(&facts.spec).unwrap();
    assert_eq!(
        spec,
        json!({"command": ["true"]}),
        "nothing is added to what is sent"
    );
}

#[test]
fn steps_raise_the_memory_by_their_own_and_the_workspace() {
    let facts = read(json!({
        "command": ["./main"],
        "steps": [{"name": "compile", "command": ["cc"], "limits": {"memory": "2Gi"}}],
        "limits": {"memory": "512Mi", "workspace": "32Mi"},
    }));
    assert_eq!(facts.shape.memory, (2 << 30) + (32 << 20));
}

#[test]
fn every_error_is_named_with_its_field() {
    let rows = [
        (
            "two inputs",
            json!({"command": ["true"], "stdin": "a", "stdinBase64": "YQ=="}),
            "spec: at most one of stdin",
        ),
        (
            "another type",
            json!({"command": "true"}),
            "spec: invalid type",
        ),
        ("no command", json!({}), "command"),
        ("not an object", json!("x"), "spec: "),
    ];
    for (row, spec, expected) in rows {
        let invalid = read(spec)
            .invalid
            .unwrap_or_else(|| panic!("{row}: thought valid"));
        assert!(invalid.contains(expected), "{row}: {invalid}");
    }
}

#[test]
fn references_to_config_maps_are_found() {
    let facts = read(json!({
        "command": ["true"],
        "files": [{"path": "a", "configMapKeyRef": {"name": "m", "key": "k"}}],
    }));
    assert_eq!(facts.inputs.len(), 1);
    assert_eq!(
        facts.shape.memory,
        256 << 20,
        "limits are known before inputs are read"
    );
}

#[test]
fn what_this_process_writes_is_what_the_next_one_reads() {
    let now = Timestamp::from_second(1_000).unwrap();
    let sent = Ledger {
        attempt: 2,
        infra_failures: 1,
        node: Some("n1".into()),
        queued: Some(now),
        dispatched: Some(now),
        started: Some(now),
        recorded: 2,
    };
    let running = recorded(&status::running(&sent, now));
    assert!(running.running && !running.suspended);
    assert_eq!((running.attempt, running.infra_failures), (2, 1));
    assert_eq!((running.queued, running.dispatched), (Some(now), Some(now)));

    let killed = recorded(&status::suspended(&sent, now));
    assert!(killed.suspended && !killed.running);
    assert_eq!(
        (killed.attempt, killed.dispatched),
        (2, Some(now)),
        "the attempt was used"
    );

    let never_sent = Ledger {
        attempt: 1,
        queued: Some(now),
        ..Ledger::default()
    };
    let held_back = recorded(&status::suspended(&never_sent, now));
    assert_eq!(
        (held_back.attempt, held_back.dispatched),
        (0, None),
        "attempt 1 is still to be used"
    );

    let next = Ledger {
        attempt: 3,
        infra_failures: 2,
        queued: Some(now),
        recorded: 2,
        ..Ledger::default()
    };
    let retrying = recorded(&status::waiting(&next, Reason::Retrying, "why", now));
    assert_eq!(
        (retrying.attempt, retrying.infra_failures, retrying.running),
        (3, 2, false)
    );
    let created = Ledger {
        queued: Some(Timestamp::from_second(10).unwrap()),
        ..next
    };
    let retrying = recorded(&status::waiting(&created, Reason::Retrying, "why", now));
    assert_eq!(
        (retrying.queued, retrying.retried),
        (created.queued, Some(now)),
        "its wait began with the retry, its life did not"
    );
    let first = recorded(&status::queued(&never_sent, now));
    assert_eq!(first.retried, None, "its wait began when it was created");
}

#[test]
fn a_status_that_cannot_be_read_records_nothing() {
    assert_eq!(
        recorded(&lenient_status(&json!({"attempt": "many"}))),
        Recorded::default()
    );
    assert_eq!(recorded(&lenient_status(&Value::Null)), Recorded::default());
}

#[test]
fn an_order_that_means_nothing_makes_no_other_job_and_one_that_does_makes_one() {
    let spec = |env: [&str; 2], files: [&str; 2], steps: [&str; 2]| {
        let named = |name: &str| json!({"name": name, "value": "x"});
        let file = |path: &str| json!({"path": path, "content": "x"});
        let step = |name: &str| json!({"name": name, "command": ["a"]});
        let digest = |spec| read(spec).digest;
        digest(json!({
            "command": ["true"],
            "env": env.map(named),
            "files": files.map(file),
            "checker": {"type": "Program", "program": {
                "command": ["c"], "files": files.map(file), "steps": steps.map(step),
            }},
        }))
    };
    let one = spec(["A", "B"], ["a", "b"], ["1", "2"]);
    assert_eq!(one, spec(["B", "A"], ["b", "a"], ["1", "2"]));
    assert_ne!(one, spec(["A", "B"], ["a", "b"], ["2", "1"]));
}

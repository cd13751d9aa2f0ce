//! Rows of ends against the statuses they lead to.

use super::*;

fn now() -> Timestamp {
    "2026-01-01T00:00:10.5Z".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn sent() -> Ledger {
    Ledger {
        attempt: 1,
        infra_failures: 0,
        node: Some("n1".into()),
        queued: Some(at("2026-01-01T00:00:00Z")),
        dispatched: Some(at("2026-01-01T00:00:01Z")),
        started: None,
        recorded: 0,
    }
}

fn conditions(status: &EvalJobStatus) -> Vec<(&str, &str, &str)> {
    status
        .conditions
        .iter()
        .map(|condition| (&*condition.type_, &*condition.status, &*condition.reason))
        .collect()
}

#[test]
fn succeeded_follows_the_class_of_the_verdict() {
    let rows = [
        (Verdict::Accepted, "True"),
        (Verdict::Completed, "True"),
        (Verdict::WrongAnswer, "False"),
        (Verdict::CompileError, "False"),
        (Verdict::JudgeError, "Unknown"),
        (Verdict::DeadlineExceeded, "Unknown"),
    ];
    for (verdict, succeeded) in rows {
        let agent = EvalJobStatus {
            verdict: Some(verdict.into()),
            ..EvalJobStatus::default()
        };
        let status = finished(agent, &sent(), Duration::ZERO, now());
        let name = verdict.as_str();
        assert_eq!(
            conditions(&status),
            [
                ("Admitted", "True", "Admitted"),
                ("Finished", "True", name),
                ("Succeeded", succeeded, name)
            ],
            "{name}"
        );
    }
}

#[test]
fn an_agents_times_move_to_the_servers_clock_and_its_word_on_what_is_not_its_own_is_dropped() {
    let agent = EvalJobStatus {
        verdict: Some("Accepted".to_owned()),
        // Its node's clock is an hour late; the run took two seconds and ended half a second ago.
        start_time: Some(MicroTime(at("2025-12-31T23:00:00Z"))),
        completion_time: Some(MicroTime(at("2025-12-31T23:00:02Z"))),
        node_name: Some("another".to_owned()),
        attempt: Some(99),
        infrastructure_failures: Some(99),
        queued_time: Some(MicroTime(at("2025-01-01T00:00:00Z"))),
        conditions: vec![
            condition(
                ConditionType::Sandboxed,
                ConditionStatus::True,
                "FullyEnforced",
                "",
                at("2025-01-01T00:00:00Z"),
            ),
            condition(
                ConditionType::Finished,
                ConditionStatus::False,
                "Running",
                "",
                at("2025-01-01T00:00:00Z"),
            ),
        ],
        ..EvalJobStatus::default()
    };
    let status = finished(agent, &sent(), Duration::from_millis(500), now());
    assert_eq!(
        status.completion_time,
        Some(MicroTime(at("2026-01-01T00:00:10Z")))
    );
    assert_eq!(
        status.start_time,
        Some(MicroTime(at("2026-01-01T00:00:08Z")))
    );
    assert_eq!(
        status.queued_time,
        Some(MicroTime(at("2026-01-01T00:00:00Z")))
    );
    assert_eq!(
        (
            status.node_name.as_deref(),
            status.attempt,
            status.infrastructure_failures
        ),
        (Some("n1"), Some(1), Some(0))
    );
    let kinds: Vec<_> = conditions(&status);
    assert_eq!(kinds[1], ("Sandboxed", "True", "FullyEnforced"));
    assert_eq!(kinds.len(), 4, "one condition of each type: {kinds:?}");
}

#[test]
fn an_attempt_is_named_only_where_there_was_one_and_never_falls() {
    let queued = Ledger {
        attempt: 1,
        ..Ledger::default()
    };
    let retrying = Ledger {
        attempt: 3,
        infra_failures: 2,
        recorded: 3,
        ..Ledger::default()
    };
    let rows = [
        (
            "cancelled in the queue",
            ended(&queued, Verdict::Cancelled, "", None, now()),
            None,
        ),
        (
            "cancelled while it ran",
            ended(&sent(), Verdict::Cancelled, "", None, now()),
            Some(1),
        ),
        (
            "cancelled between two attempts",
            ended(&retrying, Verdict::Cancelled, "", None, now()),
            Some(3),
        ),
        ("running", running(&sent(), now()), Some(1)),
        ("never sent, waits", super::queued(&queued, now()), None),
        (
            "waits for attempt 3",
            waiting(&retrying, Reason::Retrying, "why", now()),
            Some(3),
        ),
        ("refused", refused(&queued, "words", now()), Some(1)),
    ];
    for (row, status, attempt) in rows {
        assert_eq!(status.attempt, attempt, "{row}");
        assert!(
            status
                .conditions
                .iter()
                .all(|condition| !condition.reason.is_empty()),
            "{row}"
        );
    }
}

#[test]
fn the_last_failure_is_told_with_the_number_of_attempts() {
    let ledger = Ledger {
        attempt: 3,
        infra_failures: 3,
        recorded: 3,
        ..sent()
    };
    let status = given_up(
        None,
        &ledger,
        "the agent of node n1 was away for 20 s",
        now(),
    );
    assert_eq!(
        status.message.as_deref(),
        Some("3 attempts failed, the last one: the agent of node n1 was away for 20 s")
    );
    assert_eq!(
        (
            status.verdict.as_deref(),
            status.attempt,
            status.infrastructure_failures
        ),
        (Some("InfrastructureError"), Some(3), Some(3))
    );
    let last = EvalJobStatus {
        verdict: Some("InfrastructureError".to_owned()),
        image: Some(Default::default()),
        ..EvalJobStatus::default()
    };
    let told = given_up(Some(last), &ledger, "cannot enforce Landlock", now());
    assert!(told.image.is_some(), "what the agent said stays");
    assert!(told.message.unwrap().ends_with("cannot enforce Landlock"));
}

#[test]
fn messages_are_one_bounded_line() {
    let rows = [
        ("a\nb\tc", "a b c".to_owned()),
        ("  spaces ", "spaces".to_owned()),
        (&"ä".repeat(600), format!("{}...", "ä".repeat(510))),
        (&"x".repeat(1024), "x".repeat(1024)),
    ];
    for (text, expected) in rows {
        let line = one_line(text);
        assert_eq!(line, expected);
        assert!(line.len() <= 1024);
    }
}

#[test]
fn trimming_takes_texts_and_contents_and_leaves_figures() {
    let stream = evaljob_crds::status::Stream {
        text: Some("t".to_owned()),
        tail: Some("t".to_owned()),
        bytes: Some(9),
        ..Default::default()
    };
    let run = evaljob_crds::status::RunResult {
        stdout: Some(stream.clone()),
        stderr: Some(stream),
        exit_code: Some(0),
        ..Default::default()
    };
    let output = evaljob_crds::status::CollectedOutput {
        size: Some(3),
        content_base64: Some("YWJj".to_owned()),
        ..Default::default()
    };
    let full = EvalJobStatus {
        verdict: Some("Completed".to_owned()),
        run: Some(run.clone()),
        tests: vec![run.clone()],
        steps: vec![run],
        outputs: vec![output],
        ..EvalJobStatus::default()
    };
    let status = trimmed(&full);
    for run in status.run.iter().chain(&status.tests).chain(&status.steps) {
        let stream = run.stdout.as_ref().unwrap();
        assert_eq!(
            (&stream.text, &stream.tail, stream.bytes, stream.truncated),
            (&None, &None, Some(9), Some(true))
        );
    }
    assert_eq!(
        (&status.outputs[0].content_base64, status.outputs[0].size),
        (&None, Some(3))
    );
    assert_eq!(status.outputs[0].reason.as_deref(), Some("TooLarge"));
}

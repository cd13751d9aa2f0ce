//! What a status says of recorded results, and how large it may become whatever a job prints.

mod size;

use std::time::Duration;

use evaljob_crds::job::{Checker, Job, Network, OnFailure, Profile, Step, Test, Work};
use evaljob_crds::status::VerdictClass;

use super::*;
use crate::results::samples::{LIMITS, record};

fn job(steps: Vec<Step>, work: Work) -> Job {
    Job {
        files: Vec::new(),
        volumes: Vec::new(),
        steps,
        argv: vec!["./main".to_owned()],
        env: Vec::new(),
        working_dir: "/work".to_owned(),
        work,
        limits: LIMITS,
        network: Network::None,
        profile: Profile::Default,
        minimum_landlock_abi: 2,
        outputs: Vec::new(),
    }
}

fn step(name: &str) -> Step {
    Step {
        name: name.to_owned(),
        argv: Vec::new(),
        limits: LIMITS,
    }
}

fn tests(count: usize, name: impl Fn(usize) -> String, group: Option<&str>) -> Work {
    let test = |index| Test {
        name: name(index),
        stdin: Vec::new(),
        expected: None,
        args: Vec::new(),
        group: group.map(str::to_owned),
        weight: 1,
    };
    Work::Tests {
        tests: (0..count).map(test).collect(),
        checker: Checker::Tokens,
        on_failure: OnFailure::Continue,
        parallelism: 1,
    }
}

fn times() -> Times {
    Times {
        started: Timestamp::UNIX_EPOCH,
        completed: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn every_figure_of_a_run_is_told_rounded_up_and_one_that_is_not_known_is_absent() {
    let job = job(vec![step("make")], Work::Run { stdin: Vec::new() });
    let mut results = Results::new(0);
    results.add_step(record(Verdict::Completed, ""));
    let mut run = record(Verdict::Completed, "");
    run.facts.memory_anonymous = None;
    run.facts.throttled = None;
    run.facts.involuntary_switches = None;
    results.set_run(run);
    let status = status(&job, &results, &End::Judged, times());
    let step = serde_json::to_value(&status.steps[0].usage).expect("JSON");
    let all = serde_json::json!({
        "cpuTimeMilliseconds": 1001, "wallTimeMilliseconds": 2001, "memoryPeak": "39063Ki", "memoryAnon": "29297Ki",
        "throttledMilliseconds": 71, "involuntarySwitches": 8
    });
    assert_eq!(step, all);
    let known = serde_json::json!({
        "cpuTimeMilliseconds": 1001, "wallTimeMilliseconds": 2001, "memoryPeak": "39063Ki"
    });
    assert_eq!(serde_json::to_value(&status.usage).expect("JSON"), known);
}

#[test]
fn usage_is_the_maximum_of_each_figure_over_the_tests_that_count() {
    let job = job(Vec::new(), tests(3, |index| index.to_string(), None));
    let mut results = Results::new(3);
    let mut with = |index, cpu, anonymous| {
        let mut record = record(Verdict::Accepted, "");
        record.facts.cpu_time = Duration::from_millis(cpu);
        record.facts.memory_anonymous = anonymous;
        results.add_test(index, record);
    };
    with(0, 30, None);
    with(1, 20, Some(5 << 10));
    with(2, 900, Some(9 << 20));
    results.settle(|index| index == 2);
    let usage = status(&job, &results, &End::Judged, times()).usage;
    let usage = usage.expect("two tests count");
    assert_eq!(usage.cpu_time_milliseconds, Some(30));
    assert_eq!(usage.memory_anon.as_deref(), Some("5Ki"));
}

/// What the machine did is no verdict about the program, and nothing that was judged before is kept.
#[test]
fn an_attempt_in_which_the_machine_failed_says_nothing_about_the_program() {
    let job = job(Vec::new(), tests(3, |index| index.to_string(), None));
    let mut results = Results::new(3);
    results.add_test(0, record(Verdict::Accepted, ""));
    results.add_test(1, record(Verdict::WrongAnswer, "different"));
    let end = End::Infrastructure {
        layer: Some("Cgroup".to_owned()),
        test: Some(2),
        message: "no room".to_owned(),
    };
    let status = status(&job, &results, &end, times());
    assert_eq!(status.verdict(), Some(Verdict::InfrastructureError));
    let summary = status.summary.expect("three tests");
    assert_eq!(summary.pattern.as_deref(), Some("ssx"));
    assert_eq!((summary.score, summary.passed), (None, Some(0)));
    assert!(status.tests.is_empty() && status.usage.is_none());
}

#[test]
fn ends_that_are_not_the_programs_have_no_score_and_leave_succeeded_open() {
    let job = job(Vec::new(), tests(1, |_| "1".to_owned(), None));
    let infrastructure = End::Infrastructure {
        layer: None,
        test: None,
        message: "m".to_owned(),
    };
    let mut results = Results::new(1);
    results.add_test(0, record(Verdict::Accepted, ""));
    for end in [
        End::Cancelled,
        End::DeadlineExceeded,
        infrastructure,
        End::Judged,
    ] {
        let status = status(&job, &results, &end, times());
        let verdict = status.verdict().expect("one of ours");
        let programs = verdict.class() != VerdictClass::NotProgram;
        assert_eq!(programs, end == End::Judged, "{verdict}");
        let condition = status.condition(evaljob_crds::ConditionType::Succeeded);
        let open = condition.expect("always there").status == "Unknown";
        assert_eq!(open, !programs, "{verdict}");
        let score = status.summary.and_then(|summary| summary.score);
        assert_eq!(score.is_some(), programs, "{verdict}");
    }
}

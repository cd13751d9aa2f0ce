//! The order of the rules, row by row, and what must hold for any facts at all.

mod properties;
mod rules;
mod steps;

use proptest::prelude::*;

use super::*;
use crate::checker::Comparison;
use crate::results::samples::LIMITS;
use crate::stream::Recorder;
use evaljob_crds::job::Checker;

/// A run that did nothing wrong.
fn facts() -> RunFacts {
    RunFacts {
        ending: Ending::Exited(0),
        breach: None,
        cpu_time: Duration::from_millis(20),
        wall_time: Duration::from_millis(30),
        memory_peak: Some(10 << 20),
        memory_anonymous: Some(6 << 20),
        oom_kills: 0,
        pids_hits: 0,
        disk_full: false,
        throttled: None,
        involuntary_switches: None,
        stdout_bytes: 10,
        stderr_bytes: 0,
        enforcement: None,
        phases: evaljob_sandbox::facts::Phases::default(),
    }
}

fn judged(facts: &RunFacts) -> (Verdict, String) {
    match of_run(facts, &LIMITS, Expectation::Test(Ok(()))) {
        Outcome::Judged(judged) => (judged.verdict, judged.message),
        other => panic!("{other:?}"),
    }
}

fn difference() -> Difference {
    Comparison::new(&Checker::Exact, b"a").finish().unwrap_err()
}

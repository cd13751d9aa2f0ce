//! A job of many trivial tests beside as many bare runs of the sandbox.

use std::time::{Duration, Instant};

use evaljob_sandbox::facts::Ending;
use evaljob_sandbox::{Interrupt, RunIo};

use crate::bench::{Bench, Failure};
use crate::{median, met};
use evaljob_agent::plans;

/// Tests of the job, and bare runs.
const TESTS: usize = 200;
/// Highest time of the job, in times of the bare runs.
const BAR: f64 = 1.2;

/// Milliseconds of each round.
pub(crate) struct Overhead {
    job: Vec<f64>,
    bare: Vec<f64>,
}

/// Takes both in turn.
pub(crate) fn measure(bench: &Bench, rounds: usize) -> Result<Overhead, Failure> {
    let tests: String = (0..TESTS)
        .map(|index| format!("{{name: '{index}'}},"))
        .collect();
    let job = bench.job(&format!("{{command: [/usr/bin/true], tests: [{tests}]}}"))?;
    let mut overhead = Overhead {
        job: Vec::new(),
        bare: Vec::new(),
    };
    for round in 0..=rounds {
        let (status, took) = bench.judge(&job)?;
        let passed = status.summary.and_then(|summary| summary.passed_text);
        if passed.as_deref() != Some("200/200") {
            return Err(format!("{passed:?}: {:?}", status.message).into());
        }
        let bare = bare(bench, &job)?;
        if round > 0 {
            overhead.job.push(took.as_secs_f64() * 1e3);
            overhead.bare.push(bare.as_secs_f64() * 1e3);
        }
    }
    Ok(overhead)
}

/// The same plans, run on a slot by nobody but the sandbox.
fn bare(bench: &Bench, job: &evaljob_crds::job::Job) -> Result<Duration, Failure> {
    let mut slot = bench.spawner.slot(bench.bare_slot());
    let (plan, content) = plans::job(job);
    let run = plans::run(job);
    let interrupt = Interrupt::new()?;
    let begun = Instant::now();
    slot.begin(&plan, &content)?;
    for _ in 0..TESTS {
        let io = RunIo {
            stdin: &[],
            stdout: &mut |_| (),
            stderr: &mut |_| (),
            interrupt: &interrupt,
        };
        match slot.run(&run, io)?.ending {
            Ending::Exited(0) => {}
            other => return Err(format!("{other:?}").into()),
        }
    }
    slot.end()?;
    Ok(begun.elapsed())
}

impl Overhead {
    #[expect(clippy::print_stdout, reason = "a benchmark prints")]
    pub(crate) fn print(&self) {
        let (job, bare) = (median(&self.job), median(&self.bare));
        println!();
        println!(
            "a job of {TESTS} tests {job:.1} ms, {TESTS} bare runs {bare:.1} ms (medians): {:.2} times, bar {BAR:.1}, {}",
            job / bare,
            met(job <= BAR * bare)
        );
    }
}

//! Takes one job through one sandbox slot: steps, tests or the single run, outputs.
//!
//! In: a job, a slot, an order to stop. Out: a status. Steps run in order and a failing one ends the
//! job; tests run in order, each over a fresh copy of what the steps left; outputs are collected when
//! every process is dead. Keeps nothing of an attempt in which the machine failed. Blocks its thread.

mod outputs;
mod stop;

use std::time::Instant;

use evaljob_crds::EvalJobStatus;
use evaljob_crds::job::{Checker, Job, OnFailure, Output, Stream, Test, Work};
use evaljob_sandbox::facts::RunFacts;
use evaljob_sandbox::plan::{JobPlan, RunPlan};
use evaljob_sandbox::{Collected, RunIo, SandboxError, Slot};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::checker::Comparison;
use crate::plans;
use crate::report::{self, End, Times};
use crate::results::{Results, RunRecord};
use crate::stream::{Captured, Recorder};
use crate::verdict::{self, Expectation, Judged, Outcome};

pub use stop::{Stop, StopReason};

/// A sandbox slot: runs the programs of one job at a time.
pub trait Sandbox {
    /// Begins a job whose files have this content.
    ///
    /// # Errors
    /// The layer that failed.
    fn begin(&mut self, plan: &JobPlan, content: &[u8]) -> Result<(), SandboxError>;

    /// Runs one program to its end.
    ///
    /// # Errors
    /// The layer that failed; nothing of the program's behaviour is an error.
    fn run(&mut self, plan: &RunPlan, io: RunIo<'_>) -> Result<RunFacts, SandboxError>;

    /// Opens files below /work of the last run, each with the largest size that is wanted.
    ///
    /// # Errors
    /// The layer that failed.
    fn collect(&mut self, paths: &[(String, u64)]) -> Result<Vec<Collected>, SandboxError>;

    /// Ends the job.
    ///
    /// # Errors
    /// The layer that failed.
    fn end(&mut self) -> Result<(), SandboxError>;
}

impl Sandbox for Slot {
    fn begin(&mut self, plan: &JobPlan, content: &[u8]) -> Result<(), SandboxError> {
        Self::begin(self, plan, content)
    }

    fn run(&mut self, plan: &RunPlan, io: RunIo<'_>) -> Result<RunFacts, SandboxError> {
        Self::run(self, plan, io)
    }

    fn collect(&mut self, paths: &[(String, u64)]) -> Result<Vec<Collected>, SandboxError> {
        Self::collect(self, paths)
    }

    fn end(&mut self) -> Result<(), SandboxError> {
        Self::end(self)
    }
}

/// Judges one attempt of a job. `started`: the wall clock now; the rest is counted from it.
pub fn judge(
    sandbox: &mut dyn Sandbox,
    job: &Job,
    stop: &Stop,
    started: Timestamp,
) -> EvalJobStatus {
    let clock = Instant::now();
    let mut attempt = Attempt {
        sandbox,
        job,
        stop,
        results: Results::new(match &job.work {
            Work::Run { .. } => 0,
            Work::Tests { tests, .. } => tests.len(),
        }),
        last: None,
    };
    let went = attempt.go();
    let end = end(went, stop.reason(), &attempt.results);
    let elapsed = SignedDuration::try_from(clock.elapsed()).unwrap_or(SignedDuration::MAX);
    let times = Times {
        started,
        completed: started.checked_add(elapsed).unwrap_or(started),
    };
    report::status(job, &attempt.results, &end, times)
}

/// Why an attempt went no further.
#[derive(Debug)]
enum Halt {
    /// On order.
    Stopped,
    /// The machine failed, while this test ran, if one did.
    Failed {
        layer: Option<String>,
        test: Option<usize>,
        message: String,
    },
}

impl From<SandboxError> for Halt {
    fn from(error: SandboxError) -> Self {
        Self::Failed {
            layer: Some(error.layer.to_string()),
            test: None,
            message: error.to_string(),
        }
    }
}

/// How the attempt ended. Cancelling wins over all that is not final; a deadline only over what is
/// not decided: a failure of the program that was seen before stands.
fn end(went: Result<(), Halt>, stopped: Option<StopReason>, results: &Results) -> End {
    match (went, stopped) {
        (_, Some(StopReason::Cancelled)) => End::Cancelled,
        (
            Err(Halt::Failed {
                layer,
                test,
                message,
            }),
            _,
        ) => End::Infrastructure {
            layer,
            test,
            message,
        },
        (Err(Halt::Stopped), _) if results.failed() => End::Judged,
        (Err(Halt::Stopped), _) => End::DeadlineExceeded,
        (Ok(()), _) => End::Judged,
    }
}

/// An attempt in progress.
struct Attempt<'a> {
    sandbox: &'a mut dyn Sandbox,
    job: &'a Job,
    stop: &'a Stop,
    results: Results,
    /// Both streams of the run that ended last.
    last: Option<(Captured, Captured)>,
}

/// A run that was not stopped.
struct Ran {
    facts: RunFacts,
    stdout: Captured,
    stderr: Captured,
}

impl Ran {
    fn record(self, judged: Judged) -> RunRecord {
        RunRecord {
            judged,
            facts: self.facts,
            stdout: self.stdout,
            stderr: self.stderr,
        }
    }
}

impl Attempt<'_> {
    fn go(&mut self) -> Result<(), Halt> {
        if self.stop.reason().is_some() {
            return Err(Halt::Stopped);
        }
        let (plan, content) = plans::job(self.job);
        self.sandbox.begin(&plan, &content)?;
        drop(content);
        let went = self.runs().and_then(|()| self.collect());
        if let Err(error) = self.sandbox.end() {
            // What was judged is judged; the slot makes itself anew.
            tracing::warn!(%error, "a job's sandbox was not taken down cleanly");
        }
        went
    }

    fn runs(&mut self) -> Result<(), Halt> {
        let job = self.job;
        for step in &job.steps {
            let ran = self.execute(&plans::step(job, step), &[], None)?.0;
            let judged = self.judged(verdict::of_step(&ran.facts, &step.limits, &ran.stderr))?;
            let passed = judged.passed();
            self.results.add_step(ran.record(judged));
            if !passed {
                return Ok(());
            }
        }
        match &job.work {
            Work::Run { stdin } => {
                let ran = self.execute(&plans::run(job), stdin, None)?.0;
                let judged = self.judged(verdict::of_run(
                    &ran.facts,
                    &job.limits,
                    Expectation::Completion,
                ))?;
                self.results.set_run(ran.record(judged));
                Ok(())
            }
            Work::Tests {
                tests,
                checker,
                on_failure,
                ..
            } => self.tests(tests, checker, *on_failure),
        }
    }

    fn tests(
        &mut self,
        tests: &[Test],
        checker: &Checker,
        on_failure: OnFailure,
    ) -> Result<(), Halt> {
        for (index, test) in tests.iter().enumerate() {
            let record = self.test(test, checker).map_err(|halt| match halt {
                Halt::Failed { layer, message, .. } => Halt::Failed {
                    layer,
                    test: Some(index),
                    message,
                },
                Halt::Stopped => Halt::Stopped,
            })?;
            let passed = record.judged.passed();
            self.results.add_test(index, record);
            if !passed && on_failure == OnFailure::StopAll {
                break;
            }
        }
        Ok(())
    }

    fn test(&mut self, test: &Test, checker: &Checker) -> Result<RunRecord, Halt> {
        let comparison = test
            .expected
            .as_deref()
            .map(|expected| Comparison::new(checker, expected));
        let (ran, comparison) =
            self.execute(&plans::test(self.job, test), &test.stdin, comparison)?;
        let compared = comparison.map_or(Ok(()), Comparison::finish);
        let expectation = Expectation::Test(compared.as_ref().map(|&()| ()));
        let judged = self.judged(verdict::of_run(&ran.facts, &self.job.limits, expectation))?;
        Ok(ran.record(judged))
    }

    /// Runs one program; its output goes to the recorders and the comparison as it comes.
    fn execute<'c>(
        &mut self,
        plan: &RunPlan,
        stdin: &[u8],
        mut comparison: Option<Comparison<'c>>,
    ) -> Result<(Ran, Option<Comparison<'c>>), Halt> {
        if self.stop.reason().is_some() {
            return Err(Halt::Stopped);
        }
        let mut stdout = Recorder::new(outputs::wanted(&self.job.outputs, Stream::Stdout));
        let mut stderr = Recorder::new(outputs::wanted(&self.job.outputs, Stream::Stderr));
        let facts = self.sandbox.run(
            plan,
            RunIo {
                stdin,
                stdout: &mut |chunk| {
                    stdout.push(chunk);
                    if let Some(comparison) = &mut comparison {
                        comparison.push(chunk);
                    }
                },
                stderr: &mut |chunk| stderr.push(chunk),
                interrupt: self.stop.interrupt(),
            },
        )?;
        let (stdout, stderr) = (stdout.finish(), stderr.finish());
        self.last = Some((stdout.clone(), stderr.clone()));
        Ok((
            Ran {
                facts,
                stdout,
                stderr,
            },
            comparison,
        ))
    }

    fn judged(&self, outcome: Outcome) -> Result<Judged, Halt> {
        match outcome {
            Outcome::Judged(judged) => Ok(judged),
            Outcome::Interrupted => Err(Halt::Stopped),
            Outcome::Unexplained => Err(Halt::Failed {
                layer: None,
                test: None,
                message:
                    "the run was killed from outside of its sandbox, no limit of it was reached"
                        .to_owned(),
            }),
        }
    }

    /// Collects the outputs of the run that ended last.
    fn collect(&mut self) -> Result<(), Halt> {
        let outputs = &self.job.outputs;
        let Some((stdout, stderr)) = &self.last else {
            return Ok(());
        };
        let paths = outputs.iter().filter_map(|output| match output {
            Output::Path { path, max_size } => Some((path.clone(), *max_size)),
            Output::Stream { .. } => None,
        });
        let paths: Vec<(String, u64)> = paths.collect();
        let files = if paths.is_empty() {
            Vec::new()
        } else {
            self.sandbox.collect(&paths)?
        };
        self.results.outputs =
            outputs::status(outputs, files, stdout, stderr).map_err(|message| Halt::Failed {
                layer: None,
                test: None,
                message,
            })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

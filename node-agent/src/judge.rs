//! Takes one job through the sandbox slots it holds: steps, tests or the single run, outputs.
//!
//! In: a job, its lanes, an order to stop. Out: a status. Steps run in order on the first lane and a failing one ends
//! the job; a checker that is a program is prepared once, in a sandbox of its own; then come the tests (`testing`) or
//! the single run. Outputs are collected when every process is dead. Keeps nothing of an attempt in which the machine
//! failed. Blocks its thread.

mod execute;
mod outputs;
mod sandboxes;
mod schedule;
mod stop;
mod testing;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use evaljob_crds::EvalJobStatus;
use evaljob_crds::job::{CheckerProgram, Job, Output, Step, Work};
use evaljob_crds::status::CollectedOutput;
use evaljob_sandbox::SandboxError;
use evaljob_sandbox::plan::{Crew, JobPlan, RunPlan};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::plans;
use crate::report::{self, End, Times};
use crate::results::Results;
use crate::stream::Captured;
use crate::verdict::{self, Expectation};
use execute::{Input, Listener, Ran, execute, judged};
use testing::Testing;

pub use sandboxes::{Lane, Place, Sandbox};
pub use stop::{Stop, StopReason};

/// Names the jobs that hold several slots, for the spawner.
static CREWS: AtomicU64 = AtomicU64::new(1);

/// Judges one attempt of a job on its lanes, at least one. `started`: the wall clock now; the rest is counted from it.
pub fn judge(lanes: &mut [Lane], job: &Job, stop: &Stop, started: Timestamp) -> EvalJobStatus {
    let clock = Instant::now();
    let tests = match &job.work {
        Work::Run { .. } => 0,
        Work::Tests { tests, .. } => tests.len(),
    };
    let mut attempt = Attempt {
        lanes,
        job,
        stop,
        results: Results::new(tests),
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

impl Halt {
    fn failed(message: String) -> Self {
        Self::Failed {
            layer: None,
            test: None,
            message,
        }
    }

    /// The same, while this test ran.
    fn in_test(self, index: usize) -> Self {
        match self {
            Self::Failed { layer, message, .. } => Self::Failed {
                layer,
                test: Some(index),
                message,
            },
            Self::Stopped => Self::Stopped,
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
    lanes: &'a mut [Lane],
    job: &'a Job,
    stop: &'a Stop,
    results: Results,
}

/// Which sandbox of each lane is meant.
#[derive(Debug, Clone, Copy)]
enum Role {
    Program,
    Checker,
}

impl Lane {
    fn place(&mut self, role: Role) -> &mut Place {
        match role {
            Role::Program => &mut self.program,
            Role::Checker => &mut self.checker,
        }
    }
}

impl Attempt<'_> {
    fn go(&mut self) -> Result<(), Halt> {
        if self.stop.reason().is_some() {
            return Err(Halt::Stopped);
        }
        let went = self.runs();
        // The first slot holds what its steps left for the others, so it ends last.
        for lane in self.lanes.iter_mut().rev() {
            for role in [Role::Checker, Role::Program] {
                if let Err(error) = lane.place(role).sandbox.end() {
                    // What was judged is judged; the slot makes itself anew.
                    tracing::warn!(%error, "a job's sandbox was not taken down cleanly");
                }
            }
        }
        went
    }

    fn runs(&mut self) -> Result<(), Halt> {
        let job = self.job;
        let (plan, content) = plans::job(job);
        if !self.prepare(Role::Program, plan, &content, &job.steps)? {
            return Ok(());
        }
        drop(content);
        if let Some(program) = job.checker_program()
            && !self.prepare_checker(program)?
        {
            return Ok(());
        }
        match &job.work {
            Work::Run { stdin } => {
                let ran = self.execute(Role::Program, &plans::run(job), stdin)?;
                let expectation = Expectation::Completion;
                let judged = judged(verdict::of_run(&ran.facts, &job.limits, expectation))?;
                self.collect(&ran)?;
                self.results.set_run(ran.record(judged));
                Ok(())
            }
            Work::Tests {
                tests,
                checker,
                on_failure,
                ..
            } => {
                let policy = (tests.as_slice(), checker, *on_failure);
                Testing::new(job, policy, self.stop, &mut self.results).run(self.lanes)
            }
        }
    }

    /// Begins the job on the first lane, runs these steps there, begins it on the others. `false`: a step failed.
    fn prepare(
        &mut self,
        role: Role,
        mut plan: JobPlan,
        content: &[u8],
        steps: &[Step],
    ) -> Result<bool, Halt> {
        let crew = self.crew(role);
        plan.crew = crew.as_ref().map(|crew| self.member(crew, 0, false));
        self.begin(role, 0, &plan, content, None)?;
        for step in steps {
            let ran = self.execute(role, &plans::step(self.job, step), &[])?;
            let judged = judged(verdict::of_step(&ran.facts, &step.limits, &ran.stderr))?;
            let passed = judged.passed();
            match role {
                Role::Program => {
                    if !passed {
                        self.collect(&ran)?;
                    }
                    self.results.add_step(ran.record(judged));
                }
                Role::Checker if !passed => {
                    self.results.checker_failed(&step.name, &judged);
                }
                Role::Checker => {}
            }
            if !passed {
                return Ok(false);
            }
        }
        if self.lanes.len() > 1 {
            let shared = if steps.is_empty() {
                None
            } else {
                Some(self.lanes[0].place(role).sandbox.share_steps()?)
            };
            for index in 1..self.lanes.len() {
                plan.crew = crew
                    .as_ref()
                    .map(|crew| self.member(crew, index, shared.is_some()));
                self.begin(role, index, &plan, content, shared.as_ref())?;
            }
        }
        Ok(true)
    }

    fn prepare_checker(&mut self, program: &CheckerProgram) -> Result<bool, Halt> {
        let (plan, content) = plans::checker(self.job, program);
        self.prepare(Role::Checker, plan, &content, &program.steps)
    }

    fn begin(
        &mut self,
        role: Role,
        lane: usize,
        plan: &JobPlan,
        content: &[u8],
        steps: Option<&OwnedFd>,
    ) -> Result<(), Halt> {
        let sandbox = &mut self.lanes[lane].place(role).sandbox;
        Ok(sandbox.begin(plan, content, steps.map(AsFd::as_fd))?)
    }

    /// What the slots of this job share; `None` where it is one slot, with the CPU that is its own.
    fn crew(&mut self, role: Role) -> Option<Crew> {
        let lead = self.lanes[0].place(role).number;
        let alone = self.lanes.len() == 1 && self.lanes[0].cpus == [lead];
        (!alone).then(|| Crew {
            id: CREWS.fetch_add(1, Ordering::Relaxed),
            lead,
            cpus: Vec::new(),
            joins: false,
        })
    }

    fn member(&self, crew: &Crew, lane: usize, joins: bool) -> Crew {
        Crew {
            cpus: self.lanes[lane].cpus.clone(),
            joins,
            ..crew.clone()
        }
    }

    /// Runs one program on the first lane.
    fn execute(&mut self, role: Role, plan: &RunPlan, stdin: &[u8]) -> Result<Ran, Halt> {
        if self.stop.reason().is_some() {
            return Err(Halt::Stopped);
        }
        let input = Input {
            stdin,
            judge: None,
            interrupt: self.stop.interrupt(),
        };
        let sandbox = &mut *self.lanes[0].place(role).sandbox;
        execute(sandbox, self.job, plan, &input, &mut Listener::Nobody)
    }

    /// Collects the outputs of the run that ended last on the first lane.
    fn collect(&mut self, ran: &Ran) -> Result<(), Halt> {
        let sandbox = &mut *self.lanes[0].program.sandbox;
        self.results.outputs = collect(sandbox, &self.job.outputs, &ran.stdout, &ran.stderr)?;
        Ok(())
    }
}

/// Collects the outputs of the run that ended last in a sandbox.
fn collect(
    sandbox: &mut dyn Sandbox,
    outputs: &[Output],
    stdout: &Captured,
    stderr: &Captured,
) -> Result<Vec<CollectedOutput>, Halt> {
    let paths = outputs.iter().filter_map(|output| match output {
        Output::Path { path, max_size } => Some((path.clone(), *max_size)),
        Output::Stream { .. } => None,
    });
    let paths: Vec<(String, u64)> = paths.collect();
    let files = if paths.is_empty() {
        Vec::new()
    } else {
        sandbox.collect(&paths)?
    };
    outputs::status(outputs, files, stdout, stderr).map_err(Halt::failed)
}

#[cfg(test)]
mod tests;

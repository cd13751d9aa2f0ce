//! The tests of a job, one after the other or side by side, each over a fresh copy of what the steps left.
//!
//! In: lanes in which the job has begun. Out: results in which only what counts is left. One thread per lane beside
//! the first; they share the schedule. A test that an earlier failure makes void is ended at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use evaljob_crds::job::{Checker, CheckerProgram, Job, OnFailure, Test};
use evaljob_crds::status::{CollectedOutput, Verdict};
use evaljob_sandbox::{Interrupt, Memfile, Sealed};

use super::execute::{Input, Listener, Ran, execute, judged};
use super::schedule::Schedule;
use super::{Halt, Lane, Stop, collect};
use crate::checker::Comparison;
use crate::plans;
use crate::results::{Results, RunRecord};
use crate::verdict::{self, Expectation, Judged};

/// What all lanes share.
struct State<'a> {
    schedule: Schedule<'a>,
    results: &'a mut Results,
    /// The first test in order that did not pass: it decides the verdict. Without one the last test does.
    failed: Option<usize>,
    /// What was collected after tests that may be the deciding one.
    outputs: BTreeMap<usize, Vec<CollectedOutput>>,
    /// Ends the tests that are running.
    running: BTreeMap<usize, Interrupt>,
    halt: Option<Halt>,
}

impl State<'_> {
    /// Whether no test before this one has failed.
    fn may_decide(&self, index: usize) -> bool {
        self.failed.is_none_or(|failed| index < failed)
    }

    /// Keeps what the deciding test may have left.
    fn drop_outputs(&mut self) {
        if let Some(failed) = self.failed {
            self.outputs.retain(|index, _| *index == failed);
            return;
        }
        let open = self.schedule.lowest_open();
        if let Some((&last, _)) = self.outputs.range(..open).next_back() {
            self.outputs = self.outputs.split_off(&last);
        }
    }
}

/// The tests of a job.
pub(super) struct Testing<'a> {
    job: &'a Job,
    tests: &'a [Test],
    checker: &'a Checker,
    stop: &'a Stop,
    side_by_side: bool,
    state: Mutex<State<'a>>,
}

impl<'a> Testing<'a> {
    pub(super) fn new(
        job: &'a Job,
        (tests, checker, on_failure): (&'a [Test], &'a Checker, OnFailure),
        stop: &'a Stop,
        results: &'a mut Results,
    ) -> Self {
        Self {
            job,
            tests,
            checker,
            stop,
            side_by_side: false,
            state: Mutex::new(State {
                schedule: Schedule::new(on_failure, tests),
                results,
                failed: None,
                outputs: BTreeMap::new(),
                running: BTreeMap::new(),
                halt: None,
            }),
        }
    }

    /// Runs them all, as far as the policy says.
    pub(super) fn run(mut self, lanes: &mut [Lane]) -> Result<(), Halt> {
        self.side_by_side = lanes.len() > 1;
        let Some((first, others)) = lanes.split_first_mut() else {
            return Err(Halt::failed("the job has no slot".to_owned()));
        };
        std::thread::scope(|scope| {
            for lane in others {
                let builder = std::thread::Builder::new().name("lane".to_owned());
                let testing = &self;
                if let Err(error) = builder.spawn_scoped(scope, move || testing.serve(lane)) {
                    // The lanes there are do all of it.
                    tracing::warn!(%error, "no thread for a test beside others");
                }
            }
            self.serve(first);
        });
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let schedule = state.schedule;
        state.results.settle(|index| schedule.is_void(index));
        if let Some(halt) = state.halt {
            return Err(halt);
        }
        let mut outputs = state.outputs;
        outputs.retain(|index, _| !schedule.is_void(*index));
        if let Some((_, decided)) = outputs.pop_last() {
            state.results.outputs = decided;
        }
        Ok(())
    }

    /// Runs tests on one lane until none is left.
    fn serve(&self, lane: &mut Lane) {
        while let Some((index, interrupt)) = self.start() {
            let ended = interrupt.and_then(|interrupt| {
                let record = self.test(lane, &self.tests[index], &interrupt)?;
                let outputs = self.outputs(lane, index, &record)?;
                Ok((record, outputs))
            });
            self.ended(index, ended);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next test, and what ends it.
    fn start(&self) -> Option<(usize, Result<Interrupt, Halt>)> {
        let mut state = self.lock();
        if state.halt.is_some() {
            return None;
        }
        let index = state.schedule.start()?;
        if self.stop.reason().is_some() {
            return Some((index, Err(Halt::Stopped)));
        }
        let all = self.stop.interrupt();
        if !self.side_by_side {
            return Some((index, Ok(all.clone())));
        }
        let made = Interrupt::new().and_then(|own| {
            let any = Interrupt::any(&[all, &own])?;
            state.running.insert(index, own);
            Ok(any)
        });
        let made = made.map_err(|error| Halt::failed(format!("cannot make an interrupt: {error}")));
        Some((index, made))
    }

    fn ended(&self, index: usize, ended: Result<(RunRecord, Option<Vec<CollectedOutput>>), Halt>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.running.remove(&index);
        match ended {
            Ok((record, outputs)) => {
                let passed = record.judged.passed();
                state.schedule.end(index, passed);
                if !state.schedule.is_void(index) {
                    state.results.add_test(index, record);
                    state
                        .outputs
                        .extend(outputs.map(|outputs| (index, outputs)));
                    if !passed && state.may_decide(index) {
                        state.failed = Some(index);
                    }
                }
                state.drop_outputs();
            }
            // Its result is not wanted, and that is why it was ended.
            Err(Halt::Stopped) if state.schedule.is_void(index) => state.schedule.end(index, true),
            Err(halt) => {
                state.halt.get_or_insert_with(|| halt.in_test(index));
            }
        }
        let (halted, schedule) = (state.halt.is_some(), &state.schedule);
        for (running, interrupt) in &state.running {
            if halted || schedule.is_void(*running) {
                interrupt.fire();
            }
        }
    }

    /// Collects after a test that may be the deciding one.
    fn outputs(
        &self,
        lane: &mut Lane,
        index: usize,
        record: &RunRecord,
    ) -> Result<Option<Vec<CollectedOutput>>, Halt> {
        if self.job.outputs.is_empty() {
            return Ok(None);
        }
        let decides = {
            let state = self.lock();
            let last = self.side_by_side || state.schedule.peek().is_none();
            state.may_decide(index) && (last || !record.judged.passed())
        };
        if !decides {
            return Ok(None);
        }
        let sandbox = &mut *lane.program.sandbox;
        collect(sandbox, &self.job.outputs, &record.stdout, &record.stderr).map(Some)
    }

    fn test(&self, lane: &mut Lane, test: &Test, interrupt: &Interrupt) -> Result<RunRecord, Halt> {
        let plan = plans::test(self.job, test);
        let input = Input {
            stdin: &test.stdin,
            judge: None,
            interrupt,
        };
        let sandbox = &mut *lane.program.sandbox;
        if let Checker::Program(program) = self.checker {
            let mut listener = Listener::File(file()?);
            let ran = execute(sandbox, self.job, &plan, &input, &mut listener)?;
            let first = Expectation::Test(Ok(()));
            let judged = judged(verdict::of_run(&ran.facts, &self.job.limits, first))?;
            if let (true, Listener::File(output)) = (judged.passed(), listener) {
                return self.check(lane, program, test, ran, output, interrupt);
            }
            return Ok(ran.record(judged));
        }
        let mut listener = match &test.expected {
            Some(expected) => {
                Listener::Comparison(Box::new(Comparison::new(self.checker, expected)))
            }
            None => Listener::Nobody,
        };
        let ran = execute(sandbox, self.job, &plan, &input, &mut listener)?;
        let compared = match listener {
            Listener::Comparison(comparison) => comparison.finish(),
            _ => Ok(()),
        };
        let expectation = Expectation::Test(compared.as_ref().map(|&()| ()));
        let judged = judged(verdict::of_run(&ran.facts, &self.job.limits, expectation))?;
        Ok(ran.record(judged))
    }

    /// Lets the job's own program judge an output. The program that wrote it is dead.
    fn check(
        &self,
        lane: &mut Lane,
        program: &CheckerProgram,
        test: &Test,
        ran: Ran,
        output: Memfile,
        interrupt: &Interrupt,
    ) -> Result<RunRecord, Halt> {
        let sealed = |content: &[u8]| Sealed::new(content).map_err(|error| unkept(&error));
        let stdin = sealed(&test.stdin)?;
        let answer = sealed(test.expected.as_deref().unwrap_or_default())?;
        let output = output.seal().map_err(|error| unkept(&error))?;
        let input = Input {
            stdin: &[],
            judge: Some([&stdin, &output, &answer]),
            interrupt,
        };
        let plan = plans::check(self.job, program);
        let sandbox = &mut *lane.checker.sandbox;
        let checked = execute(sandbox, self.job, &plan, &input, &mut Listener::Nobody)?;
        let outcome = verdict::of_check(&checked.facts, &program.limits, &checked.stderr);
        let judged: Judged = judged(outcome)?;
        let said = checked.stderr.first_line(verdict::STDERR_LINE);
        if judged.verdict == Verdict::JudgeError {
            tracing::debug!(
                test = test.name,
                message = judged.message,
                "a checker failed"
            );
        }
        Ok(RunRecord {
            checker_message: said,
            ..ran.record(judged)
        })
    }
}

fn file() -> Result<Memfile, Halt> {
    Memfile::new().map_err(|error| unkept(&error))
}

fn unkept(error: &std::io::Error) -> Halt {
    Halt::failed(format!("cannot keep bytes for the checker: {error}"))
}

//! What is known of an attempt while it goes on: verdicts of all runs, the rest of a bounded few.
//!
//! In: one record per finished run, in order. Out: what `report` needs for a status. Memory does not
//! grow with the number of tests but for one verdict each: streams are kept for steps, the single
//! run and the first failing tests only. Decides nothing.

#[cfg(test)]
pub(crate) mod samples;

use std::time::Duration;

use evaljob_crds::job::Stream;
use evaljob_crds::status::{CollectedOutput, Verdict};
use evaljob_sandbox::facts::{Enforcement, RunFacts};

use crate::stream::Captured;
use crate::verdict::Judged;

/// Failing tests whose details a status shows (api.md).
pub const DETAILED_TESTS: usize = 16;

/// Kept beyond them while tests run side by side: as many as may turn out to be void.
const SPARE: usize = 16;

/// A finished run and its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Its verdict.
    pub judged: Judged,
    /// What the checker said of it, if that is a program.
    pub checker_message: Option<String>,
    /// What the sandbox recorded.
    pub facts: RunFacts,
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
}

impl RunRecord {
    /// One of its streams.
    pub fn stream(&self, stream: Stream) -> &Captured {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }
}

/// What a run used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// User and system time.
    pub cpu_time: Duration,
    /// Monotonic time.
    pub wall_time: Duration,
    /// Bytes, where the kernel tells.
    pub memory_peak: Option<u64>,
    /// Bytes of it that are anonymous, where they were seen.
    pub memory_anonymous: Option<u64>,
    /// Time held back by the CPU limit, where the kernel tells.
    pub throttled: Option<Duration>,
    /// Involuntary context switches, where the kernel tells.
    pub involuntary_switches: Option<u64>,
}

impl Used {
    /// The figures of one run.
    pub fn of(facts: &RunFacts) -> Self {
        Self {
            cpu_time: facts.cpu_time,
            wall_time: facts.wall_time,
            memory_peak: facts.memory_peak,
            memory_anonymous: facts.memory_anonymous,
            throttled: facts.throttled,
            involuntary_switches: facts.involuntary_switches,
        }
    }

    /// The larger of each figure.
    fn max(self, other: Self) -> Self {
        Self {
            cpu_time: self.cpu_time.max(other.cpu_time),
            wall_time: self.wall_time.max(other.wall_time),
            memory_peak: self.memory_peak.max(other.memory_peak),
            memory_anonymous: self.memory_anonymous.max(other.memory_anonymous),
            throttled: self.throttled.max(other.throttled),
            involuntary_switches: self.involuntary_switches.max(other.involuntary_switches),
        }
    }
}

/// Everything of an attempt that its status may show.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// Steps that ran, in order; only the last one can have failed.
    pub steps: Vec<RunRecord>,
    /// The single run.
    pub run: Option<RunRecord>,
    /// Verdicts in the order of the tests; `None`: not run.
    pub tests: Vec<Option<Judged>>,
    /// The first failing tests in order, with their index.
    pub failures: Vec<(usize, RunRecord)>,
    /// Maximum over the tests, or of the single run.
    pub used: Option<Used>,
    /// Why the checker could not be prepared.
    pub checker: Option<Judged>,
    /// Figures of each test that was run.
    used_by: Vec<Option<Used>>,
    /// What was enforced on the last run.
    pub enforcement: Option<Enforcement>,
    /// What was collected, in the order of the spec.
    pub outputs: Vec<CollectedOutput>,
}

impl Results {
    /// Nothing has run yet, of a job with so many tests.
    pub fn new(tests: usize) -> Self {
        Self {
            steps: Vec::new(),
            run: None,
            tests: vec![None; tests],
            failures: Vec::new(),
            used: None,
            checker: None,
            used_by: vec![None; tests],
            enforcement: None,
            outputs: Vec::new(),
        }
    }

    /// Adds the next step.
    pub fn add_step(&mut self, record: RunRecord) {
        self.note_enforcement(&record);
        self.steps.push(record);
    }

    /// Sets the single run.
    pub fn set_run(&mut self, record: RunRecord) {
        self.note_enforcement(&record);
        self.used = Some(Used::of(&record.facts));
        self.run = Some(record);
    }

    /// Adds a test; tests end in any order.
    pub fn add_test(&mut self, index: usize, record: RunRecord) {
        self.note_enforcement(&record);
        self.used_by[index] = Some(Used::of(&record.facts));
        self.tests[index] = Some(record.judged.clone());
        if !record.judged.passed() {
            let place = self.failures.partition_point(|(other, _)| *other < index);
            self.failures.insert(place, (index, record));
            self.failures.truncate(DETAILED_TESTS + SPARE);
        }
    }

    /// Ends the tests: what an earlier failure makes void is taken out.
    pub fn settle(&mut self, is_void: impl Fn(usize) -> bool) {
        for index in (0..self.tests.len()).filter(|index| is_void(*index)) {
            self.tests[index] = None;
            self.used_by[index] = None;
        }
        self.failures.retain(|(index, _)| !is_void(*index));
        self.failures.truncate(DETAILED_TESTS);
        self.used = self.used_by.iter().flatten().copied().reduce(Used::max);
    }

    /// A step of the checker failed: the tests cannot be judged.
    pub fn checker_failed(&mut self, step: &str, judged: &Judged) {
        self.checker = Some(Judged {
            verdict: Verdict::JudgeError,
            message: format!("checker step {step}: {}", judged.message),
        });
    }

    /// Whether the program has failed: whatever comes later, the attempt does not succeed.
    pub fn failed(&self) -> bool {
        let runs = self
            .steps
            .iter()
            .chain(&self.run)
            .map(|record| &record.judged);
        runs.chain(self.tests.iter().flatten())
            .chain(&self.checker)
            .any(|judged| !judged.passed())
    }

    fn note_enforcement(&mut self, record: &RunRecord) {
        if let Some(enforcement) = &record.facts.enforcement {
            self.enforcement = Some(enforcement.clone());
        }
    }
}

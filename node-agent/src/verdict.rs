//! From the facts of a run to its verdict, and from the tests' verdicts to the job's.
//!
//! In: what the sandbox recorded, the limits, the checker's result. Out: a verdict and its one-line
//! message. Pure and total: no clock, no I/O, and the first rule of api.md "Verdicts" that holds
//! decides, in the order of the code. Trouble of the machine never becomes a verdict about the
//! program here, nor the reverse: what no rule explains is `Outcome::Unexplained`.

use std::time::Duration;

use evaljob_crds::job::Limits;
use evaljob_crds::status::{SKIPPED, Verdict, VerdictClass};
use evaljob_sandbox::facts::{Breach, Ending, RunFacts};

use crate::checker::Difference;
use crate::kernel_names::{self, SIGSEGV, SIGSYS, SIGXFSZ};
use crate::stream::Captured;

/// Bytes of a step's or a checker's standard error that its message may hold.
pub const STDERR_LINE: usize = 512;

/// Bytes of a program's path in a message.
const PATH: usize = 256;

/// A verdict and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// One line; empty after success.
    pub message: String,
}

impl Judged {
    fn new(verdict: Verdict, message: impl Into<String>) -> Self {
        Self {
            verdict,
            message: message.into(),
        }
    }

    /// Accepted or Completed.
    pub fn passed(&self) -> bool {
        self.verdict.class() == VerdictClass::Success
    }
}

/// What a finished run says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A verdict about the program.
    Judged(Judged),
    /// The run was ended on the caller's order; nothing is said about the program.
    Interrupted,
    /// Something outside the run's limits ended it; the machine's fault.
    Unexplained,
}

/// What an exit status of 0 means for a run.
#[derive(Debug, Clone, Copy)]
pub enum Expectation<'a> {
    /// The single run or a step: it completed.
    Completion,
    /// A test: accepted unless the checker found a difference.
    Test(Result<(), &'a Difference>),
}

/// Judges a test or the single run.
pub fn of_run(facts: &RunFacts, limits: &Limits, expectation: Expectation<'_>) -> Outcome {
    let judged = |verdict, message: String| Outcome::Judged(Judged::new(verdict, message));
    if let Ending::NotStarted { errno, path } = &facts.ending {
        return judged(Verdict::RuntimeError, not_started(*errno, path));
    }
    if facts.ending == Ending::Signaled(SIGSYS) {
        let message = "killed by SIGSYS: a system call that the sandbox forbids".to_owned();
        return judged(Verdict::SandboxViolation, message);
    }
    if let Some(breach) = facts.breach {
        return of_breach(breach, facts, limits).map_or(Outcome::Interrupted, Outcome::Judged);
    }
    if let Some(exceeded) = exceeded_unnoticed(facts, limits) {
        return Outcome::Judged(exceeded);
    }
    let failure = match &facts.ending {
        Ending::Exited(0) => None,
        Ending::Exited(code) => Some(format!("exit code {code}")),
        Ending::Signaled(signal) => Some(killed_by(*signal, limits)),
        Ending::NotStarted { .. } | Ending::Killed => return Outcome::Unexplained,
    };
    match (failure, expectation) {
        (Some(failure), _) => Outcome::Judged(of_failure(failure, facts, limits)),
        (None, Expectation::Completion) => judged(Verdict::Completed, String::new()),
        (None, Expectation::Test(Ok(()))) => judged(Verdict::Accepted, String::new()),
        (None, Expectation::Test(Err(difference))) => {
            judged(Verdict::WrongAnswer, difference.to_string())
        }
    }
}

/// Judges a step: `CompileError` for every failure, in the words of the limit or of its standard error.
pub fn of_step(facts: &RunFacts, limits: &Limits, stderr: &Captured) -> Outcome {
    match of_run(facts, limits, Expectation::Completion) {
        Outcome::Judged(judged) if !judged.passed() => {
            let said = (judged.verdict == Verdict::RuntimeError
                && !matches!(facts.ending, Ending::NotStarted { .. }))
            .then(|| stderr.first_line(STDERR_LINE))
            .flatten();
            let message = match said {
                Some(line) => format!("{}: {line}", judged.message),
                None => judged.message,
            };
            Outcome::Judged(Judged::new(Verdict::CompileError, message))
        }
        other => other,
    }
}

/// Judges a test by the end of the program that checked it: 0 accepts, 1 rejects, all else is the checker's own failure.
pub fn of_check(facts: &RunFacts, limits: &Limits, stderr: &Captured) -> Outcome {
    let judged = match of_run(facts, limits, Expectation::Completion) {
        Outcome::Judged(judged) => judged,
        other => return other,
    };
    let said = stderr.first_line(STDERR_LINE);
    Outcome::Judged(match (judged.verdict, &facts.ending) {
        (Verdict::Completed, _) => Judged::new(Verdict::Accepted, ""),
        (Verdict::RuntimeError, Ending::Exited(1)) => Judged::new(
            Verdict::WrongAnswer,
            said.unwrap_or_else(|| "rejected by the checker".to_owned()),
        ),
        _ => {
            let said = said.map_or_else(String::new, |line| format!(": {line}"));
            Judged::new(
                Verdict::JudgeError,
                format!("checker: {}{said}", judged.message),
            )
        }
    })
}

/// The verdict of a recorded breach; `None` for the caller's interrupt.
fn of_breach(breach: Breach, facts: &RunFacts, limits: &Limits) -> Option<Judged> {
    match breach {
        Breach::WallTime => Some(of_wall_time(facts, limits)),
        Breach::CpuTime => Some(of_cpu_time(facts, limits)),
        Breach::Output => Some(of_output(facts, limits)),
        Breach::Memory => Some(of_memory(facts, limits)),
        Breach::Interrupted => None,
    }
}

/// A limit that is exceeded although nobody ended the run for it.
fn exceeded_unnoticed(facts: &RunFacts, limits: &Limits) -> Option<Judged> {
    if facts.cpu_time > limits.cpu_time {
        Some(of_cpu_time(facts, limits))
    } else if output_bytes(facts) > limits.output {
        Some(of_output(facts, limits))
    } else if facts.oom_kills > 0 {
        Some(of_memory(facts, limits))
    } else if facts.ending == Ending::Signaled(SIGXFSZ) {
        let message = format!(
            "killed by SIGXFSZ: a file beyond the file size limit of {}",
            size(limits.file_size)
        );
        Some(Judged::new(Verdict::DiskLimitExceeded, message))
    } else {
        None
    }
}

/// A failure of the program, or of what the disk or process limit left it.
fn of_failure(failure: String, facts: &RunFacts, limits: &Limits) -> Judged {
    if facts.disk_full {
        let message = format!(
            "{failure}, workspace full, limit {}",
            size(limits.workspace)
        );
        Judged::new(Verdict::DiskLimitExceeded, message)
    } else if facts.pids_hits > 0 {
        let message = format!("{failure}, process limit of {} reached", limits.processes);
        Judged::new(Verdict::ProcessLimitExceeded, message)
    } else {
        Judged::new(Verdict::RuntimeError, failure)
    }
}

/// Computing for at least a quarter of the time is slowness, less is waiting.
fn of_wall_time(facts: &RunFacts, limits: &Limits) -> Judged {
    let busy = facts.cpu_time.saturating_mul(4) >= facts.wall_time;
    let verdict = if busy {
        Verdict::TimeLimitExceeded
    } else {
        Verdict::IdleLimitExceeded
    };
    let message = format!(
        "wall time {} ms, limit {} ms, of it CPU time {} ms",
        milliseconds(facts.wall_time),
        milliseconds(limits.wall_time),
        milliseconds(facts.cpu_time),
    );
    Judged::new(verdict, message)
}

fn of_cpu_time(facts: &RunFacts, limits: &Limits) -> Judged {
    let (used, limit) = (milliseconds(facts.cpu_time), milliseconds(limits.cpu_time));
    Judged::new(
        Verdict::TimeLimitExceeded,
        format!("CPU time {used} ms, limit {limit} ms"),
    )
}

fn of_output(facts: &RunFacts, limits: &Limits) -> Judged {
    let message = format!(
        "output {} bytes, limit {} bytes",
        output_bytes(facts),
        limits.output
    );
    Judged::new(Verdict::OutputLimitExceeded, message)
}

fn of_memory(facts: &RunFacts, limits: &Limits) -> Judged {
    let limit = size(limits.memory);
    let message = match facts.memory_peak {
        Some(peak) => format!("memory peak {}, limit {limit}", size(peak)),
        None => format!("memory beyond the limit of {limit}"),
    };
    Judged::new(Verdict::MemoryLimitExceeded, message)
}

fn output_bytes(facts: &RunFacts) -> u64 {
    facts.stdout_bytes.saturating_add(facts.stderr_bytes)
}

fn not_started(errno: i32, path: &str) -> String {
    let path = crate::visible::line(path.as_bytes(), PATH);
    format!("cannot start {path}: {}", kernel_names::errno(errno))
}

fn killed_by(signal: i32, limits: &Limits) -> String {
    let name = kernel_names::signal(signal);
    match signal {
        SIGSEGV => format!(
            "killed by {name} (hint: deep recursion needs more than the stack limit of {})",
            size(limits.stack)
        ),
        _ => format!("killed by {name}"),
    }
}

/// Whole milliseconds, rounded up so that a time over its limit never reads as the limit.
pub fn milliseconds(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000)
}

/// A size as manifests write it: 64Mi, else in bytes.
pub fn size(bytes: u64) -> String {
    let units = [(1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
    let unit = units
        .into_iter()
        .find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor));
    match unit {
        Some((factor, suffix)) => format!("{}{suffix}", bytes / factor),
        None => format!("{bytes} bytes"),
    }
}

/// The job's verdict by its tests, in order, `None` for one that was not run: that of the first one
/// that was not accepted, with its index; `None` when there is no such test.
pub fn of_tests<'a>(
    tests: impl IntoIterator<Item = Option<&'a Judged>>,
) -> Option<(usize, &'a Judged)> {
    let run = tests
        .into_iter()
        .enumerate()
        .filter_map(|(index, test)| Some((index, test?)));
    run.into_iter().find(|(_, judged)| !judged.passed())
}

/// One letter a test, in order (`None`: not run).
pub fn pattern<'a>(tests: impl IntoIterator<Item = Option<&'a Judged>>) -> String {
    tests
        .into_iter()
        .map(|test| {
            test.and_then(|judged| judged.verdict.letter())
                .unwrap_or(SKIPPED)
        })
        .collect()
}

#[cfg(test)]
mod tests;

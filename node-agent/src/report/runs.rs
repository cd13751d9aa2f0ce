//! Steps, tests and the single run as a status shows them.
//!
//! In: their records, the sizes that streams may have. Out: `RunResult`s.

use evaljob_crds::job::{Job, Stream, Work};
use evaljob_crds::quantity::kibibytes;
use evaljob_crds::status::{self, EvalJobStatus, RunResult, Usage, Verdict};
use evaljob_sandbox::facts::Ending;

use super::budget::Ends;
use crate::kernel_names;
use crate::results::{Results, RunRecord, Used};
use crate::stream::Captured;
use crate::verdict::milliseconds;

/// Longest message of one run, in bytes: with 16 of them the status keeps its bound.
const MESSAGE: usize = 512;

/// Longest message of a checker, for the same reason.
const CHECKER_MESSAGE: usize = 256;

/// What is shown of an attempt.
pub(super) struct Detail<'a> {
    pub(super) job: &'a Job,
    pub(super) results: &'a Results,
    /// The stream that explains the verdict.
    pub(super) explains: Option<&'a Captured>,
}

/// The stream of a run that a reader needs to understand its verdict: what was said, else what was printed.
pub(super) fn explaining(record: &RunRecord) -> &Captured {
    let (stdout, stderr) = (&record.stdout, &record.stderr);
    match record.judged.verdict {
        Verdict::OutputLimitExceeded if stderr.bytes() > stdout.bytes() => stderr,
        Verdict::CompileError
        | Verdict::RuntimeError
        | Verdict::ProcessLimitExceeded
        | Verdict::DiskLimitExceeded
        | Verdict::SandboxViolation
            if stderr.bytes() > 0 =>
        {
            stderr
        }
        _ => stdout,
    }
}

/// Adds all runs to `status`, with streams of that size.
pub(super) fn add(status: &mut EvalJobStatus, detail: &Detail<'_>, ends: Ends) {
    let results = detail.results;
    let result = |record: &RunRecord| result(record, detail.explains, ends);
    status.steps = detail
        .job
        .steps
        .iter()
        .zip(&results.steps)
        .map(|(step, record)| RunResult {
            name: Some(step.name.clone()),
            ..result(record)
        })
        .collect();
    status.run = results.run.as_ref().map(result);
    if let Work::Tests { tests, .. } = &detail.job.work {
        let failures = results.failures.iter().map(|(index, record)| RunResult {
            name: Some(tests[*index].name.clone()),
            group: tests[*index].group.clone(),
            ..result(record)
        });
        status.tests = failures.collect();
    }
}

/// The figures as a status has them.
pub(super) fn usage(used: &Used) -> Usage {
    Usage {
        cpu_time_milliseconds: i64::try_from(milliseconds(used.cpu_time)).ok(),
        wall_time_milliseconds: i64::try_from(milliseconds(used.wall_time)).ok(),
        memory_peak: used.memory_peak.map(kibibytes),
        memory_anon: used.memory_anonymous.map(kibibytes),
        throttled_milliseconds: used
            .throttled
            .and_then(|time| i64::try_from(milliseconds(time)).ok()),
        involuntary_switches: used
            .involuntary_switches
            .and_then(|count| i64::try_from(count).ok()),
    }
}

fn result(record: &RunRecord, explains: Option<&Captured>, ends: Ends) -> RunResult {
    let stream = |stream: Stream| {
        let captured = record.stream(stream);
        let explains = explains.is_some_and(|explains| std::ptr::eq(explains, captured));
        let end = if explains {
            ends.explaining
        } else {
            ends.others
        };
        Some(shown(captured, end))
    };
    let message = &record.judged.message;
    let (exit_code, signal) = match record.facts.ending {
        Ending::Exited(code) => (Some(code), None),
        Ending::Signaled(signal) => (None, Some(kernel_names::signal(signal).into_owned())),
        Ending::NotStarted { .. } | Ending::Killed => (None, None),
    };
    RunResult {
        verdict: Some(record.judged.verdict.into()),
        message: (!message.is_empty())
            .then(|| message[..message.floor_char_boundary(MESSAGE)].to_owned()),
        checker_message: record
            .checker_message
            .as_deref()
            .map(|said| said[..said.floor_char_boundary(CHECKER_MESSAGE)].to_owned()),
        exit_code,
        signal,
        usage: Some(usage(&Used::of(&record.facts))),
        stdout: stream(Stream::Stdout),
        stderr: stream(Stream::Stderr),
        ..RunResult::default()
    }
}

fn shown(captured: &Captured, end: usize) -> status::Stream {
    let rendered = captured.render(end);
    status::Stream {
        text: Some(rendered.text),
        tail: Some(rendered.tail).filter(|tail| !tail.is_empty()),
        bytes: i64::try_from(captured.bytes()).ok(),
        truncated: Some(rendered.truncated),
        sha256: Some(captured.sha256().to_owned()),
    }
}

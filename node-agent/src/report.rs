//! The status of a finished attempt.
//!
//! In: the job, what is known of its runs, how the attempt ended, when. Out: an `EvalJobStatus` with
//! all that is not the operator's to say (node, attempt, retries). Pure but for [`infrastructure`]: reads no clock. The size is
//! bounded (`budget`); text of hostile programs arrives here already escaped.

mod budget;
mod conditions;
mod runs;

use evaljob_crds::job::{Job, Work};
use evaljob_crds::status::{Denial, EvalJobStatus, Summary, Verdict};
use evaljob_sandbox::facts::{self, CgroupVersion, Ending};
use evaljob_sandbox::plan::SeccompProfile;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;

use crate::results::{Results, RunRecord};
use crate::score::{self, Scored};
use crate::verdict;
use runs::Detail;

/// Longest message of a status, in bytes (api.md).
const MESSAGE: usize = 1024;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Its results say so.
    Judged,
    /// `cancel` was set.
    Cancelled,
    /// The deadline was over before the results were decided.
    DeadlineExceeded,
    /// The machine failed; nothing of the attempt is kept.
    Infrastructure {
        /// The layer that failed, where it was one.
        layer: Option<String>,
        /// The test that was running.
        test: Option<usize>,
        /// Cause and way out.
        message: String,
    },
}

/// When an attempt ran.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When it left the queue.
    pub started: Timestamp,
    /// When its status was made; `started` and the time a monotonic clock counted since.
    pub completed: Timestamp,
}

/// Makes the status.
pub fn status(job: &Job, results: &Results, end: &End, times: Times) -> EvalJobStatus {
    match end {
        End::Judged => judged(job, results, times),
        End::Cancelled => {
            let message = "cancelled before it was finished".to_owned();
            partial(job, results, (Verdict::Cancelled, message), times)
        }
        End::DeadlineExceeded => {
            let message = "the deadline was over before it was finished".to_owned();
            partial(job, results, (Verdict::DeadlineExceeded, message), times)
        }
        End::Infrastructure {
            layer,
            test,
            message,
        } => {
            let kept = Results::new(results.tests.len());
            let ended = (Verdict::InfrastructureError, message.clone());
            let mut status = frame(job, &kept, ended, times);
            if let (Some(pattern), Some(test)) = (
                status.summary.as_mut().and_then(|s| s.pattern.as_mut()),
                *test,
            ) {
                // Every letter is one byte long.
                pattern.replace_range(test..=test, "x");
            }
            let enforcement = layer.as_deref().map_or(
                conditions::Sandboxed::Unknown,
                conditions::Sandboxed::Missing,
            );
            conditions::set(&mut status, enforcement, times.completed);
            status
        }
    }
}

/// The status of a job that could not be tried at all.
pub fn infrastructure(job: &Job, layer: Option<String>, message: String) -> EvalJobStatus {
    let now = Timestamp::now();
    let end = End::Infrastructure {
        layer,
        test: None,
        message,
    };
    let times = Times {
        started: now,
        completed: now,
    };
    let tests = match &job.work {
        Work::Run { .. } => 0,
        Work::Tests { tests, .. } => tests.len(),
    };
    status(job, &Results::new(tests), &end, times)
}

/// The verdict of an attempt that nothing outside of it ended: of its first failure, else success.
pub fn verdict_of(job: &Job, results: &Results) -> (Verdict, String) {
    if let Some((step, record)) = job
        .steps
        .iter()
        .zip(&results.steps)
        .find(|(_, record)| !record.judged.passed())
    {
        return (
            record.judged.verdict,
            format!("step {}: {}", step.name, record.judged.message),
        );
    }
    if let Some(checker) = &results.checker {
        return (checker.verdict, checker.message.clone());
    }
    match &job.work {
        Work::Run { .. } => match &results.run {
            Some(run) => (run.judged.verdict, run.judged.message.clone()),
            None => (Verdict::Completed, String::new()),
        },
        Work::Tests { tests, .. } => {
            match verdict::of_tests(results.tests.iter().map(Option::as_ref)) {
                Some((index, judged)) => (
                    judged.verdict,
                    format!("test {}: {}", tests[index].name, judged.message),
                ),
                None => (Verdict::Accepted, String::new()),
            }
        }
    }
}

fn judged(job: &Job, results: &Results, times: Times) -> EvalJobStatus {
    let mut status = partial(job, results, verdict_of(job, results), times);
    status.denials = decisive(results).map(denials).unwrap_or_default();
    status.outputs.clone_from(&results.outputs);
    status
}

/// A status with the details of what has run.
fn partial(job: &Job, results: &Results, ended: (Verdict, String), times: Times) -> EvalJobStatus {
    let mut status = frame(job, results, ended, times);
    status.usage = results.used.as_ref().map(runs::usage);
    status.enforcement = results.enforcement.as_ref().map(enforcement);
    let sandboxed = match &results.enforcement {
        Some(_) => conditions::Sandboxed::Fully,
        None => conditions::Sandboxed::Unknown,
    };
    conditions::set(&mut status, sandboxed, times.completed);
    let detail = Detail {
        job,
        results,
        explains: decisive(results).map(runs::explaining),
    };
    budget::fit(status, |status, ends| runs::add(status, &detail, ends))
}

/// What every status has: verdict, message, summary, times.
fn frame(
    job: &Job,
    results: &Results,
    (verdict, message): (Verdict, String),
    times: Times,
) -> EvalJobStatus {
    EvalJobStatus {
        verdict: Some(verdict.into()),
        message: Some(bounded(&message)).filter(|message| !message.is_empty()),
        summary: summary(job, results, verdict),
        agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        start_time: Some(MicroTime(times.started)),
        completion_time: Some(MicroTime(times.completed)),
        ..EvalJobStatus::default()
    }
}

/// The run whose verdict is the job's: the failing step, the first failing test, or the single run.
fn decisive(results: &Results) -> Option<&RunRecord> {
    let step = results
        .steps
        .last()
        .filter(|record| !record.judged.passed());
    step.or_else(|| results.failures.first().map(|(_, record)| record))
        .or(results.run.as_ref())
}

fn summary(job: &Job, results: &Results, verdict: Verdict) -> Option<Summary> {
    let Work::Tests { tests, .. } = &job.work else {
        // Without tests there is nothing to sum up but the score.
        return score::score(verdict, &[]).map(|score| Summary {
            score: Some(score),
            ..Summary::default()
        });
    };
    let accepted = |index: usize| {
        results.tests[index]
            .as_ref()
            .is_some_and(verdict::Judged::passed)
    };
    let scored: Vec<Scored<'_>> = tests
        .iter()
        .enumerate()
        .map(|(index, test)| Scored {
            weight: test.weight,
            group: test.group.as_deref(),
            accepted: accepted(index),
        })
        .collect();
    let passed = scored.iter().filter(|test| test.accepted).count();
    let skipped = results.tests.iter().filter(|test| test.is_none()).count();
    let total = tests.len();
    Some(Summary {
        total: Some(count(total)),
        passed: Some(count(passed)),
        failed: Some(count(total - passed - skipped)),
        skipped: Some(count(skipped)),
        passed_text: Some(format!("{passed}/{total}")),
        score: score::score(verdict, &scored),
        pattern: Some(verdict::pattern(results.tests.iter().map(Option::as_ref))),
    })
}

fn denials(record: &RunRecord) -> Vec<Denial> {
    if record.facts.ending != Ending::Signaled(crate::kernel_names::SIGSYS) {
        return Vec::new();
    }
    // Only a supervisor of system calls could name the call.
    vec![Denial {
        layer: "Seccomp".to_owned(),
        what: "unknown".to_owned(),
    }]
}

fn enforcement(read: &facts::Enforcement) -> evaljob_crds::status::Enforcement {
    let hexadecimal = |value: u64| Some(format!("{value:#x}"));
    evaljob_crds::status::Enforcement {
        landlock: Some(evaljob_crds::status::LandlockEnforcement {
            abi: i32::try_from(read.landlock_abi).ok(),
            fs: hexadecimal(read.landlock_fs),
            net: hexadecimal(read.landlock_net),
            scoped: hexadecimal(read.landlock_scoped),
        }),
        seccomp: Some(evaljob_crds::status::SeccompEnforcement {
            profile: Some(profile(read.seccomp_profile).to_owned()),
            filters: i32::try_from(read.seccomp_filters).ok(),
        }),
        // The parent says go only after it read back that these hold.
        no_new_privs: Some(true),
        capabilities: Some("none".to_owned()),
        securebits: hexadecimal(u64::from(read.securebits)),
        namespaces: ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"]
            .map(str::to_owned)
            .to_vec(),
        uid: Some(i64::from(read.uid)),
        cgroup: Some(cgroup(read.cgroup).to_owned()),
        core_dump: Some("off".to_owned()),
        verified_by: Some("parent".to_owned()),
    }
}

fn profile(profile: SeccompProfile) -> &'static str {
    match profile {
        SeccompProfile::Default => "Default",
        SeccompProfile::Strict => "Strict",
    }
}

fn cgroup(version: CgroupVersion) -> &'static str {
    match version {
        CgroupVersion::V1 => "v1",
        CgroupVersion::V2 => "v2",
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// At most [`MESSAGE`] bytes, cut between characters.
fn bounded(message: &str) -> String {
    message[..message.floor_char_boundary(MESSAGE)].to_owned()
}

#[cfg(test)]
mod tests;

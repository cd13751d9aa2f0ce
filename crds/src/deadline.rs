//! How long a job may live. Pure; the clock is the operator's.

use std::time::Duration;

use crate::job::{INFRA_RETRY_LIMIT, MAX_QUEUE, run_limits, step_limits};
use crate::spec::EvalJobSpec;

/// Time allowed for what surrounds each run: its mounts, its inputs, its outputs.
const AROUND_A_RUN: Duration = Duration::from_secs(1);

/// Time from creation or resumption after which the job ends as DeadlineExceeded, never more than `cluster_max`.
///
/// Without `activeDeadlineSeconds` it is the sum of the limits: those of the queue, and of every step and test,
/// once for each attempt that is allowed. A job that keeps its limits is so never ended by a deadline that
/// nobody set.
#[must_use]
pub fn active_deadline(spec: &EvalJobSpec, cluster_max: Duration) -> Duration {
    let given = spec
        .active_deadline_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(Duration::from_secs);
    given
        .unwrap_or_else(|| sum_of_limits(spec))
        .min(cluster_max)
}

/// Time a job may wait for a node, from creation or resumption.
#[must_use]
pub fn max_queue(spec: &EvalJobSpec) -> Duration {
    spec.max_queue_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(MAX_QUEUE, Duration::from_secs)
}

/// How often a job is tried again after an infrastructure failure.
#[must_use]
pub fn infra_retry_limit(spec: &EvalJobSpec) -> u32 {
    spec.infra_retry_limit
        .and_then(|limit| u32::try_from(limit).ok())
        .unwrap_or(INFRA_RETRY_LIMIT)
}

fn sum_of_limits(spec: &EvalJobSpec) -> Duration {
    let checker = spec.checker.as_ref();
    let checker = checker.and_then(|checker| checker.program.as_ref());
    let of_checker = checker.map_or(&[][..], |checker| &checker.steps);
    let steps = spec.steps.iter().chain(of_checker);
    let steps = steps.fold(Duration::ZERO, |sum, step| {
        let limits = step_limits(step.limits.as_ref(), 0);
        sum.saturating_add(limits.wall_time + AROUND_A_RUN)
    });
    let check = checker.map_or(Duration::ZERO, |checker| {
        step_limits(checker.limits.as_ref(), 0).wall_time + AROUND_A_RUN
    });
    let run = run_limits(spec.limits.as_ref()).wall_time + AROUND_A_RUN + check;
    // Side by side or not: the sum is what bounds them on a node with one slot.
    let runs = u32::try_from(spec.tests.len().max(1)).unwrap_or(u32::MAX);
    let attempt = steps.saturating_add(run.saturating_mul(runs));
    let attempts = infra_retry_limit(spec).saturating_add(1);
    max_queue(spec).saturating_add(attempt.saturating_mul(attempts))
}

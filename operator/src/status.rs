//! Every status the operator writes: those it makes itself, and what it adds to an agent's.
//!
//! In: the [`Ledger`] of a job (what only the operator knows), a verdict or an agent's status, the API server's
//! time. Out: whole statuses with their conditions. Pure. An agent's status is data from outside: fields that the
//! operator owns are overwritten, conditions are made here, and lines are bounded.

use std::time::Duration;

use evaljob_crds::{Condition, ConditionStatus, ConditionType, EvalJobStatus, Reason, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use k8s_openapi::jiff::Timestamp;

use crate::clock;
use crate::names::NodeName;

/// What the operator knows about a job and its agent does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Number of the present or next attempt, from 1.
    pub attempt: u32,
    /// Attempts that failed for a reason that is not the program's.
    pub infra_failures: u32,
    /// Node of the present attempt.
    pub node: Option<NodeName>,
    /// When it was queued: creation or resume.
    pub queued: Option<Timestamp>,
    /// When the present attempt was sent.
    pub dispatched: Option<Timestamp>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// The number of attempts that the stored status has; 0 when it has none.
    pub recorded: u32,
}

/// Longest message, in bytes.
const MESSAGE_BYTES: usize = 1024;

impl Ledger {
    /// A status with what the ledger says. `reserve`: the next attempt is written before it is sent.
    fn status(&self, reserve: bool) -> EvalJobStatus {
        let sent = reserve || self.dispatched.is_some();
        let attempt = if sent {
            self.attempt.max(self.recorded)
        } else {
            self.recorded
        };
        let begun = (attempt > 0).then_some(());
        EvalJobStatus {
            attempt: begun.map(|()| count(attempt)),
            infrastructure_failures: begun.map(|()| count(self.infra_failures)),
            node_name: self.node.as_ref().map(ToString::to_string),
            queued_time: self.queued.map(MicroTime),
            dispatched_time: self.dispatched.map(MicroTime),
            start_time: self.started.map(MicroTime),
            ..EvalJobStatus::default()
        }
    }
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Waits for a slot (again).
#[must_use]
pub fn queued(ledger: &Ledger, now: Timestamp) -> EvalJobStatus {
    waiting(ledger, Reason::Queued, "", now)
}

/// Waits, for this reason. A number of an attempt that was counted on is written with it.
#[must_use]
pub fn waiting(ledger: &Ledger, reason: Reason, why: &str, now: Timestamp) -> EvalJobStatus {
    let reserve = ledger.attempt > 1;
    let mut status = ledger.status(reserve);
    let why = one_line(why);
    status.message = Some(why.clone()).filter(|why| !why.is_empty());
    status.conditions = vec![
        admitted(now),
        condition(
            ConditionType::Finished,
            ConditionStatus::False,
            reason.as_str(),
            &why,
            now,
        ),
    ];
    status
}

/// It runs.
#[must_use]
pub fn running(ledger: &Ledger, now: Timestamp) -> EvalJobStatus {
    let mut status = ledger.status(true);
    status.conditions = vec![
        admitted(now),
        condition(
            ConditionType::Finished,
            ConditionStatus::False,
            Reason::Running.as_str(),
            "",
            now,
        ),
    ];
    status
}

/// `spec.suspend` holds it back.
#[must_use]
pub fn suspended(ledger: &Ledger, now: Timestamp) -> EvalJobStatus {
    let mut status = ledger.status(false);
    status.node_name = None;
    status.start_time = None;
    status.conditions = not_admitted(Reason::Suspended, "spec.suspend is true", now);
    status
}

/// It waits, and as things are for ever: no node could run it, or nothing is run at all.
#[must_use]
pub fn held_back(ledger: &Ledger, reason: Reason, message: &str, now: Timestamp) -> EvalJobStatus {
    let mut status = ledger.status(false);
    let message = one_line(message);
    status.conditions = not_admitted(reason, &message, now);
    status.message = Some(message);
    status
}

/// An end in the operator's own words. `admitted`: the reason why it was never admitted.
#[must_use]
pub fn ended(
    ledger: &Ledger,
    verdict: Verdict,
    message: &str,
    admitted: Option<Reason>,
    now: Timestamp,
) -> EvalJobStatus {
    let mut status = ledger.status(false);
    status.verdict = Some(verdict.into());
    status.message = Some(one_line(message));
    status.completion_time = Some(MicroTime(now));
    close(&mut status, admitted, now);
    status
}

/// The status of an attempt that failed for a reason that is not the program's, where its agent gave none.
#[must_use]
pub fn infrastructure(message: &str) -> EvalJobStatus {
    EvalJobStatus {
        verdict: Some(Verdict::InfrastructureError.into()),
        message: Some(one_line(message)),
        ..EvalJobStatus::default()
    }
}

/// `InfrastructureError` after the last attempt that was allowed; with what the last agent said, if it did.
#[must_use]
pub fn given_up(
    last: Option<EvalJobStatus>,
    ledger: &Ledger,
    why: &str,
    now: Timestamp,
) -> EvalJobStatus {
    let attempts = ledger.infra_failures;
    let message = one_line(&format!("{attempts} attempts failed, the last one: {why}"));
    let mut status = match last {
        Some(last) => last,
        None => ended(ledger, Verdict::InfrastructureError, "", None, now),
    };
    let own = ledger.status(false);
    status.attempt = own.attempt;
    status.infrastructure_failures = own.infrastructure_failures;
    status.verdict = Some(Verdict::InfrastructureError.into());
    status.message = Some(message);
    close(&mut status, None, now);
    status
}

/// The least that can be said after the API server refused the real status for good.
#[must_use]
pub fn refused(ledger: &Ledger, words: &str, now: Timestamp) -> EvalJobStatus {
    let message = format!("the API server refused the status of this job: {words}");
    let mut status = ended(ledger, Verdict::InfrastructureError, &message, None, now);
    status.attempt = Some(count(ledger.attempt.max(ledger.recorded)));
    status
}

/// An agent's status with what only the operator knows. `age`: how long ago the run ended; its times are moved
/// from the node's clock to the API server's.
#[must_use]
pub fn finished(
    agent: EvalJobStatus,
    ledger: &Ledger,
    age: Duration,
    now: Timestamp,
) -> EvalJobStatus {
    let own = ledger.status(true);
    let ended_at = clock::before(now, age);
    let ran = agent
        .start_time
        .as_ref()
        .zip(agent.completion_time.as_ref())
        .and_then(|(start, end)| Duration::try_from(end.0.duration_since(start.0)).ok());
    let mut status = EvalJobStatus {
        node_name: own.node_name,
        attempt: own.attempt,
        infrastructure_failures: own.infrastructure_failures,
        queued_time: own.queued_time,
        dispatched_time: own.dispatched_time,
        start_time: ran
            .map(|ran| MicroTime(clock::before(ended_at, ran)))
            .or(own.start_time),
        completion_time: Some(MicroTime(ended_at)),
        ..agent
    };
    status.message = status.message.map(|message| one_line(&message));
    close(&mut status, None, now);
    status
}

/// The status without whatever can be left out, for a server that finds it too large.
#[must_use]
pub fn trimmed(status: &EvalJobStatus) -> EvalJobStatus {
    let mut status = status.clone();
    let runs = status
        .steps
        .iter_mut()
        .chain(&mut status.tests)
        .chain(&mut status.run);
    for run in runs {
        for stream in [&mut run.stdout, &mut run.stderr].into_iter().flatten() {
            if stream.text.take().is_some() | stream.tail.take().is_some() {
                stream.truncated = Some(true);
            }
        }
    }
    for output in &mut status.outputs {
        if output.content_base64.take().is_some() {
            output.reason = Some("TooLarge".to_owned());
        }
    }
    status
}

/// Sets the conditions of an end. An agent's word about the sandbox stays; the rest follows from the verdict.
fn close(status: &mut EvalJobStatus, not_admitted: Option<Reason>, now: Timestamp) {
    let verdict = status.verdict.clone().unwrap_or_default();
    let succeeded = status
        .verdict()
        .map_or(ConditionStatus::Unknown, Verdict::succeeded);
    let message = status.message.clone().unwrap_or_default();
    let sandboxed = status
        .condition(ConditionType::Sandboxed)
        .map(|condition| Condition {
            last_transition_time: Time(now),
            ..condition.clone()
        });
    let admitted = match not_admitted {
        None => admitted(now),
        Some(reason) => condition(
            ConditionType::Admitted,
            ConditionStatus::False,
            reason.as_str(),
            "",
            now,
        ),
    };
    status.conditions = [
        Some(admitted),
        sandboxed,
        Some(condition(
            ConditionType::Finished,
            ConditionStatus::True,
            &verdict,
            &message,
            now,
        )),
        Some(condition(
            ConditionType::Succeeded,
            succeeded,
            &verdict,
            "",
            now,
        )),
    ]
    .into_iter()
    .flatten()
    .collect();
}

fn admitted(now: Timestamp) -> Condition {
    condition(
        ConditionType::Admitted,
        ConditionStatus::True,
        Reason::Admitted.as_str(),
        "",
        now,
    )
}

/// Conditions of a job that is held back.
fn not_admitted(reason: Reason, message: &str, now: Timestamp) -> Vec<Condition> {
    vec![
        condition(
            ConditionType::Admitted,
            ConditionStatus::False,
            reason.as_str(),
            message,
            now,
        ),
        condition(
            ConditionType::Finished,
            ConditionStatus::False,
            Reason::Queued.as_str(),
            "",
            now,
        ),
    ]
}

fn condition(
    type_: ConditionType,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: type_.into(),
        status: status.into(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        // Conditions have whole seconds.
        last_transition_time: Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
    }
}

/// Text as one line of at most [`MESSAGE_BYTES`].
fn one_line(text: &str) -> String {
    let mut line: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.len() > MESSAGE_BYTES {
        let ellipsis = "...";
        let end = (0..=MESSAGE_BYTES - ellipsis.len())
            .rev()
            .find(|end| line.is_char_boundary(*end))
            .unwrap_or(0);
        line.truncate(end);
        line.push_str(ellipsis);
    }
    line
}

#[cfg(test)]
mod tests;

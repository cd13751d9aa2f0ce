//! Conditions of a finished job.
//!
//! In: a status with verdict and message, what is known of the sandbox. Out: Admitted, Sandboxed,
//! Finished and Succeeded, with the reasons of api.md "Conditions". The operator makes the same ones
//! of what it knows and takes only Sandboxed from here.

use evaljob_crds::status::{Condition, ConditionStatus, ConditionType, EvalJobStatus, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// What is known of the sandbox.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sandboxed<'a> {
    /// Every layer was read back as planned.
    Fully,
    /// This layer failed, so nothing ran.
    Missing(&'a str),
    /// No run came far enough to say.
    Unknown,
}

/// Sets the conditions that follow from the verdict.
pub(super) fn set(status: &mut EvalJobStatus, sandboxed: Sandboxed<'_>, now: Timestamp) {
    let message = status.message.clone().unwrap_or_default();
    let verdict = status.verdict.clone().unwrap_or_default();
    let succeeded = status
        .verdict()
        .map_or(ConditionStatus::Unknown, |verdict| verdict.succeeded());
    let condition =
        |type_: ConditionType, status: ConditionStatus, reason: &str, message: &str| Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: Time(now),
        };
    let sandboxed = match sandboxed {
        Sandboxed::Fully => Some((ConditionStatus::True, Reason::FullyEnforced.as_str(), "")),
        Sandboxed::Missing(layer) => Some((ConditionStatus::False, layer, message.as_str())),
        Sandboxed::Unknown => None,
    };
    let sandboxed = sandboxed.map(|(status, reason, message)| {
        condition(ConditionType::Sandboxed, status, reason, message)
    });
    let admitted = condition(
        ConditionType::Admitted,
        ConditionStatus::True,
        Reason::Admitted.as_str(),
        "",
    );
    status.conditions = std::iter::once(admitted)
        .chain(sandboxed)
        .chain([
            condition(
                ConditionType::Finished,
                ConditionStatus::True,
                &verdict,
                &message,
            ),
            condition(ConditionType::Succeeded, succeeded, &verdict, ""),
        ])
        .collect();
}

//! The trial run by which an agent tests that its machine runs jobs: what it is, and what its end means. Pure.
//!
//! It takes the way of every job and must run with every layer in force, as the parent read it back. It needs nothing but
//! `true`; on a root file system without it the search for the command proves as much, since it happens after the
//! read-back. What a program must not be able to do is tried apart from it ([`evaljob_sandbox::Slot::probe`]).

use evaljob_crds::job::{self, Job};
use evaljob_crds::spec::EvalJobSpec;
use evaljob_crds::{ConditionStatus, ConditionType, EvalJobStatus, Inputs, Reason, Verdict};
use serde_json::json;

use crate::executor::book::Missing;

const COMMAND: &str = "true";

/// The job that it is.
pub(super) fn job() -> Result<Job, String> {
    let spec = json!({"command": [COMMAND], "limits": {"memory": "32Mi", "workspace": "1Mi"}});
    let spec: EvalJobSpec = serde_json::from_value(spec).map_err(|error| error.to_string())?;
    job::build(&spec, &Inputs::default()).map_err(|errors| format!("{errors:?}"))
}

/// What its end says of the machine.
pub(super) fn passed(status: &EvalJobStatus) -> Result<(), Missing> {
    let verdict = status.verdict();
    let sandboxed = status.condition(ConditionType::Sandboxed);
    let enforced = status.enforcement.is_some()
        && sandboxed.is_some_and(|condition| condition.reason == Reason::FullyEnforced.as_str());
    let exit = status.run.as_ref().and_then(|run| run.exit_code);
    let absent = verdict == Some(Verdict::RuntimeError) && exit.is_none();
    if enforced && (verdict == Some(Verdict::Completed) || absent) {
        return Ok(());
    }
    let layer = sandboxed
        .filter(|condition| condition.status == ConditionStatus::False.as_str())
        .map_or_else(|| "Agent".to_owned(), |condition| condition.reason.clone());
    let text = status.message.clone().unwrap_or_else(|| {
        let verdict = status.verdict.as_deref().unwrap_or("nothing");
        format!("a trial run of {COMMAND} ended as {verdict}")
    });
    let message = text.strip_prefix(&format!("{layer}: ")).unwrap_or(&text);
    Err(Missing {
        message: message.to_owned(),
        layer,
    })
}

#[cfg(test)]
mod tests {
    use evaljob_crds::Condition;
    use evaljob_crds::status::Enforcement;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn status(verdict: Verdict, enforced: bool, message: &str) -> EvalJobStatus {
        EvalJobStatus {
            verdict: Some(verdict.into()),
            message: Some(message.to_owned()).filter(|message| !message.is_empty()),
            enforcement: enforced.then(Enforcement::default),
            ..EvalJobStatus::default()
        }
    }

    fn with_layer(mut status: EvalJobStatus, layer: &str) -> EvalJobStatus {
        let holds = layer == Reason::FullyEnforced.as_str();
        status.conditions.push(Condition {
            type_: ConditionType::Sandboxed.into(),
            status: if holds { "True" } else { "False" }.to_owned(),
            reason: layer.to_owned(),
            message: String::new(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        });
        status
    }

    #[test]
    fn the_trial_job_is_valid() {
        assert_eq!(job().unwrap().argv, [COMMAND]);
    }

    #[test]
    fn a_trial_run_passes_where_every_layer_was_in_force() {
        let rows = [
            (
                "it ran",
                with_layer(status(Verdict::Completed, true, ""), "FullyEnforced"),
            ),
            (
                "there is no such command",
                with_layer(
                    status(Verdict::RuntimeError, true, "cannot start true"),
                    "FullyEnforced",
                ),
            ),
        ];
        for (row, status) in rows {
            assert_eq!(passed(&status), Ok(()), "{row}");
        }
    }

    #[test]
    fn a_trial_run_that_fails_names_the_layer_once() {
        let infrastructure = |text| status(Verdict::InfrastructureError, false, text);
        let rows = [
            (
                "a layer",
                with_layer(
                    infrastructure("Landlock: ABI 1 (hint: a newer kernel)"),
                    "Landlock",
                ),
                ("Landlock", "ABI 1 (hint: a newer kernel)"),
            ),
            (
                "killed from outside",
                infrastructure("the run was killed from outside"),
                ("Agent", "the run was killed from outside"),
            ),
            (
                "nothing was enforced",
                status(Verdict::RuntimeError, false, "cannot start true"),
                ("Agent", "cannot start true"),
            ),
            (
                "too slow by far",
                with_layer(
                    status(Verdict::IdleLimitExceeded, true, ""),
                    "FullyEnforced",
                ),
                ("Agent", "a trial run of true ended as IdleLimitExceeded"),
            ),
        ];
        for (row, status, (layer, message)) in rows {
            let missing = passed(&status).expect_err(row);
            assert_eq!(
                (&*missing.layer, &*missing.message),
                (layer, message),
                "{row}"
            );
        }
    }
}

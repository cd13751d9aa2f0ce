//! The trial runs by which an agent tests its machine: what they are, and what their ends mean. Pure.
//!
//! The first must run with every layer in force, as the parent read it back. The second tries what a program must not
//! do: Landlock, for one, leaves no trace under /proc, so only an attempt shows it. Both are small and need nothing
//! but `true` and a shell; on a root file system without them the search for the command proves as much as the first
//! run, since it happens after the read-back.

use evaljob_crds::job::{self, Job};
use evaljob_crds::spec::EvalJobSpec;
use evaljob_crds::{ConditionStatus, ConditionType, EvalJobStatus, Inputs, Reason, Verdict};
use serde_json::json;

use crate::executor::book::Missing;

/// One trial run.
#[derive(Debug)]
pub(super) struct Trial {
    command: &'static [&'static str],
    /// What an exit status says: the layer that did not hold, and what it let through.
    leaks: &'static [(i32, &'static str, &'static str)],
}

/// All of them, in order.
pub(super) static ALL: [Trial; 2] = [
    Trial {
        command: &["true"],
        leaks: &[],
    },
    Trial {
        command: &["sh", "-c", DENIED],
        leaks: &[
            (
                11,
                "Landlock",
                "a program could list /, for which no rule exists",
            ),
            (12, "Rootfs", "a program could write to /usr"),
            (13, "Identity", "a program could send a signal to its init"),
        ],
    },
];

/// Built-in commands only; each line is an attempt that must fail.
const DENIED: &str = r#"
set -- /*; [ "$1" = "/*" ] || exit 11
(: > /usr/evaljob-trial) 2> /dev/null && exit 12
kill -0 1 2> /dev/null && exit 13
exit 0
"#;

impl Trial {
    /// The job that it is.
    pub(super) fn job(&self) -> Result<Job, String> {
        let spec =
            json!({"command": self.command, "limits": {"memory": "32Mi", "workspace": "1Mi"}});
        let spec: EvalJobSpec = serde_json::from_value(spec).map_err(|error| error.to_string())?;
        job::build(&spec, &Inputs::default()).map_err(|errors| format!("{errors:?}"))
    }

    /// What its end says of the machine.
    pub(super) fn passed(&self, status: &EvalJobStatus) -> Result<(), Missing> {
        let verdict = status.verdict();
        let exit = status.run.as_ref().and_then(|run| run.exit_code);
        let leak = self.leaks.iter().find(|(code, ..)| exit == Some(*code));
        if let Some((_, layer, what)) = leak {
            return Err(Missing {
                layer: (*layer).to_owned(),
                message: (*what).to_owned(),
            });
        }
        let sandboxed = status.condition(ConditionType::Sandboxed);
        let enforced = status.enforcement.is_some()
            && sandboxed
                .is_some_and(|condition| condition.reason == Reason::FullyEnforced.as_str());
        let absent = verdict == Some(Verdict::RuntimeError) && exit.is_none();
        if enforced && (verdict == Some(Verdict::Completed) || absent) {
            return Ok(());
        }
        let layer = sandboxed
            .filter(|condition| condition.status == ConditionStatus::False.as_str())
            .map_or_else(|| "Agent".to_owned(), |condition| condition.reason.clone());
        let text = status.message.clone().unwrap_or_else(|| {
            format!(
                "a trial run of {} ended as {}",
                self.command[0],
                status.verdict.as_deref().unwrap_or("nothing")
            )
        });
        let message = text.strip_prefix(&format!("{layer}: ")).unwrap_or(&text);
        Err(Missing {
            message: message.to_owned(),
            layer,
        })
    }
}

#[cfg(test)]
mod tests {
    use evaljob_crds::Condition;
    use evaljob_crds::status::{Enforcement, RunResult};
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
    fn the_trial_jobs_are_valid() {
        let first = |trial: &Trial| trial.job().unwrap().argv[0].clone();
        assert_eq!(ALL.each_ref().map(first), ["true", "sh"]);
    }

    /// A run that ended by itself.
    fn exited(code: i32) -> EvalJobStatus {
        let verdict = if code == 0 {
            Verdict::Completed
        } else {
            Verdict::RuntimeError
        };
        let mut status = with_layer(status(verdict, true, ""), "FullyEnforced");
        status.run = Some(RunResult {
            exit_code: Some(code),
            ..RunResult::default()
        });
        status
    }

    #[test]
    fn an_attempt_that_succeeds_names_the_layer_that_let_it_through() {
        let [_, denied] = &ALL;
        assert_eq!(denied.passed(&exited(0)), Ok(()));
        for (code, layer, what) in denied.leaks {
            assert!(DENIED.contains(&format!("exit {code}")), "{code}");
            let missing = denied.passed(&exited(*code)).unwrap_err();
            assert_eq!((&*missing.layer, &*missing.message), (*layer, *what));
        }
        assert_eq!(denied.passed(&exited(2)).unwrap_err().layer, "Agent");
    }

    #[test]
    fn a_trial_run_passes_where_every_layer_was_in_force() {
        let rows = [
            ("it ran", exited(0)),
            (
                "there is no such command",
                with_layer(
                    status(Verdict::RuntimeError, true, "cannot start true"),
                    "FullyEnforced",
                ),
            ),
        ];
        for (row, status) in rows {
            assert_eq!(ALL[0].passed(&status), Ok(()), "{row}");
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
            let missing = ALL[0].passed(&status).expect_err(row);
            assert_eq!(
                (&*missing.layer, &*missing.message),
                (layer, message),
                "{row}"
            );
        }
    }
}

//! Watches whether this machine can enforce every layer, and mends it where it can.
//!
//! In: time, and word of a failed run. Out: health and resources in the book, judges on the benches. A trial run takes
//! the way of every job, so what it meets a job would meet. While a layer is missing nothing runs; once no slot has a
//! run any more the machine is started anew. One thread; it owns the machine, and ends it when it ends.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use evaljob_crds::job::{self, Job};
use evaljob_crds::spec::EvalJobSpec;
use evaljob_crds::{ConditionStatus, ConditionType, EvalJobStatus, Inputs, Verdict};
use k8s_openapi::jiff::Timestamp;

use crate::executor::book::Missing;
use crate::executor::desk::Desk;
use crate::executor::machine::{Benches, Judge, Machine};
use crate::judge::Stop;

/// Time between two trial runs on a machine that passed the last one.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// First and longest pause before a machine that failed is tried again.
const MEND: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What the trial run is: small, and present on any root file system. Where it is not, the search for it proves as
/// much: it happens after every layer was read back.
const TRIAL: &str = r#"{"command": ["true"], "limits": {"memory": "32Mi", "workspace": "1Mi"}}"#;

/// What the keeper is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A run failed for a reason that may be the machine's.
    Look,
    /// The agent ends.
    End,
}

/// The owner of the machine.
pub struct Keeper<M> {
    machine: M,
    desk: Arc<Desk>,
    benches: Arc<Benches>,
    slots: u32,
    /// The judge of trial runs has a slot of its own, so that it never waits for a job.
    trial: Option<Box<dyn Judge>>,
    pause: Duration,
}

impl<M> std::fmt::Debug for Keeper<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl<M: Machine> Keeper<M> {
    /// A keeper of a machine with `slots` slots for jobs and one, the last, for trial runs.
    pub fn new(machine: M, desk: Arc<Desk>, benches: Arc<Benches>, slots: u32) -> Self {
        Self {
            machine,
            desk,
            benches,
            slots,
            trial: None,
            pause: MEND.0,
        }
    }

    /// Looks at the machine whenever it is time or asked for, until it is told to end.
    pub fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(self.until_next()) {
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Order::Look) | Err(RecvTimeoutError::Timeout) => {}
            }
            // Failures that came together are answered by one look.
            while let Ok(order) = orders.try_recv() {
                if order == Order::End {
                    return;
                }
            }
            self.look();
        }
    }

    /// Starts the machine if it is not running, tries it, and says in the book what it found.
    pub fn look(&mut self) {
        let found = self.start().and_then(|()| self.try_out());
        match &found {
            Ok(()) => self.pause = MEND.0,
            Err(missing) => {
                tracing::error!(
                    layer = missing.layer,
                    message = missing.message,
                    "this node cannot run jobs"
                );
                self.trial = None;
                self.pause = (self.pause * 2).min(MEND.1);
            }
        }
        self.desk.update(|book| {
            if found.is_ok() && book.missing().is_some() {
                tracing::info!("every layer is enforced, this node runs jobs");
            }
            book.set_health(found.err());
        });
    }

    fn until_next(&self) -> Duration {
        if self.trial.is_some() {
            LOOK_AGAIN
        } else {
            self.pause
        }
    }

    fn start(&mut self) -> Result<(), Missing> {
        if self.trial.is_some() {
            return Ok(());
        }
        if self.desk.look(|book| book.is_busy()) {
            // What still runs would be killed.
            let known = self.desk.look(|book| book.missing().cloned());
            return known.map_or(Ok(()), Err);
        }
        let resources = self.machine.start()?;
        let judges = (0..self.slots).map(|slot| self.machine.judge(slot));
        self.benches.replace(judges.collect());
        self.trial = self.machine.judge(self.slots);
        self.desk.update(|book| book.set_resources(resources));
        Ok(())
    }

    fn try_out(&mut self) -> Result<(), Missing> {
        let own = |message: String| Missing {
            layer: "Agent".to_owned(),
            message,
        };
        let job = trial().map_err(own)?;
        let stop = Stop::new().map_err(|error| own(format!("no descriptor is left: {error}")))?;
        let judge = self.trial.as_mut();
        let judge = judge.ok_or_else(|| own("the machine is not started".to_owned()))?;
        let held = [self.slots];
        passed(&judge.judge(&held, &job, &stop, Timestamp::now()))
    }
}

fn trial() -> Result<Job, String> {
    let spec: EvalJobSpec = serde_json::from_str(TRIAL).map_err(|error| error.to_string())?;
    job::build(&spec, &Inputs::default()).map_err(|errors| format!("{errors:?}"))
}

/// What the end of a trial run says of the machine.
fn passed(status: &EvalJobStatus) -> Result<(), Missing> {
    let verdict = status.verdict();
    let ran = status.enforcement.is_some() && verdict == Some(Verdict::RuntimeError);
    if verdict == Some(Verdict::Completed) || ran {
        return Ok(());
    }
    let sandboxed = status.condition(ConditionType::Sandboxed);
    let layer = sandboxed
        .filter(|condition| condition.status == ConditionStatus::False.as_str())
        .map_or_else(|| "Agent".to_owned(), |condition| condition.reason.clone());
    let text = status.message.clone().unwrap_or_else(|| {
        format!(
            "a trial run of true ended as {}",
            status.verdict.as_deref().unwrap_or("nothing")
        )
    });
    let message = text.strip_prefix(&format!("{layer}: ")).unwrap_or(&text);
    Err(Missing {
        message: message.to_owned(),
        layer,
    })
}

#[cfg(test)]
mod tests {
    use evaljob_crds::status::Enforcement;
    use evaljob_crds::{Condition, Reason};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

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
        assert_eq!(trial().unwrap().argv, ["true"]);
    }

    #[test]
    fn a_trial_run_passes_where_every_layer_was_in_force() {
        let rows = [
            ("it ran", status(Verdict::Completed, true, "")),
            (
                "there is no such command",
                status(Verdict::RuntimeError, true, "cannot start true"),
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

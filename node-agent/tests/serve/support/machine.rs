//! A machine without a sandbox: what a job does is the first word of its command.
//!
//! `accept`: Accepted. `hold`: waits until it is released or stopped. `fail`: an infrastructure failure. `large`:
//! Accepted, with 2 MiB of outputs. `true`, the trial run: Completed, with every layer, while the machine is whole.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use evaljob_agent::executor::book::{Missing, Resources};
use evaljob_agent::executor::{Judge, Machine, Order};
use evaljob_agent::judge::{Stop, StopReason};
use evaljob_crds::job::Job;
use evaljob_crds::status::{CollectedOutput, Enforcement};
use evaljob_crds::{Condition, EvalJobStatus, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// Memory for runs.
pub(crate) const MEMORY: u64 = 4 << 30;

/// What tests see and steer; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steering(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    started: Vec<String>,
    released: HashSet<String>,
    broken: bool,
    leaking: bool,
    starts: usize,
}

impl Steering {
    /// Second words of all commands that were started, in order.
    pub(crate) fn started(&self) -> Vec<String> {
        self.0.lock().unwrap().started.clone()
    }

    /// How often one was started.
    pub(crate) fn times(&self, name: &str) -> usize {
        self.started()
            .iter()
            .filter(|started| *started == name)
            .count()
    }

    /// Lets a `hold` end.
    pub(crate) fn release(&self, name: &str) {
        self.0.lock().unwrap().released.insert(name.to_owned());
    }

    /// Breaks or mends the machine.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.0.lock().unwrap().broken = broken;
    }

    /// Lets a program do what it must not, or no more.
    pub(crate) fn set_leaking(&self, leaking: bool) {
        self.0.lock().unwrap().leaking = leaking;
    }

    /// How often the machine was prepared.
    pub(crate) fn starts(&self) -> usize {
        self.0.lock().unwrap().starts
    }

    fn is_broken(&self) -> bool {
        self.0.lock().unwrap().broken
    }
}

impl Machine for Steering {
    fn start(&mut self) -> Result<Resources, Missing> {
        self.0.lock().unwrap().starts += 1;
        if self.is_broken() {
            return Err(Missing {
                layer: "Landlock".to_owned(),
                message: "not in lsm= (hint: boot with it)".to_owned(),
            });
        }
        Ok(Resources {
            landlock_abi: 6,
            memory: MEMORY,
            default_rootfs: true,
        })
    }

    fn judge(&self, _slot: u32) -> Option<Box<dyn Judge>> {
        Some(Box::new(self.clone()))
    }

    fn probe(&mut self) -> Result<(), Missing> {
        if self.0.lock().unwrap().leaking {
            return Err(Missing {
                layer: "Landlock".to_owned(),
                message: "F3 list the root: works".to_owned(),
            });
        }
        Ok(())
    }

    fn watch(&self, _: mpsc::Sender<Order>, _: Order) -> io::Result<()> {
        Ok(())
    }
}

impl Judge for Steering {
    fn judge(
        &mut self,
        _held: &[u32],
        job: &Job,
        stop: &Stop,
        _started: Timestamp,
    ) -> EvalJobStatus {
        let trial = job.argv[0] == "true";
        if let Some(name) = job.argv.get(1).filter(|_| !trial) {
            self.0.lock().unwrap().started.push(name.clone());
        }
        match job.argv[0].as_str() {
            _ if trial && self.is_broken() => failure(),
            _ if trial => enforced(),
            "accept" => ended(Verdict::Accepted),
            "fail" => failure(),
            "large" => EvalJobStatus {
                outputs: vec![CollectedOutput {
                    content_base64: Some("A".repeat(2 << 20)),
                    ..CollectedOutput::default()
                }],
                ..ended(Verdict::Accepted)
            },
            "hold" => loop {
                match stop.reason() {
                    Some(StopReason::Cancelled) => return ended(Verdict::Cancelled),
                    Some(StopReason::Deadline) => return ended(Verdict::DeadlineExceeded),
                    None if self.0.lock().unwrap().released.contains(&job.argv[1]) => {
                        return ended(Verdict::Accepted);
                    }
                    None => std::thread::sleep(Duration::from_millis(2)),
                }
            },
            other => panic!("unknown command {other:?}"),
        }
    }
}

fn ended(verdict: Verdict) -> EvalJobStatus {
    EvalJobStatus {
        verdict: Some(verdict.into()),
        ..EvalJobStatus::default()
    }
}

fn sandboxed(status: &str, reason: &str) -> Vec<Condition> {
    vec![Condition {
        type_: "Sandboxed".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    }]
}

fn enforced() -> EvalJobStatus {
    EvalJobStatus {
        enforcement: Some(Enforcement::default()),
        conditions: sandboxed("True", "FullyEnforced"),
        ..ended(Verdict::Completed)
    }
}

fn failure() -> EvalJobStatus {
    EvalJobStatus {
        message: Some("Seccomp: cannot install the filter".to_owned()),
        conditions: sandboxed("False", "Seccomp"),
        ..ended(Verdict::InfrastructureError)
    }
}

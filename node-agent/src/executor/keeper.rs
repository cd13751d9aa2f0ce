//! Watches whether this machine can enforce every layer, and mends it where it can.
//!
//! In: time, and word of a failed run. Out: health and resources in the book, judges on the benches. Trial runs take
//! the way of every job, so what they meet a job would meet. While a layer is missing nothing runs; once no slot has a
//! run any more the machine is started anew. One thread; it owns the machine, and ends it when it ends.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::executor::book::Missing;
use crate::executor::desk::Desk;
use crate::executor::machine::{Benches, Judge, Machine};
use crate::executor::trial;
use crate::judge::Stop;

/// Time between two trial runs on a machine that passed the last one.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// First and longest pause before a machine that failed is tried again.
const MEND: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What the keeper is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A run failed for a reason that may be the machine's.
    Look,
    /// What was started by this count has ended.
    Ended(u64),
    /// The agent ends.
    End,
}

/// The owner of the machine.
pub struct Keeper<M> {
    machine: M,
    desk: Arc<Desk>,
    benches: Arc<Benches>,
    slots: u32,
    /// Leads to this keeper.
    orders: Sender<Order>,
    /// How often the machine was started.
    starts: u64,
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
    pub fn new(
        machine: M,
        desk: Arc<Desk>,
        benches: Arc<Benches>,
        slots: u32,
        orders: Sender<Order>,
    ) -> Self {
        Self {
            machine,
            desk,
            benches,
            slots,
            orders,
            starts: 0,
            trial: None,
            pause: MEND.0,
        }
    }

    /// Looks at the machine whenever it is time or asked for, until it is told to end.
    pub fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let first = match orders.recv_timeout(self.until_next()) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Failures that came together are answered by one look.
            let all: Vec<Order> = first.into_iter().chain(orders.try_iter()).collect();
            if all.contains(&Order::End) {
                return;
            }
            let lost = all.contains(&Order::Ended(self.starts));
            if lost {
                tracing::error!("the spawner has ended, and its runs with it");
                self.trial = None;
            }
            // What was replaced has ended as well, and nobody needs to look for that.
            if lost || all.is_empty() || all.contains(&Order::Look) {
                self.look();
            }
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
        self.starts += 1;
        let resources = self.machine.start()?;
        let told = Order::Ended(self.starts);
        if let Err(error) = self.machine.watch(self.orders.clone(), told) {
            tracing::warn!(%error, "the end of the sandbox would be seen by the next run only");
        }
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
        let judge = self.trial.as_mut();
        let judge = judge.ok_or_else(|| own("the machine is not started".to_owned()))?;
        let held = [self.slots];
        let job = trial::job().map_err(own)?;
        let stop = Stop::new();
        let stop = stop.map_err(|error| own(format!("no descriptor is left: {error}")))?;
        trial::passed(&judge.judge(&held, &job, &stop, Timestamp::now()))?;
        self.machine.probe()
    }
}

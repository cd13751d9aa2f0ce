//! Runs what the operator sends: one thread per slot. A job that holds several slots leaves the others' threads waiting.
//!
//! In: runs from the [`Desk`]. Out: their results, to the desk. What may run when is decided in `book`; whether the
//! machine can run anything is watched by the [`Keeper`]. Threads block; nothing here waits for a network.

pub mod book;
mod desk;
mod executed;
mod gate;
mod keeper;
mod machine;
mod outcome;
mod trial;

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use evaljob_crds::Verdict;
use k8s_openapi::jiff::Timestamp;

use crate::judge::Stop;
use book::Taken;

pub use desk::Desk;
pub use executed::REMEMBERED;
pub use keeper::{Keeper, Order};
pub use machine::{Benches, Judge, Machine, SandboxMachine};
pub use outcome::Outcome;

/// Pause before another descriptor is asked for where none was left.
const NO_DESCRIPTOR: Duration = Duration::from_secs(1);

/// What the threads of all slots share.
#[derive(Debug, Clone)]
pub struct Executor {
    /// Where runs come from and results go to.
    pub desk: Arc<Desk>,
    /// A judge for each slot.
    pub benches: Arc<Benches>,
    /// Asked to look at the machine when it failed.
    pub keeper: mpsc::Sender<Order>,
    /// Name of the node, for logs.
    pub node: Arc<str>,
}

impl Executor {
    /// Starts the threads of `slots` slots. They end when the book is closed.
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub fn start(&self, slots: u32) -> io::Result<()> {
        for slot in 0..slots {
            let executor = self.clone();
            let builder = thread::Builder::new().name(format!("slot {slot}"));
            builder.spawn(move || executor.serve())?;
        }
        Ok(())
    }

    fn serve(&self) {
        loop {
            let stop = match Stop::new() {
                Ok(stop) => Arc::new(stop),
                Err(error) => {
                    tracing::error!(node = %self.node, %error, "no descriptor for a run (hint: raise the limit of open files)");
                    thread::sleep(NO_DESCRIPTOR);
                    continue;
                }
            };
            let Some(taken) = self.desk.take(&stop) else {
                return;
            };
            self.execute(taken, &stop);
        }
    }

    /// Takes one run to its end.
    fn execute(&self, taken: Taken, stop: &Stop) {
        let Taken { run, job, order } = taken;
        // Its bytes exist twice only while it is built.
        let built = gate::job(&order);
        drop(order);
        let outcome = match built {
            Err(errors) => Outcome::invalid(&errors),
            Ok(built) => {
                let Some(held) = self.desk.admit(&run, built.needs()) else {
                    tracing::debug!(%job, uid = %run.uid, attempt = run.attempt, node = %self.node, "run ended before it started");
                    return;
                };
                tracing::debug!(%job, uid = %run.uid, attempt = run.attempt, node = %self.node, slots = ?held, "run started");
                match self.benches.judge(&held, &built, stop, Timestamp::now()) {
                    Some(status) => Outcome::judged(&status),
                    None => Outcome::infrastructure("Spawner: it is not running"),
                }
            }
        };
        if outcome.verdict == Verdict::InfrastructureError {
            // A node that fails one job would fail the next ones too: look before they come.
            let _ = self.keeper.send(Order::Look);
        }
        let reported = self
            .desk
            .update(|book| book.finish(&run, outcome, Instant::now()));
        let verdict = reported.map_or("none, nobody wants it", Verdict::as_str);
        tracing::info!(%job, uid = %run.uid, attempt = run.attempt, node = %self.node, verdict, "run ended");
    }
}

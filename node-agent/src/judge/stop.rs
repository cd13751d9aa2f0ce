//! The order to stop a job that is being judged.
//!
//! In: a cancel or a deadline, from any thread, at any time. Out: the reason, and an interrupt that
//! ends the run in progress and every later one. The first deadline stays; cancelling overrides it.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use evaljob_sandbox::Interrupt;

/// Why a job is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Its time is over.
    Deadline,
    /// Its result is not wanted.
    Cancelled,
}

const GO_ON: u8 = 0;
const DEADLINE: u8 = 1;
const CANCELLED: u8 = 2;

/// Shared between the thread that judges a job and those that may stop it.
#[derive(Debug)]
pub struct Stop {
    /// Only ever grows.
    reason: AtomicU8,
    interrupt: Interrupt,
}

impl Stop {
    /// No order yet.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            reason: AtomicU8::new(GO_ON),
            interrupt: Interrupt::new()?,
        })
    }

    /// Ends the job for this reason.
    pub fn order(&self, reason: StopReason) {
        let code = match reason {
            StopReason::Deadline => DEADLINE,
            StopReason::Cancelled => CANCELLED,
        };
        self.reason.fetch_max(code, Ordering::SeqCst);
        self.interrupt.fire();
    }

    /// The order in force.
    pub fn reason(&self) -> Option<StopReason> {
        match self.reason.load(Ordering::SeqCst) {
            GO_ON => None,
            DEADLINE => Some(StopReason::Deadline),
            _ => Some(StopReason::Cancelled),
        }
    }

    /// What ends runs.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}

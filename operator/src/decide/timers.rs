//! One timer per job: the earliest moment at which it needs attention. Pure.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::names::Uid;

/// Timers of jobs, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Duration, Uid)>,
    by_job: HashMap<Uid, Duration>,
}

impl Timers {
    /// Sets or moves a job's timer.
    pub(super) fn set(&mut self, uid: &Uid, due: Duration) {
        if let Some(old) = self.by_job.insert(uid.clone(), due) {
            if old == due {
                return;
            }
            self.by_time.remove(&(old, uid.clone()));
        }
        self.by_time.insert((due, uid.clone()));
    }

    /// Forgets a job's timer.
    pub(super) fn clear(&mut self, uid: &Uid) {
        if let Some(old) = self.by_job.remove(uid) {
            self.by_time.remove(&(old, uid.clone()));
        }
    }

    /// The earliest timer.
    pub(super) fn first(&self) -> Option<Duration> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Takes the earliest timer that is due.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Uid> {
        if self.first()? > now {
            return None;
        }
        let (_, uid) = self.by_time.pop_first()?;
        self.by_job.remove(&uid);
        Some(uid)
    }
}

//! Jobs that ended a moment ago, so that a late message or an old listing does not bring one back. Pure.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::names::Uid;

/// Longer than any message or listing can be on its way.
const KEPT: Duration = Duration::from_secs(120);
/// More than one process can finish in that time; the oldest go first.
const LIMIT: usize = 200_000;

/// uids of jobs that ended within the last minutes.
#[derive(Debug, Default)]
pub(super) struct Tombs {
    order: VecDeque<(Duration, Uid)>,
    known: HashSet<Uid>,
}

impl Tombs {
    /// A job ended.
    pub(super) fn add(&mut self, uid: &Uid, now: Duration) {
        if self.known.insert(uid.clone()) {
            self.order.push_back((now + KEPT, uid.clone()));
        }
        if self.order.len() > LIMIT {
            self.pop();
        }
    }

    /// Whether it ended a moment ago.
    pub(super) fn has(&self, uid: &Uid) -> bool {
        self.known.contains(uid)
    }

    /// Forgets what is old.
    pub(super) fn expire(&mut self, now: Duration) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, uid)) = self.order.pop_front() {
            self.known.remove(&uid);
        }
    }
}

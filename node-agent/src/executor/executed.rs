//! Which identities were taken, so that none is taken twice.
//!
//! In: identities. Out: whether one was here before. Leaders send an identity once, so this catches a fault of theirs.
//! Memory is bounded, about 4 MiB when full. Pure.

use std::collections::{HashSet, VecDeque};

use sha2::{Digest as _, Sha256};

use crate::identity::RunId;

/// Identities that are remembered, the latest ones, whatever their term. A leader that repeated itself would do so
/// within a round trip; this is minutes at the highest rate of runs a node can have, and days at an ordinary one.
pub const REMEMBERED: usize = 65_536;

/// Half a SHA-256: two identities with the same one do not happen.
type Key = [u8; 16];

/// The identities that were taken last.
#[derive(Debug, Default)]
pub(super) struct Executed {
    known: HashSet<Key>,
    order: VecDeque<Key>,
}

impl Executed {
    /// Whether it was taken before.
    pub(super) fn contains(&self, run: &RunId) -> bool {
        self.known.contains(&key(run))
    }

    /// Remembers it, and forgets the oldest one beyond the bound.
    pub(super) fn insert(&mut self, run: &RunId) {
        let key = key(run);
        if !self.known.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn key(run: &RunId) -> Key {
    let mut hash = Sha256::new();
    for text in [&run.uid, &run.epoch.lease_uid] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(run.epoch.transitions.to_le_bytes());
    hash.update(run.attempt.to_le_bytes());
    let mut key = Key::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use crate::identity::Epoch;

    use super::*;

    fn run(uid: &str, lease: &str, transitions: u64, attempt: u32) -> RunId {
        RunId {
            uid: uid.into(),
            epoch: Epoch {
                lease_uid: lease.into(),
                transitions,
            },
            attempt,
        }
    }

    #[test]
    fn every_part_of_an_identity_counts() {
        let mut executed = Executed::default();
        let taken = run("uid", "lease", 1, 1);
        executed.insert(&taken);
        assert!(executed.contains(&taken));
        let others = [
            ("uid", run("uie", "lease", 1, 1)),
            ("lease", run("uid", "leasf", 1, 1)),
            ("transitions", run("uid", "lease", 2, 1)),
            ("attempt", run("uid", "lease", 1, 2)),
            ("border of two texts", run("uidl", "ease", 1, 1)),
        ];
        for (row, other) in others {
            assert!(!executed.contains(&other), "{row}");
        }
    }

    #[test]
    fn the_bound_holds_and_the_oldest_goes_first() {
        let mut executed = Executed::default();
        let total = u32::try_from(REMEMBERED).unwrap() + 10;
        for attempt in 1..=total {
            executed.insert(&run("uid", "lease", 1, attempt));
            executed.insert(&run("uid", "lease", 1, attempt));
        }
        assert_eq!(executed.known.len(), REMEMBERED);
        assert_eq!(executed.order.len(), REMEMBERED);
        assert!(!executed.contains(&run("uid", "lease", 1, 10)));
        assert!(executed.contains(&run("uid", "lease", 1, 11)));
        assert!(executed.contains(&run("uid", "lease", 1, total)));
    }
}

//! Finished jobs in the order in which they are due, and in the order in which they ended. Pure.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::Kept;
use crate::names::Uid;

/// Finished jobs.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    jobs: HashMap<Uid, Kept>,
    by_due: BTreeSet<(Duration, Uid)>,
    by_end: BTreeSet<(Timestamp, Uid)>,
}

impl Shelf {
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Adds a job; a job that is there already takes the new times.
    pub(super) fn add(&mut self, kept: Kept) {
        self.remove(&kept.uid);
        self.by_due.insert((kept.due, kept.uid.clone()));
        self.by_end.insert((kept.ended, kept.uid.clone()));
        self.jobs.insert(kept.uid.clone(), kept);
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.by_due.first().map(|(due, _)| *due)
    }

    /// Takes a job that is due.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Kept> {
        let (due, uid) = self.by_due.first()?;
        if *due > now {
            return None;
        }
        let uid = uid.clone();
        self.remove(&uid)
    }

    /// Takes the job that ended first.
    pub(super) fn pop_oldest(&mut self) -> Option<Kept> {
        let (_, uid) = self.by_end.first()?;
        let uid = uid.clone();
        self.remove(&uid)
    }

    fn remove(&mut self, uid: &Uid) -> Option<Kept> {
        let kept = self.jobs.remove(uid)?;
        self.by_due.remove(&(kept.due, uid.clone()));
        self.by_end.remove(&(kept.ended, uid.clone()));
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::JobKey;

    fn kept(uid: &str, ended: i64, due: u64) -> Kept {
        Kept {
            uid: uid.into(),
            key: JobKey {
                namespace: "n".into(),
                name: uid.into(),
            },
            ended: Timestamp::from_second(ended).unwrap(),
            due: Duration::from_secs(due),
        }
    }

    #[test]
    fn due_ones_come_first_by_time_and_excess_ones_by_age() {
        let mut shelf = Shelf::default();
        for row in [kept("a", 3, 30), kept("b", 1, 50), kept("c", 2, 10)] {
            shelf.add(row);
        }
        assert_eq!(shelf.pop_due(Duration::from_secs(9)), None);
        assert_eq!(
            shelf.pop_due(Duration::from_secs(10)).map(|kept| kept.uid),
            Some("c".into())
        );
        assert_eq!(shelf.pop_oldest().map(|kept| kept.uid), Some("b".into()));
        assert_eq!(
            (shelf.len(), shelf.next_due()),
            (1, Some(Duration::from_secs(30)))
        );
    }

    #[test]
    fn a_job_that_is_added_again_is_there_once_with_its_new_time() {
        let mut shelf = Shelf::default();
        shelf.add(kept("a", 1, 10));
        shelf.add(kept("a", 1, 20));
        assert_eq!(
            (shelf.len(), shelf.pop_due(Duration::from_secs(10))),
            (1, None)
        );
        assert!(shelf.pop_due(Duration::from_secs(20)).is_some());
        assert_eq!(
            (shelf.len(), shelf.next_due(), shelf.pop_oldest()),
            (0, None, None)
        );
    }
}

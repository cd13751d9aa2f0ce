//! Jobs that ended, so that a late message or an old listing does not bring one back. Pure.
//!
//! A watch tells things in their order: until it has told the end of a job, it may still tell of the job as it was,
//! however late. Only then the time starts after which nothing else can be on its way either.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::names::Uid;

/// Longer than any message of an agent, or a listing from a cache that lags, can be on its way.
const KEPT: Duration = Duration::from_secs(120);
/// More than one process can finish in that time; the oldest go first.
const LIMIT: usize = 200_000;

/// uids of jobs that ended.
#[derive(Debug, Default)]
pub(super) struct Tombs {
    /// Those whose end the watch has not told, with the number of the last listing that had begun.
    untold: HashMap<Uid, u64>,
    /// The others, by the time until which they are kept.
    told: VecDeque<(Duration, Uid)>,
    known: HashSet<Uid>,
    listings: u64,
}

impl Tombs {
    /// A job ended. `told`: the watch has said so.
    pub(super) fn add(&mut self, uid: &Uid, told: bool, now: Duration) {
        if !self.known.insert(uid.clone()) {
            return;
        }
        self.untold.insert(uid.clone(), self.listings);
        if told {
            self.tell(uid, now);
        }
    }

    /// The watch says that a job is finished or gone.
    pub(super) fn tell(&mut self, uid: &Uid, now: Duration) {
        if self.untold.remove(uid).is_none() {
            return;
        }
        self.told.push_back((now + KEPT, uid.clone()));
        if self.told.len() > LIMIT {
            self.pop();
        }
    }

    /// A listing begins.
    pub(super) fn listing_begins(&mut self) {
        self.listings += 1;
    }

    /// A listing is complete: it tells the end of what had ended before it began and is not in it.
    pub(super) fn listed(&mut self, listing: &HashSet<Uid>, now: Duration) {
        let before = |(uid, begun): (&Uid, &u64)| {
            (*begun < self.listings && !listing.contains(uid)).then(|| uid.clone())
        };
        let ended: Vec<Uid> = self.untold.iter().filter_map(before).collect();
        for uid in ended {
            self.tell(&uid, now);
        }
    }

    /// Whether it ended.
    pub(super) fn has(&self, uid: &Uid) -> bool {
        self.known.contains(uid)
    }

    /// Forgets what is old.
    pub(super) fn expire(&mut self, now: Duration) {
        while self.told.front().is_some_and(|(until, _)| *until <= now) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, uid)) = self.told.pop_front() {
            self.known.remove(&uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(1_000);

    fn uid() -> Uid {
        Uid::from("a")
    }

    fn has_after(mut tombs: Tombs, now: Duration) -> bool {
        tombs.expire(now);
        tombs.has(&uid())
    }

    #[test]
    fn a_job_stays_known_until_some_time_after_the_watch_told_its_end() {
        let mut tombs = Tombs::default();
        tombs.add(&uid(), false, Duration::ZERO);
        tombs.expire(LATER);
        assert!(tombs.has(&uid()));
        tombs.tell(&uid(), LATER);
        tombs.expire(LATER + KEPT / 2);
        assert!(tombs.has(&uid()));
        assert!(!has_after(tombs, LATER + KEPT));
        let mut tombs = Tombs::default();
        tombs.add(&uid(), true, Duration::ZERO);
        assert!(!has_after(tombs, KEPT));
    }

    #[test]
    fn a_listing_tells_the_end_of_what_had_ended_before_it() {
        let ended = |before: bool, listed: bool| {
            let mut tombs = Tombs::default();
            if !before {
                tombs.listing_begins();
            }
            tombs.add(&uid(), false, Duration::ZERO);
            if before {
                tombs.listing_begins();
            }
            let listing = listed.then(uid).into_iter().collect();
            tombs.listed(&listing, Duration::ZERO);
            !has_after(tombs, KEPT)
        };
        assert!(ended(true, false));
        assert!(!ended(true, true), "it is told of as it was");
        assert!(!ended(false, false), "it may have begun before");
    }
}

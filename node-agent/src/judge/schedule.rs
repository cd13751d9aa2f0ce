//! Which test runs next, and which results count. Pure.
//!
//! In: the policy, the group of each test, the ends of tests in any order. Out: the next test to start; whether a test
//! is void. Tests side by side must tell the same story as one after the other: a test that would not have run after
//! an earlier failure is void, whatever it did, so the outcome does not depend on which of them was faster.

use std::collections::{BTreeMap, BTreeSet};

use evaljob_crds::job::{OnFailure, Test};

/// The order of a job's tests.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    on_failure: OnFailure,
    groups: Vec<Option<&'a str>>,
    next: usize,
    running: BTreeSet<usize>,
    /// The first failure of all, and of each group.
    first: Option<usize>,
    first_of: BTreeMap<&'a str, usize>,
}

impl<'a> Schedule<'a> {
    /// Nothing has run.
    pub(super) fn new(on_failure: OnFailure, tests: &'a [Test]) -> Self {
        Self {
            on_failure,
            groups: tests.iter().map(|test| test.group.as_deref()).collect(),
            next: 0,
            running: BTreeSet::new(),
            first: None,
            first_of: BTreeMap::new(),
        }
    }

    /// Starts the next test; `None` where none is left.
    pub(super) fn start(&mut self) -> Option<usize> {
        let index = self.peek()?;
        self.next = index + 1;
        self.running.insert(index);
        Some(index)
    }

    /// The test that [`Schedule::start`] would start.
    pub(super) fn peek(&self) -> Option<usize> {
        (self.next..self.groups.len()).find(|index| !self.is_void(*index))
    }

    /// A test has ended.
    pub(super) fn end(&mut self, index: usize, passed: bool) {
        self.running.remove(&index);
        if passed || self.is_void(index) {
            return;
        }
        self.first = Some(self.first.map_or(index, |first| first.min(index)));
        if let Some(group) = self.groups[index] {
            let first = self.first_of.entry(group).or_insert(index);
            *first = index.min(*first);
        }
    }

    /// Whether a failure before this test means that it does not run, or does not count.
    pub(super) fn is_void(&self, index: usize) -> bool {
        let first = match self.on_failure {
            OnFailure::StopAll => self.first,
            OnFailure::StopGroup => {
                self.groups[index].and_then(|group| self.first_of.get(group).copied())
            }
            OnFailure::Continue => None,
        };
        first.is_some_and(|first| first < index)
    }

    /// The lowest test that has not ended.
    pub(super) fn lowest_open(&self) -> usize {
        self.running.first().copied().unwrap_or(self.next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tests(groups: &[&str]) -> Vec<Test> {
        let test = |group: &&str| Test {
            name: String::new(),
            stdin: Vec::new(),
            expected: None,
            args: Vec::new(),
            group: (!group.is_empty()).then(|| (*group).to_owned()),
            weight: 1,
        };
        groups.iter().map(test).collect()
    }

    /// Runs tests with so many lanes; `picks` says which running test ends next. The letters that a status would show.
    fn story(
        policy: OnFailure,
        tests: &[Test],
        passes: &[bool],
        lanes: usize,
        picks: &[prop::sample::Index],
    ) -> String {
        let mut schedule = Schedule::new(policy, tests);
        let mut running = Vec::new();
        let mut ran = vec![false; tests.len()];
        let mut picks = picks.iter();
        loop {
            while running.len() < lanes {
                match schedule.start() {
                    Some(index) => running.push(index),
                    None => break,
                }
            }
            if running.is_empty() {
                break;
            }
            let pick = picks.next().map_or(0, |pick| pick.index(running.len()));
            let index = running.remove(pick);
            ran[index] = true;
            schedule.end(index, passes[index]);
        }
        assert_eq!(schedule.lowest_open(), schedule.next);
        let letter = |index: usize| match (ran[index] && !schedule.is_void(index), passes[index]) {
            (false, _) => 's',
            (true, true) => 'A',
            (true, false) => 'W',
        };
        (0..tests.len()).map(letter).collect()
    }

    #[test]
    fn policies_skip_what_they_say() {
        let groups = tests(&["a", "a", "b", "a", "", "b", ""]);
        let passes = [true, false, true, true, false, true, true];
        let rows = [
            (OnFailure::StopAll, "AWsssss"),
            (OnFailure::StopGroup, "AWAsWAA"),
            (OnFailure::Continue, "AWAAWAA"),
        ];
        for (policy, expected) in rows {
            assert_eq!(
                story(policy, &groups, &passes, 1, &[]),
                expected,
                "{policy:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn side_by_side_tells_the_same_story_as_one_after_the_other(
            rows in prop::collection::vec((prop::sample::select(vec!["", "a", "b"]), prop::bool::weighted(0.7)), 1..40),
            lanes in 1usize..17,
            policy in prop::sample::select(vec![OnFailure::StopAll, OnFailure::StopGroup, OnFailure::Continue]),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 40),
        ) {
            let (groups, passes): (Vec<&str>, Vec<bool>) = rows.into_iter().unzip();
            let tests = tests(&groups);
            prop_assert_eq!(
                story(policy, &tests, &passes, lanes, &picks),
                story(policy, &tests, &passes, 1, &picks)
            );
        }
    }
}

//! How runs end: by themselves, on order, at their deadline, with the agent.
//!
//! A result that is there stands. A run that a slot has is told to stop, and its slot has the last word: the order
//! says what is made of that word.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use evaljob_crds::Verdict;

use super::Book;
use super::entry::{EndOrder, State, Told};
use crate::executor::outcome::Outcome;
use crate::identity::RunId;
use crate::judge::StopReason;

/// A slot that has not ended a run so long after it was told to never will: every process of it was killed at once.
const STUCK: Duration = Duration::from_secs(60);

impl Book {
    /// A slot is done with a run. Returns the verdict that is reported, if any is.
    pub fn finish(&mut self, run: &RunId, outcome: Outcome, now: Instant) -> Option<Verdict> {
        let index = self.index(run)?;
        let outcome = match self.entries[index].order {
            Some(EndOrder::Forget) => {
                self.entries.remove(index);
                return None;
            }
            Some(EndOrder::GiveBack) => Outcome::returned(),
            Some(EndOrder::Report(_)) | None => outcome,
        };
        let verdict = outcome.verdict;
        self.end(index, outcome, now);
        Some(verdict)
    }

    /// The operator stored a result, or nobody needs it.
    pub fn ack(&mut self, run: &RunId) {
        self.entries
            .retain(|entry| !(entry.is_finished() && entry.run == *run));
    }

    /// The operator ends a run; with a verdict it wants to hear of it.
    pub fn cancel(&mut self, run: &RunId, verdict: Option<Verdict>, now: Instant) {
        let Some(index) = self.index(run) else {
            return;
        };
        match verdict {
            Some(verdict) => self.end_with(index, verdict, now),
            None => self.forget(index),
        }
    }

    /// The operator says which runs of the inventory stay wanted.
    pub fn welcome(&mut self, keep: &HashSet<RunId>) {
        for index in (0..self.entries.len()).rev() {
            if keep.contains(&self.entries[index].run) {
                self.entries[index].told = Told::default();
            } else {
                self.forget(index);
            }
        }
    }

    /// Ends what is over its deadline.
    pub fn expire(&mut self, now: Instant) {
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            if entry.deadline.is_some_and(|deadline| deadline <= now) {
                entry.deadline = None;
                self.end_with(index, Verdict::DeadlineExceeded, now);
            }
        }
    }

    /// When [`Book::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.entries.iter().filter_map(|entry| entry.deadline).min()
    }

    /// The time for what still runs is over: it is ended and given back.
    pub fn give_back(&mut self) {
        for entry in &mut self.entries {
            if let (State::Running { stop, .. }, None) = (&entry.state, entry.order) {
                stop.order(StopReason::Cancelled);
                entry.order = Some(EndOrder::GiveBack);
            }
        }
    }

    /// Whether a slot is lost: it was told to end a run, and a minute after that was first seen here it has not.
    /// Only another process of the agent has it again.
    pub fn has_stuck(&mut self, now: Instant) -> bool {
        let ordered = self
            .entries
            .iter_mut()
            .filter(|entry| entry.order.is_some());
        let mut waits = ordered.map(|entry| *entry.order_seen.get_or_insert(now));
        waits.any(|seen| now.saturating_duration_since(seen) >= STUCK)
    }

    /// Takes the end of a run in.
    pub(super) fn end(&mut self, index: usize, outcome: Outcome, now: Instant) {
        *self.ended.entry(outcome.verdict).or_default() += 1;
        self.entries[index].finish(outcome, now);
    }

    /// Ends a run with a report. A result that is there stands. A cancel wins over a deadline, the judge sees to
    /// that for a run that has started.
    fn end_with(&mut self, index: usize, verdict: Verdict, now: Instant) {
        let entry = &mut self.entries[index];
        match &entry.state {
            State::Waiting(_) => self.end(index, Outcome::unstarted(verdict), now),
            State::Taken { stop, .. } | State::Running { stop, .. } => {
                let late = verdict == Verdict::DeadlineExceeded;
                match entry.order {
                    Some(EndOrder::Forget) => return,
                    Some(_) if late => return,
                    _ => entry.order = Some(EndOrder::Report(verdict)),
                }
                stop.order(if late {
                    StopReason::Deadline
                } else {
                    StopReason::Cancelled
                });
            }
            State::Finished { .. } => {}
        }
    }

    /// Ends a run without a trace.
    fn forget(&mut self, index: usize) {
        let entry = &mut self.entries[index];
        match &entry.state {
            State::Waiting(_) | State::Finished { .. } => {
                self.entries.remove(index);
            }
            State::Taken { stop, .. } | State::Running { stop, .. } => {
                stop.order(StopReason::Cancelled);
                entry.deadline = None;
                entry.order = Some(EndOrder::Forget);
            }
        }
    }

    /// Gives back all that has not started: the next Hello does not name it.
    pub(super) fn surrender(&mut self) {
        for index in (0..self.entries.len()).rev() {
            let entry = &self.entries[index];
            if entry.started.is_none() && !entry.is_finished() && !entry.is_forgotten() {
                self.forget(index);
                self.hello_outdated = true;
            }
        }
    }

    /// Ends a run that a slot has taken and not started.
    pub(super) fn end_unstarted(&mut self, index: usize, order: EndOrder, now: Instant) {
        match order {
            EndOrder::Report(verdict) => self.end(index, Outcome::unstarted(verdict), now),
            EndOrder::Forget | EndOrder::GiveBack => {
                self.entries.remove(index);
            }
        }
    }
}

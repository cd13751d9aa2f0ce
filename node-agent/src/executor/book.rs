//! Which runs the agent holds and what may happen to them next. Pure: decides, and neither waits nor sends.
//!
//! In: what the operator says, what slots do, the time. Out: the next run for a slot, whether it may start, what the
//! operator is told (`outgoing`). Invariants: an identity is taken at most once (5); a result is kept until its Ack,
//! and where there is no room for another one no run is taken (1); nothing starts while a layer is missing (8).

mod entry;
mod outgoing;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use evaljob_crds::{Verdict, wire};

use crate::executor::executed::Executed;
use crate::executor::outcome::Outcome;
use crate::identity::RunId;
use crate::judge::{Stop, StopReason};
use crate::verdict::size;
use entry::{EndOrder, Entry, State, Told};

pub use outgoing::Figures;

/// Results that may wait for their Ack beside the runs: enough for the way to the API server and back at a high
/// rate, and at their largest (420 KiB each) well within the memory reserve.
const RESULTS: u32 = 64;
/// Runs that may wait beside those that run.
const AHEAD: u32 = 4;

/// Longest time until a deadline, far beyond what any cluster allows: every moment stays one the clock can name.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What this machine has for runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// Landlock ABI of its kernel; 0 while that is not known.
    pub landlock_abi: u32,
    /// Bytes that runs, with their inputs, may use together.
    pub memory: u64,
}

/// A layer that cannot be enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub layer: String,
    /// Cause and way out.
    pub message: String,
}

/// What became of a Run message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It waits for a slot.
    Queued,
    /// It was here before; nothing happens.
    Duplicate,
}

/// Why a Run message ends the stream. The operator learns from the next inventory that it is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It names no run.
    #[error("a Run without an identity")]
    NoIdentity,
    /// More than the agent said it would hold.
    #[error("a Run beyond the credits of Hello")]
    BeyondCredits,
    /// It crossed word that this agent takes no runs.
    #[error("this agent takes no runs now")]
    Closed,
}

/// A run for a slot.
#[derive(Debug)]
pub struct Taken {
    /// Which.
    pub run: RunId,
    /// `namespace/name` of its job.
    pub job: Arc<str>,
    /// What to run.
    pub order: Box<wire::Run>,
}

/// Whether a run that a slot has read may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It runs from now on.
    Start,
    /// Not before memory is given back.
    Wait,
    /// It is over without having run.
    Ended,
}

/// Everything the agent holds.
#[derive(Debug)]
pub struct Book {
    slots: u32,
    repeat: Duration,
    resources: Resources,
    missing: Option<Missing>,
    closing: bool,
    health_untold: bool,
    hello_outdated: bool,
    /// In the order of receipt.
    entries: Vec<Entry>,
    executed: Executed,
    ended: BTreeMap<Verdict, u64>,
}

impl Book {
    /// Nothing is held, and nothing taken before [`Book::set_health`] says that every layer can be enforced.
    /// `repeat`: time after which a result that got no Ack is sent again.
    pub fn new(slots: u32, repeat: Duration) -> Self {
        Self {
            slots,
            repeat,
            resources: Resources::default(),
            missing: Some(Missing {
                layer: "Spawner".to_owned(),
                message: "not started yet".to_owned(),
            }),
            closing: false,
            health_untold: false,
            hello_outdated: false,
            entries: Vec::new(),
            executed: Executed::default(),
            ended: BTreeMap::new(),
        }
    }

    /// Identities the agent holds at most.
    pub fn credits(&self) -> u32 {
        self.slots
            .saturating_add(self.slots.min(AHEAD))
            .saturating_add(RESULTS)
    }

    /// Whether runs are taken and started.
    pub fn is_open(&self) -> bool {
        !self.closing && self.missing.is_none()
    }

    /// The operator sends a run.
    ///
    /// # Errors
    /// [`Refusal`] where the stream has to end.
    pub fn receive(&mut self, order: wire::Run, now: Instant) -> Result<Received, Refusal> {
        let run = RunId::from_wire(order.identity.clone()).ok_or(Refusal::NoIdentity)?;
        if self.executed.contains(&run) {
            return Ok(Received::Duplicate);
        }
        if !self.is_open() {
            self.hello_outdated = true;
            return Err(Refusal::Closed);
        }
        let held = self.entries.iter().filter(|entry| !entry.is_forgotten());
        if held.count() >= usize::try_from(self.credits()).unwrap_or(usize::MAX) {
            return Err(Refusal::BeyondCredits);
        }
        self.executed.insert(&run);
        let inputs = order.inputs.iter().map(|input| input.value.len());
        let bytes = inputs.fold(order.spec.len(), usize::saturating_add);
        self.entries.push(Entry {
            run,
            job: format!("{}/{}", order.namespace, order.name).into(),
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            deadline: Some(now + Duration::from_millis(order.deadline_milliseconds).min(LONGEST)),
            started: None,
            order: None,
            told: Told::default(),
            state: State::Waiting(Box::new(order)),
        });
        Ok(Received::Queued)
    }

    /// A slot takes the next run; `stop` will carry orders to it.
    pub fn take(&mut self, stop: &Arc<Stop>) -> Option<Taken> {
        if !self.is_open() {
            return None;
        }
        let entry = self.entries.iter_mut().find(|entry| entry.is_waiting())?;
        let taken = State::Taken {
            stop: stop.clone(),
            waits_for: None,
        };
        match std::mem::replace(&mut entry.state, taken) {
            State::Waiting(order) => Some(Taken {
                run: entry.run.clone(),
                job: entry.job.clone(),
                order,
            }),
            _ => None,
        }
    }

    /// Whether a run that a slot has taken may start with so much memory. Those that wait start in order.
    pub fn admit(&mut self, run: &RunId, memory: u64, now: Instant) -> Admission {
        let Some(index) = self.index(run) else {
            return Admission::Ended;
        };
        if let Some(order) = self.entries[index].order {
            self.end_unstarted(index, order, now);
            return Admission::Ended;
        }
        if memory > self.resources.memory {
            let (needs, has) = (size(memory), size(self.resources.memory));
            let message = format!(
                "Cgroup: the job needs {needs} of memory, this node has {has} for runs (hint: lower limits.memory, or \
                 raise the agent's memory limit)"
            );
            self.end(index, Outcome::infrastructure(&message), now);
            return Admission::Ended;
        }
        let earlier = self.entries[..index].iter().any(Entry::is_blocked);
        let used = self
            .entries
            .iter()
            .map(Entry::memory)
            .fold(0, u64::saturating_add);
        let inputs = self.entries.iter().map(|entry| entry.bytes);
        let sum = inputs.fold(used.saturating_add(memory), u64::saturating_add);
        let entry = &mut self.entries[index];
        let State::Taken { stop, waits_for } = &mut entry.state else {
            return Admission::Ended;
        };
        // Where nothing runs, waiting would not help.
        if earlier || (used > 0 && sum > self.resources.memory) {
            *waits_for = Some(memory);
            return Admission::Wait;
        }
        entry.started = Some(now);
        entry.state = State::Running {
            stop: stop.clone(),
            memory,
        };
        Admission::Start
    }

    /// A slot is done with a run. Returns the verdict that is reported, if any is.
    pub fn finish(&mut self, run: &RunId, outcome: Outcome, now: Instant) -> Option<Verdict> {
        let index = self.index(run)?;
        let outcome = match self.entries[index].order {
            Some(EndOrder::Forget) => {
                self.entries.remove(index);
                return None;
            }
            Some(EndOrder::GiveBack) => {
                Outcome::infrastructure("the node's agent was shut down before the run had ended")
            }
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

    /// The machine was looked at (again).
    pub fn set_resources(&mut self, resources: Resources) {
        self.hello_outdated |= self.resources != resources;
        self.resources = resources;
    }

    /// Every layer can be enforced, or this one cannot. Then what waits is given back: it has not run anywhere, so
    /// it costs the job nothing.
    pub fn set_health(&mut self, missing: Option<Missing>) {
        if self.missing == missing {
            return;
        }
        self.missing = missing;
        self.health_untold = true;
        if self.missing.is_some() {
            self.surrender();
        }
    }

    /// Whether a layer is missing.
    pub fn missing(&self) -> Option<&Missing> {
        self.missing.as_ref()
    }

    /// The agent ends: no more runs are taken, what waits is given back.
    pub fn close(&mut self) {
        self.closing = true;
        self.health_untold = true;
        // Runs that are on their way come to nobody: the next inventory says so.
        self.hello_outdated = true;
        self.surrender();
    }

    /// The time for what still runs is over: it is ended and reported as a failure of the machine.
    pub fn give_back(&mut self) {
        for entry in &mut self.entries {
            if let (State::Running { stop, .. }, None) = (&entry.state, entry.order) {
                stop.order(StopReason::Cancelled);
                entry.order = Some(EndOrder::GiveBack);
            }
        }
    }

    /// Whether nothing is held any more.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a slot holds a run.
    pub fn is_busy(&self) -> bool {
        let at_a_slot = |entry: &Entry| !entry.is_finished() && !entry.is_waiting();
        self.entries.iter().any(at_a_slot)
    }

    /// Whether a slot could take a run.
    pub fn has_waiting(&self) -> bool {
        self.is_open() && self.entries.iter().any(Entry::is_waiting)
    }

    /// Whether a slot waits for memory.
    pub fn has_blocked(&self) -> bool {
        self.entries.iter().any(Entry::is_blocked)
    }

    /// Whether the agent ends.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    fn index(&self, run: &RunId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.run == *run)
    }

    /// Takes the end of a run in.
    fn end(&mut self, index: usize, outcome: Outcome, now: Instant) {
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
    fn surrender(&mut self) {
        for index in (0..self.entries.len()).rev() {
            let entry = &self.entries[index];
            if entry.started.is_none() && !entry.is_finished() && !entry.is_forgotten() {
                self.forget(index);
                self.hello_outdated = true;
            }
        }
    }

    /// Ends a run that a slot has taken and not started.
    fn end_unstarted(&mut self, index: usize, order: EndOrder, now: Instant) {
        match order {
            EndOrder::Report(verdict) => self.end(index, Outcome::unstarted(verdict), now),
            EndOrder::Forget | EndOrder::GiveBack => {
                self.entries.remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests;

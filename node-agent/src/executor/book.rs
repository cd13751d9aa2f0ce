//! Which runs the agent holds and what may happen to them next. Pure: decides, and neither waits nor sends.
//!
//! In: what the operator says, what slots do, the time. Out: the next run for a slot, whether it may start, what the
//! operator is told (`outgoing`). Invariants: an identity is taken at most once (5); a result is kept until its Ack,
//! and where there is no room for another one no run is taken (1); nothing starts while a layer is missing (8).

mod ending;
mod entry;
mod outgoing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evaljob_crds::job::Needs;
use evaljob_crds::{Verdict, wire};

use crate::executor::executed::Executed;
use crate::executor::outcome::Outcome;
use crate::identity::RunId;
use crate::judge::Stop;
use crate::run::too_few_slots;
use crate::verdict::size;
use entry::{Entry, State, Told};

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
    /// Whether jobs without an image have a root file system.
    pub default_rootfs: bool,
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
    /// Not before memory or slots are given back.
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
            order_seen: None,
            told: Told::default(),
            state: State::Waiting(Box::new(order)),
        });
        Ok(Received::Queued)
    }

    /// A slot takes the next run; `stop` will carry orders to it. While no runs are taken none waits.
    pub fn take(&mut self, stop: &Arc<Stop>) -> Option<Taken> {
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

    /// Whether a run that a slot has taken may start. Those that wait start in order.
    pub fn admit(&mut self, run: &RunId, needs: Needs, now: Instant) -> Admission {
        let Some(index) = self.index(run) else {
            return Admission::Ended;
        };
        if let Some(order) = self.entries[index].order {
            self.end_unstarted(index, order, now);
            return Admission::Ended;
        }
        let memory = needs.memory;
        if let Some(message) = self.never(needs) {
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
        let held = self.free_slots(needs.slots);
        let entry = &mut self.entries[index];
        let State::Taken { stop, waits_for } = &mut entry.state else {
            return Admission::Ended;
        };
        // Where nothing runs, waiting would not help.
        let full = used > 0 && sum > self.resources.memory;
        let (false, false, Some(held)) = (earlier, full, held) else {
            *waits_for = Some(needs);
            return Admission::Wait;
        };
        entry.started = Some(now);
        entry.state = State::Running {
            stop: stop.clone(),
            memory,
            held,
        };
        Admission::Start
    }

    /// Slots that a run holds.
    pub fn held(&self, run: &RunId) -> &[u32] {
        self.index(run)
            .map_or(&[], |index| self.entries[index].held())
    }

    /// Why this node can never run a job with these needs.
    fn never(&self, needs: Needs) -> Option<String> {
        if needs.slots > self.slots {
            let message = too_few_slots(needs.slots, self.slots);
            return Some(format!("Slots: {message}"));
        }
        let has = self.resources.memory;
        (needs.memory > has).then(|| {
            let (needs, has) = (size(needs.memory), size(has));
            format!(
                "Cgroup: the job needs {needs} of memory, this node has {has} for runs (hint: lower limits.memory, or \
                 raise the agent's memory limit)"
            )
        })
    }

    /// The lowest free slots, if there are so many.
    fn free_slots(&self, count: u32) -> Option<Vec<u32>> {
        let taken: Vec<u32> = self.entries.iter().flat_map(Entry::held).copied().collect();
        let free = (0..self.slots).filter(|slot| !taken.contains(slot));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let free: Vec<u32> = free.take(count).collect();
        (free.len() == count).then_some(free)
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
        self.entries.iter().any(Entry::is_waiting)
    }

    /// Whether a slot waits for memory or other slots.
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
}

#[cfg(test)]
mod tests;

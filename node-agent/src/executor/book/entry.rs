//! One run that the agent holds, from its receipt to the Ack of its result.

use std::sync::Arc;
use std::time::Instant;

use evaljob_crds::job::Needs;
use evaljob_crds::{Verdict, wire};

use crate::executor::outcome::Outcome;
use crate::identity::RunId;
use crate::judge::Stop;

/// A run and what was told about it on the present stream.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) run: RunId,
    /// `namespace/name`, for logs.
    pub(super) job: Arc<str>,
    /// Bytes of its spec and inputs, which the agent holds until it has ended.
    pub(super) bytes: u64,
    /// When it ends as DeadlineExceeded; `None`: it has ended, or that was ordered already.
    pub(super) deadline: Option<Instant>,
    /// When it left the queue.
    pub(super) started: Option<Instant>,
    /// Its end that was ordered while a slot has it.
    pub(super) order: Option<EndOrder>,
    /// When somebody first looked whether the slot follows that order.
    pub(super) order_seen: Option<Instant>,
    pub(super) told: Told,
    pub(super) state: State,
}

/// Where a run stands. The arrows are the only ways on.
#[derive(Debug)]
pub(super) enum State {
    /// In the queue. → `Taken` by a slot; `Finished` or gone on order.
    Waiting(Box<wire::Run>),
    /// A slot reads it, or waits until there is room for it. → `Running`; `Finished` or gone on order.
    Taken {
        stop: Arc<Stop>,
        /// What it needs, once it waits for that.
        waits_for: Option<Needs>,
    },
    /// A slot runs it. → `Finished`, or gone where nobody wants its result.
    Running {
        stop: Arc<Stop>,
        memory: u64,
        /// Numbers of the slots it holds.
        held: Vec<u32>,
    },
    /// Its result waits. → gone with the Ack.
    Finished { at: Instant, outcome: Outcome },
}

/// How a run that a slot has is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndOrder {
    /// Report this verdict, unless the judge knows better.
    Report(Verdict),
    /// Give the attempt back: somebody else runs it.
    GiveBack,
    /// Nobody wants to hear of it any more; it is in no inventory.
    Forget,
}

/// What was sent on the present stream.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) started: bool,
    pub(super) done: Option<Instant>,
}

impl Entry {
    pub(super) fn is_forgotten(&self) -> bool {
        self.order == Some(EndOrder::Forget)
    }

    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished { .. })
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Memory it uses now, beside its bytes.
    pub(super) fn memory(&self) -> u64 {
        match self.state {
            State::Running { memory, .. } => memory,
            _ => 0,
        }
    }

    /// Slots it holds.
    pub(super) fn held(&self) -> &[u32] {
        match &self.state {
            State::Running { held, .. } => held,
            _ => &[],
        }
    }

    /// A slot has it and waits for memory or other slots.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(
            self.state,
            State::Taken {
                waits_for: Some(_),
                ..
            }
        )
    }

    /// Takes its end in.
    pub(super) fn finish(&mut self, outcome: Outcome, at: Instant) {
        self.deadline = None;
        self.order = None;
        self.bytes = 0;
        self.state = State::Finished { at, outcome };
    }
}

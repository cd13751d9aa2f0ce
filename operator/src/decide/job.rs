//! One live job: what its spec asks, where it stands, and when it next needs attention. Pure.

use std::sync::Arc;
use std::time::Duration;

use evaljob_crds::Reason;
use evaljob_crds::spec::ConfigMapKeyRef;
use k8s_openapi::jiff::Timestamp;

use super::desk::Desk;
use crate::clock::Now;
use crate::fair_share::Ticket;
use crate::names::{JobKey, NodeName, RunId, Uid};
use crate::placement::Shape;
use crate::status::Ledger;

/// `Running` is written only for jobs that run longer: invariant 6.
pub(super) const RUNNING_AFTER: Duration = Duration::from_secs(2);
/// A run is ended by its agent at its deadline; the operator does it this much later, should the agent not.
pub(super) const DEADLINE_SLACK: Duration = Duration::from_secs(15);

/// What a spec asks, as far as decisions depend on it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobFacts {
    /// The job.
    pub uid: Uid,
    /// Where it is.
    pub key: JobKey,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// What placement needs to know.
    pub shape: Shape,
    /// -1000..1000.
    pub priority: i32,
    /// Infrastructure failures that are made good.
    pub infra_retry_limit: u32,
    /// Longest wait for a slot.
    pub max_queue: Duration,
    /// From creation or resume to the end, waiting and retries included.
    pub active_deadline: Duration,
    /// Time to live after the end; `None`: the operator's default.
    pub ttl: Option<Duration>,
    /// `spec.suspend`.
    pub suspend: bool,
    /// `spec.cancel`.
    pub cancel: bool,
    /// ConfigMap keys it refers to.
    pub inputs: Vec<ConfigMapKeyRef>,
    /// Why it cannot be run as written: every error with its field path.
    pub invalid: Option<String>,
    /// The spec as JSON.
    pub spec: Vec<u8>,
    /// Digest of what in it may never change.
    pub digest: u64,
    /// What its status says.
    pub recorded: Recorded,
}

/// What a status without a verdict says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// `status.attempt`; 0 when none was ever written.
    pub attempt: u32,
    /// `status.infrastructureFailures`.
    pub infra_failures: u32,
    /// Reason of `Finished` is `Running`.
    pub running: bool,
    /// Reason of `Admitted` is `Suspended`.
    pub suspended: bool,
    /// Reason of `Admitted` is `FieldsLost`.
    pub fields_lost: bool,
    /// `Admitted` is False with `NoCapableNode` or `CrdOutdated`, and says this.
    pub advice: Option<(Reason, String)>,
    /// `status.queuedTime`.
    pub queued: Option<Timestamp>,
    /// Since when a further attempt waits, which has the whole of `maxQueueSeconds` again: when `Finished` last changed.
    pub retried: Option<Timestamp>,
    /// `status.dispatchedTime`: the attempt was sent.
    pub dispatched: Option<Timestamp>,
}

/// Where a job stands. The arrows are the only ways on.
#[derive(Debug)]
pub(super) enum Phase {
    /// Not ours to move: another operator leads, or it may be running at an agent that has not said Hello yet.
    /// → `Sent` when an agent claims it, any other when the inventories are in.
    Inherited,
    /// `spec.suspend`. → `Reserving` or `Queued` when resumed.
    Suspended,
    /// The number of its next attempt is being written; it may not be sent before. → `Held`.
    Reserving {
        /// How long to wait after that.
        pause: Duration,
    },
    /// Waits a moment after a failure. → `Queued`.
    Held {
        /// Until then.
        until: Duration,
    },
    /// Waits for a slot. → `Loading` or `Sent`.
    Queued {
        /// Since then.
        since: Duration,
        /// When to look whether any node could ever run it.
        look_at: Duration,
    },
    /// Has a slot; its inputs are being read. → `Sent`.
    Loading {
        /// Where the slot is.
        node: NodeName,
        /// Number of the load.
        load: u64,
    },
    /// At an agent. → `Reserving` when lost, `Ending` when it is over.
    Sent(Sent),
    /// It has a verdict that is not stored yet. → gone from memory.
    Ending,
}

/// A run at an agent.
#[derive(Debug)]
pub(super) struct Sent {
    /// Which agent.
    pub(super) node: NodeName,
    /// Which run; of an earlier term when it was adopted.
    pub(super) run: RunId,
    /// When it left the agent's queue.
    pub(super) started: Option<Duration>,
    /// Whether `Running` was written or is not wanted.
    pub(super) announced: bool,
    /// The user's cancel was passed on; what the agent does not report until then the operator writes itself.
    pub(super) cancelled: Option<Duration>,
}

/// The phase of a job that waits for a listing.
pub(super) const PARKED: Phase = Phase::Held {
    until: Duration::MAX,
};

/// One live job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) facts: JobFacts,
    pub(super) shape: Arc<Shape>,
    /// The spec as JSON while it waits and the budget allows it.
    pub(super) spec: Option<Vec<u8>>,
    pub(super) phase: Phase,
    /// What the next status says about attempts and times.
    pub(super) ledger: Ledger,
    /// The attempt of the ledger was sent: the next run needs another number.
    pub(super) used: bool,
    /// A run that never started was lost and made good without counting; the next one counts.
    pub(super) forgiven: bool,
    /// When waiting began.
    pub(super) queue_base: Duration,
    /// Since when `active_deadline` counts.
    pub(super) active_base: Duration,
    pub(super) desk: Desk,
    /// The run whose result is in the next verdict or reservation: acknowledged when that is stored.
    pub(super) owed: Option<(NodeName, RunId)>,
    /// The advice that stands in the status: why it is not admitted.
    pub(super) advice: Option<(Reason, String)>,
    /// The watch says it is finished or gone.
    pub(super) deleted: bool,
    /// Its facts were read while the API server knew every field.
    pub(super) whole: bool,
    /// Its facts may be others by now: it waits for a listing.
    pub(super) stale: bool,
}

impl Job {
    /// A job as it was first seen.
    pub(super) fn new(mut facts: JobFacts, shape: Arc<Shape>, now: Now) -> Self {
        let recorded = &facts.recorded;
        let base = recorded.queued.unwrap_or(facts.created);
        let ledger = Ledger {
            attempt: recorded.attempt.max(1),
            infra_failures: recorded.infra_failures,
            node: None,
            queued: Some(base),
            dispatched: recorded.dispatched,
            started: None,
            recorded: recorded.attempt,
        };
        let queue_base = now.mono_at(recorded.retried.unwrap_or(base));
        let active_base = now.mono_at(base);
        let used = recorded.dispatched.is_some();
        let advice = recorded.advice.clone();
        Self {
            spec: Some(std::mem::take(&mut facts.spec)),
            facts,
            shape,
            phase: Phase::Inherited,
            ledger,
            used,
            forgiven: false,
            queue_base,
            active_base,
            desk: Desk::default(),
            owed: None,
            advice,
            deleted: false,
            whole: false,
            stale: false,
        }
    }

    /// Takes facts that were read anew; returns the former shape.
    pub(super) fn renew(&mut self, mut facts: JobFacts, shape: Arc<Shape>) -> Arc<Shape> {
        self.spec = Some(std::mem::take(&mut facts.spec));
        self.facts = facts;
        self.whole = true;
        std::mem::replace(&mut self.shape, shape)
    }

    /// Whether it waits for a listing.
    pub(super) fn is_parked(&self) -> bool {
        matches!(
            self.phase,
            Phase::Held {
                until: Duration::MAX
            }
        )
    }

    /// Moves on to the number of the next attempt, which has to be written before it is sent.
    pub(super) fn next_attempt(&mut self) {
        self.ledger.attempt = self.ledger.attempt.max(self.ledger.recorded) + 1;
        self.ledger.node = None;
        self.ledger.dispatched = None;
        self.ledger.started = None;
        self.used = false;
    }

    /// Its place in its namespace's queue.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket::new(
            self.facts.priority,
            self.facts.created.as_millisecond(),
            self.facts.uid.clone(),
        )
    }

    /// When its wait for a slot is too long.
    pub(super) fn queue_deadline(&self) -> Duration {
        self.queue_base.saturating_add(self.facts.max_queue)
    }

    /// When it may not be live any more.
    pub(super) fn active_deadline(&self) -> Duration {
        self.active_base.saturating_add(self.facts.active_deadline)
    }

    /// The earliest moment at which it needs attention.
    pub(super) fn due(&self) -> Option<Duration> {
        let waiting = self.queue_deadline().min(self.active_deadline());
        let phase = match &self.phase {
            Phase::Inherited | Phase::Suspended | Phase::Ending => None,
            Phase::Reserving { .. } | Phase::Loading { .. } => Some(waiting),
            Phase::Held { until } => Some(waiting.min(*until)),
            Phase::Queued { look_at, .. } => Some(waiting.min(*look_at)),
            Phase::Sent(sent) => Some(sent.due(self.active_deadline())),
        };
        [phase, self.desk.due()].into_iter().flatten().min()
    }

    /// The run at an agent.
    pub(super) fn sent(&self) -> Option<&Sent> {
        match &self.phase {
            Phase::Sent(sent) => Some(sent),
            _ => None,
        }
    }

    /// The run at an agent, if it is this one.
    pub(super) fn sent_as(&mut self, run: &RunId) -> Option<&mut Sent> {
        match &mut self.phase {
            Phase::Sent(sent) if sent.run == *run => Some(sent),
            _ => None,
        }
    }
}

impl Sent {
    /// When the operator ends it, should its agent not have done it.
    pub(super) fn overdue(active_deadline: Duration) -> Duration {
        active_deadline.saturating_add(DEADLINE_SLACK)
    }

    /// When `Running` is written.
    pub(super) fn announce_at(&self) -> Option<Duration> {
        self.started
            .filter(|_| !self.announced)
            .map(|started| started + RUNNING_AFTER)
    }

    fn due(&self, active_deadline: Duration) -> Duration {
        [self.announce_at(), self.cancelled]
            .into_iter()
            .flatten()
            .fold(Self::overdue(active_deadline), Duration::min)
    }
}

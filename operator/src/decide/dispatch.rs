//! Which waiting job goes to which node, and when it is sent.
//!
//! The queue gives the order, placement the node. A job that is first in its namespace and has waited long for a
//! node that is never empty enough gets that node kept free. Nothing is sent while the Lease is not renewed, or
//! while more verdicts wait to be stored than the memory is meant for, or while the API server prunes specs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use evaljob_crds::Reason;

use super::agent::{Agent, Load};
use super::job::{PARKED, Phase, Sent};
use super::writing::WriteKind;
use super::{Decider, LoadOrder, Loaded, NodeFacts, RunOrder, Step};
use crate::clock::Now;
use crate::names::{NodeName, RunId, Uid};
use crate::placement::{self, Choice, Shape};
use crate::status;

/// Verdicts that may wait to be stored before dispatch stops: at most 320 KiB each, a few in practice.
const UNSTORED_LIMIT: usize = 1024;
/// Heads of the queue that one pass looks at.
const HEADS_PER_PASS: usize = 512;
/// A job that waited longer at the head of its namespace gets a node kept free for it.
const CLAIM_AFTER: Duration = Duration::from_secs(5);
/// First look whether any node could run a job; without any agent at all later, because they may be redialling.
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// See [`LOOK_AFTER`].
const LOOK_AFTER_WITHOUT_AGENTS: Duration = Duration::from_secs(30);
/// Time between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Advice written per second at most: it must never crowd out results.
const ADVICE_PER_SECOND: u32 = 20;
/// Wait before inputs are read again.
const LOAD_AGAIN: Duration = Duration::from_secs(1);

impl Decider {
    /// A job waits for a slot.
    pub(super) fn enqueue(&mut self, uid: &Uid, now: Now) {
        let look_after = if self.agents.is_empty() {
            LOOK_AFTER_WITHOUT_AGENTS
        } else {
            LOOK_AFTER
        };
        // What it waits for is not a node: it is told at once.
        let look_after = match self.obstacle(uid) {
            Some(_) => Duration::ZERO,
            None => look_after,
        };
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        if job.stale {
            job.phase = PARKED;
            return;
        }
        job.phase = Phase::Queued {
            since: now.mono,
            look_at: now.mono + look_after,
        };
        let (namespace, shape, ticket) = (
            job.facts.key.namespace.clone(),
            job.shape.clone(),
            job.ticket(),
        );
        self.queue.push(&namespace, &shape, ticket);
    }

    /// The number of the next attempt is stored: the job may be sent.
    pub(super) fn reserved(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        match job.phase {
            Phase::Reserving { pause } if pause.is_zero() => self.enqueue(uid, now),
            Phase::Reserving { pause } => {
                job.phase = Phase::Held {
                    until: now.mono + pause,
                };
            }
            _ => {}
        }
    }

    /// Takes a job out of wherever it is; with `cancel`, its run is ended without a report. The caller gives it
    /// its next phase.
    pub(super) fn leave(&mut self, uid: &Uid, cancel: bool) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        if matches!(job.phase, Phase::Ending) {
            return;
        }
        let phase = std::mem::replace(&mut job.phase, Phase::Suspended);
        match phase {
            Phase::Queued { .. } => self.dequeue(uid),
            Phase::Loading { node, .. } => self.vacate(uid, &node),
            Phase::Sent(sent) => {
                self.vacate(uid, &sent.node);
                if cancel && let Some(conn) = self.conn_of(&sent.node) {
                    self.out.push(Step::Cancel(conn, sent.run, None));
                }
            }
            _ => {}
        }
    }

    pub(super) fn dequeue(&mut self, uid: &Uid) {
        if let Some(job) = self.jobs.get(uid) {
            self.queue
                .remove(&job.facts.key.namespace, &job.shape, &job.ticket());
        }
    }

    /// A job takes its slots at a node.
    pub(super) fn occupy(&mut self, uid: &Uid, node: &NodeName, now: Now) {
        let (Some(job), Some(agent)) = (self.jobs.get(uid), self.agents.get_mut(node)) else {
            return;
        };
        let load = Load {
            slots: job.shape.slots,
            memory: job.shape.memory,
            since: now.mono,
        };
        agent.take(uid, load);
        self.queue.hold(&job.facts.key.namespace, job.shape.slots);
    }

    /// A job gives its slots back.
    pub(super) fn vacate(&mut self, uid: &Uid, node: &NodeName) {
        if let Some(agent) = self.agents.get_mut(node) {
            agent.release(uid);
        }
        if let Some(job) = self.jobs.get(uid) {
            self.queue
                .release(&job.facts.key.namespace, job.shape.slots);
        }
    }

    /// Sends what can be sent.
    pub(super) fn place(&mut self, now: Now) {
        while let Some((uid, node)) = self.pick(now) {
            self.dequeue(&uid);
            self.occupy(&uid, &node, now);
            self.load_or_send(&uid, node, now);
        }
    }

    /// The next job and its node.
    fn pick(&self, now: Now) -> Option<(Uid, NodeName)> {
        let closed = self.fenced
            || !self.synced()
            || !self.schema.is_whole()
            || self.unstored >= UNSTORED_LIMIT;
        if closed || self.queue.is_empty() || self.epoch().is_none() || !self.any_room(now) {
            return None;
        }
        let mut claimed = BTreeSet::new();
        let mut known: HashMap<&Arc<Shape>, Choice> = HashMap::new();
        for (ticket, shape, first) in self.queue.heads().take(HEADS_PER_PASS) {
            let choice = known
                .entry(shape)
                .or_insert_with(|| self.choose(shape, &claimed, now));
            match choice {
                Choice::Fit(node) => return Some((ticket.uid.clone(), node.clone())),
                Choice::Full(node) if first && self.waited(&ticket.uid, now) > CLAIM_AFTER => {
                    claimed.insert(node.clone());
                }
                Choice::Full(_) | Choice::Never(_) => {}
            }
        }
        None
    }

    pub(super) fn choose(&self, shape: &Shape, claimed: &BTreeSet<NodeName>, now: Now) -> Choice {
        let sites = self.agents.iter().filter_map(|(node, agent)| {
            let facts = self.nodes.get(node)?;
            agent.site(node, facts, now.mono)
        });
        placement::choose(shape, sites, claimed)
    }

    /// Whether any agent could take any job.
    fn any_room(&self, now: Now) -> bool {
        let none = NodeFacts::default();
        self.agents.iter().any(|(node, agent): (_, &Agent)| {
            agent
                .site(node, &none, now.mono)
                .is_some_and(|site| site.open && (site.free_slots > 0 || site.prefetch))
        })
    }

    fn waited(&self, uid: &Uid, now: Now) -> Duration {
        match self.jobs.get(uid).map(|job| &job.phase) {
            Some(Phase::Queued { since, .. }) => now.mono.saturating_sub(*since),
            _ => Duration::ZERO,
        }
    }

    /// Sends a job that has its slots; reads first what is not in memory.
    fn load_or_send(&mut self, uid: &Uid, node: NodeName, now: Now) {
        let spec = self.take_spec(uid);
        let load = self.serial();
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        match spec {
            Some(spec) if job.facts.inputs.is_empty() => {
                self.send(uid, &node, spec, Vec::new(), now);
            }
            spec => {
                let order = LoadOrder {
                    uid: uid.clone(),
                    key: job.facts.key.clone(),
                    load,
                    spec,
                    inputs: job.facts.inputs.clone(),
                    digest: job.whole.then_some(job.facts.digest),
                };
                job.phase = Phase::Loading { node, load };
                self.out.push(Step::Load(Box::new(order)));
            }
        }
    }

    fn send(
        &mut self,
        uid: &Uid,
        node: &NodeName,
        spec: Vec<u8>,
        inputs: Vec<evaljob_crds::wire::Input>,
        now: Now,
    ) {
        let (Some(epoch), Some(conn)) = (self.epoch().cloned(), self.conn_of(node)) else {
            self.vacate(uid, node);
            return self.enqueue(uid, now);
        };
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let run = RunId {
            uid: uid.clone(),
            epoch,
            attempt: job.ledger.attempt,
        };
        let deadline = job.active_deadline().saturating_sub(now.mono);
        job.used = true;
        job.ledger.node = Some(node.clone());
        job.ledger.dispatched = Some(now.wall);
        job.ledger.started = None;
        job.phase = Phase::Sent(Sent {
            node: node.clone(),
            run: run.clone(),
            started: None,
            announced: false,
            cancelled: None,
        });
        let order = RunOrder {
            conn,
            node: node.clone(),
            run,
            key: job.facts.key.clone(),
            spec,
            inputs,
            deadline,
        };
        self.out.push(Step::Run(Box::new(order)));
    }

    /// What a job needs was read, or not.
    pub(super) fn loaded(&mut self, uid: &Uid, load: u64, loaded: Loaded, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let node = match &job.phase {
            Phase::Loading {
                node,
                load: current,
            } if *current == load => node.clone(),
            _ => return,
        };
        match loaded {
            Loaded::Ready { spec, inputs } => self.send(uid, &node, spec, inputs, now),
            Loaded::Invalid(errors) => {
                let reason = evaljob_crds::Reason::InvalidSpec;
                let verdict = evaljob_crds::Verdict::InvalidSpec;
                let status = status::ended(&job.ledger, verdict, &errors, Some(reason), now.wall);
                self.conclude(uid, status, false);
            }
            Loaded::Gone => self.forget(uid, false, now),
            Loaded::Unavailable => {
                job.phase = Phase::Held {
                    until: now.mono + LOAD_AGAIN,
                };
                self.vacate(uid, &node);
            }
        }
    }

    /// Says in the status where nothing or no node could run the job, and takes it back when one can.
    pub(super) fn look(&mut self, uid: &Uid, now: Now) {
        let Some(shape) = self.jobs.get(uid).map(|job| job.shape.clone()) else {
            return;
        };
        let advice =
            self.obstacle(uid)
                .or_else(|| match self.choose(&shape, &BTreeSet::new(), now) {
                    Choice::Never(obstacles) => {
                        Some((Reason::NoCapableNode, obstacles.message(&shape)))
                    }
                    Choice::Fit(_) | Choice::Full(_) => None,
                });
        let may_write = self.may_advise(now);
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let Phase::Queued { look_at, .. } = &mut job.phase else {
            return;
        };
        if job.advice == advice {
            *look_at = now.mono + LOOK_AGAIN;
            return;
        }
        if !may_write {
            *look_at = now.mono + Duration::from_secs(1);
            return;
        }
        *look_at = now.mono + LOOK_AGAIN;
        let status = match &advice {
            Some((reason, message)) => status::held_back(&job.ledger, *reason, message, now.wall),
            None => status::queued(&job.ledger, now.wall),
        };
        job.advice = advice;
        self.want(uid, WriteKind::Advice, status);
    }

    /// Why no job of this age is sent at all.
    fn obstacle(&self, uid: &Uid) -> Option<(Reason, String)> {
        let job = self.jobs.get(uid)?;
        self.schema.obstacle(job.facts.created)
    }

    fn may_advise(&mut self, now: Now) -> bool {
        let (since, count) = &mut self.notes;
        if now.mono.saturating_sub(*since) >= Duration::from_secs(1) {
            *since = now.mono;
            *count = 0;
        }
        *count += 1;
        *count <= ADVICE_PER_SECOND
    }

    /// The one copy of a shape.
    pub(super) fn intern(&mut self, shape: &Shape) -> Arc<Shape> {
        if let Some(known) = self.shapes.get(shape) {
            return known.clone();
        }
        let shape = Arc::new(shape.clone());
        self.shapes.insert(shape.clone());
        shape
    }

    /// Forgets a shape that only the caller and the table still know.
    pub(super) fn drop_shape(&mut self, shape: &Arc<Shape>) {
        if Arc::strong_count(shape) <= 2 {
            self.shapes.remove(shape);
        }
    }

    fn take_spec(&mut self, uid: &Uid) -> Option<Vec<u8>> {
        let spec = self.jobs.get_mut(uid)?.spec.take()?;
        self.spec_bytes = self.spec_bytes.saturating_sub(spec.len());
        Some(spec)
    }

    /// Frees a spec; it is read again when it is needed.
    pub(super) fn drop_spec(&mut self, uid: &Uid) {
        self.take_spec(uid);
    }
}

//! What agents claim, start, finish and lose.
//!
//! Invariants 1, 5 and 7: an agent's word counts only on its node's current stream; a result counts only under the
//! identity the job has now; what an agent no longer has, or takes away with it for longer than the grace period,
//! runs again under another number.

use std::collections::HashSet;
use std::time::Duration;

use evaljob_crds::{EvalJobStatus, Reason, Verdict};

use super::agent::{Agent, AgentFacts, Held, Unfit};
use super::job::{Phase, Sent};
use super::writing::WriteKind;
use super::{Close, Count, Decider, Done, Step};
use crate::clock::Now;
use crate::names::{Conn, NodeName, RunId, Uid};
use crate::status;

/// Wait after the first infrastructure failure; doubled with each up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest wait after an infrastructure failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Decider {
    /// An agent says Hello. A stream that the node has already gives way.
    pub(super) fn hello(&mut self, conn: Conn, facts: AgentFacts, now: Now) {
        let node = facts.node.clone();
        if self.nodes_synced && !self.nodes.contains_key(&node) {
            self.out.push(Step::Close(conn, Close::UnknownNode));
            return;
        }
        let known = self.agents.get(&node);
        if let Some(old) = known.and_then(|agent| agent.conn) {
            self.conns.remove(&old);
            self.out.push(Step::Close(old, Close::Replaced));
        }
        self.conns.insert(conn, node.clone());
        match self.agents.get_mut(&node) {
            Some(agent) => agent.redialled(conn, facts),
            None => {
                self.agents.insert(node.clone(), Agent::new(conn, facts));
                self.enlist();
            }
        }
        self.warn(&node);
        if self.synced() {
            self.greet(&node, now);
        }
    }

    /// Goes through an inventory: what stays wanted, what is missing. Needs all live jobs to be known.
    pub(super) fn greet(&mut self, node: &NodeName, now: Now) {
        let (Some(epoch), Some(agent)) = (self.epoch().cloned(), self.agents.get_mut(node)) else {
            return;
        };
        let (Some(inventory), Some(conn)) = (agent.inventory.take(), agent.conn) else {
            return;
        };
        let mut keep = Vec::new();
        let mut kept = HashSet::new();
        for held in inventory {
            if self.claim(node, &held, now) {
                kept.insert(held.run.uid.clone());
                keep.push(held.run);
            }
        }
        for uid in self.agents.get(node).map(Agent::all).unwrap_or_default() {
            if !kept.contains(&uid) {
                let why = format!("the agent of node {node} lost it (it was restarted)");
                self.lost_at(&uid, node, false, &why, now);
            }
        }
        let cancelled: Vec<RunId> = keep
            .iter()
            .filter(|run| {
                let job = self.jobs.get(&run.uid);
                job.and_then(|job| job.sent())
                    .is_some_and(|sent| sent.cancelled.is_some())
            })
            .cloned()
            .collect();
        self.out.push(Step::Welcome(conn, epoch, keep));
        for run in cancelled {
            self.out
                .push(Step::Cancel(conn, run, Some(Verdict::Cancelled)));
        }
        self.reported(node);
    }

    /// Whether a run that an agent holds stays wanted.
    fn claim(&mut self, node: &NodeName, held: &Held, now: Now) -> bool {
        let uid = &held.run.uid;
        let Some(job) = self.jobs.get_mut(uid) else {
            return false;
        };
        let owed = job
            .owed
            .as_ref()
            .is_some_and(|(at, run)| at == node && *run == held.run);
        let invalid = job.facts.invalid.is_some() && self.schema.is_whole();
        let blocked = job.facts.cancel || job.facts.suspend || invalid;
        let same_attempt = held.run.attempt == job.ledger.attempt;
        match &mut job.phase {
            Phase::Sent(sent) if sent.run == held.run && sent.node == *node => {
                let started = held.started.map(|age| now.mono.saturating_sub(age));
                sent.started = sent.started.or(started);
                self.touched.push(uid.clone());
                true
            }
            // Two agents hold an unwritten attempt of two earlier terms: the later term's counts.
            Phase::Sent(sent) if same_attempt && held.run.epoch.is_later_than(&sent.run.epoch) => {
                self.leave(uid, true);
                self.adopt(uid, node, held, now);
                true
            }
            Phase::Inherited | Phase::Queued { .. } if same_attempt && !blocked => {
                self.leave(uid, false);
                self.adopt(uid, node, held, now);
                true
            }
            Phase::Ending | Phase::Reserving { .. } | Phase::Suspended => owed,
            _ => false,
        }
    }

    /// Takes over a run of an earlier term.
    fn adopt(&mut self, uid: &Uid, node: &NodeName, held: &Held, now: Now) {
        self.drop_spec(uid);
        self.occupy(uid, node, now);
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let age = held.started.unwrap_or_default();
        job.used = true;
        job.ledger.node = Some(node.clone());
        job.ledger.dispatched = Some(job.ledger.dispatched.unwrap_or_else(|| now.before(age)));
        job.ledger.started = held.started.map(|age| now.before(age));
        job.phase = Phase::Sent(Sent {
            node: node.clone(),
            run: held.run.clone(),
            started: held.started.map(|age| now.mono.saturating_sub(age)),
            announced: job.facts.recorded.running,
            cancelled: None,
        });
    }

    /// A node's agent does not have a run any more, or is gone itself.
    fn lost_at(&mut self, uid: &Uid, node: &NodeName, gone: bool, why: &str, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        if job.owed.as_ref().is_some_and(|(at, _)| at == node) {
            job.owed = None;
        }
        let here = |at: &NodeName| at == node;
        match &job.phase {
            Phase::Sent(sent) if here(&sent.node) => {
                // A run that never started cost nobody anything, once.
                let counted = sent.started.is_some() || job.forgiven;
                job.forgiven = true;
                self.leave(uid, false);
                self.attempt_failed(uid, counted, why, None, now);
            }
            Phase::Loading { node: at, .. } if gone && here(at) => {
                self.leave(uid, false);
                self.enqueue(uid, now);
            }
            _ => {}
        }
        if let Some(agent) = self.agents.get_mut(node) {
            agent.settled(uid);
        }
    }

    /// A run left its agent's queue.
    pub(super) fn started(&mut self, conn: Conn, run: &RunId, age: Duration, now: Now) {
        if self.node_of(conn).is_none() {
            return;
        }
        let Some(job) = self.job_mut(&run.uid) else {
            return;
        };
        let Some(sent) = job.sent_as(run) else {
            return;
        };
        if sent.started.is_none() {
            sent.started = Some(now.mono.saturating_sub(age));
            job.ledger.started = Some(now.before(age));
        }
    }

    /// A run ended.
    pub(super) fn done(&mut self, conn: Conn, done: Done, now: Now) {
        let Some(node) = self.node_of(conn).cloned() else {
            return;
        };
        let uid = done.run.uid.clone();
        let Some(job) = self.job_mut(&uid) else {
            return self.stale(conn, done.run);
        };
        let owed = job
            .owed
            .as_ref()
            .is_some_and(|(at, run)| *at == node && *run == done.run);
        let Some(sent) = job.sent_as(&done.run).filter(|sent| sent.node == node) else {
            // Repeated while it is being stored: the Ack follows.
            if !owed {
                self.stale(conn, done.run);
            }
            return;
        };
        let took = sent
            .started
            .map(|started| now.mono.saturating_sub(started + done.age));
        job.owed = Some((node.clone(), done.run));
        self.leave(&uid, false);
        if let Some(agent) = self.agents.get_mut(&node) {
            agent.owes(&uid);
            if let Some(took) = took {
                agent.took(took);
            }
        }
        let failed = done.infrastructure.then_some(!done.returned);
        self.judge(&uid, done.status, failed, done.age, now);
    }

    /// Decides what a result means for its job. `failed`: the attempt did, for a reason that is not the program's, and
    /// whether that counts.
    fn judge(
        &mut self,
        uid: &Uid,
        status: Option<Box<EvalJobStatus>>,
        failed: Option<bool>,
        age: Duration,
        now: Now,
    ) {
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        let unreadable = || {
            let message =
                "the agent's result could not be read (hint: agent and operator of one version)";
            Box::new(status::infrastructure(message))
        };
        let status = status
            .filter(|status| status.is_final())
            .unwrap_or_else(unreadable);
        let verdict = status.verdict();
        if job.facts.cancel && verdict != Some(Verdict::Cancelled) {
            return self.conclude_cancelled(uid, now);
        }
        let finished = status::finished(*status, &job.ledger, age, now.wall);
        if failed.is_some() || verdict == Some(Verdict::InfrastructureError) {
            let why = finished.message.clone().unwrap_or_default();
            self.attempt_failed(uid, failed.unwrap_or(true), &why, Some(finished), now);
        } else {
            self.conclude(uid, finished, false);
        }
    }

    /// An attempt ended without a verdict: the next one is written, or the job ends.
    pub(super) fn attempt_failed(
        &mut self,
        uid: &Uid,
        counted: bool,
        why: &str,
        last: Option<EvalJobStatus>,
        now: Now,
    ) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        if counted {
            job.ledger.infra_failures += 1;
        }
        let failures = job.ledger.infra_failures;
        if failures > job.facts.infra_retry_limit {
            let status = status::given_up(last, &job.ledger, why, now.wall);
            self.conclude(uid, status, false);
        } else {
            job.next_attempt();
            let doublings = failures.saturating_sub(1).min(16);
            let pause = FIRST_PAUSE
                .saturating_mul(1 << doublings)
                .min(LONGEST_PAUSE);
            let pause = if counted { pause } else { Duration::ZERO };
            // The queue's clock starts again: the retry limit bounds how often.
            job.queue_base = now.mono;
            job.phase = Phase::Reserving { pause };
            let status = status::waiting(&job.ledger, Reason::Retrying, why, now.wall);
            self.want(uid, WriteKind::Reserve, status);
        }
        if counted {
            self.out.push(Step::Count(Count::InfrastructureFailure(
                uid.clone(),
                why.to_owned(),
            )));
        }
    }

    /// Nobody needs this result.
    fn stale(&mut self, conn: Conn, run: RunId) {
        if let Some(node) = self.node_of(conn).cloned()
            && let Some(agent) = self.agents.get_mut(&node)
        {
            agent.settled(&run.uid);
        }
        self.out.push(Step::Ack(conn, run.clone()));
        self.out.push(Step::Count(Count::StaleResult(run)));
    }

    /// What a node can enforce changed.
    pub(super) fn health(&mut self, conn: Conn, missing: Option<Unfit>) {
        let Some(node) = self.node_of(conn).cloned() else {
            return;
        };
        if let Some(agent) = self.agents.get_mut(&node) {
            agent.set_missing(missing);
        }
        self.warn(&node);
    }

    /// Makes known that a node runs nothing.
    fn warn(&mut self, node: &NodeName) {
        let warning = self
            .agents
            .get_mut(node)
            .and_then(|agent| agent.warning(node));
        self.out
            .extend(warning.map(|warning| Step::Warn(Box::new(warning))));
    }

    /// A stream ended; the grace period of its agent begins.
    pub(super) fn closed(&mut self, conn: Conn, now: Now) {
        let Some(node) = self.conns.remove(&conn) else {
            return;
        };
        if let Some(agent) = self.agents.get_mut(&node)
            && agent.conn == Some(conn)
        {
            agent.conn = None;
            agent.inventory = None;
            agent.lost_since = Some(now.mono);
        }
    }

    /// Gives up agents that are away for longer than the grace period.
    pub(super) fn grace_tick(&mut self, now: Now) {
        let grace = self.rules.agent_grace;
        let gone: Vec<NodeName> = self
            .agents
            .iter()
            .filter(|(_, agent)| {
                agent
                    .lost_since
                    .is_some_and(|since| since + grace <= now.mono)
            })
            .map(|(node, _)| node.clone())
            .collect();
        for node in &gone {
            let why = format!(
                "the agent of node {node} was away for {} s",
                grace.as_secs()
            );
            for uid in self.agents.get(node).map(Agent::all).unwrap_or_default() {
                self.lost_at(&uid, node, true, &why, now);
            }
            self.agents.remove(node);
        }
        if !gone.is_empty() {
            self.enlist();
        }
    }

    /// The node of a current stream.
    fn node_of(&self, conn: Conn) -> Option<&NodeName> {
        self.conns.get(&conn)
    }
}

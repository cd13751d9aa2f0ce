//! Leadership: the term, and when inherited jobs are known to be nobody's.
//!
//! Invariant 5: a new leader waits for the inventories of all agents that the former leader had named in the Lease
//! before it sent them anything, or for the grace period. Only then a job that no agent claimed goes out again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::job::Phase;
use super::{Close, Decider, Former, NodeFacts, Step};
use crate::clock::Now;
use crate::names::{Epoch, NodeName, Uid};

/// Whether this process leads. A leader that loses its Lease ends, so a process has at most one term.
#[derive(Debug)]
pub(super) enum Term {
    /// Another process leads.
    Following,
    /// This one does.
    Leading {
        epoch: Epoch,
        /// Agents whose inventories are missing; `None`: nobody knows which there were.
        missing: Option<BTreeSet<NodeName>>,
        /// When waiting for them ends; `None`: it has.
        until: Option<Duration>,
    },
}

impl Term {
    /// When waiting for inventories ends.
    pub(super) fn due(&self) -> Option<Duration> {
        match self {
            Self::Leading { until, .. } => *until,
            Self::Following => None,
        }
    }
}

impl Decider {
    /// The term of this leader.
    pub(super) fn epoch(&self) -> Option<&Epoch> {
        match &self.term {
            Term::Leading { epoch, .. } => Some(epoch),
            Term::Following => None,
        }
    }

    /// This process leads from now on.
    pub(super) fn lead(&mut self, epoch: Epoch, former: Former, now: Now) {
        let missing = match former {
            Former::Known(nodes) => Some(nodes),
            Former::Unknown => None,
        };
        self.term = Term::Leading {
            epoch,
            missing,
            until: Some(now.mono + self.rules.agent_grace),
        };
    }

    /// Asks for the Lease to name every node whose agent may hold runs: those of this term, and while their inventories
    /// are missing those of the earlier one. Should this leader die now, the next one waits for them all.
    pub(super) fn enlist(&mut self) {
        let agents = self.agents.keys().cloned();
        let named = match &self.term {
            Term::Leading {
                missing: None,
                until: Some(_),
                ..
            } => Former::Unknown,
            Term::Leading {
                missing: Some(missing),
                until: Some(_),
                ..
            } => Former::Known(agents.chain(missing.iter().cloned()).collect()),
            Term::Leading { .. } | Term::Following => Former::Known(agents.collect()),
        };
        self.out.push(Step::Enlist(named));
    }

    /// The Lease names these nodes.
    pub(super) fn enlisted(&mut self, named: &Former) {
        for (node, agent) in &mut self.agents {
            agent.enlisted |= match named {
                Former::Known(nodes) => nodes.contains(node),
                Former::Unknown => true,
            };
        }
    }

    /// The live jobs are known: settle what needs no agent, and hear the agents that wait.
    pub(super) fn first_sync(&mut self, now: Now) {
        let uids: Vec<Uid> = self.jobs.keys().cloned().collect();
        for uid in uids {
            self.gate(&uid, now);
        }
        self.greet_all(now);
    }

    /// All nodes are known.
    pub(super) fn nodes_listed(&mut self, nodes: BTreeMap<NodeName, NodeFacts>, now: Now) {
        self.nodes = nodes;
        if self.nodes_synced {
            return;
        }
        self.nodes_synced = true;
        for (node, agent) in &mut self.agents {
            if !self.nodes.contains_key(node)
                && let Some(conn) = agent.conn
            {
                self.out.push(Step::Close(conn, Close::UnknownNode));
            }
        }
        self.greet_all(now);
    }

    fn greet_all(&mut self, now: Now) {
        if !self.synced() {
            return;
        }
        let nodes: Vec<NodeName> = self.agents.keys().cloned().collect();
        for node in nodes {
            self.greet(&node, now);
        }
    }

    /// An agent's inventory is in.
    pub(super) fn reported(&mut self, node: &NodeName) {
        if let Term::Leading {
            missing: Some(missing),
            ..
        } = &mut self.term
        {
            missing.remove(node);
        }
    }

    /// Ends the wait for inventories when they are in or the grace period is over.
    pub(super) fn term_tick(&mut self, now: Now) {
        let synced = self.synced();
        let Term::Leading { missing, until, .. } = &mut self.term else {
            return;
        };
        let Some(end) = *until else {
            return;
        };
        let complete = missing.as_ref().is_some_and(BTreeSet::is_empty);
        if !synced || !(complete || end <= now.mono) {
            return;
        }
        *until = None;
        self.enlist();
        let unclaimed: Vec<Uid> = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job.phase, Phase::Inherited))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in unclaimed {
            self.admit(&uid, now);
        }
    }
}

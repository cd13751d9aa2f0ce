//! One node agent: its stream, what it can do, what it holds. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::names::{Conn, NodeName, RunId, Uid};
use crate::placement::{Capacity, Site};

use super::{AgentWarning, NodeFacts};

/// An agent whose runs take less than this on average may be sent jobs ahead.
const QUICK: Duration = Duration::from_millis(250);
/// A run that has been there for longer is not a quick one, whatever the average says.
const NOT_QUICK: Duration = Duration::from_secs(1);
/// Jobs sent ahead at most: enough for the way there and back, too few to be stuck behind a slow one.
const AHEAD: usize = 4;

/// What an agent says at the start of a stream, after its token was reviewed.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentFacts {
    /// Node of the token.
    pub node: NodeName,
    /// Name of the token's Pod.
    pub pod_name: String,
    /// uid of that Pod.
    pub pod_uid: String,
    /// What it can do.
    pub capacity: Capacity,
    /// Why it takes no runs.
    pub missing_layer: Option<Unfit>,
    /// What it holds.
    pub inventory: Vec<Held>,
}

/// Why an agent takes no runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unfit {
    /// The layer that it cannot enforce.
    pub layer: String,
    /// The layer with cause and way out.
    pub text: String,
    /// It only ends; nothing is amiss.
    pub closing: bool,
}

/// A run that an agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub run: RunId,
    /// Its result waits for an Ack.
    pub finished: bool,
    /// How long ago it left the agent's queue, if it has.
    pub started: Option<Duration>,
}

/// What one job takes of an agent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) slots: u32,
    pub(super) memory: u64,
    pub(super) since: Duration,
}

/// One agent, connected or not long gone.
#[derive(Debug)]
pub(super) struct Agent {
    /// Its open stream.
    pub(super) conn: Option<Conn>,
    pub(super) pod_name: String,
    pub(super) pod_uid: String,
    pub(super) capacity: Capacity,
    missing_layer: Option<Unfit>,
    /// The layer that somebody was warned of since it could last enforce all.
    warned: Option<String>,
    /// Its Hello waits for the live jobs to be known.
    pub(super) inventory: Option<Vec<Held>>,
    /// The Lease names its node: it may be sent jobs.
    pub(super) enlisted: bool,
    /// When its stream ended.
    pub(super) lost_since: Option<Duration>,
    runs: BTreeMap<Uid, Load>,
    unacknowledged: BTreeSet<Uid>,
    slots_used: u32,
    memory_used: u64,
    /// Moving average of the time from start to end.
    average: Option<Duration>,
}

impl Agent {
    /// An agent that has just said Hello.
    pub(super) fn new(conn: Conn, facts: AgentFacts) -> Self {
        Self {
            conn: Some(conn),
            pod_name: facts.pod_name,
            pod_uid: facts.pod_uid,
            capacity: facts.capacity,
            missing_layer: facts.missing_layer,
            warned: None,
            inventory: Some(facts.inventory),
            enlisted: false,
            lost_since: None,
            runs: BTreeMap::new(),
            unacknowledged: BTreeSet::new(),
            slots_used: 0,
            memory_used: 0,
            average: None,
        }
    }

    /// Its next Hello, by the same process or another one. What it holds is compared with its new inventory.
    pub(super) fn redialled(&mut self, conn: Conn, facts: AgentFacts) {
        if self.pod_uid != facts.pod_uid {
            self.average = None;
            self.warned = None;
        }
        self.conn = Some(conn);
        self.pod_name = facts.pod_name;
        self.pod_uid = facts.pod_uid;
        self.capacity = facts.capacity;
        self.missing_layer = facts.missing_layer;
        self.inventory = Some(facts.inventory);
        self.lost_since = None;
    }

    /// What it says of its health from now on.
    pub(super) fn set_missing(&mut self, missing: Option<Unfit>) {
        self.missing_layer = missing;
    }

    /// Whether it is connected and cannot enforce a layer.
    pub(super) fn is_unfit(&self) -> bool {
        let amiss = |unfit: &Unfit| !unfit.closing;
        self.conn.is_some() && self.missing_layer.as_ref().is_some_and(amiss)
    }

    /// What somebody has to be told of it, once for each layer until it is fit again or another Pod.
    pub(super) fn warning(&mut self, node: &NodeName) -> Option<AgentWarning> {
        let Some(unfit) = &self.missing_layer else {
            self.warned = None;
            return None;
        };
        if unfit.closing || self.warned.as_ref() == Some(&unfit.layer) {
            return None;
        }
        self.warned = Some(unfit.layer.clone());
        Some(AgentWarning {
            node: node.clone(),
            pod_name: self.pod_name.clone(),
            pod_uid: self.pod_uid.clone(),
            text: unfit.text.clone(),
        })
    }

    /// Jobs it runs or will run.
    pub(super) fn held(&self) -> usize {
        self.runs.len()
    }

    /// uids of all jobs that it should know of.
    pub(super) fn all(&self) -> Vec<Uid> {
        self.runs
            .keys()
            .chain(&self.unacknowledged)
            .cloned()
            .collect()
    }

    /// A job takes a place.
    pub(super) fn take(&mut self, uid: &Uid, load: Load) {
        if self.runs.insert(uid.clone(), load).is_none() {
            self.slots_used = self.slots_used.saturating_add(load.slots);
            self.memory_used = self.memory_used.saturating_add(load.memory);
        }
    }

    /// A job gives its place back; returns the slots.
    pub(super) fn release(&mut self, uid: &Uid) -> u32 {
        let Some(load) = self.runs.remove(uid) else {
            return 0;
        };
        self.slots_used = self.slots_used.saturating_sub(load.slots);
        self.memory_used = self.memory_used.saturating_sub(load.memory);
        load.slots
    }

    /// A result waits here for its Ack.
    pub(super) fn owes(&mut self, uid: &Uid) {
        self.unacknowledged.insert(uid.clone());
    }

    /// A result was acknowledged or forgotten.
    pub(super) fn settled(&mut self, uid: &Uid) {
        self.unacknowledged.remove(uid);
    }

    /// Takes in how long a run took.
    pub(super) fn took(&mut self, time: Duration) {
        self.average = Some(match self.average {
            None => time,
            Some(average) => (average * 7 + time) / 8,
        });
    }

    /// The agent as placement sees it; `None` while nothing can be sent to it.
    pub(super) fn site<'a>(
        &'a self,
        node: &'a NodeName,
        facts: &'a NodeFacts,
        now: Duration,
    ) -> Option<Site<'a>> {
        self.conn?;
        let welcomed = self.inventory.is_none() && self.enlisted;
        let holds = self.runs.len() + self.unacknowledged.len();
        let credits = usize::try_from(self.capacity.credits).unwrap_or(usize::MAX);
        Some(Site {
            node,
            labels: &facts.labels,
            cordoned: facts.cordoned,
            missing_layer: self.missing_layer.as_ref().map(|unfit| &*unfit.text),
            capacity: &self.capacity,
            free_slots: self.capacity.slots.saturating_sub(self.slots_used),
            free_memory: self.capacity.memory.saturating_sub(self.memory_used),
            open: welcomed && holds < credits,
            prefetch: self.takes_ahead(now),
        })
    }

    /// Whether a job may be sent to wait here.
    fn takes_ahead(&self, now: Duration) -> bool {
        let slots = usize::try_from(self.capacity.slots).unwrap_or(usize::MAX);
        let ahead = self.runs.len().saturating_sub(slots);
        self.average.is_some_and(|average| average < QUICK)
            && ahead < slots.min(AHEAD)
            && self
                .runs
                .values()
                .all(|load| now.saturating_sub(load.since) < NOT_QUICK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfit(layer: &str, closing: bool) -> Option<Unfit> {
        Some(Unfit {
            layer: layer.to_owned(),
            text: format!("{layer}: no"),
            closing,
        })
    }

    #[test]
    fn a_layer_is_warned_of_once_until_the_node_is_fit_and_a_shutdown_never() {
        let node = NodeName::from("n1");
        let facts = |pod: &str, missing_layer| AgentFacts {
            node: node.clone(),
            pod_name: pod.to_owned(),
            pod_uid: format!("{pod}-uid"),
            capacity: Capacity::default(),
            missing_layer,
            inventory: Vec::new(),
        };
        let mut agent = Agent::new(Conn(1), facts("a", unfit("Landlock", false)));
        let warning = agent.warning(&node).unwrap();
        assert_eq!((&*warning.pod_name, &*warning.pod_uid), ("a", "a-uid"));
        assert_eq!(warning.text, "Landlock: no");
        assert!(agent.is_unfit());
        assert_eq!(agent.warning(&node), None, "once");
        agent.redialled(Conn(2), facts("a", unfit("Landlock", false)));
        assert_eq!(agent.warning(&node), None, "the same Pod dialled again");
        agent.set_missing(unfit("Cgroup", false));
        assert!(agent.warning(&node).is_some(), "another layer");
        agent.set_missing(None);
        assert!(agent.warning(&node).is_none() && !agent.is_unfit());
        agent.set_missing(unfit("Cgroup", false));
        assert!(agent.warning(&node).is_some(), "it was fit meanwhile");
        agent.redialled(Conn(3), facts("b", unfit("Cgroup", false)));
        assert!(agent.warning(&node).is_some(), "another Pod");
        agent.set_missing(unfit("Agent", true));
        assert!(
            agent.warning(&node).is_none() && !agent.is_unfit(),
            "it ends"
        );
    }
}

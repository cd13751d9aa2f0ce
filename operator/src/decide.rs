//! The pure core of the operator: everything it knows about live jobs, agents and its term, and what follows.
//!
//! In: one [`Event`] and the time. Out: [`Step`]s for the shells to carry out, in order. No I/O, no clock, no
//! randomness, no `async`: the property tests drive thousands of deaths and lost messages through this type.
//! Whatever has no verdict runs again, so nothing here has to survive a restart.
//!
//! | file | decides |
//! | --- | --- |
//! | `admission` | what a job's appearance, change and end in the watch mean; cancel, suspend, deadlines |
//! | `dispatch` | which job goes to which node, and when |
//! | `streams` | what agents claim, start, finish and lose |
//! | `writing` | one status write at a time per job, and what its answer means |
//! | `term` | leadership, and when inherited jobs are known to be nobody's |
//! | `schema` | what happens to jobs while the API server prunes fields of their specs |

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;
use crate::fair_share::FairQueue;
use crate::names::{Conn, NodeName, Uid};
use crate::placement::Shape;

mod admission;
mod agent;
mod desk;
mod dispatch;
mod event;
mod job;
mod schema;
mod step;
mod streams;
mod term;
mod timers;
mod tombs;
mod writing;

pub use agent::{AgentFacts, Held, Unfit};
pub use event::{Done, Event, Former, Loaded, NodeFacts, Rules};
pub use job::{JobFacts, Recorded};
pub use step::{AgentWarning, Close, Count, LoadOrder, RunOrder, Step, WriteOrder};
pub use writing::{Outcome, ReadBack, WriteKind};

use agent::Agent;
use job::Job;
use schema::Schema;
use term::Term;
use timers::Timers;
use tombs::Tombs;

/// Figures for the metrics page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Live jobs in memory.
    pub live: usize,
    /// Jobs that wait for a slot.
    pub queued: usize,
    /// Jobs at agents.
    pub held: usize,
    /// Connected agents.
    pub agents: usize,
    /// Those of them that cannot enforce a layer.
    pub unfit: usize,
    /// Verdicts that wait to be stored.
    pub unstored: usize,
    /// Bytes of specs in memory.
    pub spec_bytes: usize,
    /// Fields of a spec that the API server does not know.
    pub spec_fields_missing: usize,
    /// Fields of a status that it does not know.
    pub status_fields_missing: usize,
}

/// The state of the operator.
#[derive(Debug)]
pub struct Decider {
    rules: Rules,
    term: Term,
    schema: Schema,
    jobs: HashMap<Uid, Job>,
    queue: FairQueue,
    shapes: HashSet<Arc<Shape>>,
    agents: BTreeMap<NodeName, Agent>,
    conns: HashMap<Conn, NodeName>,
    nodes: BTreeMap<NodeName, NodeFacts>,
    timers: Timers,
    tombs: Tombs,
    /// uids of a listing that is under way.
    listing: Option<HashSet<Uid>>,
    jobs_synced: bool,
    nodes_synced: bool,
    fenced: bool,
    /// Numbers loads and writes.
    serial: u64,
    /// Bytes of specs in memory.
    spec_bytes: usize,
    /// Jobs whose verdict is not stored yet.
    unstored: usize,
    /// When the last advisory writes were made, for their rate.
    notes: (Duration, u32),
    /// Jobs whose timers have to be set again.
    touched: Vec<Uid>,
    out: Vec<Step>,
}

impl Decider {
    /// A follower that knows nothing yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            term: Term::Following,
            schema: Schema::default(),
            jobs: HashMap::new(),
            queue: FairQueue::default(),
            shapes: HashSet::new(),
            agents: BTreeMap::new(),
            conns: HashMap::new(),
            nodes: BTreeMap::new(),
            timers: Timers::default(),
            tombs: Tombs::default(),
            listing: None,
            jobs_synced: false,
            nodes_synced: false,
            fenced: false,
            serial: 0,
            spec_bytes: 0,
            unstored: 0,
            notes: (Duration::ZERO, 0),
            touched: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Takes in one event; returns what to do, in order.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Step> {
        match event {
            Event::JobsRelist => {
                self.listing = Some(HashSet::new());
                self.tombs.listing_begins();
            }
            Event::JobListed(facts) => self.job_listed(*facts, now),
            Event::JobsListed => self.jobs_listed(now),
            Event::JobApplied(facts) => self.job_applied(*facts, now),
            Event::JobDeleted(uid) => self.job_deleted(&uid, now),
            Event::NodesListed(nodes) => self.nodes_listed(nodes, now),
            Event::NodeApplied(node, facts) => {
                self.nodes.insert(node, facts);
            }
            Event::NodeDeleted(node) => {
                self.nodes.remove(&node);
            }
            Event::Leading(epoch, former) => self.lead(epoch, former, now),
            Event::Enlisted(nodes) => self.enlisted(&nodes),
            Event::SchemaRead(missing) => self.schema_read(&missing, now),
            Event::Fenced => self.fenced = true,
            Event::Unfenced => self.fenced = false,
            Event::Hello(conn, facts) => self.hello(conn, *facts, now),
            Event::Started(conn, run, age) => self.started(conn, &run, age, now),
            Event::Done(conn, done) => self.done(conn, *done, now),
            Event::Health(conn, missing) => self.health(conn, missing),
            Event::Closed(conn) => self.closed(conn, now),
            Event::Loaded(uid, load, loaded) => self.loaded(&uid, load, loaded, now),
            Event::Written(uid, id, outcome) => self.written(&uid, id, outcome, now),
            Event::Read(uid, id, read) => self.read_back(&uid, id, read, now),
            Event::Tick => {}
        }
        self.tick(now);
        self.place(now);
        self.rearm();
        std::mem::take(&mut self.out)
    }

    /// When [`Event::Tick`] is due at the latest; `None` while nothing waits for time.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let jobs = self.timers.first();
        let agents = self
            .agents
            .values()
            .filter_map(|agent| agent.lost_since)
            .map(|since| since + self.rules.agent_grace)
            .min();
        let term = self.term.due().filter(|_| self.synced());
        [jobs, agents, term].into_iter().flatten().min()
    }

    /// Whether the live jobs and the nodes are known.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.jobs_synced && self.nodes_synced
    }

    /// Whether the caches that this process needs are filled: a follower has no use for jobs.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.nodes_synced && (self.jobs_synced || self.epoch().is_none())
    }

    /// Figures for the metrics page.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            live: self.jobs.len(),
            queued: self.queue.len(),
            held: self.agents.values().map(Agent::held).sum(),
            agents: self
                .agents
                .values()
                .filter(|agent| agent.conn.is_some())
                .count(),
            unfit: self
                .agents
                .values()
                .filter(|agent| agent.is_unfit())
                .count(),
            unstored: self.unstored,
            spec_bytes: self.spec_bytes,
            spec_fields_missing: self.schema.missing.0,
            status_fields_missing: self.schema.missing.1,
        }
    }

    /// Does what time alone brings about.
    fn tick(&mut self, now: Now) {
        self.term_tick(now);
        self.grace_tick(now);
        while let Some(uid) = self.timers.pop_due(now.mono) {
            self.touched.push(uid.clone());
            self.job_due(&uid, now);
        }
        self.tombs.expire(now.mono);
    }

    /// Sets the timer of each touched job to the earliest moment at which it needs attention.
    fn rearm(&mut self) {
        for uid in std::mem::take(&mut self.touched) {
            match self.jobs.get(&uid).and_then(Job::due) {
                Some(due) => self.timers.set(&uid, due),
                None => self.timers.clear(&uid),
            }
        }
    }

    /// A job that is about to be changed.
    fn job_mut(&mut self, uid: &Uid) -> Option<&mut Job> {
        let job = self.jobs.get_mut(uid)?;
        self.touched.push(uid.clone());
        Some(job)
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The open stream to a node's agent.
    fn conn_of(&self, node: &NodeName) -> Option<Conn> {
        self.agents.get(node).and_then(|agent| agent.conn)
    }
}

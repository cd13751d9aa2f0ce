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

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use evaljob_crds::spec::ConfigMapKeyRef;
use evaljob_crds::{EvalJobStatus, Verdict, wire};

use crate::clock::Now;
use crate::fair_share::FairQueue;
use crate::names::{Conn, Epoch, JobKey, NodeName, RunId, Uid};
use crate::placement::Shape;

mod admission;
mod agent;
mod dispatch;
mod job;
mod streams;
mod term;
mod timers;
mod tombs;
mod writing;

pub use agent::{AgentFacts, Held};
pub use job::{JobFacts, Recorded};
pub use writing::{Outcome, ReadBack, WriteKind};

use agent::Agent;
use job::Job;
use term::Term;
use timers::Timers;
use tombs::Tombs;

/// Settings of the operator that decisions depend on.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How long an agent may be away before its jobs run elsewhere, and a new leader waits for inventories.
    pub agent_grace: Duration,
    /// Bytes of specs kept for jobs that wait.
    pub spec_cache: usize,
    /// Time to live of finished jobs that name none.
    pub default_ttl: Duration,
}

/// A node as the API server has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeFacts {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `spec.unschedulable`.
    pub cordoned: bool,
}

/// Nodes whose agents may hold runs of an earlier term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Former {
    /// These and no others.
    Known(BTreeSet<NodeName>),
    /// Any: the whole grace period has to pass.
    Unknown,
}

/// What was read for a job that is about to be sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Loaded {
    /// Everything it needs.
    Ready {
        /// The spec as JSON.
        spec: Vec<u8>,
        /// ConfigMap values it refers to.
        inputs: Vec<wire::Input>,
    },
    /// An input is not as it must be; the message has the field path and the way out.
    Invalid(String),
    /// The job is gone.
    Gone,
    /// The API server could not be asked.
    Unavailable,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A listing of all live jobs begins.
    JobsRelist,
    /// A job of that listing.
    JobListed(Box<JobFacts>),
    /// The listing is complete.
    JobsListed,
    /// A job appeared or changed.
    JobApplied(Box<JobFacts>),
    /// A job is finished or gone.
    JobDeleted(Uid),
    /// All nodes.
    NodesListed(BTreeMap<NodeName, NodeFacts>),
    /// A node appeared or changed.
    NodeApplied(NodeName, NodeFacts),
    /// A node is gone.
    NodeDeleted(NodeName),
    /// This process leads now.
    Leading(Epoch, Former),
    /// The Lease names these nodes as ones whose agents may hold runs.
    Enlisted(BTreeSet<NodeName>),
    /// The Lease was not renewed for two thirds of its time: nothing may be sent until it is.
    Fenced,
    /// It was renewed.
    Unfenced,
    /// An agent whose token was reviewed said Hello.
    Hello(Conn, Box<AgentFacts>),
    /// A run left its agent's queue so long ago.
    Started(Conn, RunId, Duration),
    /// A run ended.
    Done(Conn, Box<Done>),
    /// What the node can enforce changed: the missing layer, if any.
    Health(Conn, Option<String>),
    /// A stream ended.
    Closed(Conn),
    /// Answer to [`Step::Load`].
    Loaded(Uid, u64, Loaded),
    /// Answer to [`Step::Write`].
    Written(Uid, u64, Outcome),
    /// Answer to [`Step::Read`].
    Read(Uid, u64, ReadBack),
    /// Time passed.
    Tick,
}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Done {
    /// Which.
    pub run: RunId,
    /// What the agent says; `None` where it could not be read.
    pub status: Option<Box<EvalJobStatus>>,
    /// Whether the attempt failed for a reason that is not the program's.
    pub infrastructure: bool,
    /// How long ago it ended.
    pub age: Duration,
}

/// Why a stream is closed by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The node does not exist.
    UnknownNode,
    /// Another stream for the node came later.
    Replaced,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Send a job to an agent.
    Run(Box<RunOrder>),
    /// End a run; with a verdict: and report it.
    Cancel(Conn, RunId, Option<Verdict>),
    /// Tell the agent that nobody needs its result any more.
    Ack(Conn, RunId),
    /// Tell the agent which of its runs stay wanted.
    Welcome(Conn, Epoch, Vec<RunId>),
    /// Close a stream.
    Close(Conn, Close),
    /// Store a status and answer with [`Event::Written`].
    Write(Box<WriteOrder>),
    /// Read a job and answer with [`Event::Read`].
    Read(Uid, JobKey, u64),
    /// Read what a job needs and answer with [`Event::Loaded`].
    Load(Box<LoadOrder>),
    /// A verdict is stored: delete the job after this time.
    Finished(Uid, JobKey, Duration),
    /// Somebody else finished or deleted a job: look once whether it has to be deleted later.
    Lost(Uid, JobKey),
    /// Name these nodes in the Lease and answer with [`Event::Enlisted`].
    Enlist(BTreeSet<NodeName>),
    /// A fact for metrics and logs.
    Count(Count),
}

/// Facts that are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// A verdict was stored; `None`: one that this build does not know.
    Stored(Option<Verdict>),
    /// An attempt failed for a reason that is not the program's.
    InfrastructureFailure(Uid, String),
    /// The API server refused a status for good.
    StatusRefused(Uid, String),
    /// A result that nobody needs arrived.
    StaleResult(RunId),
}

/// A job on its way to an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOrder {
    /// The stream.
    pub conn: Conn,
    /// Its node, for logs.
    pub node: NodeName,
    /// The run.
    pub run: RunId,
    /// The job.
    pub key: JobKey,
    /// The spec as JSON.
    pub spec: Vec<u8>,
    /// Values it refers to.
    pub inputs: Vec<wire::Input>,
    /// Time left.
    pub deadline: Duration,
}

/// A status on its way to the API server.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOrder {
    /// The job.
    pub uid: Uid,
    /// Where it is.
    pub key: JobKey,
    /// Number of this write, for the answer.
    pub id: u64,
    /// What it says, for logs and metrics.
    pub kind: WriteKind,
    /// The whole status.
    pub status: Arc<EvalJobStatus>,
}

/// What to read for a job.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOrder {
    /// The job.
    pub uid: Uid,
    /// Where it is.
    pub key: JobKey,
    /// Number of this load, for the answer.
    pub load: u64,
    /// The spec where it is still known; else it is read too.
    pub spec: Option<Vec<u8>>,
    /// ConfigMap keys it refers to.
    pub inputs: Vec<ConfigMapKeyRef>,
}

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
    /// Verdicts that wait to be stored.
    pub unstored: usize,
    /// Bytes of specs in memory.
    pub spec_bytes: usize,
}

/// The state of the operator.
#[derive(Debug)]
pub struct Decider {
    rules: Rules,
    term: Term,
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
            Event::JobsRelist => self.listing = Some(HashSet::new()),
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
            unstored: self.unstored,
            spec_bytes: self.spec_bytes,
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

//! The world that `deaths` and `scenes` play in: API server, agents, operators and the messages between them.
//!
//! Everything is a queue that a move takes one thing from; nothing happens by itself. Each invariant is asserted where
//! it could break, so that a failing sequence stops at its cause.

mod agents;
mod operator;
mod server;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use evaljob_crds::{EvalJobStatus, Missing, Verdict};
use evaljob_operator::clock::Now;
use evaljob_operator::decide::{
    AgentFacts, Decider, Done, Event, Former, Held, JobFacts, NodeFacts, Outcome, ReadBack, Rules,
    Step, WriteKind, WriteOrder,
};
use evaljob_operator::gate;
use evaljob_operator::names::{Conn, Epoch, JobKey, NodeName, RunId, Uid};
use evaljob_operator::placement::{Capacity, Shape};
use k8s_openapi::jiff::Timestamp;

const NODES: u16 = 3;
const CREDITS: u32 = 5;
const RETRIES: u32 = 2;

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    Create {
        cpus: u16,
        namespace: u16,
    },
    Delete(u16),
    Cancel(u16),
    Suspend(u16),
    Resume(u16),
    /// Somebody writes a verdict by hand.
    ForeignVerdict(u16),
    /// The operator sees the next watch event.
    Watch,
    /// An agent gets its next message.
    Down(u16),
    /// The operator gets an agent's next message.
    Up(u16),
    /// A request of the operator is answered, lost, or answered with its answer lost.
    Answer {
        which: u16,
        how: u16,
    },
    /// A write of an operator that is dead reaches the API server.
    LateWrite(u16),
    AgentStarts(u16),
    AgentFinishes {
        which: u16,
        how: u16,
    },
    AgentDies(u16),
    AgentDials(u16),
    StreamBreaks(u16),
    OperatorDies,
    OperatorStarts,
    /// The CRD lacks a field of the spec, or has all.
    CrdChanges(bool),
    /// Milliseconds.
    TimePasses(u32),
}

/// A job in the API server.
#[derive(Debug, Clone)]
struct Stored {
    facts: JobFacts,
    status: EvalJobStatus,
}

/// What an agent is told.
#[derive(Debug, Clone)]
enum Down {
    Welcome(Vec<RunId>),
    Run(RunId),
    Cancel(RunId, Option<Verdict>),
    Ack(RunId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Running(Duration),
    Finished {
        verdict: Verdict,
        infrastructure: bool,
        /// By an agent that shuts down.
        returned: bool,
        at: Duration,
    },
}

#[derive(Debug, Default)]
struct Agent {
    pod: u32,
    conn: Option<Conn>,
    welcomed: bool,
    held: Vec<(RunId, Stage)>,
    down: VecDeque<Down>,
    up: VecDeque<Event>,
}

#[derive(Debug)]
struct Operator {
    core: Decider,
    watch: VecDeque<Event>,
    writes: Vec<WriteOrder>,
    reads: Vec<(Uid, JobKey, u64)>,
    enlist: Option<Former>,
    conns: HashMap<Conn, NodeName>,
    /// The run that this operator believes in, per job.
    current: HashMap<Uid, RunId>,
}

pub(crate) struct World {
    now: Now,
    /// Fields of a spec that the CRD lacks.
    missing: Vec<String>,
    jobs: BTreeMap<Uid, Stored>,
    order: Vec<Uid>,
    operator: Option<Operator>,
    /// Writes of dead operators that may still arrive.
    late: Vec<WriteOrder>,
    /// Jobs whose status such a write changed behind the present operator's back.
    overtaken: HashSet<Uid>,
    former: Former,
    term: u64,
    conns: u64,
    agents: BTreeMap<NodeName, Agent>,
    executed: HashSet<RunId>,
    /// Kinds of stored writes per job.
    stored: HashMap<Uid, Vec<&'static str>>,
    dial: bool,
    /// Whether the watch is delivered when the world settles.
    watches: bool,
    pub(crate) reads: usize,
    pub(crate) loads: usize,
}

fn node(index: u16) -> NodeName {
    NodeName(format!("n{}", index % NODES).into())
}

impl World {
    pub(crate) fn new() -> Self {
        let agents = (0..NODES)
            .map(|index| (node(index), Agent::default()))
            .collect();
        Self {
            missing: Vec::new(),
            now: Now {
                mono: Duration::from_secs(1_000),
                wall: Timestamp::from_second(1_800_000_000).unwrap(),
            },
            jobs: BTreeMap::new(),
            order: Vec::new(),
            operator: None,
            late: Vec::new(),
            overtaken: HashSet::new(),
            former: Former::Known(BTreeSet::new()),
            term: 0,
            conns: 0,
            agents,
            executed: HashSet::new(),
            stored: HashMap::new(),
            dial: true,
            watches: true,
            reads: 0,
            loads: 0,
        }
    }

    pub(crate) fn play(&mut self, step: Move) {
        match step {
            Move::Create { cpus, namespace } => self.add(u32::from(cpus), namespace),
            Move::Delete(which) => self.delete(which),
            Move::Cancel(which) => self.edit(which, |facts| facts.cancel = true),
            Move::Suspend(which) => self.edit(which, |facts| facts.suspend = true),
            Move::Resume(which) => self.edit(which, |facts| facts.suspend = false),
            Move::ForeignVerdict(which) => self.foreign(which),
            Move::Watch => self.watch(),
            Move::Down(which) => self.down(&node(which)),
            Move::Up(which) => self.up(&node(which)),
            Move::Answer { which, how } => self.answer(which, how),
            Move::LateWrite(which) => {
                if !self.late.is_empty() {
                    let order = self.late.remove(usize::from(which) % self.late.len());
                    self.overtaken.insert(order.uid.clone());
                    self.store(&order);
                }
            }
            Move::AgentStarts(which) => self.agent_starts(&node(which)),
            Move::AgentFinishes { which, how } => self.agent_finishes(&node(which), how),
            Move::AgentDies(which) => self.agent_dies(&node(which)),
            Move::AgentDials(which) => self.agent_dials(&node(which)),
            Move::StreamBreaks(which) => self.stream_breaks(&node(which)),
            Move::OperatorDies => self.operator_dies(),
            Move::OperatorStarts => self.operator_starts(),
            Move::CrdChanges(older) => self.replace_crd(if older { &["spec.limits"] } else { &[] }),
            Move::TimePasses(millis) => self.pass(Duration::from_millis(millis.into())),
        }
    }

    /// Delivers everything that is on its way, without faults, agents connected.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut moved = false;
            for index in 0..NODES {
                let agent = &self.agents[&node(index)];
                if self.dial && agent.conn.is_none() && self.operator.is_some() {
                    self.agent_dials(&node(index));
                    moved = true;
                }
                let agent = &self.agents[&node(index)];
                if !agent.up.is_empty() {
                    self.up(&node(index));
                    moved = true;
                }
                if !self.agents[&node(index)].down.is_empty() {
                    self.down(&node(index));
                    moved = true;
                }
            }
            if let Some(operator) = &self.operator {
                let (watch, requests) = (
                    self.watches && !operator.watch.is_empty(),
                    !operator.writes.is_empty()
                        || !operator.reads.is_empty()
                        || operator.enlist.is_some(),
                );
                if watch {
                    self.watch();
                }
                if requests {
                    self.answer(0, 7);
                }
                moved |= watch || requests;
            }
            if !moved {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    pub(crate) fn start_all(&mut self) {
        for index in 0..NODES {
            for _ in 0..2 {
                let running = |agent: &Agent| {
                    agent
                        .held
                        .iter()
                        .filter(|(_, stage)| matches!(stage, Stage::Running(_)))
                        .count()
                };
                if running(&self.agents[&node(index)]) < 2 {
                    self.agent_starts(&node(index));
                }
            }
        }
    }

    pub(crate) fn finish_all(&mut self) {
        for index in 0..NODES {
            self.agent_finishes(&node(index), 1);
            self.agent_finishes(&node(index), 1);
        }
    }

    /// Everything works again: whatever is not suspended must come to a verdict, and nothing stays behind.
    pub(crate) fn heal(&mut self) {
        for which in 0..u16::try_from(self.order.len()).unwrap() {
            self.edit(which, |facts| facts.suspend = false);
        }
        for uid in self.order.clone() {
            if self
                .jobs
                .get(&uid)
                .is_some_and(|job| job.facts.suspend && !job.status.is_final())
            {
                self.jobs.get_mut(&uid).unwrap().facts.suspend = false;
                self.notify(&uid);
            }
        }
        self.operator_starts();
        self.replace_crd(&[]);
        for _ in 0..400 {
            self.settle();
            self.start_all();
            self.settle();
            self.finish_all();
            self.settle();
            if self.jobs.values().all(|job| job.status.is_final()) {
                break;
            }
            self.pass(Duration::from_millis(700));
        }
        for (uid, job) in &self.jobs {
            assert!(
                job.status.is_final(),
                "{uid} has no verdict: {:?}\n{:?}",
                job.status,
                self.operator.as_ref().map(|o| o.core.figures())
            );
        }
        self.pass(Duration::from_secs(200));
        self.settle();
        for (name, agent) in &self.agents {
            assert!(agent.held.is_empty(), "{name} still holds {:?}", agent.held);
        }
        let figures = self.operator.as_ref().unwrap().core.figures();
        assert_eq!(
            (
                figures.live,
                figures.queued,
                figures.held,
                figures.unstored,
                figures.spec_bytes
            ),
            (0, 0, 0, 0, 0),
            "{figures:?}"
        );
    }
}

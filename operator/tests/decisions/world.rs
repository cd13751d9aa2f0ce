//! The world that `deaths` and `scenes` play in: API server, agents, operators and the messages between them.
//!
//! Everything is a queue that a move takes one thing from; nothing happens by itself. Each invariant is asserted where
//! it could break, so that a failing sequence stops at its cause.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use evaljob_crds::{EvalJobStatus, Verdict};
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
    enlist: Option<BTreeSet<NodeName>>,
    conns: HashMap<Conn, NodeName>,
    /// The run that this operator believes in, per job.
    current: HashMap<Uid, RunId>,
}

pub(crate) struct World {
    now: Now,
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
            Move::TimePasses(millis) => self.pass(Duration::from_millis(millis.into())),
        }
    }

    // ---- API server ----

    fn add(&mut self, slots: u32, namespace: u16) {
        let index = self.order.len();
        let uid = Uid(format!("job-{index}").into());
        let facts = JobFacts {
            uid: uid.clone(),
            key: JobKey {
                namespace: format!("ns{namespace}").into(),
                name: format!("j{index}").into(),
            },
            created: self.now.wall,
            shape: Shape {
                slots,
                memory: 1,
                ..Shape::default()
            },
            priority: 0,
            infra_retry_limit: RETRIES,
            max_queue: Duration::from_secs(600),
            active_deadline: Duration::from_secs(3_600),
            ttl: None,
            suspend: false,
            cancel: false,
            inputs: Vec::new(),
            invalid: None,
            spec: b"{}".to_vec(),
            recorded: gate::recorded(&EvalJobStatus::default()),
        };
        self.order.push(uid.clone());
        self.jobs.insert(
            uid.clone(),
            Stored {
                facts,
                status: EvalJobStatus::default(),
            },
        );
        self.notify(&uid);
    }

    pub(crate) fn create(&mut self) -> Uid {
        self.add(1, 0);
        self.order.last().unwrap().clone()
    }

    fn live(&self, which: u16) -> Option<Uid> {
        let live: Vec<&Uid> = self
            .jobs
            .iter()
            .filter(|(_, job)| !job.status.is_final())
            .map(|(uid, _)| uid)
            .collect();
        live.get(usize::from(which) % live.len().max(1))
            .map(|uid| (*uid).clone())
    }

    fn delete(&mut self, which: u16) {
        if let Some(uid) = self.live(which) {
            self.jobs.remove(&uid);
            self.send_watch(Event::JobDeleted(uid));
        }
    }

    fn edit(&mut self, which: u16, change: impl FnOnce(&mut JobFacts)) {
        if let Some(uid) = self.live(which) {
            change(&mut self.jobs.get_mut(&uid).unwrap().facts);
            self.notify(&uid);
        }
    }

    fn foreign(&mut self, which: u16) {
        if let Some(uid) = self.live(which) {
            let job = self.jobs.get_mut(&uid).unwrap();
            job.status.verdict = Some("Accepted".to_owned());
            job.status.message = Some("by hand".to_owned());
            self.send_watch(Event::JobDeleted(uid));
        }
    }

    fn facts(&self, uid: &Uid) -> JobFacts {
        let job = &self.jobs[uid];
        JobFacts {
            recorded: gate::recorded(&job.status),
            ..job.facts.clone()
        }
    }

    fn notify(&mut self, uid: &Uid) {
        let facts = self.facts(uid);
        self.send_watch(Event::JobApplied(Box::new(facts)));
    }

    fn send_watch(&mut self, event: Event) {
        if let Some(operator) = &mut self.operator {
            operator.watch.push_back(event);
        }
    }

    /// The CRD's rules: a verdict is final, the attempt never falls.
    fn store(&mut self, order: &WriteOrder) -> Outcome {
        let Some(job) = self.jobs.get_mut(&order.uid) else {
            return Outcome::Gone;
        };
        let fresh = &*order.status;
        let refused = |words: &str| Outcome::Refused {
            words: words.to_owned(),
            too_large: false,
        };
        if job.status.is_final() {
            return if job.status == *fresh {
                Outcome::Stored
            } else {
                refused("the first verdict is final")
            };
        }
        if fresh.attempt.unwrap_or(0) < job.status.attempt.unwrap_or(0) {
            return refused("attempt never falls");
        }
        let failures = fresh.infrastructure_failures.unwrap_or(0);
        assert!(
            failures <= i32::try_from(RETRIES).unwrap() + 1,
            "{}: {failures} failures",
            order.uid
        );
        let before = job.status.infrastructure_failures.unwrap_or(0);
        let overtaken = self.overtaken.contains(&order.uid);
        assert!(
            failures >= before || overtaken,
            "{}: failures fell",
            order.uid
        );
        job.status = fresh.clone();
        let label = match order.kind {
            WriteKind::Running => "Running",
            WriteKind::Advice => "Advice",
            WriteKind::Reserve => "Reserve",
            WriteKind::Suspended => "Suspended",
            WriteKind::Final => "Final",
        };
        self.stored
            .entry(order.uid.clone())
            .or_default()
            .push(label);
        if fresh.is_final() {
            self.send_watch(Event::JobDeleted(order.uid.clone()));
        } else {
            self.notify(&order.uid.clone());
        }
        Outcome::Stored
    }

    /// The job as it is stored.
    pub(crate) fn status_of(&self, uid: &Uid) -> EvalJobStatus {
        self.jobs[uid].status.clone()
    }

    /// Runs that agents have executed.
    pub(crate) fn executed(&self) -> usize {
        self.executed.len()
    }

    /// Runs that agents hold for a job, with their nodes.
    pub(crate) fn held(&self, uid: &Uid) -> Vec<(NodeName, RunId)> {
        self.agents
            .iter()
            .flat_map(|(node, agent)| {
                agent
                    .held
                    .iter()
                    .map(move |(run, _)| (node.clone(), run.clone()))
            })
            .filter(|(_, run)| run.uid == *uid)
            .collect()
    }

    /// Changes a job's spec; the watch tells the operator.
    pub(crate) fn change(&mut self, uid: &Uid, change: impl FnOnce(&mut JobFacts)) {
        change(&mut self.jobs.get_mut(uid).unwrap().facts);
        self.notify(uid);
    }

    /// The job's owner deletes it.
    pub(crate) fn remove(&mut self, uid: &Uid) {
        self.jobs.remove(uid);
        self.send_watch(Event::JobDeleted(uid.clone()));
    }

    /// Lets time pass in steps small enough for everything that waits for it.
    pub(crate) fn wait(&mut self, time: Duration) {
        let step = Duration::from_millis(500);
        let mut left = time;
        while !left.is_zero() {
            self.pass(step.min(left));
            left = left.saturating_sub(step);
            self.settle();
        }
    }

    /// Gives the operator an event of the scene's own.
    pub(crate) fn inject(&mut self, event: Event) {
        self.tell(event);
    }

    /// The facts of a job as a listing would have them.
    pub(crate) fn listed(&self, uid: &Uid) -> JobFacts {
        self.facts(uid)
    }

    /// Whether agents dial by themselves when the world settles.
    pub(crate) fn agents_dial(&mut self, dial: bool) {
        self.dial = dial;
    }

    pub(crate) fn writes_of(&self, uid: &Uid) -> Vec<&'static str> {
        self.stored.get(uid).cloned().unwrap_or_default()
    }

    // ---- operator ----

    fn operator_starts(&mut self) {
        if self.operator.is_some() {
            return;
        }
        self.term += 1;
        let rules = Rules {
            agent_grace: Duration::from_secs(20),
            spec_cache: 4,
            default_ttl: Duration::from_secs(60),
        };
        let mut watch = VecDeque::from([Event::JobsRelist]);
        for (uid, job) in &self.jobs {
            if !job.status.is_final() {
                watch.push_back(Event::JobListed(Box::new(self.facts(uid))));
            }
        }
        watch.push_back(Event::JobsListed);
        self.operator = Some(Operator {
            core: Decider::new(rules),
            watch,
            writes: Vec::new(),
            reads: Vec::new(),
            enlist: None,
            conns: HashMap::new(),
            current: HashMap::new(),
        });
        let nodes = (0..NODES)
            .map(|index| (node(index), NodeFacts::default()))
            .collect();
        self.tell(Event::NodesListed(nodes));
        self.tell(Event::Leading(self.epoch(), self.former.clone()));
    }

    fn epoch(&self) -> Epoch {
        Epoch {
            lease_uid: "lease".into(),
            transitions: self.term,
        }
    }

    fn operator_dies(&mut self) {
        if let Some(operator) = self.operator.take() {
            self.late.extend(operator.writes);
            for agent in self.agents.values_mut() {
                agent.hang_up();
            }
        }
    }

    fn watch(&mut self) {
        if let Some(event) = self
            .operator
            .as_mut()
            .and_then(|operator| operator.watch.pop_front())
        {
            self.tell(event);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall = self.now.wall.checked_add(time).unwrap();
        let due = |world: &Self| {
            let operator = world.operator.as_ref()?;
            operator
                .core
                .next_due()
                .filter(|due| *due <= world.now.mono)
        };
        let mut rounds = 0;
        while due(self).is_some() {
            self.tell(Event::Tick);
            rounds += 1;
            assert!(rounds < 100, "ticks lead nowhere");
        }
    }

    fn tell(&mut self, event: Event) {
        let now = self.now;
        let Some(operator) = &mut self.operator else {
            return;
        };
        let steps = operator.core.handle(event, now);
        for step in steps {
            self.carry_out(step);
        }
    }

    fn carry_out(&mut self, step: Step) {
        let operator = self.operator.as_mut().unwrap();
        let to = |conn: Conn| operator.conns.get(&conn).cloned();
        match step {
            Step::Run(order) => {
                let run = order.run.clone();
                let stored = self
                    .jobs
                    .get(&run.uid)
                    .and_then(|job| job.status.attempt)
                    .unwrap_or(0);
                if run.attempt > 1 && self.jobs.contains_key(&run.uid) {
                    assert!(
                        stored >= i32::try_from(run.attempt).unwrap(),
                        "{run} was sent before it was written"
                    );
                }
                assert_eq!(run.epoch.transitions, self.term);
                let node = to(order.conn);
                operator.current.insert(run.uid.clone(), run.clone());
                self.push_down(node, order.conn, Down::Run(run));
            }
            Step::Cancel(conn, run, verdict) => {
                let node = to(conn);
                if verdict.is_none() && operator.current.get(&run.uid) == Some(&run) {
                    operator.current.remove(&run.uid);
                }
                self.push_down(node, conn, Down::Cancel(run, verdict));
            }
            Step::Ack(conn, run) => {
                let node = to(conn);
                let believed = operator.current.get(&run.uid) == Some(&run);
                self.check_ack(&run, believed);
                self.push_down(node, conn, Down::Ack(run));
            }
            Step::Welcome(conn, _, keep) => {
                for run in &keep {
                    operator.current.insert(run.uid.clone(), run.clone());
                }
                let node = to(conn);
                self.push_down(node, conn, Down::Welcome(keep));
            }
            Step::Close(conn, _) => {
                let node = operator.conns.remove(&conn);
                if let Some(agent) = node.and_then(|node| self.agents.get_mut(&node))
                    && agent.conn == Some(conn)
                {
                    agent.hang_up();
                }
            }
            Step::Write(order) => {
                assert!(
                    operator.writes.iter().all(|other| other.uid != order.uid),
                    "two writes of {} at once",
                    order.uid
                );
                operator.writes.push(*order);
            }
            Step::Read(uid, key, id) => {
                self.reads += 1;
                operator.reads.push((uid, key, id));
            }
            Step::Load(order) => {
                self.loads += 1;
                let ready = evaljob_operator::decide::Loaded::Ready {
                    spec: b"{}".to_vec(),
                    inputs: Vec::new(),
                };
                operator
                    .watch
                    .push_back(Event::Loaded(order.uid.clone(), order.load, ready));
            }
            Step::Enlist(nodes) => operator.enlist = Some(nodes),
            Step::Finished(uid, ..) => {
                if let Some(job) = self.jobs.get(&uid) {
                    assert!(job.status.is_final(), "{uid} is thought finished");
                }
            }
            Step::Lost(..) | Step::Count(_) => {}
        }
    }

    /// Ack only for what is stored, or wanted by nobody.
    fn check_ack(&self, run: &RunId, believed: bool) {
        let Some(job) = self.jobs.get(&run.uid) else {
            return;
        };
        let suspended = gate::recorded(&job.status).suspended;
        let attempt = u32::try_from(job.status.attempt.unwrap_or(0)).unwrap();
        let settled = job.status.is_final() || attempt > run.attempt || suspended || !believed;
        assert!(
            settled,
            "Ack for {run}, but nothing of it is stored: {:?}",
            job.status
        );
    }

    fn push_down(&mut self, node: Option<NodeName>, conn: Conn, message: Down) {
        if let Some(agent) = node.and_then(|node| self.agents.get_mut(&node))
            && agent.conn == Some(conn)
        {
            agent.down.push_back(message);
        }
    }

    fn answer(&mut self, which: u16, how: u16) {
        let Some(operator) = &mut self.operator else {
            return;
        };
        if let Some(nodes) = operator.enlist.take() {
            self.former = Former::Known(nodes.clone());
            return self.tell(Event::Enlisted(nodes));
        }
        if !operator.reads.is_empty() && (which % 2 == 0 || operator.writes.is_empty()) {
            let (uid, _, id) = operator.reads.remove(0);
            let read = match self.jobs.get(&uid) {
                _ if how % 5 == 0 => ReadBack::Unavailable,
                None => ReadBack::Gone,
                Some(job) if job.status.is_final() => ReadBack::Finished,
                Some(job) => ReadBack::Live(gate::recorded(&job.status)),
            };
            return self.tell(Event::Read(uid, id, read));
        }
        if operator.writes.is_empty() {
            return;
        }
        let order = operator
            .writes
            .remove(usize::from(which) % operator.writes.len());
        let unavailable = Outcome::Unavailable { retry_after: None };
        let outcome = match how % 8 {
            0 => unavailable,
            1 => {
                self.store(&order);
                unavailable
            }
            2 if how % 64 == 2 => Outcome::Refused {
                words: "request is too large".into(),
                too_large: true,
            },
            _ => self.store(&order),
        };
        self.tell(Event::Written(order.uid, order.id, outcome));
    }

    // ---- agents ----

    fn agent_dials(&mut self, name: &NodeName) {
        let Some(operator) = &mut self.operator else {
            return;
        };
        let agent = self.agents.get_mut(name).unwrap();
        if agent.conn.is_some() {
            return;
        }
        self.conns += 1;
        let conn = Conn(self.conns);
        operator.conns.insert(conn, name.clone());
        agent.conn = Some(conn);
        let now = self.now.mono;
        let inventory = agent
            .held
            .iter()
            .map(|(run, stage)| Held {
                run: run.clone(),
                finished: matches!(stage, Stage::Finished { .. }),
                started: match stage {
                    Stage::Waiting => None,
                    Stage::Running(since) => Some(now - *since),
                    Stage::Finished { at, .. } => Some(now - *at),
                },
            })
            .collect();
        let facts = AgentFacts {
            node: name.clone(),
            pod_uid: format!("{name}-{}", agent.pod),
            capacity: Capacity {
                slots: 2,
                memory: 1 << 30,
                default_rootfs: true,
                landlock_abi: 7,
                credits: CREDITS,
                ..Capacity::default()
            },
            missing_layer: None,
            inventory,
        };
        agent.up.push_back(Event::Hello(conn, Box::new(facts)));
    }

    fn stream_breaks(&mut self, name: &NodeName) {
        let agent = self.agents.get_mut(name).unwrap();
        if let Some(conn) = agent.conn {
            // What was sent before the break may still arrive, its end last; the agent hears nothing any more.
            let mut rest = std::mem::take(&mut agent.up);
            agent.hang_up();
            if self.operator.is_some() {
                rest.push_back(Event::Closed(conn));
                for event in rest {
                    self.tell(event);
                }
            }
        }
    }

    fn agent_dies(&mut self, name: &NodeName) {
        self.stream_breaks(name);
        let agent = self.agents.get_mut(name).unwrap();
        agent.held.clear();
        agent.pod += 1;
    }

    fn up(&mut self, name: &NodeName) {
        if let Some(event) = self.agents.get_mut(name).unwrap().up.pop_front() {
            self.tell(event);
        }
    }

    fn down(&mut self, name: &NodeName) {
        let now = self.now.mono;
        let agent = self.agents.get_mut(name).unwrap();
        match agent.down.pop_front() {
            None => {}
            Some(Down::Welcome(keep)) => {
                agent.held.retain(|(run, _)| keep.contains(run));
                agent.welcomed = true;
                let held = agent.held.clone();
                for (run, stage) in held {
                    agent.report(&run, stage, now);
                }
            }
            Some(Down::Run(run)) => {
                assert!(agent.welcomed, "{run} before Welcome");
                assert!(
                    agent.held.len() < usize::try_from(CREDITS).unwrap(),
                    "more than the agent's credits"
                );
                assert!(
                    agent.held.iter().all(|(other, _)| *other != run),
                    "{run} twice"
                );
                agent.held.push((run, Stage::Waiting));
            }
            Some(Down::Cancel(run, None)) => agent.held.retain(|(other, _)| *other != run),
            Some(Down::Cancel(run, Some(verdict))) => {
                let done = Stage::Finished {
                    verdict,
                    infrastructure: false,
                    at: now,
                };
                if let Some((_, stage)) = agent.held.iter_mut().find(|(other, _)| *other == run)
                    && !matches!(stage, Stage::Finished { .. })
                {
                    *stage = done;
                    agent.report(&run, done, now);
                }
            }
            Some(Down::Ack(run)) => agent.held.retain(|(other, _)| *other != run),
        }
    }

    fn agent_starts(&mut self, name: &NodeName) {
        let now = self.now.mono;
        let agent = self.agents.get_mut(name).unwrap();
        if let Some((run, stage)) = agent
            .held
            .iter_mut()
            .find(|(_, stage)| *stage == Stage::Waiting)
        {
            assert!(
                self.executed.insert(run.clone()),
                "{run} was executed twice"
            );
            *stage = Stage::Running(now);
            let (run, stage) = (run.clone(), *stage);
            agent.report(&run, stage, now);
        }
    }

    fn agent_finishes(&mut self, name: &NodeName, how: u16) {
        let now = self.now.mono;
        let agent = self.agents.get_mut(name).unwrap();
        let infrastructure = how % 5 == 0;
        let verdict = if infrastructure {
            Verdict::InfrastructureError
        } else {
            Verdict::Accepted
        };
        if let Some((run, stage)) = agent
            .held
            .iter_mut()
            .find(|(_, stage)| matches!(stage, Stage::Running(_)))
        {
            *stage = Stage::Finished {
                verdict,
                infrastructure,
                at: now,
            };
            let (run, stage) = (run.clone(), *stage);
            agent.report(&run, stage, now);
        }
    }

    // ---- to the end ----

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
                    !operator.watch.is_empty(),
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

impl Agent {
    /// The agent's side of a broken stream.
    fn hang_up(&mut self) {
        self.conn = None;
        self.welcomed = false;
        self.down.clear();
        self.up.clear();
    }

    /// Says where a run is, once the stream is open for it.
    fn report(&mut self, run: &RunId, stage: Stage, now: Duration) {
        let Some(conn) = self.conn.filter(|_| self.welcomed) else {
            return;
        };
        self.up.push_back(match stage {
            Stage::Waiting => return,
            Stage::Running(since) => Event::Started(conn, run.clone(), now - since),
            Stage::Finished {
                verdict,
                infrastructure,
                at,
            } => Event::Done(
                conn,
                Box::new(Done {
                    run: run.clone(),
                    status: Some(Box::new(EvalJobStatus {
                        verdict: Some(verdict.into()),
                        ..EvalJobStatus::default()
                    })),
                    infrastructure,
                    age: now - at,
                }),
            ),
        });
    }
}

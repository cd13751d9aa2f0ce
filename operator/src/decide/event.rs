//! What happens to the operator, as the core takes it in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evaljob_crds::{EvalJobStatus, Missing, wire};

use super::agent::{AgentFacts, Unfit};
use super::job::JobFacts;
use super::writing::{Outcome, ReadBack};
use crate::names::{Conn, Epoch, NodeName, RunId, Uid};

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

/// Nodes whose agents may hold runs of an earlier term, as the Lease names them.
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
    Enlisted(Former),
    /// The API server's schema of jobs was read, and is another one; a listing of all live jobs follows.
    SchemaRead(Missing),
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
    Health(Conn, Option<Unfit>),
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
    /// It did because its agent shuts down, which is nobody's failure.
    pub returned: bool,
    /// How long ago it ended.
    pub age: Duration,
}

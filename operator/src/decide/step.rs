//! What the core wants done.

use std::sync::Arc;
use std::time::Duration;

use evaljob_crds::spec::ConfigMapKeyRef;
use evaljob_crds::{EvalJobStatus, Verdict, wire};

use super::event::Former;
use super::writing::WriteKind;
use crate::names::{Conn, Epoch, JobKey, NodeName, RunId, Uid};

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
    Enlist(Former),
    /// Tell whoever looks at an agent's Pod that its node runs nothing.
    Warn(Box<AgentWarning>),
    /// Tell the administrator which fields the CRD lacks, and whether nothing is run for it; `None`: none any more.
    CrdLacks(Option<String>, bool),
    /// A fact for metrics and logs.
    Count(Count),
}

/// A node that cannot enforce a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentWarning {
    /// The node.
    pub node: NodeName,
    /// Name of its agent's Pod.
    pub pod_name: String,
    /// uid of that Pod.
    pub pod_uid: String,
    /// The layer, with cause and way out.
    pub text: String,
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
    /// What the spec must still be, where it is known.
    pub digest: Option<u64>,
}

//! Names of the things decisions are about: jobs, nodes, streams, terms and runs.
//!
//! Plain values that are cheap to copy and to compare, and their forms on the wire. No I/O.

use std::fmt;
use std::sync::Arc;

use evaljob_crds::wire;

/// `metadata.uid` of an EvalJob: the only name of a job that is never given twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub Arc<str>);

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the API server keeps a job. The same key may come back with another uid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Name of a Node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(pub Arc<str>);

impl From<&str> for NodeName {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One agent stream of this process, numbered from 1 and never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u64);

/// A term of leadership.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// uid of the Lease.
    pub lease_uid: Arc<str>,
    /// Its `leaseTransitions` when leadership was won.
    pub transitions: u64,
}

impl Epoch {
    /// Whether this term came after `other`. Terms of different Leases are not ordered: `false` both ways.
    #[must_use]
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.lease_uid == other.lease_uid && self.transitions > other.transitions
    }
}

/// One execution of one job; an agent executes it at most once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId {
    /// The job.
    pub uid: Uid,
    /// The term that sent it.
    pub epoch: Epoch,
    /// From 1.
    pub attempt: u32,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} attempt {} of term {}",
            self.uid, self.attempt, self.epoch.transitions
        )
    }
}

impl From<&RunId> for wire::RunIdentity {
    fn from(run: &RunId) -> Self {
        Self {
            uid: run.uid.to_string(),
            epoch: Some(wire::Epoch::from(&run.epoch)),
            attempt: run.attempt,
        }
    }
}

impl From<&Epoch> for wire::Epoch {
    fn from(epoch: &Epoch) -> Self {
        Self {
            lease_uid: epoch.lease_uid.to_string(),
            transitions: epoch.transitions,
        }
    }
}

impl RunId {
    /// Reads the wire form; `None` where a part is missing (a peer that does not keep to the schema).
    #[must_use]
    pub fn from_wire(identity: Option<wire::RunIdentity>) -> Option<Self> {
        let identity = identity?;
        let epoch = identity.epoch?;
        if identity.uid.is_empty() || identity.attempt == 0 {
            return None;
        }
        Some(Self {
            uid: Uid(identity.uid.into()),
            epoch: Epoch {
                lease_uid: epoch.lease_uid.into(),
                transitions: epoch.transitions,
            },
            attempt: identity.attempt,
        })
    }
}

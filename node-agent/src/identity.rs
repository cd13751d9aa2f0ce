//! Names of terms and runs: which leader sent a run, and which execution of a job it is.
//!
//! In: their forms on the wire. Out: plain values that are cheap to copy, compare and log. Compares terms as the
//! wire schema says (`crds/proto/dispatch.proto`). No I/O.

use std::fmt;
use std::sync::Arc;

use evaljob_crds::wire;

/// A term of leadership.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// uid of the Lease.
    pub lease_uid: Arc<str>,
    /// Its `leaseTransitions` when leadership was won.
    pub transitions: u64,
}

impl Epoch {
    /// Reads the wire form; `None` where it is absent.
    pub fn from_wire(epoch: Option<wire::Epoch>) -> Option<Self> {
        epoch.map(|epoch| Self {
            lease_uid: epoch.lease_uid.into(),
            transitions: epoch.transitions,
        })
    }

    /// Whether this term is over, `other` being known. Terms of different Leases are not compared: `false`.
    pub fn is_before(&self, other: &Self) -> bool {
        self.lease_uid == other.lease_uid && self.transitions < other.transitions
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of Lease {}", self.transitions, self.lease_uid)
    }
}

/// One execution of one job. It happens at most once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId {
    /// `metadata.uid` of the EvalJob.
    pub uid: Arc<str>,
    /// The term that sent it.
    pub epoch: Epoch,
    /// From 1.
    pub attempt: u32,
}

impl RunId {
    /// Reads the wire form; `None` where a part is missing.
    pub fn from_wire(identity: Option<wire::RunIdentity>) -> Option<Self> {
        let identity = identity?;
        let epoch = Epoch::from_wire(identity.epoch)?;
        if identity.uid.is_empty() || identity.attempt == 0 {
            return None;
        }
        Some(Self {
            uid: identity.uid.into(),
            epoch,
            attempt: identity.attempt,
        })
    }

    /// The wire form.
    pub fn to_wire(&self) -> wire::RunIdentity {
        wire::RunIdentity {
            uid: self.uid.to_string(),
            epoch: Some(wire::Epoch {
                lease_uid: self.epoch.lease_uid.to_string(),
                transitions: self.epoch.transitions,
            }),
            attempt: self.attempt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(lease: &str, transitions: u64) -> Epoch {
        Epoch {
            lease_uid: lease.into(),
            transitions,
        }
    }

    #[test]
    fn terms_are_ordered_within_one_lease_only() {
        let rows = [
            ("an earlier one", epoch("a", 3), true),
            ("itself", epoch("a", 4), false),
            ("a later one", epoch("a", 5), false),
            ("a lower one of another Lease", epoch("b", 1), false),
        ];
        for (row, term, expected) in rows {
            assert_eq!(term.is_before(&epoch("a", 4)), expected, "{row}");
        }
    }

    #[test]
    fn an_identity_survives_the_wire_and_a_part_of_one_is_none() {
        let run = RunId {
            uid: "u".into(),
            epoch: epoch("lease", 7),
            attempt: 2,
        };
        assert_eq!(RunId::from_wire(Some(run.to_wire())), Some(run.clone()));
        type Spoil = fn(&mut wire::RunIdentity);
        let rows: [(&str, Spoil); 3] = [
            ("uid", |wire| wire.uid.clear()),
            ("epoch", |wire| wire.epoch = None),
            ("attempt", |wire| wire.attempt = 0),
        ];
        for (row, spoil) in rows {
            let mut wire = run.to_wire();
            spoil(&mut wire);
            assert_eq!(RunId::from_wire(Some(wire)), None, "{row}");
        }
        assert_eq!(RunId::from_wire(None), None);
    }
}

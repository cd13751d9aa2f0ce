//! What a Lease says and what to do about it. Pure: the Lease and the local clock in, an action out.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use crate::decide::Former;
use crate::names::{Epoch, NodeName};

/// Nodes whose agents may hold runs, joined by commas; `*`: too many to name.
pub const AGENTS: &str = "evaljob.dev/agents";
/// Longest list that is written; annotations of an object may have 256 KiB together.
const AGENTS_BYTES: usize = 200 * 1024;

/// Which Lease, and how it is held.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Unique to this process.
    pub identity: String,
    /// How long a holder is believed without a renewal.
    pub duration: Duration,
}

/// What an observer remembers of a Lease.
#[derive(Debug, Default)]
pub(super) struct Observed {
    version: Option<String>,
    since: Duration,
}

/// What to do about a Lease.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// There is none.
    Create,
    /// It is free: hold it in this term.
    Take(i32),
    /// It is held; look again after this time.
    Wait(Duration),
}

/// What a candidate does about a Lease it has just read.
pub(super) fn evaluate(
    lease: Option<&Lease>,
    observed: &mut Observed,
    now: Duration,
    own_duration: Duration,
) -> Action {
    let Some(lease) = lease else {
        return Action::Create;
    };
    let spec = lease.spec.clone().unwrap_or_default();
    let next_term = spec.lease_transitions.unwrap_or(0).saturating_add(1);
    if spec.holder_identity.as_deref().is_none_or(str::is_empty) {
        return Action::Take(next_term);
    }
    if observed.version != lease.metadata.resource_version {
        observed.version = lease.metadata.resource_version.clone();
        observed.since = now;
    }
    let duration = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(own_duration, Duration::from_secs);
    let expires = observed.since + duration;
    if expires <= now {
        Action::Take(next_term)
    } else {
        Action::Wait(expires - now)
    }
}

/// Nodes that a Lease names.
pub(super) fn former(lease: &Lease) -> Former {
    let annotation = lease
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(AGENTS));
    match annotation.map(String::as_str) {
        None | Some("*") => Former::Unknown,
        Some(text) => Former::Known(
            text.split(',')
                .filter(|name| !name.is_empty())
                .map(NodeName::from)
                .collect(),
        ),
    }
}

/// The annotation's text for these nodes.
pub(super) fn annotation(named: &Former) -> String {
    let Former::Known(nodes) = named else {
        return "*".to_owned();
    };
    let names: Vec<&str> = nodes.iter().map(|node| &*node.0).collect();
    let text = names.join(",");
    if text.len() > AGENTS_BYTES {
        "*".to_owned()
    } else {
        text
    }
}

/// The Lease as this process holds it in a term.
pub(super) fn held(mut lease: Lease, settings: &Settings, term: i32, now: MicroTime) -> Lease {
    let before = lease.spec.take().unwrap_or_default();
    let same = before.holder_identity.as_deref() == Some(&settings.identity);
    lease.metadata = ObjectMeta {
        name: Some(settings.name.clone()),
        namespace: Some(settings.namespace.clone()),
        ..lease.metadata
    };
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(settings.identity.clone()),
        lease_duration_seconds: i32::try_from(settings.duration.as_secs().max(1)).ok(),
        acquire_time: if same {
            before.acquire_time
        } else {
            Some(now.clone())
        },
        renew_time: Some(now),
        lease_transitions: Some(term),
        ..before
    });
    lease
}

pub(super) fn epoch_of(lease: &Lease) -> Epoch {
    let transitions = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_transitions)
        .unwrap_or(0);
    Epoch {
        lease_uid: lease.metadata.uid.clone().unwrap_or_default().into(),
        transitions: u64::try_from(transitions).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DURATION: Duration = Duration::from_secs(15);

    fn lease(holder: &str, version: &str, transitions: i32) -> Lease {
        Lease {
            metadata: ObjectMeta {
                resource_version: Some(version.to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                lease_duration_seconds: Some(15),
                // Another machine's clock, years off: nobody looks at it.
                renew_time: Some(MicroTime("2001-01-01T00:00:00Z".parse().unwrap())),
                lease_transitions: Some(transitions),
                ..LeaseSpec::default()
            }),
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_holder_is_dead_when_its_lease_stood_still_for_its_duration_here() {
        let mut observed = Observed::default();
        let rows = [
            (
                "first seen, whatever its times say",
                lease("a", "1", 4),
                100,
                Action::Wait(at(15)),
            ),
            ("unchanged", lease("a", "1", 4), 110, Action::Wait(at(5))),
            ("renewed", lease("a", "2", 4), 114, Action::Wait(at(15))),
            ("almost", lease("a", "2", 4), 128, Action::Wait(at(1))),
            ("over", lease("a", "2", 4), 129, Action::Take(5)),
        ];
        for (row, lease, now, expected) in rows {
            let action = evaluate(Some(&lease), &mut observed, at(now), DURATION);
            assert_eq!(action, expected, "{row}");
        }
    }

    #[test]
    fn a_lease_given_back_is_taken_at_once_in_a_term_of_its_own() {
        let mut observed = Observed::default();
        let action = evaluate(Some(&lease("", "9", 4)), &mut observed, at(0), DURATION);
        assert_eq!(action, Action::Take(5));
        assert_eq!(
            evaluate(None, &mut observed, at(0), DURATION),
            Action::Create
        );
    }

    #[test]
    fn the_next_leader_reads_whom_the_last_one_named() {
        let nodes: BTreeSet<NodeName> = ["n1", "a-node.example.test"].map(NodeName::from).into();
        let with = |text: String| {
            let mut lease = lease("a", "1", 0);
            lease.metadata.annotations = Some([(AGENTS.to_owned(), text)].into());
            lease
        };
        assert_eq!(
            former(&with(annotation(&Former::Known(nodes.clone())))),
            Former::Known(nodes)
        );
        assert_eq!(
            former(&with(annotation(&Former::Known(BTreeSet::new())))),
            Former::Known(BTreeSet::new())
        );
        assert_eq!(
            former(&lease("a", "1", 0)),
            Former::Unknown,
            "a leader that named nobody may have had anybody"
        );
        let many: BTreeSet<NodeName> = (0..10_000)
            .map(|index| NodeName(format!("{index:0>60}").into()))
            .collect();
        assert_eq!(
            former(&with(annotation(&Former::Known(many)))),
            Former::Unknown,
            "too many to name"
        );
    }

    #[test]
    fn holding_a_lease_keeps_what_others_put_there() {
        let settings = Settings {
            namespace: "n".into(),
            name: "l".into(),
            identity: "me".into(),
            duration: DURATION,
        };
        let mut before = lease("other", "7", 4);
        before.metadata.uid = Some("u".to_owned());
        before.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        let now = MicroTime("2026-01-01T00:00:00Z".parse().unwrap());
        let taken = held(before, &settings, 5, now.clone());
        assert_eq!(
            taken.metadata.resource_version.as_deref(),
            Some("7"),
            "a race is lost, not won twice"
        );
        assert!(taken.metadata.labels.is_some());
        assert_eq!(
            epoch_of(&taken),
            Epoch {
                lease_uid: "u".into(),
                transitions: 5
            }
        );
        let later = MicroTime("2026-01-01T00:00:05Z".parse().unwrap());
        let renewed = held(taken, &settings, 5, later.clone()).spec.unwrap();
        assert_eq!(
            (renewed.acquire_time, renewed.renew_time),
            (Some(now), Some(later))
        );
    }
}

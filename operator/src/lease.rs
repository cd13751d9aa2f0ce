//! Leadership by a Lease: who leads, in which term, and whether this process may still write.
//!
//! In: the Lease as the API server has it, the local monotonic clock. Out: [`Leadership`] events. A holder is
//! believed dead when its Lease has not changed for its duration by *this* machine's clock: the times in the Lease
//! are another machine's. A leader that could not renew for two thirds of the duration stops writing, and ends
//! after the whole of it, so that its successor never overlaps. The annotation [`AGENTS`] names the nodes whose
//! agents may hold runs, written before they are sent any: the next leader waits for them.
//! [`evaluate`] is pure; the rest carries it out.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::decide::{Event, Former};
use crate::names::{Epoch, NodeName};

/// Nodes whose agents may hold runs, joined by commas; `*`: too many to name.
pub const AGENTS: &str = "evaljob.dev/agents";
/// Longest list that is written; annotations of an object may have 256 KiB together.
const AGENTS_BYTES: usize = 200 * 1024;

/// Tries to give the Lease back at a shutdown.
const RELEASE_TRIES: usize = 3;

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

/// Why leadership ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Not renewed for its whole duration.
    #[error("the Lease could not be renewed for {} s (hint: is the API server reachable, and may this account update leases?)", .0.as_secs())]
    Expired(Duration),
    /// Somebody else holds it.
    #[error("the Lease is held by {holder:?} now")]
    Taken {
        /// The new holder.
        holder: String,
    },
    /// It was deleted, or deleted and made again.
    #[error("the Lease was deleted (hint: leave it alone; its deletion ends the leader)")]
    Deleted,
}

/// What an observer remembers of a Lease.
#[derive(Debug, Default)]
struct Observed {
    version: Option<String>,
    since: Duration,
}

/// What to do about a Lease.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    /// There is none.
    Create,
    /// It is free: hold it in this term.
    Take(i32),
    /// It is held; look again after this time.
    Wait(Duration),
}

/// What a candidate does about a Lease it has just read.
fn evaluate(
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
fn former(lease: &Lease) -> Former {
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
fn annotation(nodes: &BTreeSet<NodeName>) -> String {
    let names: Vec<&str> = nodes.iter().map(|node| &*node.0).collect();
    let text = names.join(",");
    if text.len() > AGENTS_BYTES {
        "*".to_owned()
    } else {
        text
    }
}

/// The shell: wins the Lease, keeps it, gives it back.
pub struct Leader {
    api: Api<Lease>,
    settings: Settings,
    clock: Clock,
    lease: Lease,
    /// When the last successful renewal was begun.
    renewed: Duration,
}

impl std::fmt::Debug for Leader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leader")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Leader {
    /// Waits until this process leads. `holder` is told who does meanwhile.
    pub async fn win(
        api: Api<Lease>,
        settings: Settings,
        clock: Clock,
        holder: &watch::Sender<Option<String>>,
    ) -> (Self, Epoch, Former) {
        let mut observed = Observed::default();
        let retry = settings.duration / 6;
        loop {
            let begun = clock.now().mono;
            match Self::attempt(&api, &settings, &clock, &mut observed, holder).await {
                Ok(Ok((lease, former))) => {
                    let epoch = epoch_of(&lease);
                    let leader = Self {
                        api,
                        settings,
                        clock,
                        lease,
                        renewed: begun,
                    };
                    return (leader, epoch, former);
                }
                Ok(Err(wait)) => tokio::time::sleep(wait.min(retry)).await,
                Err(error) => {
                    tracing::warn!(%error, "cannot read or take the Lease");
                    tokio::time::sleep(retry).await;
                }
            }
        }
    }

    /// One look at the Lease: won, or how long to wait.
    async fn attempt(
        api: &Api<Lease>,
        settings: &Settings,
        clock: &Clock,
        observed: &mut Observed,
        holder: &watch::Sender<Option<String>>,
    ) -> kube::Result<Result<(Lease, Former), Duration>> {
        let found = api.get_opt(&settings.name).await?;
        let now = clock.now();
        match evaluate(found.as_ref(), observed, now.mono, settings.duration) {
            Action::Wait(wait) => {
                let name = found.and_then(|lease| lease.spec?.holder_identity);
                holder.send_replace(name);
                Ok(Err(wait))
            }
            Action::Create => {
                let lease = held(Lease::default(), settings, 0, MicroTime(now.wall));
                let made = api.create(&PostParams::default(), &lease).await;
                lost_race(made).map(|made| {
                    made.map(|lease| (lease, Former::Unknown))
                        .ok_or(Duration::ZERO)
                })
            }
            Action::Take(term) => {
                let found = found.unwrap_or_default();
                let former = former(&found);
                let lease = held(found, settings, term, MicroTime(now.wall));
                let taken = api
                    .replace(&settings.name, &PostParams::default(), &lease)
                    .await;
                lost_race(taken)
                    .map(|taken| taken.map(|lease| (lease, former)).ok_or(Duration::ZERO))
            }
        }
    }

    /// Keeps the Lease until it is lost; names in it the nodes that `wanted` gets, and says so to `events`.
    ///
    /// # Errors
    /// Why leadership ended.
    pub async fn keep(
        &mut self,
        mut wanted: watch::Receiver<BTreeSet<NodeName>>,
        events: &mpsc::Sender<Event>,
        may_write: &watch::Sender<bool>,
    ) -> LeaseError {
        let interval = self.settings.duration / 5;
        loop {
            let now = self.clock.now().mono;
            let fence = self.renewed + self.settings.duration * 2 / 3;
            let end = self.renewed + self.settings.duration;
            if now >= end {
                return LeaseError::Expired(self.settings.duration);
            }
            // The next deadline of the three: renewal, the fence, the end.
            let fenced = now >= fence;
            if fenced && *may_write.borrow() {
                may_write.send_replace(false);
                let _ = events.send(Event::Fenced).await;
            }
            let limit = if fenced { end } else { fence };
            let nodes = wanted.borrow_and_update().clone();
            let begun = now;
            match tokio::time::timeout(limit.saturating_sub(now), self.renew(&nodes)).await {
                Ok(Ok(())) => {
                    self.renewed = begun;
                    if !*may_write.borrow() {
                        may_write.send_replace(true);
                        let _ = events.send(Event::Unfenced).await;
                    }
                    let _ = events.send(Event::Enlisted(nodes)).await;
                    tokio::select! {
                        () = tokio::time::sleep(interval) => {}
                        _ = wanted.changed() => {}
                    }
                }
                Ok(Err(RenewError::Lost(error))) => return error,
                Ok(Err(RenewError::Api(error))) => {
                    tracing::warn!(%error, "cannot renew the Lease");
                    tokio::time::sleep(interval / 4).await;
                }
                // Another try at once: with the version just read, or past the deadline that ended this one.
                Ok(Err(RenewError::Again)) | Err(_) => {}
            }
        }
    }

    /// One renewal.
    async fn renew(&mut self, nodes: &BTreeSet<NodeName>) -> Result<(), RenewError> {
        let term = self
            .lease
            .spec
            .as_ref()
            .and_then(|spec| spec.lease_transitions)
            .unwrap_or(0);
        let mut lease = held(
            self.lease.clone(),
            &self.settings,
            term,
            MicroTime(self.clock.now().wall),
        );
        lease
            .metadata
            .annotations
            .get_or_insert_default()
            .insert(AGENTS.to_owned(), annotation(nodes));
        let name = self.settings.name.clone();
        match self
            .api
            .replace(&name, &PostParams::default(), &lease)
            .await
        {
            Ok(lease) => {
                self.lease = lease;
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                Err(RenewError::Lost(LeaseError::Deleted))
            }
            Err(kube::Error::Api(status)) if status.code == 409 => self.after_conflict().await,
            Err(error) => Err(RenewError::Api(error)),
        }
    }

    /// Somebody wrote the Lease: still ours (a label was set, or our own write's answer was lost), or lost.
    async fn after_conflict(&mut self) -> Result<(), RenewError> {
        let found = self
            .api
            .get_opt(&self.settings.name)
            .await
            .map_err(RenewError::Api)?;
        let Some(lease) = found.filter(|lease| lease.metadata.uid == self.lease.metadata.uid)
        else {
            return Err(RenewError::Lost(LeaseError::Deleted));
        };
        let holder = lease
            .spec
            .as_ref()
            .and_then(|spec| spec.holder_identity.clone())
            .unwrap_or_default();
        if holder != self.settings.identity {
            return Err(RenewError::Lost(LeaseError::Taken { holder }));
        }
        self.lease = lease;
        Err(RenewError::Again)
    }

    /// Gives the Lease back, so that the next leader need not wait. Called after the last write.
    pub async fn release(mut self) {
        // A renewal may have been interrupted: then the version is not the one that is known.
        for _ in 0..RELEASE_TRIES {
            let spec = self.lease.spec.get_or_insert_default();
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            match self
                .api
                .replace(&self.settings.name, &PostParams::default(), &self.lease)
                .await
            {
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "the Lease was not given back yet"),
            }
            match self.after_conflict().await {
                Err(RenewError::Again) => {}
                _ => break,
            }
        }
        tracing::warn!("the Lease could not be given back; the next leader waits until it expires");
    }
}

/// Why a renewal failed.
enum RenewError {
    /// For good.
    Lost(LeaseError),
    /// For now.
    Api(kube::Error),
    /// The Lease was written meanwhile, but is still ours.
    Again,
}

/// `None` where somebody else was faster.
fn lost_race(answer: kube::Result<Lease>) -> kube::Result<Option<Lease>> {
    match answer {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}

/// The Lease as this process holds it in a term.
fn held(mut lease: Lease, settings: &Settings, term: i32, now: MicroTime) -> Lease {
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

fn epoch_of(lease: &Lease) -> Epoch {
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
        assert_eq!(former(&with(annotation(&nodes))), Former::Known(nodes));
        assert_eq!(
            former(&with(annotation(&BTreeSet::new()))),
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
            former(&with(annotation(&many))),
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

//! Leadership by a Lease: who leads, in which term, and whether this process may still write.
//!
//! In: the Lease as the API server has it, the local monotonic clock. Out: [`Leadership`] events. A holder is
//! believed dead when its Lease has not changed for its duration by *this* machine's clock: the times in the Lease
//! are another machine's. A leader that could not renew for two thirds of the duration stops writing, and ends
//! after the whole of it, so that its successor never overlaps. The annotation [`AGENTS`] names the nodes whose
//! agents may hold runs, written before they are sent any: the next leader waits for them.
//! [`evaluate`] is pure; the rest carries it out.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
use tokio::sync::{mpsc, watch};

mod claim;

pub use claim::{AGENTS, Settings};
use claim::{Action, Observed, annotation, epoch_of, evaluate, former, held};

use crate::clock::Clock;
use crate::decide::{Event, Former};
use crate::names::Epoch;

/// Tries to give the Lease back at a shutdown.
const RELEASE_TRIES: usize = 3;

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
        mut wanted: watch::Receiver<Option<Former>>,
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
            let named = wanted.borrow_and_update().clone();
            let begun = now;
            match tokio::time::timeout(limit.saturating_sub(now), self.renew(named.as_ref())).await
            {
                Ok(Ok(())) => {
                    self.renewed = begun;
                    if !*may_write.borrow() {
                        may_write.send_replace(true);
                        let _ = events.send(Event::Unfenced).await;
                    }
                    if let Some(named) = named {
                        let _ = events.send(Event::Enlisted(named)).await;
                    }
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
    async fn renew(&mut self, named: Option<&Former>) -> Result<(), RenewError> {
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
        // Before the core has spoken the names of the earlier leader stay.
        if let Some(named) = named {
            let annotations = lease.metadata.annotations.get_or_insert_default();
            annotations.insert(AGENTS.to_owned(), annotation(named));
        }
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

//! Deletes finished jobs whose time to live is over, and the oldest beyond `--max-finished`.
//!
//! In: what the core has finished, and one paged list at the start. Out: for each job one read, in which the spec's
//! present time to live counts, and one delete with uid and resourceVersion: an edit in between is not overrun. Only
//! the leader does this. Memory: name, uid and two times per finished job. A clock that is off by minutes deletes
//! nothing early: times are the API server's.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Preconditions};
use tokio::sync::{Semaphore, mpsc};

use crate::clock::{Clock, Now};
use crate::gate::{self, LiveJob};
use crate::metrics::Metrics;
use crate::names::{JobKey, Uid};

mod shelf;

use shelf::Shelf;

/// Jobs per page of the list at the start: each may have 1 MiB.
const PAGE: u32 = 50;
/// Deletes under way.
const CONCURRENCY: usize = 8;
/// Wait after a failed read, delete or page.
const AGAIN: Duration = Duration::from_secs(5);
/// Time between two lists that look which jobs beyond the limit still exist.
const RECOUNT: Duration = Duration::from_secs(600);
/// Longest time for one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the keeper is told.
#[derive(Debug)]
pub enum Note {
    /// A verdict was stored just now.
    Finished(Uid, JobKey, Duration),
    /// Somebody else finished or deleted the job.
    Lost(Uid, JobKey),
}

/// Settings.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Time to live of jobs that name none.
    pub default_ttl: Duration,
    /// Finished jobs that are kept.
    pub max_finished: usize,
}

/// The keeper of finished jobs.
#[derive(Clone)]
pub struct Keeper {
    client: Client,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What a look at a job led to.
#[derive(Debug)]
enum Looked {
    /// Deleted, gone, or not finished.
    Settled,
    /// To be looked at again: its time to live was raised, or the API server could not be asked.
    Keep(Kept),
}

/// A finished job.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    uid: Uid,
    key: JobKey,
    /// When it ended.
    ended: Timestamp,
    /// When to look at it, on the monotonic clock.
    due: Duration,
}

impl Keeper {
    /// A keeper that has not listed anything yet.
    #[must_use]
    pub fn new(client: Client, settings: Settings, clock: Clock, metrics: Metrics) -> Self {
        Self {
            client,
            settings,
            clock,
            metrics,
        }
    }

    /// Keeps until the notes' sender is gone.
    pub async fn run(self, mut notes: mpsc::UnboundedReceiver<Note>) {
        let mut shelf = Shelf::default();
        self.refill(&mut shelf).await;
        let mut counted = self.clock.now().mono;
        let (done, mut looked) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        loop {
            let now = self.clock.now();
            while let Some(kept) = shelf.pop_due(now.mono) {
                self.look(kept, false, &permits, &done);
            }
            if shelf.len() > self.settings.max_finished && now.mono >= counted + RECOUNT {
                // Jobs that their owners deleted are still counted: look who is there before anything goes early.
                self.refill(&mut shelf).await;
                counted = self.clock.now().mono;
                while shelf.len() > self.settings.max_finished
                    && let Some(kept) = shelf.pop_oldest()
                {
                    self.look(kept, true, &permits, &done);
                }
            }
            self.metrics
                .finished_tracked
                .set(i64::try_from(shelf.len()).unwrap_or(i64::MAX));
            let wait = shelf
                .next_due()
                .map_or(RECOUNT, |due| due.saturating_sub(now.mono))
                .min(RECOUNT);
            tokio::select! {
                note = notes.recv() => match note {
                    Some(Note::Finished(uid, key, ttl)) => {
                        let now = self.clock.now();
                        shelf.add(Kept { uid, key, ended: now.wall, due: now.mono.saturating_add(ttl) });
                    }
                    Some(Note::Lost(uid, key)) => {
                        // Not the time at which the wait for this began: it may have been long.
                        let now = self.clock.now();
                        self.look(Kept { uid, key, ended: now.wall, due: now.mono }, false, &permits, &done);
                    }
                    None => return,
                },
                Some(looked) = looked.recv() => {
                    if let Looked::Keep(kept) = looked {
                        shelf.add(kept);
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Looks at a job in a task of its own. `early`: delete it whatever its time to live.
    fn look(
        &self,
        kept: Kept,
        early: bool,
        permits: &Arc<Semaphore>,
        done: &mpsc::UnboundedSender<Looked>,
    ) {
        let (keeper, permits, done) = (self.clone(), permits.clone(), done.clone());
        tokio::spawn(async move {
            let Ok(_permit) = permits.acquire_owned().await else {
                return;
            };
            let looked = match tokio::time::timeout(TIMEOUT, keeper.settle(&kept, early)).await {
                Ok(Ok(looked)) => looked,
                Ok(Err(error)) => {
                    tracing::warn!(job = %kept.key, uid = %kept.uid, %error, "cannot look at or delete a finished job");
                    keeper.again(kept)
                }
                Err(_) => keeper.again(kept),
            };
            let _ = done.send(looked);
        });
    }

    fn again(&self, kept: Kept) -> Looked {
        Looked::Keep(Kept {
            due: self.clock.now().mono + AGAIN,
            ..kept
        })
    }

    /// Reads a job and deletes it where its time is over.
    async fn settle(&self, kept: &Kept, early: bool) -> kube::Result<Looked> {
        let api: Api<LiveJob> = Api::namespaced(self.client.clone(), &kept.key.namespace);
        let Some(live) = api.get_opt(&kept.key.name).await? else {
            return Ok(Looked::Settled);
        };
        let version = live.metadata.resource_version.clone();
        let found = kept_of(
            &live,
            kept.ended,
            self.settings.default_ttl,
            self.clock.now(),
        );
        let Some(now_kept) = found.filter(|found| found.uid == kept.uid) else {
            return Ok(Looked::Settled);
        };
        if !early && now_kept.due > self.clock.now().mono {
            return Ok(Looked::Keep(now_kept));
        }
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(kept.uid.to_string()),
                resource_version: version,
            }),
            ..DeleteParams::default()
        };
        match api.delete(&kept.key.name, &params).await {
            Ok(_) => {
                tracing::debug!(job = %kept.key, uid = %kept.uid, early, "finished job deleted");
                self.metrics.deleted.inc();
                Ok(Looked::Settled)
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Looked::Settled),
            // Edited since it was read: read again.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Looked::Keep(Kept {
                due: self.clock.now().mono,
                ..now_kept
            })),
            Err(error) => Err(error),
        }
    }

    /// Fills the shelf with every finished job there is.
    async fn refill(&self, shelf: &mut Shelf) {
        loop {
            match self.list().await {
                Ok(all) => {
                    *shelf = Shelf::default();
                    all.into_iter().for_each(|kept| shelf.add(kept));
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot list the finished jobs");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn list(&self) -> kube::Result<Vec<Kept>> {
        let api: Api<LiveJob> = Api::all(self.client.clone());
        let mut params = ListParams::default().fields("status.verdict!=").limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = api.list(&params).await?;
            let now = self.clock.now();
            let ttl = self.settings.default_ttl;
            all.extend(
                page.items
                    .iter()
                    .filter_map(|live| kept_of(live, Timestamp::MIN, ttl, now)),
            );
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(all),
            }
        }
    }
}

/// What is kept of a finished job; `None` while it has no verdict. It did not end before `noticed`, nor before it was
/// created: a status by hand may say what it likes.
fn kept_of(live: &LiveJob, noticed: Timestamp, default_ttl: Duration, now: Now) -> Option<Kept> {
    let status = gate::lenient_status(&live.status);
    if !status.is_final() {
        return None;
    }
    let ttl = live
        .spec
        .get("ttlSecondsAfterFinished")
        .and_then(serde_json::Value::as_u64)
        .map_or(default_ttl, Duration::from_secs);
    let created = live
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(Timestamp::MIN, |time| time.0);
    let ended = status
        .completion_time
        .as_ref()
        .map_or(Timestamp::MIN, |time| time.0)
        .max(noticed)
        .max(created);
    let over = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    let over = ended.as_second().saturating_add(over);
    let due = Timestamp::from_second(over).map_or(Duration::MAX, |over| now.mono_at(over));
    Some(Kept {
        uid: live.uid()?,
        key: live.key()?,
        ended,
        due,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finished(ttl: Option<u64>, completion: &str) -> LiveJob {
        let mut spec = json!({"command": ["true"]});
        if let Some(ttl) = ttl {
            spec["ttlSecondsAfterFinished"] = json!(ttl);
        }
        serde_json::from_value(json!({
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": spec,
            "status": {"verdict": "Accepted", "completionTime": completion},
        }))
        .unwrap()
    }

    fn now() -> Now {
        Now {
            mono: Duration::from_secs(100),
            wall: "2026-01-01T00:10:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_time_to_live_counts_from_the_end_on_the_servers_clock() {
        let day = Duration::from_secs(86_400);
        let end = "2026-01-01T00:09:58.000000Z";
        let rows = [
            ("named", Some(5), 103),
            ("zero is over at once", Some(0), 98),
            ("absent: the default", None, 100 - 2 + 86_400),
            ("beyond all times", Some(u64::MAX), u64::MAX),
        ];
        for (row, ttl, expected) in rows {
            let kept = kept_of(&finished(ttl, end), Timestamp::MIN, day, now()).unwrap();
            let seconds = if kept.due == Duration::MAX {
                u64::MAX
            } else {
                kept.due.as_secs()
            };
            assert_eq!(seconds, expected, "{row}");
        }
    }

    #[test]
    fn a_live_job_is_never_kept_and_a_status_by_hand_counts_from_creation() {
        let mut live = finished(Some(5), "2026-01-01T00:09:58.000000Z");
        live.status = json!({"verdict": "Accepted"});
        let created = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
        let ended =
            |live: &LiveJob, noticed| kept_of(live, noticed, Duration::ZERO, now()).unwrap().ended;
        assert_eq!(ended(&live, Timestamp::MIN), created);
        assert_eq!(
            ended(&live, now().wall),
            now().wall,
            "it was seen to end just now"
        );
        live.status["completionTime"] = json!("2001-01-01T00:00:00.000000Z");
        assert_eq!(ended(&live, Timestamp::MIN), created);
        live.status = json!({});
        assert_eq!(kept_of(&live, Timestamp::MIN, Duration::ZERO, now()), None);
    }
}

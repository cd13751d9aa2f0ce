//! The only part that writes to EvalJobs: one JSON Patch per status, and the read that follows a refusal.
//!
//! In: [`WriteOrder`]s and read orders of the core. Out: one request each, and its answer as an event. What an answer
//! means is decided by [`classify`] and, beyond that, in `decide`; nothing is retried here. At most
//! [`CONCURRENCY`] requests are under way, and none starts while the Lease is older than two thirds of its time.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use prometheus_client::metrics::histogram::Histogram;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::clock::Clock;
use crate::decide::{Event, Outcome, ReadBack, Recorded, WriteKind, WriteOrder};
use crate::gate;
use crate::metrics::Metrics;
use crate::names::{JobKey, Uid};

/// Requests under way: enough to fill an API server, few enough to share it.
const CONCURRENCY: u32 = 32;
/// A request without an answer for this long is given up and made again.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Name under which managedFields show the writes.
const FIELD_MANAGER: &str = "evaljob-operator";
/// The answer to a write is only looked at for its code: the server need not send the whole job back.
const METADATA_ONLY: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// A request to the API server.
#[derive(Debug)]
pub enum Order {
    /// Store a status.
    Write(Box<WriteOrder>),
    /// See what a job looks like.
    Read(Uid, JobKey, u64),
}

/// The requests under way.
#[derive(Debug, Clone)]
pub struct UnderWay(Arc<Semaphore>);

impl UnderWay {
    /// Waits until none is. Where `may_write` was taken back before, none begins any more, and another may lead.
    pub async fn ended(&self) {
        let _all = self.0.acquire_many(CONCURRENCY).await;
    }
}

/// The writer's shell.
#[derive(Clone)]
pub struct StatusWriter {
    client: Client,
    events: mpsc::Sender<Event>,
    /// Whether the Lease is fresh enough to write.
    may_write: watch::Receiver<bool>,
    permits: Arc<Semaphore>,
    metrics: Metrics,
    seconds: Histogram,
    clock: Clock,
}

impl std::fmt::Debug for StatusWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusWriter").finish_non_exhaustive()
    }
}

impl StatusWriter {
    /// A writer that answers to `events`.
    #[must_use]
    pub fn new(
        client: Client,
        events: mpsc::Sender<Event>,
        may_write: watch::Receiver<bool>,
        metrics: Metrics,
        seconds: Histogram,
        clock: Clock,
    ) -> Self {
        Self {
            client,
            events,
            may_write,
            permits: Arc::new(Semaphore::new(usize::try_from(CONCURRENCY).unwrap_or(1))),
            metrics,
            seconds,
            clock,
        }
    }

    /// To wait for what is under way.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        UnderWay(self.permits.clone())
    }

    /// Carries out orders until their sender is gone.
    pub async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        while let Some(order) = orders.recv().await {
            let permit = loop {
                if self.may_write.wait_for(|may| *may).await.is_err() {
                    return;
                }
                let Ok(permit) = self.permits.clone().acquire_owned().await else {
                    return;
                };
                // It may have been taken back while this waited for its turn.
                if *self.may_write.borrow() {
                    break permit;
                }
            };
            let writer = self.clone();
            tokio::spawn(async move {
                let event = match order {
                    Order::Write(order) => writer.write(*order).await,
                    Order::Read(uid, key, id) => writer.read(uid, &key, id).await,
                };
                drop(permit);
                // The engine is gone only when the process ends.
                let _ = writer.events.send(event).await;
            });
        }
    }

    async fn write(&self, order: WriteOrder) -> Event {
        let begin = self.clock.now().mono;
        let answer = match patch(&order) {
            Ok(request) => {
                let call = self.client.request_text(request);
                tokio::time::timeout(TIMEOUT, call).await
            }
            Err(words) => {
                return Event::Written(
                    order.uid,
                    order.id,
                    Outcome::Refused {
                        words,
                        too_large: false,
                    },
                );
            }
        };
        let outcome = match answer {
            Ok(Ok(_)) => Outcome::Stored,
            Ok(Err(error)) => classify(&error),
            Err(_) => Outcome::Unavailable { retry_after: None },
        };
        let elapsed = self.clock.now().mono.saturating_sub(begin);
        self.seconds.observe(elapsed.as_secs_f64());
        let labels = [
            ("kind", kind_label(order.kind)),
            ("outcome", outcome_label(&outcome)),
        ];
        self.metrics.writes.get_or_create(&labels).inc();
        if outcome != Outcome::Stored {
            tracing::warn!(job = %order.key, uid = %order.uid, kind = kind_label(order.kind), ?outcome, "status not stored");
        }
        Event::Written(order.uid, order.id, outcome)
    }

    async fn read(&self, uid: Uid, key: &JobKey, id: u64) -> Event {
        let read = match get(key) {
            Ok(request) => {
                let call = self.client.request::<Stored>(request);
                match tokio::time::timeout(TIMEOUT, call).await {
                    Ok(Ok(stored)) => stored.read_back(&uid),
                    Ok(Err(kube::Error::Api(status))) if status.code == 404 => ReadBack::Gone,
                    Ok(Err(error)) => {
                        tracing::warn!(job = %key, %uid, %error, "cannot read a job whose status was refused");
                        ReadBack::Unavailable
                    }
                    Err(_) => ReadBack::Unavailable,
                }
            }
            Err(_) => ReadBack::Gone,
        };
        Event::Read(uid, id, read)
    }
}

/// What a read after a refusal looks at.
#[derive(Debug, Deserialize)]
struct Stored {
    metadata: StoredMeta,
    #[serde(default)]
    status: Value,
}

#[derive(Debug, Deserialize)]
struct StoredMeta {
    uid: String,
}

impl Stored {
    fn read_back(&self, uid: &Uid) -> ReadBack {
        if *self.metadata.uid != *uid.0 {
            return ReadBack::Gone;
        }
        if self
            .status
            .get("verdict")
            .is_some_and(|verdict| !verdict.is_null())
        {
            return ReadBack::Finished;
        }
        ReadBack::Live(recorded(&self.status))
    }
}

/// What a status without a verdict says.
fn recorded(status: &Value) -> Recorded {
    gate::recorded(&gate::lenient_status(status))
}

/// Path of a job below the API server's root.
#[must_use]
pub fn path(key: &JobKey) -> String {
    format!(
        "/apis/evaljob.dev/v1alpha1/namespaces/{}/evaljobs/{}",
        key.namespace, key.name
    )
}

/// The request that stores a status: the uid is tested first, because a uid in a merge or apply patch to /status is
/// ignored; no resourceVersion, because a user's annotation must not refuse a result.
fn patch(order: &WriteOrder) -> Result<Request<Vec<u8>>, String> {
    let body = json!([
        {"op": "test", "path": "/metadata/uid", "value": *order.uid.0},
        {"op": "add", "path": "/status", "value": *order.status},
    ]);
    Request::builder()
        .method(Method::PATCH)
        .uri(format!(
            "{}/status?fieldManager={FIELD_MANAGER}",
            path(&order.key)
        ))
        .header(http::header::CONTENT_TYPE, "application/json-patch+json")
        .header(http::header::ACCEPT, METADATA_ONLY)
        .body(body.to_string().into_bytes())
        .map_err(|error| error.to_string())
}

/// The request that reads a job.
fn get(key: &JobKey) -> http::Result<Request<Vec<u8>>> {
    Request::builder()
        .method(Method::GET)
        .uri(path(key))
        .body(Vec::new())
}

/// What an answer other than success means.
fn classify(error: &kube::Error) -> Outcome {
    let kube::Error::Api(status) = error else {
        return Outcome::Unavailable { retry_after: None };
    };
    let words = status.message.clone();
    let too_large = status.code == 413 || words.contains("too large");
    match status.code {
        404 => Outcome::Gone,
        400 | 413 | 422 => Outcome::Refused { words, too_large },
        // etcd's own limit comes as 500.
        500 if too_large => Outcome::Refused { words, too_large },
        _ => Outcome::Unavailable {
            retry_after: status
                .details
                .as_ref()
                .map(|details| Duration::from_secs(u64::from(details.retry_after_seconds))),
        },
    }
}

/// Metric label of what a write says.
fn kind_label(kind: WriteKind) -> &'static str {
    match kind {
        WriteKind::Running => "running",
        WriteKind::Advice => "advice",
        WriteKind::Reserve => "reserve",
        WriteKind::Suspended => "suspended",
        WriteKind::Final => "final",
    }
}

fn outcome_label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Stored => "stored",
        Outcome::Gone => "gone",
        Outcome::Refused { .. } => "refused",
        Outcome::Unavailable { .. } => "unavailable",
    }
}

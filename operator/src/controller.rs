//! The watches: live jobs and nodes in, events out.
//!
//! Jobs are watched with the field selector `status.verdict=`, so that memory grows with live jobs only; one that
//! gets a verdict arrives as deleted. The watch of jobs begins after leadership is won: what its first listing
//! does not have, no earlier leader can have sent. Lists are streamed; a server that cannot is asked in pages.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use evaljob_crds::Missing;
use futures::{Stream, TryStreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, InitialListStrategy, watcher};
use kube::{Client, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

use crate::decide::{Event, NodeFacts};
use crate::gate::{self, LiveJob};
use crate::names::NodeName;

/// Absent matches the empty string.
const LIVE: &str = "status.verdict=";

/// A Node, as far as placement looks at it: its status, which changes all the time, is not even parsed.
#[derive(Debug, Clone, Default, Deserialize)]
struct WatchedNode {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: WatchedNodeSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct WatchedNodeSpec {
    #[serde(default)]
    unschedulable: bool,
}

impl Resource for WatchedNode {
    type DynamicType = ();
    type Scope = kube::core::ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Node".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "nodes".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Watches live jobs until the engine is gone, each time anew when the API server's schema changes: what was read
/// before was read without some fields. `cluster_max`: the longest a job may be live.
pub async fn jobs(
    client: Client,
    cluster_max: Duration,
    mut schema: watch::Receiver<Option<Missing>>,
    events: mpsc::Sender<Event>,
) {
    loop {
        let Ok(Some(missing)) = schema
            .wait_for(Option::is_some)
            .await
            .map(|known| known.clone())
        else {
            return;
        };
        schema.mark_unchanged();
        if events.send(Event::SchemaRead(missing)).await.is_err() {
            return;
        }
        tokio::select! {
            () = live_jobs(client.clone(), cluster_max, &events) => return,
            changed = schema.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

async fn live_jobs(client: Client, cluster_max: Duration, events: &mpsc::Sender<Event>) {
    let api: Api<LiveJob> = Api::all(client);
    let facts = |live| gate::facts(live, cluster_max).map(Box::new);
    follow(api, Config::default().fields(LIVE), |event| {
        let event = match event {
            watcher::Event::Init => Some(Event::JobsRelist),
            watcher::Event::InitApply(live) => facts(live).map(Event::JobListed),
            watcher::Event::InitDone => Some(Event::JobsListed),
            watcher::Event::Apply(live) => facts(live).map(Event::JobApplied),
            watcher::Event::Delete(live) => live.uid().map(Event::JobDeleted),
        };
        async move {
            match event {
                Some(event) => events.send(event).await.is_ok(),
                None => true,
            }
        }
    })
    .await;
}

/// Watches nodes until the engine is gone.
pub async fn nodes(client: Client, events: mpsc::Sender<Event>) {
    let api: Api<WatchedNode> = Api::all(client);
    let mut listing = BTreeMap::new();
    follow(api, Config::default(), |event| {
        let event = match event {
            watcher::Event::Init => {
                listing.clear();
                None
            }
            watcher::Event::InitApply(node) => {
                listing.extend(facts(node));
                None
            }
            watcher::Event::InitDone => Some(Event::NodesListed(std::mem::take(&mut listing))),
            watcher::Event::Apply(node) => {
                facts(node).map(|(name, facts)| Event::NodeApplied(name, facts))
            }
            watcher::Event::Delete(node) => facts(node).map(|(name, _)| Event::NodeDeleted(name)),
        };
        let events = &events;
        async move {
            match event {
                Some(event) => events.send(event).await.is_ok(),
                None => true,
            }
        }
    })
    .await;
}

fn facts(node: WatchedNode) -> Option<(NodeName, NodeFacts)> {
    let facts = NodeFacts {
        labels: node.metadata.labels.unwrap_or_default(),
        cordoned: node.spec.unschedulable,
    };
    Some((NodeName(node.metadata.name?.into()), facts))
}

/// Runs a watch; `take` says whether to go on.
async fn follow<K, F>(api: Api<K>, config: Config, mut take: impl FnMut(watcher::Event<K>) -> F)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    F: Future<Output = bool>,
{
    let kind = K::kind(&());
    let mut strategy = InitialListStrategy::StreamingList;
    loop {
        let config = Config {
            initial_list_strategy: strategy.clone(),
            ..config.clone()
        };
        let mut stream = std::pin::pin!(stream(api.clone(), config));
        loop {
            match stream.try_next().await {
                Ok(Some(event)) => {
                    if !take(event).await {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error)
                    if cannot_stream(&error) && strategy == InitialListStrategy::StreamingList =>
                {
                    tracing::info!(%kind, "the API server cannot stream lists (hint: Kubernetes 1.34 and later can); asking in pages");
                    strategy = InitialListStrategy::ListWatch;
                    break;
                }
                // Retried by the stream, with backoff.
                Err(error) => {
                    tracing::warn!(%kind, error = &error as &dyn std::error::Error, "watch interrupted")
                }
            }
        }
    }
}

fn stream<K>(
    api: Api<K>,
    config: Config,
) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    watcher(api, config).default_backoff()
}

/// Whether a server without streaming lists refused one.
fn cannot_stream(error: &watcher::Error) -> bool {
    let refused = |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.code == 422 || status.code == 400);
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            refused(error)
        }
        watcher::Error::WatchError(status) => status.code == 422 || status.code == 400,
        _ => false,
    }
}

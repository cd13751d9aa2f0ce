//! The two requests that a job costs the API server: the ceiling client makes both, the benchmark's own client the first.
//!
//! In: names, a status. Out: one request each, answered with metadata only, which is all that anybody needs; the second
//! is byte for byte what the operator sends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const METADATA_ONLY: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// The EvalJobs of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Path(Arc<str>);

impl Path {
    /// Of this namespace.
    pub(crate) fn new(namespace: &str) -> Self {
        let path = format!("/apis/evaljob.dev/v1alpha1/namespaces/{namespace}/evaljobs");
        Self(path.into())
    }
}

/// Creates a job that runs `true`; returns its uid.
pub(crate) async fn create(client: &Client, path: &Path, name: &str) -> Result<String> {
    let job = json!({
        "apiVersion": "evaljob.dev/v1alpha1", "kind": "EvalJob",
        "metadata": {"name": name}, "spec": {"command": ["true"]},
    });
    let request = http::Request::post(&*path.0)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::ACCEPT, METADATA_ONLY)
        .body(job.to_string().into_bytes())?;
    let made: Value = client.request(request).await?;
    let uid = made.pointer("/metadata/uid").and_then(Value::as_str);
    Ok(uid.context("a job without uid")?.to_owned())
}

/// Stores a status as the operator does.
pub(crate) async fn store(
    client: &Client,
    path: &Path,
    name: &str,
    uid: &str,
    status: &Value,
) -> Result<()> {
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/status", "value": status},
    ]);
    let uri = format!("{}/{name}/status?fieldManager=evaljob-operator", path.0);
    let request = http::Request::patch(uri)
        .header(http::header::CONTENT_TYPE, "application/json-patch+json")
        .header(http::header::ACCEPT, METADATA_ONLY)
        .body(patch.to_string().into_bytes())?;
    client.request_text(request).await?;
    Ok(())
}

/// Does something for each name, `in_flight` at a time; returns how long all of it took.
pub(crate) async fn for_each<F>(
    names: Vec<String>,
    in_flight: usize,
    action: impl Fn(String) -> F,
) -> Result<Duration>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(in_flight));
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for name in names {
        let permit = permits.clone().acquire_owned().await?;
        let future = action(name);
        tasks.spawn(async move {
            let result = future.await;
            drop(permit);
            result
        });
        while let Some(ended) = tasks.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(begun.elapsed())
}

//! Reads what the API server's schema of EvalJobs lacks, again and again.
//!
//! In: the server's OpenAPI document, which every authenticated account may read. Out: [`Missing`], when it changes.
//! The document follows the CustomResourceDefinition within a second; asked for with the tag of the last answer it costs
//! nothing while it stays the same. Without an answer the last one holds, and without any nothing is run.

use std::time::Duration;

use evaljob_crds::{Missing, missing};
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tokio::sync::watch;

/// The document.
const PATH: &str = "/openapi/v3/apis/evaljob.dev/v1alpha1";
/// Time between two questions.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest time for one.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the schema is not known.
#[derive(Debug, thiserror::Error)]
enum SchemaError {
    #[error("the API server does not answer")]
    Request(#[from] kube::Error),
    #[error("the API server did not answer within {} s", TIMEOUT.as_secs())]
    TimeOut(#[from] tokio::time::error::Elapsed),
    #[error(
        "the API server answered {0} (hint: the account needs get on the nonResourceURL {PATH}, as system:discovery gives it)"
    )]
    Refused(StatusCode),
    #[error("the API server has no EvalJobs (hint: install the chart with crds.enabled=true)")]
    Absent,
    #[error("the answer is not an OpenAPI document")]
    Document(#[from] serde_json::Error),
    #[error("no request can be made")]
    Build(#[from] http::Error),
}

/// Tells what is missing until nobody listens.
pub async fn follow(client: Client, known: watch::Sender<Option<Missing>>) {
    let mut tag = None;
    let mut told = String::new();
    while !known.is_closed() {
        let asked = tokio::time::timeout(TIMEOUT, ask(&client, &mut tag)).await;
        match asked.map_err(SchemaError::from).and_then(|answer| answer) {
            Ok(answer) => {
                told.clear();
                if let Some(answer) = answer {
                    known.send_if_modified(|known| {
                        let changed = known.as_ref() != Some(&answer);
                        *known = Some(answer);
                        changed
                    });
                }
            }
            Err(error) => {
                let text = error.to_string();
                if text != told {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot read the schema of EvalJobs"
                    );
                    told = text;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One question; `None`: as before.
async fn ask(
    client: &Client,
    tag: &mut Option<HeaderValue>,
) -> Result<Option<Missing>, SchemaError> {
    let mut request = Request::get(PATH).header(ACCEPT, "application/json");
    if let Some(tag) = &tag {
        request = request.header(IF_NONE_MATCH, tag);
    }
    let response = client.send(request.body(Body::empty())?).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED => return Ok(None),
        StatusCode::NOT_FOUND => return Err(SchemaError::Absent),
        status => return Err(SchemaError::Refused(status)),
    }
    let fresh = response.headers().get(ETAG).cloned();
    let bytes = response.into_body().collect().await?.to_bytes();
    let document: Value = serde_json::from_slice(&bytes)?;
    let served = evaljob(&document).ok_or(SchemaError::Absent)?;
    *tag = fresh;
    Ok(Some(missing(served)))
}

/// The schema of the kind, whatever the document calls it.
fn evaljob(document: &Value) -> Option<&Value> {
    let schemas = document["components"]["schemas"].as_object()?;
    schemas.values().find(|schema| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds
            .into_iter()
            .flatten()
            .any(|kind| kind["kind"] == "EvalJob")
    })
}

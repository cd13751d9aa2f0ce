//! The client of the API server that all parts share.
//!
//! In: kubeconfig or the Pod's own account, as kube infers it. Out: a client that shows each answer's `Date` to the
//! clock and retries nothing by itself: what a failed request means differs from part to part.

use http::Response;
use kube::client::ClientBuilder;
use kube::{Client, Config};
use tower::util::MapResponseLayer;

use crate::clock::Clock;

/// Connects to the API server that the environment names.
///
/// # Errors
/// When no cluster can be inferred, or its TLS settings cannot be used.
pub async fn connect(clock: Clock) -> Result<Client, ClientError> {
    let mut config = Config::infer().await.map_err(ClientError::Infer)?;
    config.default_retry = false;
    let builder = ClientBuilder::try_from(config).map_err(ClientError::Build)?;
    let observe = MapResponseLayer::new(move |response: Response<_>| {
        if let Some(date) = response.headers().get(http::header::DATE)
            && let Ok(date) = date.to_str()
        {
            clock.observe(date);
        }
        response
    });
    Ok(builder.with_layer(&observe).build())
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No cluster is named.
    #[error("cannot find a cluster (hint: set KUBECONFIG, or run in a Pod with a service account)")]
    Infer(#[source] kube::config::InferConfigError),
    /// Its settings are unusable.
    #[error("cannot use the cluster's connection settings")]
    Build(#[source] kube::Error),
}

//! Reads what a job needs right before it is sent: its spec where that was not kept, and its ConfigMaps.
//!
//! In: [`LoadOrder`]s. Out: [`Loaded`] events. ConfigMaps come from the job's namespace only, and only where their
//! owner opted in (`evaljob_crds::inputs`); whether all inputs together are acceptable is the same function's word as
//! in the agent. Secrets are never read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use evaljob_crds::inputs::{self, Inputs};
use evaljob_crds::{EvalJobSpec, job, wire};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::Api;
use tokio::sync::{Semaphore, mpsc};

use crate::decide::{Event, LoadOrder, Loaded};
use crate::gate::{self, LiveJob};

/// Loads under way; each may hold 32 MiB of inputs.
const CONCURRENCY: usize = 4;
/// Longest time for one read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A spec is immutable, so it was stored by an API server that did not know all of it.
const ALTERED: &str = "spec: is not what it was, because fields were missing in the CustomResourceDefinition for some time (hint: create the job again)";

/// The loader's shell.
#[derive(Clone)]
pub struct Loader {
    client: Client,
    events: mpsc::Sender<Event>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").finish_non_exhaustive()
    }
}

/// Why a load ended early.
enum Stop {
    Gone,
    Unavailable,
    Invalid(String),
}

impl Loader {
    /// A loader that answers to `events`.
    #[must_use]
    pub fn new(client: Client, events: mpsc::Sender<Event>) -> Self {
        Self { client, events }
    }

    /// Carries out orders until their sender is gone.
    pub async fn run(self, mut orders: mpsc::UnboundedReceiver<LoadOrder>) {
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        while let Some(order) = orders.recv().await {
            let Ok(permit) = permits.clone().acquire_owned().await else {
                return;
            };
            let loader = self.clone();
            tokio::spawn(async move {
                let (uid, load) = (order.uid.clone(), order.load);
                let loaded = match loader.load(order).await {
                    Ok(loaded) => loaded,
                    Err(Stop::Gone) => Loaded::Gone,
                    Err(Stop::Unavailable) => Loaded::Unavailable,
                    Err(Stop::Invalid(errors)) => Loaded::Invalid(errors),
                };
                drop(permit);
                let _ = loader.events.send(Event::Loaded(uid, load, loaded)).await;
            });
        }
    }

    async fn load(&self, order: LoadOrder) -> Result<Loaded, Stop> {
        let spec = match order.spec {
            Some(spec) => spec,
            None => self.spec(&order).await?,
        };
        if order.inputs.is_empty() {
            return Ok(Loaded::Ready {
                spec,
                inputs: Vec::new(),
            });
        }
        let inputs = self.inputs(&order.key.namespace, &order.inputs).await?;
        let parsed: EvalJobSpec = serde_json::from_slice(&spec)
            .map_err(|error| Stop::Invalid(format!("spec: {error}")))?;
        job::build(&parsed, &inputs).map_err(|errors| Stop::Invalid(gate::join(&errors)))?;
        let inputs = inputs
            .values()
            .map(|(reference, value)| wire::Input {
                config_map: reference.name.clone(),
                key: reference.key.clone(),
                value: value.to_vec(),
            })
            .collect();
        Ok(Loaded::Ready { spec, inputs })
    }

    /// The spec of a job that is still the same one.
    async fn spec(&self, order: &LoadOrder) -> Result<Vec<u8>, Stop> {
        let api: Api<LiveJob> = Api::namespaced(self.client.clone(), &order.key.namespace);
        let found = within(api.get_opt(&order.key.name)).await?;
        let live = found
            .filter(|live| live.uid().as_ref() == Some(&order.uid))
            .ok_or(Stop::Gone)?;
        let facts = gate::facts(live, Duration::MAX).ok_or(Stop::Gone)?;
        match facts.invalid {
            _ if order.digest.is_some_and(|digest| digest != facts.digest) => {
                Err(Stop::Invalid(ALTERED.to_owned()))
            }
            Some(errors) => Err(Stop::Invalid(errors)),
            None => Ok(facts.spec),
        }
    }

    /// Every referred value, each ConfigMap read once.
    async fn inputs(
        &self,
        namespace: &str,
        references: &[evaljob_crds::spec::ConfigMapKeyRef],
    ) -> Result<Inputs, Stop> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let mut read: HashMap<&str, Option<ConfigMap>> = HashMap::new();
        let mut values = Inputs::default();
        for reference in references {
            if !read.contains_key(&*reference.name) {
                let found = within(api.get_opt(&reference.name)).await?;
                read.insert(&reference.name, found);
            }
            let config_map = read.get(&*reference.name).and_then(Option::as_ref);
            let value = inputs::read(reference, Some(namespace), config_map);
            values.insert(reference.clone(), value);
        }
        Ok(values)
    }
}

/// A read with its time bound.
async fn within<T>(read: impl Future<Output = kube::Result<T>>) -> Result<T, Stop> {
    match tokio::time::timeout(TIMEOUT, read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot read what a job needs");
            Err(Stop::Unavailable)
        }
        Err(_) => Err(Stop::Unavailable),
    }
}

//! The certificate that all operators of a cluster share: kept in a Secret, its CAs published in a ConfigMap.
//!
//! In: names of both objects, which the chart makes empty. Out: the certificate in force. Whichever operator sees
//! first that something is due writes it, fenced by the resource version; the others read it. It creates nothing, so
//! it needs no right that could not be tied to a name.

use std::collections::BTreeMap;
use std::time::SystemTime;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::authority::{Authority, Lives};

/// Key of the Secret under which everything is kept.
const STATE: &str = "state.json";
/// Key of the ConfigMap that agents read.
const BUNDLE: &str = "ca.crt";
/// Several operators start at once; each conflict means that one of them is through.
const ATTEMPTS: u32 = 5;

/// Where it is kept, and what it is.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The Secrets of the operator's namespace.
    pub secrets: Api<Secret>,
    /// Its ConfigMaps.
    pub config_maps: Api<ConfigMap>,
    /// Name of the Secret.
    pub secret: String,
    /// Name of the ConfigMap.
    pub config_map: String,
    /// Names in the certificate.
    pub names: Vec<String>,
    /// How long things live.
    pub lives: Lives,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// The API server refuses.
    #[error("cannot {verb} {kind} {name}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On what.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// What is kept is not ours.
    #[error("{STATE} of Secret {name} cannot be read (hint: delete the key, and a new CA is made)")]
    State {
        /// The Secret.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate (hint: --tls-name takes DNS names and IP addresses)")]
    Make(#[source] rcgen::Error),
    /// Others were always faster.
    #[error("Secret {name} changed each time it was to be written")]
    Contended {
        /// The Secret.
        name: String,
    },
}

impl Shared {
    /// What is in force now: read, renewed where it is due, and published.
    ///
    /// # Errors
    /// [`SharedError`] where that is not possible.
    pub async fn obtain(&self) -> Result<Authority, SharedError> {
        for _ in 0..ATTEMPTS {
            let secret = self
                .secrets
                .get(&self.secret)
                .await
                .map_err(self.failed("get", "Secret"))?;
            let kept = self.kept(&secret)?;
            let after = self.due(kept.as_ref(), now())?;
            if kept.as_ref() != Some(&after) && !self.keep(secret, &after).await? {
                continue;
            }
            self.publish(&after.bundle()).await?;
            return Ok(after);
        }
        Err(SharedError::Contended {
            name: self.secret.clone(),
        })
    }

    fn kept(&self, secret: &Secret) -> Result<Option<Authority>, SharedError> {
        let state = secret.data.as_ref().and_then(|data| data.get(STATE));
        state
            .map(|bytes| serde_json::from_slice(&bytes.0))
            .transpose()
            .map_err(|source| SharedError::State {
                name: self.secret.clone(),
                source,
            })
    }

    fn due(&self, kept: Option<&Authority>, now: u64) -> Result<Authority, SharedError> {
        match kept {
            Some(kept) => kept.advanced(&self.names, self.lives, now),
            None => Authority::new(&self.names, self.lives, now),
        }
        .map_err(SharedError::Make)
    }

    /// Whether it was written; false: somebody else was faster.
    async fn keep(&self, mut secret: Secret, authority: &Authority) -> Result<bool, SharedError> {
        let state = serde_json::to_vec(authority).map_err(|source| SharedError::State {
            name: self.secret.clone(),
            source,
        })?;
        secret
            .data
            .get_or_insert_with(BTreeMap::new)
            .insert(STATE.to_owned(), ByteString(state));
        // The object that was read has its resource version.
        let written = self
            .secrets
            .replace(&self.secret, &PostParams::default(), &secret)
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(false),
            Err(source) => Err(self.failed("update", "Secret")(source)),
        }
    }

    async fn publish(&self, bundle: &str) -> Result<(), SharedError> {
        let failed = |verb| self.failed(verb, "ConfigMap");
        let found = self
            .config_maps
            .get(&self.config_map)
            .await
            .map_err(failed("get"))?;
        let published = found.data.as_ref().and_then(|data| data.get(BUNDLE));
        if published.is_some_and(|published| published == bundle) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({"data": {BUNDLE: bundle}}));
        self.config_maps
            .patch(&self.config_map, &PatchParams::default(), &patch)
            .await
            .map_err(failed("patch"))?;
        tracing::info!(config_map = self.config_map, "CA published");
        Ok(())
    }

    fn failed(
        &self,
        verb: &'static str,
        kind: &'static str,
    ) -> impl FnOnce(kube::Error) -> SharedError {
        let name = match kind {
            "Secret" => self.secret.clone(),
            _ => self.config_map.clone(),
        };
        move |source| SharedError::Api {
            verb,
            kind,
            name,
            source,
        }
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

//! The Node and the Pod that an agent's token speaks of.
//!
//! There is no kubelet, so the test makes both objects through the API: a ready Node, and a Pod of the
//! agent's ServiceAccount placed on it. Tokens are then issued by the API server itself, bound to that
//! Pod, with the same claims as a projected volume's. Dropping changes nothing; [`AgentPod::delete`]
//! removes both, which ends the tokens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::BoundObjectReference;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::{Account, Cluster, SYSTEM_NAMESPACE, TokenOptions};
use crate::found::MADE;

/// The agents' account.
pub const AGENT_ACCOUNT: Account<'static> = Account {
    namespace: SYSTEM_NAMESPACE,
    name: "evaljob-agent",
};

/// One agent's place in the cluster.
#[derive(Debug)]
pub struct AgentPod {
    cluster: Arc<Cluster>,
    node: String,
    pod: String,
    pod_uid: String,
    account: Account<'static>,
}

impl AgentPod {
    /// Makes the Node if it is not there, and a Pod of the agents' account on it.
    ///
    /// # Errors
    /// The API server refuses an object.
    pub async fn create(cluster: &Arc<Cluster>, node: &str) -> Result<Self> {
        Self::create_as(cluster, node, AGENT_ACCOUNT).await
    }

    /// A Pod of the agents' account that nothing places on a node.
    ///
    /// # Errors
    /// The API server refuses an object.
    pub async fn nowhere(cluster: &Arc<Cluster>) -> Result<Self> {
        let place = json!({"nodeSelector": {"evaljob.dev/test": "nowhere"}});
        Self::made(cluster, "", AGENT_ACCOUNT, place).await
    }

    /// The same with another ServiceAccount: what any author of Pods could do.
    ///
    /// # Errors
    /// The API server refuses an object.
    pub async fn create_as(
        cluster: &Arc<Cluster>,
        node: &str,
        account: Account<'static>,
    ) -> Result<Self> {
        ready_node(cluster, node).await?;
        Self::made(cluster, node, account, json!({"nodeName": node})).await
    }

    async fn made(
        cluster: &Arc<Cluster>,
        node: &str,
        account: Account<'static>,
        place: Value,
    ) -> Result<Self> {
        let mut pod = json!({
            "metadata": {"generateName": format!("{}-", account.name), "labels": {MADE: ""}},
            "spec": {
                "serviceAccountName": account.name,
                "automountServiceAccountToken": false,
                "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "agent", "image": "registry.invalid/evaljob-agent"}],
            },
        });
        if let (Some(spec), Value::Object(place)) = (pod["spec"].as_object_mut(), place) {
            spec.extend(place);
        }
        let pod: Pod = serde_json::from_value(pod)?;
        let pods = Api::<Pod>::namespaced(cluster.client(), account.namespace);
        let made = pods
            .create(&PostParams::default(), &pod)
            .await
            .with_context(|| format!("no Pod on {node}"))?;
        let pod_uid = made.uid().context("a Pod without uid")?;
        Ok(Self {
            cluster: cluster.clone(),
            node: node.to_owned(),
            pod: made.name_any(),
            pod_uid,
            account,
        })
    }

    /// Name of the Node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Name of the Pod.
    #[must_use]
    pub fn pod(&self) -> &str {
        &self.pod
    }

    /// A token bound to the Pod, for this audience and lifetime in seconds.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn token(&self, audience: &str, seconds: i64) -> Result<String> {
        let bound_to = BoundObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            name: Some(self.pod.clone()),
            uid: Some(self.pod_uid.clone()),
        };
        let options = TokenOptions {
            audience: Some(audience),
            seconds,
            bound_to: Some(bound_to),
        };
        self.cluster.token(&self.account, &options).await
    }

    /// Writes a token of one hour where an agent reads it; a second call rotates it.
    ///
    /// # Errors
    /// The API server refuses it, or the file cannot be written.
    pub async fn write_token(&self, audience: &str) -> Result<PathBuf> {
        let path = self.cluster.directory().join(format!("{}.token", self.pod));
        replace(&path, &self.token(audience, 3600).await?)?;
        Ok(path)
    }

    /// Deletes the Pod at once, and leaves the Node.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn delete_pod(&self) -> Result<()> {
        let pods = Api::<Pod>::namespaced(self.cluster.client(), self.account.namespace);
        pods.delete(&self.pod, &DeleteParams::default().grace_period(0))
            .await
            .map(drop)
            .map_err(Into::into)
    }

    /// Deletes Pod and Node.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn delete(&self) -> Result<()> {
        self.delete_pod().await?;
        let nodes = Api::<Node>::all(self.cluster.client());
        nodes
            .delete(&self.node, &DeleteParams::default())
            .await
            .map(drop)
            .map_err(Into::into)
    }
}

/// A rename, as the kubelet does it: a reader sees the old token or the new one.
fn replace(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)?;
    Ok(())
}

async fn ready_node(cluster: &Cluster, name: &str) -> Result<()> {
    let nodes = Api::<Node>::all(cluster.client());
    if nodes.get_opt(name).await?.is_some() {
        return Ok(());
    }
    // A label's value is shorter than a name may be.
    let hostname = name.get(..63).unwrap_or(name);
    let labels = json!({"kubernetes.io/hostname": hostname, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", MADE: ""});
    let node: Node = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
    nodes
        .create(&PostParams::default(), &node)
        .await
        .with_context(|| format!("no Node {name}"))?;
    let resources = json!({"cpu": "8", "memory": "16Gi", "pods": "110"});
    let ready =
        json!({"type": "Ready", "status": "True", "reason": "Test", "message": "made by a test"});
    let status =
        json!({"status": {"capacity": resources, "allocatable": resources, "conditions": [ready]}});
    nodes
        .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
        .await?;
    Ok(())
}

//! What the cluster of KUBECONFIG had before the tests, so that they leave it as it was.
//!
//! In: the administrator's kubectl. Out: a refusal where EvalJob is installed, whose operator would take the tests' jobs
//! and lose its Lease to theirs; at the end, the deletion of what was not there: Nodes and Pods made for agents, the
//! system namespace, cluster-wide objects with the chart's label, the CRD.

use anyhow::{Result, ensure};

use crate::cluster::SYSTEM_NAMESPACE;
use crate::kubectl::Kubectl;

/// Label of Nodes and Pods that tests make for agents.
pub(crate) const MADE: &str = "evaljob.dev/e2e";
const CRD: &str = "crd/evaljobs.evaljob.dev";
/// Everything cluster-wide that the chart makes, the CRD aside.
const CLUSTER_WIDE: &str = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,priorityclasses";

/// What was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    namespace: bool,
    crd: bool,
}

impl Found {
    /// Looks.
    ///
    /// # Errors
    /// EvalJob is installed, or the API server does not answer.
    pub(crate) async fn before(kubectl: &Kubectl) -> Result<Self> {
        let operators = [
            "get",
            "deployments",
            "--all-namespaces",
            "--selector=app.kubernetes.io/name=evaljob",
            "--output=name",
        ];
        let operators = kubectl.ok(&operators).await?;
        ensure!(
            operators.is_empty(),
            "EvalJob is installed in this cluster ({}), and tests bring their own operator (hint: helm uninstall it first, or use a cluster without it)",
            operators.trim_end()
        );
        Ok(Self {
            namespace: exists(kubectl, &format!("namespace/{SYSTEM_NAMESPACE}")).await?,
            crd: exists(kubectl, CRD).await?,
        })
    }

    /// Deletes what was not there.
    ///
    /// # Errors
    /// The API server refuses it.
    pub(crate) async fn restore(self, kubectl: &Kubectl) -> Result<()> {
        // No kubelet ends these Pods.
        let pods = [
            "delete",
            "pods",
            "--namespace",
            SYSTEM_NAMESPACE,
            "--selector",
            MADE,
        ];
        kubectl
            .ok(&[&pods[..], &["--force", "--grace-period=0"]].concat())
            .await?;
        kubectl.ok(&["delete", "nodes", "--selector", MADE]).await?;
        if !self.namespace {
            let label = "--selector=app.kubernetes.io/name=evaljob";
            kubectl.ok(&["delete", CLUSTER_WIDE, label]).await?;
            let namespace = format!("namespace/{SYSTEM_NAMESPACE}");
            kubectl
                .ok(&["delete", &namespace, "--ignore-not-found", "--timeout=120s"])
                .await?;
        }
        if !self.crd {
            kubectl
                .ok(&["delete", CRD, "--ignore-not-found", "--timeout=120s"])
                .await?;
        }
        Ok(())
    }
}

async fn exists(kubectl: &Kubectl, what: &str) -> Result<bool> {
    let found = kubectl
        .ok(&["get", what, "--ignore-not-found", "--output=name"])
        .await?;
    Ok(!found.is_empty())
}

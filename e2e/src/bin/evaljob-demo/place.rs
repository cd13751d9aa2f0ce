//! Where operator and agent run: as Pods of a release on a node, or as processes of this machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use evaljob_e2e::cluster::{Cluster, SYSTEM_NAMESPACE};
use evaljob_e2e::control_plane::Options;
use evaljob_e2e::installation::{Agent, Installation};
use evaljob_e2e::note::note;
use evaljob_e2e::{Case, release};

use crate::{show, title};

/// Where they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a node, from images, as the chart has it.
    Node,
    /// On this machine: nothing but the API server is Kubernetes.
    Host,
}

/// What was started; it ends when this is dropped.
pub(crate) enum Started {
    Node(Case),
    Host(Box<(Case, Installation, Agent)>),
}

impl Place {
    /// What NODE says.
    pub(crate) fn of(node: Option<&str>) -> Result<Self> {
        match node {
            None | Some("") => Ok(Self::Node),
            Some("host") => Ok(Self::Host),
            Some(other) => bail!("NODE={other} (hint: NODE=host, or none for a node of its own)"),
        }
    }

    /// Starts a cluster, and operator and agent in it.
    pub(crate) async fn start(self, directory: &Path) -> Result<Started> {
        let slots = std::thread::available_parallelism()?.get();
        match self {
            Self::Node => on_node(directory, slots).await,
            Self::Host => on_host(directory, slots).await,
        }
    }
}

impl Started {
    /// The demo's own namespace.
    pub(crate) fn case(&self) -> &Case {
        match self {
            Self::Node(case) => case,
            Self::Host(all) => &all.0,
        }
    }
}

async fn on_node(directory: &Path, slots: usize) -> Result<Started> {
    title(
        "a cluster: etcd, API server, controller manager, scheduler; containerd, kubelet, kube-proxy of one node",
    );
    let options = Options {
        nodes: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(directory, options).await.map_err(|error| {
        error.context("no node can be run here (hint: make demo NODE=host needs no kubelet)")
    })?;
    let case = Case::new(Arc::new(cluster), "demo").await?;
    show(&case, "get nodes -o wide").await?;

    title("the images of operator and agent, written and imported without daemon and registry");
    release::import_product(case.cluster()).await?;

    title("helm install evaljob charts/evaljob");
    let begun = Instant::now();
    let values = release::slots(slots);
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    release::install(&case, &values).await?;
    release::ready(&case).await?;
    note(&format!(
        "operator and agent Ready after {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    show(&case, &format!("-n {SYSTEM_NAMESPACE} get pods -o wide")).await?;
    Ok(Started::Node(case))
}

async fn on_host(directory: &Path, slots: usize) -> Result<Started> {
    title("a control plane: etcd, API server, controller manager, scheduler; no node");
    let cluster = Cluster::start(directory, Options::default()).await?;
    cluster.apply_crd().await?;
    cluster.apply_roles().await?;
    let case = Case::new(Arc::new(cluster), "demo").await?;

    title(
        "evaljob-operator and one evaljob-agent as processes of this machine, with the chart's permissions",
    );
    let installation = Installation::start(&case).await?;
    let agent = installation.agent("node-1", u32::try_from(slots)?).await?;
    Ok(Started::Host(Box::new((case, installation, agent))))
}

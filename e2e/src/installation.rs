//! The product in a test: one operator and the agents it needs, as host processes with real tokens.
//!
//! In: a case. Out: processes that can be killed and started again under the same flags. No flag skips a check: the
//! operator has a token of its own account, an agent one bound to its Pod, both issued by the API server.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::agent_pod::AgentPod;
use crate::case::Case;
use crate::cluster::SYSTEM_NAMESPACE;
use crate::process::Process;
use crate::product;
use crate::wait::{self, Seen};

/// Audience of agents' tokens.
const AUDIENCE: &str = "evaljob-operator";
/// Where the operator listens inside the test's own network namespace.
const LISTEN: &str = "127.0.0.1:7443";
/// Where it serves its metrics and its readiness.
pub const PAGES: &str = "127.0.0.1:8080";
/// The operator's Lease.
const LEASE: &str = "evaljob-operator";
/// Longest for a process to be ready.
const READY: Duration = Duration::from_secs(60);

/// An operator and its directory.
#[derive(Debug)]
pub struct Installation {
    case: Case,
    directory: PathBuf,
    /// Beside those of every test.
    flags: Vec<String>,
    operator: Process,
    starts: u32,
    agent_arguments: Vec<OsString>,
}

/// An agent with its Pod.
#[derive(Debug)]
pub struct Agent {
    /// Its place in the cluster.
    pub pod: AgentPod,
    /// The process.
    pub process: Process,
}

impl Installation {
    /// Starts an operator, and waits until it leads.
    ///
    /// # Errors
    /// It does not start, or is not ready in time.
    pub async fn start(case: &Case) -> Result<Self> {
        Self::start_with(case, Vec::new()).await
    }

    /// Starts one whose certificate is in the Secret and the ConfigMap of the chart; more flags may follow.
    ///
    /// # Errors
    /// It does not start, is not ready in time, or publishes no CA.
    pub async fn start_shared(case: &Case, more: &[&str]) -> Result<Self> {
        let tls = [
            "--tls-secret=evaljob-operator-tls",
            "--tls-ca-config-map=evaljob-operator-ca",
        ];
        let flags = tls.iter().chain(more).map(|&flag| flag.to_owned());
        let installation = Self::start_with(case, flags.collect()).await?;
        installation.write_bundle().await?;
        Ok(installation)
    }

    /// Writes the published CAs where agents read them, as the kubelet does with a ConfigMap's volume; returns them.
    ///
    /// # Errors
    /// There are none, or the file cannot be written.
    pub async fn write_bundle(&self) -> Result<String> {
        let config_maps = Api::<ConfigMap>::namespaced(self.case.client(), SYSTEM_NAMESPACE);
        let published = config_maps.get("evaljob-operator-ca").await?.data;
        let bundle = published
            .and_then(|mut data| data.remove("ca.crt"))
            .context("no CA is published")?;
        let part = self.directory.join("ca.crt.part");
        std::fs::write(&part, &bundle)?;
        std::fs::rename(part, self.directory.join("ca.crt"))?;
        Ok(bundle)
    }

    async fn start_with(case: &Case, flags: Vec<String>) -> Result<Self> {
        let directory = case
            .cluster()
            .directory()
            .join(format!("{}-operator", case.namespace()));
        std::fs::create_dir_all(&directory)?;
        free_lease(case).await?;
        let operator = operator(case, &directory, &flags, 0).await?;
        let installation = Self {
            case: case.clone(),
            directory,
            flags,
            operator,
            starts: 1,
            agent_arguments: Vec::new(),
        };
        installation.ready().await?;
        Ok(installation)
    }

    /// Waits until the operator answers its readiness page.
    ///
    /// # Errors
    /// It does not in time.
    pub async fn ready(&self) -> Result<()> {
        wait::until("a ready operator", READY, || async {
            Ok(match page(PAGES, "/readyz").await {
                Ok(page) if page.starts_with("HTTP/1.1 200") => Seen::Yes(()),
                Ok(page) => Seen::NotYet(page.lines().next().unwrap_or_default().to_owned()),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        })
        .await
    }

    /// The operator's process.
    pub fn operator(&mut self) -> &mut Process {
        &mut self.operator
    }

    /// Starts the operator again, with the same flags and certificate.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_operator_again(&mut self) -> Result<()> {
        self.operator = operator(&self.case, &self.directory, &self.flags, self.starts).await?;
        self.starts += 1;
        self.ready().await
    }

    /// Further flags of every agent that starts from now on.
    pub fn give_agents(&mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) {
        self.agent_arguments
            .extend(arguments.into_iter().map(Into::into));
    }

    /// Starts an agent with `slots` slots on a node of its own.
    ///
    /// # Errors
    /// It does not start.
    pub async fn agent(&self, node: &str, slots: u32) -> Result<Agent> {
        let pod = AgentPod::create(self.case.cluster(), node).await?;
        let process = self.agent_process(&pod, slots, 0).await?;
        Ok(Agent { pod, process })
    }

    /// Another process for the Pod of an agent that ended.
    ///
    /// # Errors
    /// It does not start.
    pub async fn agent_process(&self, pod: &AgentPod, slots: u32, again: u32) -> Result<Process> {
        let token = pod.write_token(AUDIENCE).await?;
        self.agent_with(
            &token,
            pod.node(),
            slots,
            &format!("agent-{}-{again}", pod.node()),
        )
    }

    /// An agent process with any token, for any node; `name` tells several apart in logs.
    ///
    /// # Errors
    /// It does not start.
    pub fn agent_with(&self, token: &Path, node: &str, slots: u32, name: &str) -> Result<Process> {
        let mut arguments: Vec<OsString> = vec![
            "--operator".into(),
            LISTEN.into(),
            "--operator-ca".into(),
            self.directory.join("ca.crt").into(),
            "--token-file".into(),
            token.into(),
            "--node-name".into(),
            node.into(),
            "--slots".into(),
            slots.to_string().into(),
            "--allow-cgroup-v1".into(),
            "--drain-seconds".into(),
            "5".into(),
        ];
        arguments.extend(self.agent_arguments.iter().cloned());
        let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        product::start_agent(&self.case, name, &arguments)
    }

    /// The file with the CAs that agents trust.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// The operator's metrics page.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<String> {
        page(PAGES, "/metrics").await
    }
}

/// Gives back the Lease that the killed operator of an earlier test still holds: nobody else runs, and the next one
/// would only wait for the end of it. The agents it names are gone as well.
async fn free_lease(case: &Case) -> Result<()> {
    let leases = Api::<Lease>::namespaced(case.client(), SYSTEM_NAMESPACE);
    if leases.get_opt(LEASE).await?.is_none() {
        return Ok(());
    }
    let free = json!({
        "metadata": {"annotations": {"evaljob.dev/agents": ""}},
        "spec": {"holderIdentity": "", "leaseDurationSeconds": 1},
    });
    let patch = Patch::Merge(free);
    leases.patch(LEASE, &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn operator(case: &Case, directory: &Path, flags: &[String], start: u32) -> Result<Process> {
    let mut arguments: Vec<OsString> = vec![
        "--listen".into(),
        LISTEN.into(),
        "--metrics-listen".into(),
        PAGES.into(),
        "--tls-dir".into(),
        directory.into(),
        "--agent-grace".into(),
        "3s".into(),
        "--lease-duration".into(),
        "5s".into(),
    ];
    arguments.extend(flags.iter().map(OsString::from));
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    product::start_operator(case, &format!("operator-{start}"), &arguments).await
}

/// One GET by hand: status line, headers and body.
///
/// # Errors
/// Nobody answers there.
pub async fn page(address: &str, path: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .context("half an answer")?;
    Ok(answer)
}

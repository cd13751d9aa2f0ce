//! etcd, kube-apiserver, kube-controller-manager and kube-scheduler as child processes.
//!
//! In: a directory and [`Options`]. Out: a ready control plane on fixed ports of the private network
//! namespace, with an admin kubeconfig. Without [`Options::nodes`] there is no kubelet: Pods stay where they are
//! created, and a Node is ready because a test says so. State is in the directory; nothing is reused between runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::Mutex;

use crate::cluster;
use crate::namespaces::{ADDRESS, log_directory};
use crate::pki::Pki;
use crate::process::Process;
use crate::wait::{self, Seen};

const API_PORT: u16 = 6443;
const ETCD: &str = "http://127.0.0.1:2379";
const SERVICE_RANGE: &str = "10.96.0.0/16";

/// Long enough for a machine that compiles beside the tests.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// What a control plane may be started with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether the API server writes an audit log (see [`crate::audit`]).
    pub audit: bool,
    /// Nodes that run Pods (see [`crate::node`]).
    pub nodes: u8,
    /// Whether the controllers keep to their default rate of requests, which a cluster's own have (20 a second,
    /// kube-controller-manager(8)). Else they may ask far more, so that tests need not wait for them.
    pub default_rates: bool,
}

/// The running processes; dropping them ends them.
#[derive(Debug)]
pub struct ControlPlane {
    directory: PathBuf,
    pki: Pki,
    options: Options,
    api_server: Mutex<Process>,
    _others: [Process; 3],
}

impl ControlPlane {
    /// Starts everything and waits until the API server serves and a namespace's default
    /// ServiceAccount exists (the controller manager's first visible work).
    ///
    /// # Errors
    /// A program does not start, ends early, or is not ready in time.
    pub async fn start(directory: &Path, options: Options) -> Result<Self> {
        let log = log_directory(directory);
        let pki = Pki::create(&directory.join("pki"), ADDRESS, API_PORT)?;
        fs::write(directory.join("audit-policy.yaml"), crate::audit::POLICY)?;
        let etcd = Process::start("etcd", &log, etcd(directory))?;
        let mut api_server =
            Process::start("kube-apiserver", &log, api_server(directory, &pki, options))?;
        wait_ready(&pki, &mut api_server).await?;
        let mut controllers = Process::start(
            "kube-controller-manager",
            &log,
            controller_manager(&pki, options),
        )?;
        let scheduler = Process::start("kube-scheduler", &log, scheduler(&pki))?;
        wait_default_account(&pki, &mut controllers).await?;
        let others = [etcd, controllers, scheduler];
        Ok(Self {
            directory: directory.to_owned(),
            pki,
            options,
            api_server: Mutex::new(api_server),
            _others: others,
        })
    }

    /// Keys, certificates and kubeconfigs.
    pub(crate) fn pki(&self) -> &Pki {
        &self.pki
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.pki.kubeconfig("admin")
    }

    /// The audit log, when the options ask for one.
    #[must_use]
    pub fn audit_log(&self) -> Option<PathBuf> {
        self.options.audit.then(|| audit_log(&self.directory))
    }

    /// The key that signs tokens of ServiceAccounts, as PEM.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn token_key(&self) -> Result<String> {
        fs::read_to_string(self.pki.path("service-accounts.key")).map_err(Into::into)
    }

    /// SIGKILL for the API server; etcd and the controllers stay.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn kill_api_server(&self) -> Result<()> {
        self.api_server.lock().await.kill().await
    }

    /// Starts the API server again on the same etcd and waits until it serves.
    ///
    /// # Errors
    /// It does not start or is not ready in time.
    pub async fn start_api_server(&self) -> Result<()> {
        let mut process = self.api_server.lock().await;
        let command = api_server(&self.directory, &self.pki, self.options);
        *process = Process::start("kube-apiserver", &log_directory(&self.directory), command)?;
        wait_ready(&self.pki, &mut process).await
    }
}

fn audit_log(directory: &Path) -> PathBuf {
    directory.join("audit.jsonl")
}

fn etcd(directory: &Path) -> Command {
    let peer = "http://127.0.0.1:2380";
    let mut command = Command::new("etcd");
    command
        .args(["--name=e2e", "--log-level=warn"])
        .arg(format!("--data-dir={}", directory.join("etcd").display()))
        .args([
            format!("--listen-client-urls={ETCD}"),
            format!("--advertise-client-urls={ETCD}"),
        ])
        .args([
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
        ])
        .arg(format!("--initial-cluster=e2e={peer}"));
    command
}

fn api_server(directory: &Path, pki: &Pki, options: Options) -> Command {
    let file = |flag: &str, name: &str| format!("--{flag}={}", pki.path(name).display());
    let mut command = Command::new("kube-apiserver");
    command
        .args([
            format!("--etcd-servers={ETCD}"),
            format!("--secure-port={API_PORT}"),
        ])
        .args([
            format!("--advertise-address={ADDRESS}"),
            format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        ])
        .args([
            file("tls-cert-file", "apiserver.crt"),
            file("tls-private-key-file", "apiserver.key"),
        ])
        .arg(file("client-ca-file", "ca.crt"))
        // Nothing uses an aggregated API; without these the other programs complain throughout their logs.
        .arg(file("requestheader-client-ca-file", "front-proxy-ca.crt"))
        .args([
            "--requestheader-allowed-names=none",
            "--requestheader-username-headers=X-Remote-User",
        ])
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(file(
            "service-account-signing-key-file",
            "service-accounts.key",
        ))
        .arg(file("service-account-key-file", "service-accounts.pub"))
        .args([
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
        ])
        .args(["--allow-privileged=true", "--bind-address=0.0.0.0"])
        .args([
            file("kubelet-client-certificate", "apiserver-kubelet-client.crt"),
            file("kubelet-client-key", "apiserver-kubelet-client.key"),
            file("kubelet-certificate-authority", "ca.crt"),
        ])
        // Not the node's name: nobody here resolves it.
        .arg("--kubelet-preferred-address-types=InternalIP");
    if options.audit {
        command
            .arg(format!(
                "--audit-policy-file={}",
                directory.join("audit-policy.yaml").display()
            ))
            .arg(format!(
                "--audit-log-path={}",
                audit_log(directory).display()
            ));
    }
    command
}

fn controller_manager(pki: &Pki, options: Options) -> Command {
    let mut command = Command::new("kube-controller-manager");
    with_kubeconfig(&mut command, &pki.kubeconfig("controller-manager"));
    command
        .arg(format!(
            "--service-account-private-key-file={}",
            pki.path("service-accounts.key").display()
        ))
        .arg(format!("--root-ca-file={}", pki.path("ca.crt").display()))
        .arg("--use-service-account-credentials=true");
    if !options.default_rates {
        command.args(["--kube-api-qps=500", "--kube-api-burst=1000"]);
    }
    if options.nodes == 0 {
        // Nodes of tests have no kubelet that renews their Lease.
        command.arg("--node-monitor-grace-period=24h");
    } else {
        command.args(["--node-monitor-period=1s", "--node-monitor-grace-period=6s"]);
    }
    command
}

fn scheduler(pki: &Pki) -> Command {
    let mut command = Command::new("kube-scheduler");
    with_kubeconfig(&mut command, &pki.kubeconfig("scheduler"));
    command
}

fn with_kubeconfig(command: &mut Command, path: &Path) {
    for flag in [
        "kubeconfig",
        "authentication-kubeconfig",
        "authorization-kubeconfig",
    ] {
        command.arg(format!("--{flag}={}", path.display()));
    }
    command.args(["--leader-elect=false", "--bind-address=127.0.0.1"]);
}

async fn wait_ready(pki: &Pki, api_server: &mut Process) -> Result<()> {
    let client = cluster::client(&pki.kubeconfig("admin")).await?;
    let api_server = Mutex::new(api_server);
    wait::until("the API server to be ready", START_DEADLINE, || async {
        api_server.lock().await.check_alive()?;
        let request = http::Request::get("/readyz").body(Vec::new())?;
        match client.request_text(request).await {
            Ok(_) => Ok(Seen::Yes(())),
            Err(error) => Ok(Seen::NotYet(error.to_string())),
        }
    })
    .await
}

async fn wait_default_account(pki: &Pki, controllers: &mut Process) -> Result<()> {
    use k8s_openapi::api::core::v1::ServiceAccount;
    let client = cluster::client(&pki.kubeconfig("admin")).await?;
    let accounts = kube::Api::<ServiceAccount>::namespaced(client, "default");
    let controllers = Mutex::new(controllers);
    wait::until(
        "the controller manager to make the default ServiceAccount",
        START_DEADLINE,
        || async {
            controllers.lock().await.check_alive()?;
            Ok(Seen::some(
                accounts
                    .get_opt("default")
                    .await
                    .context("cannot read the ServiceAccount")?,
                "none",
            ))
        },
    )
    .await
    .map(drop)
}

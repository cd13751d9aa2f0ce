//! A real node beside the private control plane: containerd, runc, CNI plugins, kubelet, kube-proxy.
//!
//! In: the cluster's directory and certificates. Out: a Node that is Ready and runs Pods from imported images; a second
//! one shares kube-proxy and network namespace with the first, with its own containerd, cgroups and Pod addresses.
//! Everything is of the run's own namespaces or below its directory: what these programs write to fixed paths lies in
//! memory ([`start_all`] mounts it), the kernel's settings are shown to the kubelet as it wants them and stay as they
//! are, and cgroups ([`crate::cgroups`]) are removed by the outer process. No image is ever pulled.

mod config;
mod runtime;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::{Api, Client};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Mutex;

use crate::cgroups::Root;
use crate::namespaces::{ADDRESS, log_directory};
use crate::pki::Pki;
use crate::process::Process;
use crate::wait::{self, Seen};

/// Most nodes of one cluster; certificates are made for as many.
pub const MOST: u8 = 2;

/// Longest until a node is Ready, beside a machine that compiles.
const READY: Duration = Duration::from_secs(120);

/// Programs of Debian's packages, and the package of each.
const PROGRAMS: [(&str, &str); 6] = [
    ("containerd", "containerd"),
    ("containerd-shim-runc-v2", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
];

/// A running node; dropping it ends its programs.
#[derive(Debug)]
pub struct Node {
    name: String,
    number: u8,
    pki: Pki,
    directory: PathBuf,
    logs: PathBuf,
    cgroup: PathBuf,
    containerd: Mutex<Process>,
    kubelet: Mutex<Process>,
    _proxy: Option<Process>,
    imported: Mutex<BTreeSet<String>>,
}

/// Name of the node with this number, from 1.
#[must_use]
pub fn name(number: u8) -> String {
    format!("worker-{number}")
}

/// Starts nodes 1 to `count` and waits until they are Ready.
///
/// # Errors
/// A program is missing, does not start, or a node is not Ready in time.
pub async fn start_all(
    directory: &Path,
    pki: &Pki,
    client: &Client,
    count: u8,
) -> Result<Vec<Node>> {
    ensure!(count <= MOST, "{count} nodes; there are names for {MOST}");
    missing_programs()?;
    let root = Root::of_this_run()?;
    hide_fixed_paths(directory)?;
    let mut nodes = Vec::new();
    for number in 1..=count {
        nodes.push(Node::start(directory, pki, &root, number).await?);
    }
    for node in &nodes {
        node.ready(client).await?;
    }
    Ok(nodes)
}

/// Says which packages are missing.
fn missing_programs() -> Result<()> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| env::split_paths(&paths).any(|path| path.join(program).is_file());
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !there(program))
        .map(|(_, package)| *package)
        .collect();
    if !Path::new(config::CNI_PLUGINS).join("ptp").is_file() {
        missing.push("containernetworking-plugins");
    }
    missing.dedup();
    ensure!(
        missing.is_empty(),
        "a node needs these packages: {} (hint: make deps)",
        missing.join(" ")
    );
    Ok(())
}

/// Puts memory over the directories in which containerd's shims, CNI and the kubelet write whatever their flags say,
/// and the kubelet's own values over the settings that it would change for the whole machine.
fn hide_fixed_paths(directory: &Path) -> Result<()> {
    ensure!(
        !["/run", "/var/lib", "/var/log"]
            .iter()
            .any(|path| directory.starts_with(path)),
        "{} would be hidden (hint: TMPDIR=/tmp)",
        directory.display()
    );
    let mut script = String::from("set -e\n");
    for path in ["/run", "/var/lib", "/var/log"] {
        script.push_str(&format!("mount -t tmpfs -o mode=755 tmpfs {path}\n"));
    }
    for (setting, value) in config::KERNEL_SETTINGS {
        let file = directory.join(setting.replace('/', "."));
        fs::write(&file, format!("{value}\n"))?;
        script.push_str(&format!(
            "mount --bind {} /proc/sys/{setting}\n",
            file.display()
        ));
    }
    let output = Command::new("bash").args(["-c", &script]).output()?;
    ensure!(
        output.status.success(),
        "cannot mount: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

impl Node {
    async fn start(cluster: &Path, pki: &Pki, root: &Root, number: u8) -> Result<Self> {
        let name = name(number);
        let directory = cluster.join(&name);
        let cgroup = root.child(&name)?;
        let logs = log_directory(cluster);
        config::write(&directory, pki, &cgroup, number)?;
        let mut containerd = start_containerd(&name, &logs, &directory)?;
        runtime::serving(&directory, &mut containerd).await?;
        runtime::import(&directory, &runtime::pause_image()?).await?;
        let kubelet = start_kubelet(&logs, &directory, pki, number)?;
        let proxy = if number == 1 {
            Some(Process::start("kube-proxy", &logs, config::proxy(pki))?)
        } else {
            None
        };
        Ok(Self {
            name,
            number,
            pki: pki.clone(),
            directory,
            logs,
            cgroup,
            containerd: Mutex::new(containerd),
            kubelet: Mutex::new(kubelet),
            _proxy: proxy,
            imported: Mutex::default(),
        })
    }

    /// Its name in the cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Address of all nodes.
    #[must_use]
    pub fn address(&self) -> &'static str {
        ADDRESS
    }

    /// Waits until the Node is Ready.
    ///
    /// # Errors
    /// The kubelet or containerd ends, or the time is over.
    pub async fn ready(&self, client: &Client) -> Result<()> {
        let nodes = Api::<NodeObject>::all(client.clone());
        wait::until(
            &format!("node {} to be Ready", self.name),
            READY,
            || async {
                self.containerd.lock().await.check_alive()?;
                self.kubelet.lock().await.check_alive()?;
                let Some(node) = nodes.get_opt(&self.name).await? else {
                    return Ok(Seen::NotYet("no Node".into()));
                };
                let ready = node
                    .status
                    .and_then(|status| status.conditions)
                    .and_then(|all| all.into_iter().find(|one| one.type_ == "Ready"));
                Ok(match ready {
                    Some(ready) if ready.status == "True" => Seen::Yes(()),
                    Some(ready) => Seen::NotYet(ready.message.unwrap_or_default()),
                    None => Seen::NotYet("no condition Ready".into()),
                })
            },
        )
        .await
    }

    /// Makes an image known to this node, once; whether it was new.
    ///
    /// # Errors
    /// A file of the image is missing, or containerd refuses the archive.
    pub async fn import(&self, image: &crate::images::Image) -> Result<bool> {
        // Held throughout: a second caller needs the image, not the beginning of its import.
        let mut imported = self.imported.lock().await;
        if imported.contains(&image.reference) {
            return Ok(false);
        }
        runtime::import(&self.directory, image).await?;
        imported.insert(image.reference.clone());
        Ok(true)
    }

    /// Where the kubelet has a projected volume of a Pod.
    #[must_use]
    pub fn projected_volume(&self, pod_uid: &str, volume: &str) -> PathBuf {
        let pods = self.directory.join("kubelet/pods").join(pod_uid);
        pods.join("volumes/kubernetes.io~projected").join(volume)
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// containerd does not have it.
    pub async fn tag(&self, reference: &str, other: &str) -> Result<()> {
        let mut imported = self.imported.lock().await;
        if !imported.contains(other) {
            runtime::tag(&self.directory, reference, other).await?;
            imported.insert(other.to_owned());
        }
        Ok(())
    }

    /// PIDs of its Pods and of what containerd started for them.
    ///
    /// # Errors
    /// The cgroups cannot be read.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let mut processes = crate::cgroups::processes(&self.cgroup)?;
        processes.extend(runtime::shims(&self.directory)?);
        Ok(processes)
    }

    /// Ends the node as a power failure would: nothing is drained, nobody is told.
    ///
    /// # Errors
    /// A program cannot be killed.
    pub async fn kill(&self) -> Result<()> {
        self.kubelet.lock().await.kill().await?;
        self.containerd.lock().await.kill().await?;
        for process in self.processes()? {
            let pid = Pid::from_raw(process).context("not a PID")?;
            // It may have ended with another one of them.
            let _gone = kill_process(pid, Signal::KILL);
        }
        Ok(())
    }

    /// Starts a killed node again, and waits until containerd serves; [`Node::ready`] waits for the rest.
    ///
    /// # Errors
    /// A program does not start.
    pub async fn start_again(&self) -> Result<()> {
        let mut containerd = start_containerd(&self.name, &self.logs, &self.directory)?;
        runtime::serving(&self.directory, &mut containerd).await?;
        *self.containerd.lock().await = containerd;
        let kubelet = start_kubelet(&self.logs, &self.directory, &self.pki, self.number)?;
        *self.kubelet.lock().await = kubelet;
        Ok(())
    }
}

fn start_containerd(name: &str, logs: &Path, directory: &Path) -> Result<Process> {
    let command = config::containerd(directory);
    Process::start(&format!("{name}.containerd"), logs, command)
}

fn start_kubelet(logs: &Path, directory: &Path, pki: &Pki, number: u8) -> Result<Process> {
    let command = config::kubelet(directory, pki, number);
    Process::start(&format!("{}.kubelet", name(number)), logs, command)
}

//! The files and flags of a node's programs.
//!
//! In: directory, certificates, cgroup, number of the node. Out: configuration files below the directory, and commands.
//! Every flag that is not a path or an address has its reason beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};

use super::name;
use crate::namespaces::ADDRESS;
use crate::pki::Pki;

/// Where Debian puts the CNI plugins.
pub(super) const CNI_PLUGINS: &str = "/usr/lib/cni";
/// The image of a Pod's first process.
pub(super) const PAUSE: &str = "registry.local/pause:e2e";

/// What the kubelet wants of the whole machine; it reads these values and has nothing to change.
pub(super) const KERNEL_SETTINGS: [(&str, &str); 3] = [
    ("vm/overcommit_memory", "1"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
];

pub(super) fn socket(directory: &Path) -> PathBuf {
    directory.join("containerd.sock")
}

/// Writes containerd's, CNI's and the kubelet's configuration.
pub(super) fn write(directory: &Path, pki: &Pki, cgroup: &Path, number: u8) -> Result<()> {
    let cni = directory.join("cni");
    fs::create_dir_all(&cni)?;
    fs::create_dir_all(directory.join("pod-logs"))?;
    fs::write(
        cni.join("10-pods.conflist"),
        network(directory, number).to_string(),
    )?;
    fs::write(
        directory.join("containerd.toml"),
        containerd_config(directory),
    )?;
    let kubelet = kubelet_config(directory, pki, cgroup, number);
    fs::write(directory.join("kubelet.json"), kubelet.to_string())?;
    Ok(())
}

/// Every Pod hangs on a route of its own, not on a bridge: so the way to a Service and back passes conntrack also
/// between two Pods of one node, without br_netfilter.
fn network(directory: &Path, number: u8) -> Value {
    let subnet = format!("10.88.{number}.0/24");
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipam": {
                    "type": "host-local",
                    "dataDir": directory.join("cni-addresses"),
                    "ranges": [[{"subnet": subnet}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

fn containerd_config(directory: &Path) -> String {
    let directory_text = directory.display();
    let socket = socket(directory);
    let socket = socket.display();
    // restrict_oom_score_adj: without CAP_SYS_RESOURCE no score can be lowered, and every Pod would fail.
    format!(
        r#"version = 2
root = "{directory_text}/containerd/root"
state = "{directory_text}/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{directory_text}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{directory_text}/cni"
"#
    )
}

fn kubelet_config(directory: &Path, pki: &Pki, cgroup: &Path, number: u8) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        "port": 10250 + u16::from(number) - 1,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": pki.path("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": pki.path("kubelet-server.crt"),
        "tlsPrivateKeyFile": pki.path("kubelet-server.key"),
        "containerRuntimeEndpoint": format!("unix://{}", socket(directory).display()),
        // Nothing here runs systemd, and all Pods stay below the run's own cgroup.
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failCgroupV1": false,
        "failSwapOn": false,
        // Without CAP_SYS_RESOURCE no score can be lowered.
        "oomScoreAdj": 0,
        "podLogsDir": directory.join("pod-logs"),
        // There is no cluster DNS.
        "resolvConf": "",
        // Images were imported, and cannot be had again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        // A killed node is seen within seconds.
        "nodeStatusUpdateFrequency": "1s",
        "nodeLeaseDurationSeconds": 4,
    })
}

pub(super) fn containerd(directory: &Path) -> Command {
    let mut command = Command::new("containerd");
    command
        .arg("--config")
        .arg(directory.join("containerd.toml"));
    command
}

pub(super) fn kubelet(directory: &Path, pki: &Pki, number: u8) -> Command {
    let name = name(number);
    let path = |flag: &str, path: PathBuf| format!("--{flag}={}", path.display());
    let mut command = Command::new("kubelet");
    command
        .arg(path("config", directory.join("kubelet.json")))
        .arg(path("kubeconfig", pki.kubeconfig(&name)))
        .arg(path("root-dir", directory.join("kubelet")))
        .arg(format!("--hostname-override={name}"))
        .arg(format!("--node-ip={ADDRESS}"))
        .arg("--v=2");
    command
}

pub(super) fn proxy(pki: &Pki) -> Command {
    let mut command = Command::new("kube-proxy");
    command
        .arg(format!(
            "--kubeconfig={}",
            pki.kubeconfig("proxy").display()
        ))
        .arg(format!("--hostname-override={}", name(1)))
        .arg(format!("--bind-address={ADDRESS}"))
        .args(["--proxy-mode=iptables", "--cluster-cidr=10.88.0.0/16"])
        .args([
            "--metrics-bind-address=127.0.0.1:10249",
            "--healthz-bind-address=127.0.0.1:10256",
        ])
        // These would be settings of the whole machine.
        .args([
            "--oom-score-adj=0",
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ]);
    command
}

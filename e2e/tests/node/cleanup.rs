//! A run with a node leaves nothing behind: no process, file, cgroup, fixed path or setting.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials};
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials![sigterm_removes_everything_of_a_node_whose_pod_runs])
}

const PATIENCE: Duration = Duration::from_secs(180);

/// A Pod that stays, then a file that says so.
const COMMAND: &str = r#"
until kubectl get serviceaccount default; do sleep 0.1; done
kubectl run stays --image=registry.local/pause:e2e --image-pull-policy=Never
kubectl wait pod/stays --for=condition=Ready --timeout=120s && touch "$0"
exec sleep 86400
"#;

async fn sigterm_removes_everything_of_a_node_whose_pod_runs(case: Case) -> Result<()> {
    let temporary = tempfile::tempdir_in(case.cluster().directory())?;
    let flags = tempfile::tempdir_in(case.cluster().directory())?;
    let runs = flags.path().join("runs");
    let before = settings()?;
    let mut outer = Command::new(env!("CARGO_BIN_EXE_evaljob-e2e"))
        .args(["up", "--nodes", "1", "--", "sh", "-c", COMMAND])
        .arg(&runs)
        .env_remove("EVALJOB_E2E_DIRECTORY")
        .env_remove("EVALJOB_E2E_CGROUP")
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    wait::until("a Pod on a node", PATIENCE, || async {
        Ok(Seen::some(runs.exists().then_some(()), "none yet"))
    })
    .await?;
    let pid = outer.id().context("it has ended")?;
    let cgroups = cgroups(pid)?;
    ensure!(cgroups.len() >= 2, "cgroups of the run: {cgroups:?}");
    let node_processes = processes(temporary.path())?;
    ensure!(node_processes.len() >= 4, "processes: {node_processes:?}");
    assert_eq!(
        settings()?,
        before,
        "what the kubelet wanted of the machine"
    );
    kill_process(
        Pid::from_raw(pid.try_into()?).context("not a PID")?,
        Signal::TERM,
    )?;
    tokio::time::timeout(PATIENCE, outer.wait())
        .await
        .context("still there after SIGTERM")??;
    assert_eq!(self::cgroups(pid)?, Vec::<PathBuf>::new());
    assert_eq!(processes(temporary.path())?, Vec::<String>::new());
    let left: Vec<_> = fs::read_dir(temporary.path())?.collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// As this run's own nodes left them: the kubelet's files lie over them, the machine's values below.
fn settings() -> Result<Vec<String>> {
    let mut values = Vec::new();
    let command = "unshare --mount --propagation private sh -c 'umount /proc/sys/vm/overcommit_memory /proc/sys/kernel/panic /proc/sys/kernel/panic_on_oops; cat /proc/sys/vm/overcommit_memory /proc/sys/kernel/panic /proc/sys/kernel/panic_on_oops'";
    let output = std::process::Command::new("sh")
        .args(["-c", command])
        .output()?;
    values.extend(String::from_utf8(output.stdout)?.lines().map(str::to_owned));
    ensure!(values.len() == 3, "{values:?}");
    Ok(values)
}

/// Cgroups named after this outer process.
fn cgroups(pid: u32) -> Result<Vec<PathBuf>> {
    let end = format!("-{pid}");
    let mut found = Vec::new();
    for hierarchy in fs::read_dir("/sys/fs/cgroup")?.filter_map(Result::ok) {
        let Ok(entries) = fs::read_dir(hierarchy.path()) else {
            continue;
        };
        found.extend(
            entries
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .filter(|path| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    name.starts_with("evaljob-e2e-") && name.ends_with(&end)
                }),
        );
    }
    Ok(found)
}

/// Command lines that name the run's directory: kubelet, containerd, its shims.
fn processes(directory: &Path) -> Result<Vec<String>> {
    let directory = directory.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.filter_map(Result::ok) {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&directory) {
            found.push(command);
        }
    }
    Ok(found)
}

//! Puts the process into network, mount and PID namespaces of its own.
//!
//! [`enter`] is called first thing in `main`. The outer process makes a directory, starts itself again
//! through util-linux' `unshare` and waits; the inner one goes on. Ports, routes, mounts and every
//! process end with the PID namespace, whatever becomes of the outer one: `setpriv --pdeathsig` and
//! `unshare --kill-child` hand its death down, so nothing outlives a test run, a panic or a Ctrl-C.
//! The namespaces' first process is bash, which reaps what is orphaned in them.
//! With KUBECONFIG set nothing is entered: the tests use that cluster from where they are.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::cgroups;
use crate::note::note;
use crate::programs;

/// The API server's address inside the namespaces. Kubernetes refuses a loopback address for the
/// `kubernetes` Service, so this one is added to the loopback device.
pub const ADDRESS: &str = "10.77.0.1";

/// Set for the inner process: the directory of this run.
const DIRECTORY: &str = "EVALJOB_E2E_DIRECTORY";

const FIRST_PROCESS: &str = r#"
set -e
ip link set lo up
ip address add "$0/32" dev lo
mount --make-rshared /
set +e
"$@"
exit $?
"#;

/// Which process this is now.
#[derive(Debug)]
pub enum Entered {
    /// The outer process: everything has run; exit with this code.
    Outside(ExitCode),
    /// The inner process; its own cluster keeps its state in this directory.
    Private(PathBuf),
    /// KUBECONFIG names a cluster; nothing was entered.
    Existing(tempfile::TempDir),
}

/// Whether KUBECONFIG names a cluster to use, instead of one of the run's own.
#[must_use]
pub fn is_existing() -> bool {
    env::var_os("KUBECONFIG").is_some()
}

/// Enters the namespaces, or says that this is not needed. `prepare` runs first, once, where there still is
/// a network.
///
/// # Errors
/// Not root, a tool is missing, or `prepare` failed.
pub fn enter(prepare: impl FnOnce() -> Result<()>) -> Result<Entered> {
    // First: a command that runs beside a private cluster (`up -- COMMAND`) has both.
    if is_existing() {
        prepare()?;
        return Ok(Entered::Existing(run_directory()?));
    }
    if let Some(directory) = env::var_os(DIRECTORY) {
        return Ok(Entered::Private(directory.into()));
    }
    ensure!(
        geteuid().is_root(),
        "a cluster in namespaces of its own needs root (hint: run as root, or set KUBECONFIG to use a cluster you have)"
    );
    prepare()?;
    let kubebox = programs::build_kubebox()?;
    let directory = run_directory()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let cgroup = cgroups::new_name()?;
    let code = runtime.block_on(run_inside(directory.path(), &kubebox, &cgroup));
    // Whatever it ended of: nobody is left in them.
    cgroups::remove(&cgroup)?;
    let code = code?;
    if code != ExitCode::SUCCESS {
        keep_logs(directory.path())?;
    }
    Ok(Entered::Outside(code))
}

fn run_directory() -> Result<tempfile::TempDir> {
    let directory = tempfile::Builder::new()
        .prefix("evaljob-e2e-")
        .tempdir()
        .context("cannot make a directory")?;
    // Agents read their tokens in it without being root.
    fs::set_permissions(
        directory.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o711),
    )?;
    fs::create_dir(log_directory(directory.path()))?;
    Ok(directory)
}

/// Where the logs of a run's processes are.
#[must_use]
pub fn log_directory(directory: &Path) -> PathBuf {
    directory.join("log")
}

/// The file with the PID, seen from outside, of a process in the run's network namespace.
#[must_use]
pub fn pid_file(directory: &Path) -> PathBuf {
    directory.join("pid")
}

async fn run_inside(directory: &Path, kubebox: &Path, cgroup: &str) -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(
        [kubebox.to_owned()]
            .into_iter()
            .chain(env::split_paths(&path)),
    )?;
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare"])
        .args([
            "--net",
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--mount-proc",
            "--fork",
            "--kill-child",
        ])
        .args(["bash", "-c", FIRST_PROCESS, ADDRESS])
        .arg(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(DIRECTORY, directory)
        .env(cgroups::NAME, cgroup)
        .env("PATH", path)
        .spawn()
        .context("cannot run setpriv (hint: install util-linux, iproute2 and bash)")?;
    let pid = child.id().context("unshare has ended")?;
    fs::write(pid_file(directory), pid.to_string())?;
    let signalled = tokio::select! {
        status = child.wait() => return exit_code(status?),
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    };
    end_namespaces(pid)?;
    child.wait().await?;
    bail!("ended by {signalled}; everything it had started is gone")
}

/// Kills the first process of the PID namespace: the kernel then kills all others, and `unshare`
/// returns when they are gone.
fn end_namespaces(unshare: u32) -> Result<()> {
    let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"))?;
    for child in children.split_ascii_whitespace() {
        let pid = Pid::from_raw(child.parse()?).context("a child without a PID")?;
        kill_process(pid, Signal::KILL)?;
    }
    Ok(())
}

fn exit_code(status: ExitStatus) -> Result<ExitCode> {
    if let Some(signal) = status.signal() {
        bail!("the inner process died of signal {signal}");
    }
    let code = status.code().context("no exit status")?;
    Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Copies the logs of a failed run out of the directory that is about to go, over those of the last.
fn keep_logs(directory: &Path) -> Result<()> {
    let kept = programs::output_directory()?.join("e2e-logs");
    if kept.exists() {
        fs::remove_dir_all(&kept)?;
    }
    fs::create_dir_all(&kept)?;
    for entry in fs::read_dir(log_directory(directory))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), kept.join(entry.file_name()))?;
        }
    }
    note(&format!("logs of all processes: {}", kept.display()));
    Ok(())
}

/// Leaves a `kubectl` in the run's directory that works from outside the namespaces; returns its path.
///
/// # Errors
/// There is no kubectl on PATH, or the file cannot be written.
pub fn kubectl_wrapper(directory: &Path, kubeconfig: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let kubectl = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|directory| directory.join("kubectl"))
        .find(|path| path.is_file())
        .context("no kubectl on PATH")?;
    let script = format!(
        "#!/bin/sh\nKUBECONFIG={} KUBECACHEDIR={} exec nsenter --target=\"$(cat {})\" --net {} \"$@\"\n",
        kubeconfig.display(),
        directory.join("kubectl-cache").display(),
        pid_file(directory).display(),
        kubectl.display(),
    );
    let wrapper = directory.join("kubectl");
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(wrapper)
}

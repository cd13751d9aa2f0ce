//! A test run leaves nothing behind, however it ends.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials};
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        sigterm_ends_every_process_and_removes_every_file,
        sigkill_ends_every_process,
        the_command_inside_decides_the_exit_status,
        inside_there_is_another_network_and_another_set_of_processes,
    ]
}

const PATIENCE: Duration = Duration::from_secs(60);

async fn sigterm_ends_every_process_and_removes_every_file(case: Case) -> Result<()> {
    let temporary = tempfile::tempdir_in(case.cluster().directory())?;
    let (mut outer, marker) = start_sleeper(&case, temporary.path())?;
    wait_sleepers(&marker, 1).await?;
    ensure!(
        fs::read_dir(temporary.path())?.count() == 1,
        "a directory while it runs"
    );
    signal(&outer, Signal::TERM)?;
    let status = tokio::time::timeout(PATIENCE, outer.wait())
        .await
        .context("still there after SIGTERM")??;
    ensure!(!status.success(), "{status}");
    wait_sleepers(&marker, 0).await?;
    assert_eq!(
        fs::read_dir(temporary.path())?.count(),
        0,
        "no file is left"
    );
    Ok(())
}

async fn sigkill_ends_every_process(case: Case) -> Result<()> {
    let temporary = tempfile::tempdir_in(case.cluster().directory())?;
    let (mut outer, marker) = start_sleeper(&case, temporary.path())?;
    wait_sleepers(&marker, 1).await?;
    signal(&outer, Signal::KILL)?;
    outer.wait().await?;
    wait_sleepers(&marker, 0).await
}

async fn the_command_inside_decides_the_exit_status(_: Case) -> Result<()> {
    let status = enter().args(["sh", "-c", "exit 7"]).status().await?;
    assert_eq!(status.code(), Some(7));
    Ok(())
}

async fn inside_there_is_another_network_and_another_set_of_processes(_: Case) -> Result<()> {
    let script =
        "readlink /proc/self/ns/net /proc/self/ns/mnt /proc/self/ns/pid; ps -e -o pid= | head -1";
    let outside = String::from_utf8(
        Command::new("sh")
            .args(["-c", script])
            .output()
            .await?
            .stdout,
    )?;
    let inside = String::from_utf8(enter().args(["sh", "-c", script]).output().await?.stdout)?;
    let pairs: Vec<_> = outside.lines().zip(inside.lines()).collect();
    ensure!(pairs.len() == 4, "outside: {outside}inside: {inside}");
    for (outside, inside) in &pairs[..3] {
        ensure!(outside != inside, "shared: {inside}");
    }
    ensure!(
        pairs[3].1.trim() == "1",
        "the first process inside is {}",
        pairs[3].1
    );
    Ok(())
}

/// `evaljob-e2e enter --`, as it is outside any cluster.
fn enter() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evaljob-e2e"));
    command
        .args(["enter", "--"])
        .env_remove("EVALJOB_E2E_DIRECTORY")
        .env_remove("KUBECONFIG")
        .kill_on_drop(true);
    command
}

fn start_sleeper(case: &Case, temporary: &std::path::Path) -> Result<(Child, String)> {
    // A number of seconds that no other process sleeps.
    let marker = format!(
        "86400.{}",
        case.namespace()
            .bytes()
            .map(|byte| format!("{byte:03}"))
            .collect::<String>()
    );
    let mut command = enter();
    command
        .args(["sleep", &marker])
        .env("TMPDIR", temporary)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok((command.spawn()?, marker))
}

fn signal(child: &Child, signal: Signal) -> Result<()> {
    let pid = child.id().context("it has ended")?;
    let pid = Pid::from_raw(pid.try_into()?).context("not a PID")?;
    kill_process(pid, signal).map_err(Into::into)
}

/// Waits until as many processes sleep for `marker` seconds.
async fn wait_sleepers(marker: &str, count: usize) -> Result<()> {
    let what = format!("{count} processes that run sleep {marker}");
    wait::until(&what, PATIENCE, || async {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            let Ok(command) = fs::read(path.join("cmdline")) else {
                continue;
            };
            let arguments: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
            if arguments.first() == Some(&&b"sleep"[..])
                && arguments.get(1) == Some(&marker.as_bytes())
            {
                found.push(path);
            }
        }
        Ok(if found.len() == count {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{found:?}"))
        })
    })
    .await
}

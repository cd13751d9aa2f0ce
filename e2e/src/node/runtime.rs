//! What is asked of a node's containerd: whether it serves, images, the shims it has started.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::config;
use crate::images::Image;
use crate::process::Process;
use crate::programs;
use crate::wait::{self, Seen};

const START: Duration = Duration::from_secs(60);

fn ctr(directory: &Path) -> Command {
    let mut command = Command::new("ctr");
    command
        .arg("--address")
        .arg(config::socket(directory))
        .args(["--namespace", "k8s.io"])
        .kill_on_drop(true);
    command
}

/// Waits until containerd answers.
pub(super) async fn serving(directory: &Path, containerd: &mut Process) -> Result<()> {
    let containerd = Mutex::new(containerd);
    wait::until("containerd to serve", START, || async {
        containerd.lock().await.check_alive()?;
        let output = ctr(directory).arg("version").output().await?;
        Ok(if output.status.success() {
            Seen::Yes(())
        } else {
            Seen::NotYet(String::from_utf8_lossy(&output.stderr).into_owned())
        })
    })
    .await
}

/// Writes the archive straight into containerd.
pub(super) async fn import(directory: &Path, image: &Image) -> Result<()> {
    let mut child = ctr(directory)
        .args(["images", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run ctr")?;
    let pipe = child.stdin.take().context("no pipe to ctr")?;
    let pipe = std::fs::File::from(pipe.into_owned_fd()?);
    let archive = image.clone();
    let written = tokio::task::spawn_blocking(move || archive.write(std::io::BufWriter::new(pipe)));
    let output = child.wait_with_output().await?;
    let written = written.await?;
    ensure!(
        output.status.success(),
        "cannot import {}: {}",
        image.reference,
        String::from_utf8_lossy(&output.stderr)
    );
    written.with_context(|| format!("cannot write the archive of {}", image.reference))
}

/// Gives an image that containerd has another name.
pub(super) async fn tag(directory: &Path, reference: &str, other: &str) -> Result<()> {
    let output = ctr(directory)
        .args(["images", "tag", reference, other])
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "cannot tag {reference}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The image of the process that holds a Pod's namespaces.
pub(super) fn pause_image() -> Result<Image> {
    let program = programs::output_directory()?.join("evaljob-e2e-pause");
    ensure!(
        program.is_file(),
        "{} is missing (hint: cargo build --workspace --bins)",
        program.display()
    );
    Ok(Image {
        reference: config::PAUSE.into(),
        base: None,
        programs: vec![(program, "/pause")],
        entrypoint: vec!["/pause"],
        user: None,
    })
}

/// PIDs of the shims that this node's containerd has started; they outlive it.
pub(super) fn shims(directory: &Path) -> Result<Vec<i32>> {
    let socket = config::socket(directory).display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        // A process may end while it is looked at.
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut arguments = command.split(|byte| *byte == 0);
        let is_shim = arguments
            .next()
            .is_some_and(|program| program.ends_with(b"containerd-shim-runc-v2"));
        if is_shim && arguments.any(|argument| argument == socket.as_bytes()) {
            found.push(pid);
        }
    }
    Ok(found)
}

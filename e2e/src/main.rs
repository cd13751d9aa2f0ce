//! `evaljob-e2e up [-- COMMAND ARGS...]`: a private control plane with the EvalJob CRD and roles.
//!
//! With a command: runs it inside the cluster's namespaces with KUBECONFIG and kubectl on PATH, and ends
//! with its status. Without: says how to use the cluster and serves until a signal comes.
//! Everything ends with this process.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use evaljob_e2e::cluster::Cluster;
use evaljob_e2e::control_plane::Options;
use evaljob_e2e::namespaces::{self, Entered};
use tokio::process::Command;

const USAGE: &str = "usage: evaljob-e2e up [-- COMMAND ARGS...]";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let command = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["up"] => Vec::new(),
        ["up", "--", command @ ..] if !command.is_empty() => arguments[2..].to_vec(),
        _ => bail!(USAGE),
    };
    match namespaces::enter()? {
        Entered::Outside(code) => Ok(code),
        Entered::Existing(_) => {
            bail!("KUBECONFIG is set: there is a cluster already (hint: unset it)")
        }
        Entered::Private(directory) => {
            tokio::runtime::Runtime::new()?.block_on(up(&directory, &command))
        }
    }
}

async fn up(directory: &Path, command: &[String]) -> Result<ExitCode> {
    let cluster = Cluster::start(directory, Options::default()).await?;
    cluster.apply_crd().await?;
    cluster.apply_roles().await?;
    let Some((program, arguments)) = command.split_first() else {
        return serve(&cluster).await;
    };
    let status = Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", cluster.kubeconfig())
        .status()
        .await
        .with_context(|| format!("cannot run {program}"))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Leaves a `kubectl` in the run's directory that works from outside the namespaces.
async fn serve(cluster: &Cluster) -> Result<ExitCode> {
    let directory = cluster.directory();
    let kubectl = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|directory| directory.join("kubectl"))
        .find(|path| path.is_file())
        .context("no kubectl on PATH")?;
    let script = format!(
        "#!/bin/sh\nKUBECONFIG={} KUBECACHEDIR={} exec nsenter --target=\"$(cat {})\" --net {} \"$@\"\n",
        cluster.kubeconfig().display(),
        directory.join("kubectl-cache").display(),
        namespaces::pid_file(directory).display(),
        kubectl.display(),
    );
    let wrapper = directory.join("kubectl");
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    namespaces::note(format!(
        "the cluster is up (Ctrl-C ends it); use it from another terminal with\n  {}",
        wrapper.display()
    ));
    std::future::pending().await
}

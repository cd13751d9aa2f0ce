//! A private control plane, or only its namespaces, from the command line.
//!
//! `evaljob-e2e up` starts a control plane with the EvalJob CRD and roles, says how to use it and serves until a
//! signal comes. `evaljob-e2e up -- COMMAND` runs a command beside it, with KUBECONFIG set and kubectl on
//! PATH, and ends with its status: the tests too, which then use this cluster. `up --nodes N` adds nodes that run Pods,
//! with the product's images by `--images`, and leaves CRD and roles to the chart. `evaljob-e2e enter -- COMMAND` does the
//! same without a cluster. Everything ends with this process.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use evaljob_e2e::cluster::Cluster;
use evaljob_e2e::control_plane::Options;
use evaljob_e2e::namespaces::{self, Entered};
use evaljob_e2e::note::note;
use evaljob_e2e::{programs, release};
use tokio::process::Command;

const USAGE: &str =
    "usage: evaljob-e2e up [--nodes N [--images]] [-- COMMAND ARGS...] | enter -- COMMAND ARGS...";

fn main() -> Result<ExitCode> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let mut options = Options::default();
    if arguments.get(1).is_some_and(|flag| flag == "--nodes") {
        options.nodes = arguments.get(2).context(USAGE)?.parse().context(USAGE)?;
        arguments.drain(1..3);
    }
    let images = options.nodes > 0 && arguments.get(1).is_some_and(|flag| flag == "--images");
    if images {
        arguments.remove(1);
    }
    let (with_cluster, command) = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        ["up"] => (true, None),
        ["up", "--", program, ..] => (true, Some((*program, &arguments[3..]))),
        ["enter", "--", program, ..] => (false, Some((*program, &arguments[3..]))),
        _ => bail!(USAGE),
    };
    let prepare = || {
        if images {
            programs::build_product()?;
            programs::build_toolbox()?;
        }
        Ok(())
    };
    let directory = match namespaces::enter(prepare)? {
        Entered::Outside(code) => return Ok(code),
        Entered::Existing(_) => {
            bail!("KUBECONFIG is set: there is a cluster already (hint: unset it)")
        }
        Entered::Private(directory) => directory,
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        let cluster = if with_cluster {
            Some(start(&directory, options, images).await?)
        } else {
            None
        };
        match (command, &cluster) {
            (Some((program, arguments)), cluster) => {
                run(program, arguments, cluster.as_ref()).await
            }
            (None, Some(cluster)) => serve(cluster).await,
            (None, None) => bail!(USAGE),
        }
    })
}

async fn start(directory: &Path, options: Options, images: bool) -> Result<Cluster> {
    let cluster = Cluster::start(directory, options).await?;
    if options.nodes == 0 {
        cluster.apply_crd().await?;
        cluster.apply_roles().await?;
    }
    if images {
        release::import_product(&cluster).await?;
    }
    Ok(cluster)
}

async fn run(program: &str, arguments: &[String], cluster: Option<&Cluster>) -> Result<ExitCode> {
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(cluster) = cluster {
        command.env("KUBECONFIG", cluster.kubeconfig());
    }
    let status = command
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
    let wrapper = namespaces::kubectl_wrapper(cluster.directory(), cluster.kubeconfig())?;
    note(&format!(
        "the cluster is up (Ctrl-C ends it); use it from another terminal with\n  {}",
        wrapper.display()
    ));
    std::future::pending().await
}

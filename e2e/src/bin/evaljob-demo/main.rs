//! `make demo`: a person watches the whole product judge real programs on a real cluster.
//!
//! A control plane and a node with its kubelet; images brought there; `helm install` of the chart; then the examples,
//! then HumanEval's 328 programs by the pipeline of examples/. NODE=host: no kubelet, operator and agent as processes
//! of this machine with the same permissions. KEEP=1 leaves everything running until Ctrl-C and says how to use it.
//! Everything ends with this process.

mod examples;
mod pipeline;
mod place;

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use evaljob_e2e::Case;
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::namespaces::{self, Entered};
use evaljob_e2e::note::note;
use evaljob_e2e::programs;

use place::Place;

fn main() -> Result<ExitCode> {
    let place = Place::of(env::var("NODE").ok().as_deref())?;
    let prepare = || {
        programs::build_product()?;
        if place == Place::Node {
            programs::build_toolbox()?;
        }
        Ok(())
    };
    let directory = match namespaces::enter(prepare)? {
        Entered::Outside(code) => return Ok(code),
        Entered::Existing(_) => bail!(
            "KUBECONFIG is set (hint: unset it; with a cluster of your own install charts/evaljob and run examples/pipelines/humaneval.py)"
        ),
        Entered::Private(directory) => directory,
    };
    tokio::runtime::Runtime::new()?.block_on(demo(&directory, place))
}

async fn demo(directory: &Path, place: Place) -> Result<ExitCode> {
    let begun = Instant::now();
    let started = place.start(directory).await?;
    let case = started.case();
    examples::judge(case, place).await?;
    pipeline::humaneval(case).await?;
    title(&format!("done in {} s", begun.elapsed().as_secs()));
    if env::var_os("KEEP").is_some_and(|keep| keep == "1") {
        note(&how_to_use(directory, case)?);
        std::future::pending::<()>().await;
    }
    note("KEEP=1 make demo leaves the cluster running and says how to use it");
    case.end().await?;
    Ok(ExitCode::SUCCESS)
}

/// What begins now.
fn title(text: &str) {
    note(&format!("\n-- {text}"));
}

/// What a person would type, and what it says.
async fn show(case: &Case, arguments: &str) -> Result<()> {
    let all: Vec<&str> = arguments.split(' ').collect();
    let said = case.cluster().kubectl().ok(&all).await?;
    note(&format!("$ kubectl {arguments}\n{}", said.trim_end()));
    Ok(())
}

fn how_to_use(directory: &Path, case: &Case) -> Result<String> {
    let kubectl = namespaces::kubectl_wrapper(directory, case.cluster().kubeconfig())?;
    let (kubectl, namespace) = (kubectl.display(), case.namespace());
    Ok(format!(
        "\neverything is left running; Ctrl-C ends it. From another terminal:\n\
         \n  alias k='{kubectl} -n {namespace}'\
         \n  k create -f examples/hello.yaml\
         \n  k get ej\
         \n  k describe ej NAME\
         \n  k -n {SYSTEM_NAMESPACE} get all"
    ))
}

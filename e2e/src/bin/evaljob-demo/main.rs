//! `make demo`: a person watches the whole product judge real programs on a real API server.
//!
//! Control plane, operator and one agent as host processes with real tokens and the real permissions; then the
//! examples, then HumanEval's 328 programs by the pipeline of examples/. KEEP=1 leaves everything running until
//! Ctrl-C and says how to use it. Everything ends with this process.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use evaljob_e2e::Case;
use evaljob_e2e::cluster::Cluster;
use evaljob_e2e::control_plane::Options;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::namespaces::{self, Entered};
use evaljob_e2e::note::note;
use evaljob_e2e::programs::checkout;
use tokio::process::Command;

/// Longest for the examples.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> Result<ExitCode> {
    let directory = match namespaces::enter(evaljob_e2e::programs::build_product)? {
        Entered::Outside(code) => return Ok(code),
        Entered::Existing(_) => bail!(
            "KUBECONFIG is set (hint: unset it; with a cluster of your own install charts/evaljob and run examples/pipelines/humaneval.py)"
        ),
        Entered::Private(directory) => directory,
    };
    tokio::runtime::Runtime::new()?.block_on(demo(&directory))
}

async fn demo(directory: &Path) -> Result<ExitCode> {
    note("starting etcd, kube-apiserver, controller manager and scheduler");
    let cluster = Cluster::start(directory, Options::default()).await?;
    cluster.apply_crd().await?;
    cluster.apply_roles().await?;
    let case = Case::new(Arc::new(cluster), "demo").await?;
    note("starting evaljob-operator and one evaljob-agent");
    let installation = Installation::start(&case).await?;
    let slots = std::thread::available_parallelism().map_or(1, usize::from);
    let _agent = installation.agent("node-1", u32::try_from(slots)?).await?;
    examples(&case).await?;
    humaneval(&case).await?;
    if env::var_os("KEEP").is_some_and(|keep| keep == "1") {
        let kubectl = namespaces::kubectl_wrapper(directory, case.cluster().kubeconfig())?;
        note(&format!(
            "everything is left running (Ctrl-C ends it); from another terminal:\n  {} -n {} get ej",
            kubectl.display(),
            case.namespace()
        ));
        std::future::pending::<()>().await;
    }
    case.end().await?;
    Ok(ExitCode::SUCCESS)
}

/// Creates every example and shows what became of it.
async fn examples(case: &Case) -> Result<()> {
    note("the examples of examples/");
    let mut files: Vec<PathBuf> = std::fs::read_dir(checkout("examples"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    ensure!(files.len() >= 8, "examples/ holds {} files", files.len());
    for file in &files {
        let file = file.to_str().context("a path that is not text")?;
        case.kubectl().ok(&["create", "-f", file]).await?;
    }
    let timeout = format!("--timeout={}s", PATIENCE.as_secs());
    case.kubectl()
        .ok(&["wait", "ej", "--all", "--for=condition=Finished", &timeout])
        .await?;
    note(&case.kubectl().ok(&["get", "ej", "-o", "wide"]).await?);
    Ok(())
}

/// The pipeline: 164 problems with their canonical solution and a mutant each.
async fn humaneval(case: &Case) -> Result<()> {
    note(
        "HumanEval: 164 problems, each with its solution and a mutant, by examples/pipelines/humaneval.py",
    );
    let samples = case.cluster().directory().join("samples.jsonl");
    let corpus = Command::new("/usr/bin/python3")
        .arg(checkout("e2e/humaneval/corpus.py"))
        .arg("samples")
        .output()
        .await?;
    ensure!(
        corpus.status.success(),
        "e2e/humaneval/corpus.py ended with {}",
        corpus.status
    );
    std::fs::write(&samples, corpus.stdout)?;
    let python = env::var_os("EVALJOB_PYTHON").unwrap_or_else(|| "python3".into());
    let status = Command::new(python)
        .arg(checkout("examples/pipelines/humaneval.py"))
        .arg("--problems")
        .arg(checkout("e2e/humaneval/data/HumanEval.jsonl.gz"))
        .arg("--samples")
        .arg(&samples)
        .args(["--namespace", case.namespace()])
        .env("KUBECONFIG", case.cluster().kubeconfig())
        .status()
        .await
        .context("cannot run the pipeline")?;
    ensure!(status.success(), "the pipeline ended with {status}");
    let table = case
        .kubectl()
        .ok(&["get", "ej", "--sort-by=.metadata.creationTimestamp"])
        .await?;
    let lines: Vec<&str> = table.lines().collect();
    let last = lines.len().saturating_sub(12);
    let shown: Vec<&str> = lines
        .iter()
        .take(1)
        .chain(lines.iter().skip(last.max(1)))
        .copied()
        .collect();
    note(&format!(
        "$ kubectl get ej   (the last of {})\n{}",
        lines.len().saturating_sub(1),
        shown.join("\n")
    ));
    Ok(())
}

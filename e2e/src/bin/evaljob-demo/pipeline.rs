//! HumanEval by the pipeline of examples/: 164 problems with their canonical solution and a mutant each.

use std::env;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::Case;
use evaljob_e2e::note::note;
use evaljob_e2e::programs::checkout;
use tokio::process::Command;

use crate::title;

/// Lines of the table that are shown.
const SHOWN: usize = 12;

/// Runs the pipeline, which fails where a verdict is not what the corpus says.
pub(crate) async fn humaneval(case: &Case) -> Result<()> {
    title(
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
    let last = lines.len().saturating_sub(SHOWN).max(1);
    let shown: Vec<&str> = lines
        .iter()
        .take(1)
        .chain(&lines[last..])
        .copied()
        .collect();
    note(&format!(
        "$ kubectl -n {} get ej   (the last of {})\n{}",
        case.namespace(),
        lines.len().saturating_sub(1),
        shown.join("\n")
    ));
    Ok(())
}

//! Every example of examples/ that can run here is created, and ends as its file says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::note::note;
use evaljob_e2e::{Case, programs};
use serde_json::Value;

use crate::place::Place;
use crate::{show, title};

/// Longest for all of them.
const PATIENCE: Duration = Duration::from_secs(300);

struct Example {
    path: PathBuf,
    manifests: Vec<Value>,
    /// What its comment promises.
    ends_as: String,
}

/// Creates every example, shows what became of them, and compares.
pub(crate) async fn judge(case: &Case, place: Place) -> Result<()> {
    title("the examples of examples/, each with kubectl create");
    let mut examples = read()?;
    if place == Place::Node {
        let toolbox = programs::build_toolbox()?.join("rootfs");
        let (here, elsewhere): (Vec<_>, Vec<_>) = examples
            .into_iter()
            .partition(|example| missing(example, &toolbox).is_empty());
        for example in &elsewhere {
            note(&format!(
                "left out: {} needs {}, which the agent's toolbox has not (make demo NODE=host takes this machine's)",
                example.path.file_name().unwrap_or_default().display(),
                missing(example, &toolbox).join(", ")
            ));
        }
        examples = here;
    }
    ensure!(examples.len() >= 8, "{} examples", examples.len());
    let mut expected = Vec::new();
    for example in &examples {
        let path = example.path.to_str().context("a path that is not text")?;
        let made = case
            .kubectl()
            .ok(&["create", "-f", path, "-o", "name"])
            .await?;
        let name = made
            .lines()
            .find_map(|line| line.strip_prefix("evaljob.evaljob.dev/"));
        let name = name.with_context(|| format!("{path} makes no EvalJob"))?;
        expected.push((name.to_owned(), &example.ends_as));
    }
    let timeout = format!("--timeout={}s", PATIENCE.as_secs());
    case.kubectl()
        .ok(&["wait", "ej", "--all", "--for=condition=Finished", &timeout])
        .await?;
    show(case, &format!("-n {} get ej -o wide", case.namespace())).await?;
    for (name, ends_as) in &expected {
        let job = case.verdict(name, PATIENCE).await?;
        let verdict = &job.data["status"]["verdict"];
        ensure!(
            verdict == ends_as.as_str(),
            "{name}: {verdict}, not {ends_as}"
        );
    }
    note(&format!(
        "{} examples, each ended as its file says",
        expected.len()
    ));
    Ok(())
}

fn read() -> Result<Vec<Example>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(programs::checkout("examples"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    paths.sort();
    paths.into_iter().map(example).collect()
}

fn example(path: PathBuf) -> Result<Example> {
    let text = fs::read_to_string(&path)?;
    let ends_as = text
        .lines()
        .find_map(|line| line.strip_prefix("# Ends as: "));
    let ends_as = ends_as.with_context(|| format!("{} has no `Ends as`", path.display()))?;
    Ok(Example {
        manifests: serde_saphyr::from_multiple(&text)?,
        ends_as: ends_as.trim().to_owned(),
        path,
    })
}

/// Programs that the example calls by name and that are not in this root file system.
fn missing(example: &Example, rootfs: &Path) -> Vec<String> {
    let mut missing: Vec<String> = example
        .manifests
        .iter()
        .flat_map(|manifest| {
            let spec = &manifest["spec"];
            let steps = spec["steps"].as_array().into_iter().flatten();
            steps
                .chain([spec])
                .filter_map(|run| run["command"][0].as_str())
        })
        .filter(|program| !program.contains('/') && !rootfs.join("usr/bin").join(program).exists())
        .map(str::to_owned)
        .collect();
    missing.dedup();
    missing
}

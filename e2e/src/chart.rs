//! The chart as Helm renders it: `charts/evaljob` of the checkout.
//!
//! In: values files and single values. Out: manifests as text or as objects; Helm's refusals. Rendering asks no cluster.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::case::Case;
use crate::cluster::SYSTEM_NAMESPACE;
use crate::kubectl::Output;
use crate::programs;

/// Version of the checkout's chart and of the product; a test compares them.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The release's name in tests.
pub const RELEASE: &str = "evaljob";

/// The chart's directory, or a file in it.
#[must_use]
pub fn path(file: &str) -> PathBuf {
    programs::checkout("charts/evaljob").join(file)
}

/// Runs helm; its own failure is in the output.
///
/// # Errors
/// Helm cannot be started.
pub async fn helm(arguments: &[&str]) -> Result<Output> {
    let output = Command::new("helm")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .context("cannot run helm")?;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs helm against a test's cluster; its own failure is in the output.
///
/// # Errors
/// Helm cannot be started.
pub async fn helm_in(case: &Case, arguments: &[&str]) -> Result<Output> {
    let kubeconfig = case.cluster().kubeconfig().display().to_string();
    let mut all = vec!["--kubeconfig", &kubeconfig];
    all.extend(arguments);
    helm(&all).await
}

/// `helm template` of the chart in the system namespace, with more arguments.
///
/// # Errors
/// Helm refuses; the message holds its standard error.
pub async fn render(arguments: &[&str]) -> Result<String> {
    let output = template(arguments).await?;
    ensure!(
        output.status.success(),
        "helm template {} failed: {}",
        arguments.join(" "),
        output.stderr.trim_end()
    );
    Ok(output.stdout)
}

/// What `helm template` says where it refuses.
///
/// # Errors
/// It renders.
pub async fn refused(arguments: &[&str]) -> Result<String> {
    let output = template(arguments).await?;
    if output.status.success() {
        bail!("helm template {} succeeded", arguments.join(" "));
    }
    Ok(output.stderr)
}

async fn template(arguments: &[&str]) -> Result<Output> {
    let chart = path("");
    let chart = chart.to_str().context("a path that is not text")?;
    let mut all = vec![
        "template",
        RELEASE,
        chart,
        "--namespace",
        SYSTEM_NAMESPACE,
        "--kube-version=v1.36.0",
    ];
    all.extend(arguments);
    helm(&all).await
}

/// The objects of a rendered text.
///
/// # Errors
/// It is not YAML.
pub fn objects(rendered: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(rendered)?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

/// One value of `values.yaml`: the path of its keys, its default as written, its description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documented {
    /// `operator.image.tag`.
    pub key: String,
    /// YAML in one line.
    pub default: String,
    /// The comment above it.
    pub description: String,
}

/// Every documented value of a values file, in its order.
///
/// # Errors
/// A value has no description: a comment line above it that begins with `# --`.
pub fn documented(values: &str) -> Result<Vec<Documented>> {
    let mut found: Vec<Documented> = Vec::new();
    // Keys above the line, each with its indentation.
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut description = None;
    for line in values.lines() {
        let indentation = line.len() - line.trim_start().len();
        let text = line.trim();
        if let Some(comment) = text.strip_prefix("# -- ") {
            description = Some((indentation, comment.to_owned()));
            continue;
        }
        let Some((key, rest)) = text.split_once(':').filter(|_| !text.starts_with('#')) else {
            continue;
        };
        above.retain(|(depth, _)| *depth < indentation);
        above.push((indentation, key.to_owned()));
        let keys: Vec<&str> = above.iter().map(|(_, key)| key.as_str()).collect();
        let key = keys.join(".");
        // Deeper lines of a value that is described as a whole.
        let parent = found.last_mut().filter(|last: &&mut Documented| {
            last.default.starts_with('{') || last.default.is_empty()
        });
        if let Some(parent) = parent
            && key.starts_with(&format!("{}.", parent.key))
            && description.is_none()
        {
            let before = parent.default.strip_prefix('{');
            let before = before.and_then(|inner| inner.strip_suffix('}'));
            let inner = before.map_or_else(String::new, |before| format!("{before}, "));
            parent.default = format!("{{{inner}{text}}}");
            continue;
        }
        match description.take() {
            Some((_, description)) => found.push(Documented {
                key,
                default: rest.trim().to_owned(),
                description,
            }),
            None => ensure!(rest.trim().is_empty(), "{key} has no description"),
        }
    }
    Ok(found)
}

/// README.md of the chart, made of Chart.yaml and values.yaml.
///
/// # Errors
/// A value has no description.
pub fn readme(values: &str) -> Result<String> {
    let mut text = HEAD.to_owned();
    for value in documented(values)? {
        let default = value.default.replace('|', "\\|");
        text += &format!(
            "| `{}` | `{default}` | {} |\n",
            value.key,
            value.description.replace('|', "\\|")
        );
    }
    Ok(text)
}

const HEAD: &str = "\
# evaljob

Installs EvalJob: the operator as a Deployment, an agent on each node as a DaemonSet, the CustomResourceDefinition, and the
policies around them. [docs/install.md](../../docs/install.md) is the way for newcomers,
[docs/operations.md](../../docs/operations.md) what comes after.

    helm install evaljob charts/evaljob --namespace evaljob-system --create-namespace
    helm test evaljob --namespace evaljob-system

Needs Kubernetes 1.34 and Linux 6.1 with cgroup v2 on the nodes. One release serves the whole cluster; a second one is
refused. The agents hold six capabilities, each explained in [docs/security.md](../../docs/security.md), so their namespace must
admit privileged Pods.

## Values

Made of the comments in values.yaml by `make chart`; values.schema.json refuses what is not listed.

| value | default | meaning |
|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_documented_with_their_path_and_whole_default() -> Result<()> {
        let values = "# text\n# -- A\na: 1\nb:\n  # -- C\n  c: {}\n  # -- D\n  d:\n    e: {f: g}\n    h: {i: j}\ni:\n  # -- J\n  j: \"\"\n";
        let found = documented(values)?;
        let rows: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|value| {
                (
                    value.key.as_str(),
                    value.default.as_str(),
                    value.description.as_str(),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("a", "1", "A"),
                ("b.c", "{}", "C"),
                ("b.d", "{e: {f: g}, h: {i: j}}", "D"),
                ("i.j", "\"\"", "J"),
            ]
        );
        documented("a:\n  b: 1\n").unwrap_err();
        Ok(())
    }
}

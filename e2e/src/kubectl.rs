//! Runs kubectl, the program people use.
//!
//! In: arguments, a kubeconfig, standard input. Out: status and both streams. Discovery is cached below
//! the run's own directory: a cache that outlives a cluster describes the wrong one.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// kubectl with a kubeconfig and, perhaps, a namespace.
#[derive(Debug, Clone)]
pub struct Kubectl {
    kubeconfig: PathBuf,
    cache: PathBuf,
    namespace: Option<String>,
}

/// How a kubectl ended.
#[derive(Debug)]
pub struct Output {
    /// Exit status.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Kubectl {
    /// A kubectl for this kubeconfig.
    #[must_use]
    pub fn new(kubeconfig: &Path, cache: &Path, namespace: Option<&str>) -> Self {
        Self {
            kubeconfig: kubeconfig.to_owned(),
            cache: cache.to_owned(),
            namespace: namespace.map(str::to_owned),
        }
    }

    /// Runs it with `input` on standard input.
    ///
    /// # Errors
    /// kubectl cannot be started; its own failure is in the output.
    pub async fn run(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .env("KUBECACHEDIR", &self.cache);
        if let Some(namespace) = &self.namespace {
            command.arg("--namespace").arg(namespace);
        }
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().context("cannot run kubectl")?;
        let mut stdin = child.stdin.take().context("no pipe to kubectl")?;
        // Both at once: a manifest may be larger than a pipe holds. A closed pipe is kubectl's to explain.
        let write = async {
            let _closed = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), write);
        let output = output?;
        Ok(Output {
            status: output.status,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// Runs it and returns standard output.
    ///
    /// # Errors
    /// kubectl fails; the message holds its standard error.
    pub async fn ok(&self, arguments: &[&str]) -> Result<String> {
        self.ok_with(arguments, "").await
    }

    /// Runs it with `input` on standard input and returns standard output.
    ///
    /// # Errors
    /// kubectl fails; the message holds its standard error.
    pub async fn ok_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let output = self.run(arguments, input).await?;
        if !output.status.success() {
            bail!(
                "kubectl {} failed ({}): {}",
                arguments.join(" "),
                output.status,
                output.stderr.trim_end()
            );
        }
        Ok(output.stdout)
    }

    /// Runs it with `input` on standard input and returns standard error.
    ///
    /// # Errors
    /// kubectl succeeds.
    pub async fn refused(&self, arguments: &[&str], input: &str) -> Result<String> {
        let output = self.run(arguments, input).await?;
        if output.status.success() {
            bail!(
                "kubectl {} succeeded: {}",
                arguments.join(" "),
                output.stdout.trim_end()
            );
        }
        Ok(output.stderr)
    }
}

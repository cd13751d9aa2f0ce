//! Finds and builds the programs that tests start: kubebox, evaljob-operator, evaljob-agent.
//!
//! Builds happen in the outer process, before any namespace is entered: the network is needed, and no
//! cargo lock is held while tests run. Cargo decides whether anything has to be compiled, so a
//! test never runs a stale binary. EVALJOB_BIN_DIR names a directory with both binaries instead.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, str};

use anyhow::{Context, Result, ensure};

const BINARIES: &str = "EVALJOB_BIN_DIR";

/// The directory cargo puts binaries of this profile in, e.g. `target/x86_64-unknown-linux-gnu/debug`.
///
/// # Errors
/// The running binary was not started from a cargo target directory.
pub fn output_directory() -> Result<PathBuf> {
    let own = env::current_exe()?;
    let directory = own
        .parent()
        .context("the running binary has no directory")?;
    let directory = if directory.ends_with("deps") {
        directory.parent()
    } else {
        Some(directory)
    };
    Ok(directory
        .with_context(|| format!("{} is not in a cargo target directory", own.display()))?
        .to_owned())
}

/// Path of a file of the checkout, from its root.
#[must_use]
pub fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Path of one of the product's binaries.
///
/// # Errors
/// The binary is not there.
pub fn product(name: &str) -> Result<PathBuf> {
    let directory =
        env::var_os(BINARIES).map_or_else(output_directory, |directory| Ok(directory.into()))?;
    let path = directory.join(name);
    ensure!(
        path.is_file(),
        "{} is missing (hint: cargo build -p {name}, or set {BINARIES})",
        path.display()
    );
    Ok(path)
}

/// Builds evaljob-operator and evaljob-agent in the profile of the running binary.
///
/// # Errors
/// Cargo fails.
pub fn build_product() -> Result<()> {
    if env::var_os(BINARIES).is_some() {
        return Ok(());
    }
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--package=evaljob-operator",
        "--package=evaljob-agent",
    ]);
    if output_directory()?.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo
        .current_dir(checkout(""))
        .status()
        .context("cannot run cargo")?;
    ensure!(
        status.success(),
        "cannot build the operator and the agent ({status})"
    );
    Ok(())
}

/// Builds kubebox unless it is cached; returns the directory with it and a link per program.
///
/// # Errors
/// The build script fails.
pub fn build_kubebox() -> Result<PathBuf> {
    kept("e2e/cluster/build.sh")
}

/// Makes the Debian directory of the toolbox image unless it is cached; returns where it and its layer are.
///
/// # Errors
/// The build script fails.
pub fn build_toolbox() -> Result<PathBuf> {
    kept("node-agent/toolbox/build.sh")
}

/// The directory that a script of the checkout makes once, and prints.
fn kept(script: &str) -> Result<PathBuf> {
    let script = checkout(script);
    let output = Command::new(&script)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(
        output.status.success(),
        "{} failed ({})",
        script.display(),
        output.status
    );
    Ok(str::from_utf8(&output.stdout)?.trim_end().into())
}

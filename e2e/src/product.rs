//! Starts evaljob-operator and evaljob-agent as a cluster would: real binaries, real permissions.
//!
//! The operator gets a kubeconfig with a token of its own ServiceAccount, so a permission that is
//! missing in the manifest fails the test. The environment is empty but for what is given here.
//! A [`Process`] can be killed, ended and started again under the same name.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::Result;

use crate::case::Case;
use crate::cluster::{Account, SYSTEM_NAMESPACE};
use crate::process::Process;
use crate::programs;

/// The operator's account.
pub const OPERATOR_ACCOUNT: Account<'static> = Account {
    namespace: SYSTEM_NAMESPACE,
    name: "evaljob-operator",
};

/// Starts an operator; `name` tells several apart in logs.
///
/// # Errors
/// The binary is missing or does not start, or no token is issued.
pub async fn start_operator(case: &Case, name: &str, arguments: &[&OsStr]) -> Result<Process> {
    let kubeconfig = case.cluster().account_kubeconfig(&OPERATOR_ACCOUNT).await?;
    let mut command = program("evaljob-operator", arguments)?;
    command.env("KUBECONFIG", kubeconfig);
    start(case, name, command)
}

/// Starts an agent (`evaljob-agent serve`); `name` tells several apart in logs.
///
/// # Errors
/// The binary is missing or does not start.
pub fn start_agent(case: &Case, name: &str, arguments: &[&OsStr]) -> Result<Process> {
    let mut command = program("evaljob-agent", &[OsStr::new("serve")])?;
    command.args(arguments);
    start(case, name, command)
}

fn program(binary: &str, arguments: &[&OsStr]) -> Result<Command> {
    let mut command = Command::new(programs::product(binary)?);
    command.args(arguments).env_clear().env(
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    );
    Ok(command)
}

fn start(case: &Case, name: &str, command: Command) -> Result<Process> {
    let logs = case.cluster().log_directory();
    let name = format!("{}.{name}", case.namespace());
    case.show_on_failure(logs.join(format!("{name}.log")));
    Process::start(&name, &logs, command)
}

//! Flags of `evaljob-agent serve`, most of them also environment variables. No decisions.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use evaljob_crds::quantity::Quantity;
use evaljob_sandbox::plan::{HostPlan, NodeDirectory};

use crate::link::address::Address;

/// Most slots: the sandbox has ids for one more, which trial runs use, and for a checker beside each.
const MAX_SLOTS: u32 = 1023;

/// Runs jobs of an operator on this node.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Address of an operator; more than one may be given, a name may have several addresses
    #[arg(
        long = "operator",
        env = "EVALJOB_OPERATOR",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        required = true
    )]
    pub operators: Vec<Address>,
    /// CA of the operator's certificate (PEM); read at each dial
    #[arg(long, env = "EVALJOB_OPERATOR_CA", value_name = "FILE")]
    pub operator_ca: PathBuf,
    /// Name in the operator's certificate, where it is not the host that is dialled
    #[arg(long, env = "EVALJOB_OPERATOR_NAME", value_name = "NAME")]
    pub operator_name: Option<String>,
    /// Token of this Pod's ServiceAccount for the operator's audience; read at each dial and when it is rotated
    #[arg(
        long,
        env = "EVALJOB_TOKEN_FILE",
        value_name = "FILE",
        default_value = "/var/run/secrets/evaljob/token"
    )]
    pub token_file: PathBuf,
    /// Name of this node; the token must be bound to it
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub node_name: String,
    /// Runs side by side; absent: one for each CPU this process may use
    #[arg(long, env = "EVALJOB_SLOTS", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SLOTS)))]
    pub slots: Option<u32>,
    /// A directory that jobs may mount by this name; may be given more than once
    #[arg(long = "node-directory", value_name = "NAME=DIR")]
    pub node_directories: Vec<NamedDirectory>,
    /// Root file system of jobs without an image; absent: the system directories of this machine, read-only
    #[arg(long, env = "EVALJOB_ROOTFS", value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
    /// Accept a machine whose cgroup controllers are on cgroup v1
    #[arg(long, env = "EVALJOB_ALLOW_CGROUP_V1")]
    pub allow_cgroup_v1: bool,
    /// Memory of this container that runs never get: for the agent itself and results that wait
    #[arg(long, env = "EVALJOB_MEMORY_RESERVE", value_name = "QUANTITY", default_value = "128Mi", value_parser = bytes)]
    pub memory_reserve: u64,
    /// Address of /metrics, /healthz and /readyz; absent: they are not served
    #[arg(long, env = "EVALJOB_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// Seconds that runs may go on after SIGTERM; what is left then is given back to the operator
    #[arg(
        long,
        env = "EVALJOB_DRAIN_SECONDS",
        value_name = "SECONDS",
        default_value_t = 25
    )]
    pub drain_seconds: u64,
}

impl Options {
    /// Slots for jobs.
    pub fn slots(&self) -> u32 {
        self.slots.unwrap_or_else(|| {
            let cpus = std::thread::available_parallelism().map_or(1, usize::from);
            u32::try_from(cpus).map_or(MAX_SLOTS, |cpus| cpus.min(MAX_SLOTS))
        })
    }

    /// What the sandbox is told: these slots and one for trial runs.
    pub fn host_plan(&self) -> HostPlan {
        let directories = self.node_directories.iter();
        HostPlan {
            rootfs: self
                .rootfs
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            node_directories: directories.map(|directory| directory.0.clone()).collect(),
            allow_cgroup_v1: self.allow_cgroup_v1,
            slots: self.slots() + 1,
        }
    }
}

/// `NAME=DIR`.
#[derive(Debug, Clone)]
pub struct NamedDirectory(pub NodeDirectory);

impl FromStr for NamedDirectory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=');
        let good = parts.filter(|(name, path)| !name.is_empty() && path.starts_with('/'));
        let (name, path) = good.ok_or("must be NAME=DIR, DIR an absolute path")?;
        Ok(Self(NodeDirectory {
            name: name.to_owned(),
            path: path.to_owned(),
        }))
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    let quantity = Quantity::Text(text.to_owned());
    quantity.bytes().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn parse(more: &[&str]) -> Result<Options, clap::Error> {
        let given = [
            "agent",
            "--operator",
            "a:1",
            "--operator-ca",
            "ca",
            "--node-name",
            "n1",
        ];
        Command::try_parse_from(given.iter().chain(more)).map(|command| command.options)
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.memory_reserve, 128 << 20);
        assert_eq!(options.drain_seconds, 25);
        assert!(!options.allow_cgroup_v1);
        assert!(options.slots() >= 1);
        assert_eq!(options.host_plan().slots, options.slots() + 1);
    }

    #[test]
    fn operators_and_directories_may_be_given_more_than_once() {
        let options = parse(&[
            "--operator",
            "b:2,c:3",
            "--node-directory",
            "data=/srv/data",
            "--node-directory",
            "tools=/opt/a=b",
            "--slots",
            "3",
        ])
        .unwrap();
        assert_eq!(options.operators.len(), 3);
        let plan = options.host_plan();
        let directories: Vec<(&str, &str)> = plan
            .node_directories
            .iter()
            .map(|directory| (directory.name.as_str(), directory.path.as_str()))
            .collect();
        assert_eq!(directories, [("data", "/srv/data"), ("tools", "/opt/a=b")]);
        assert_eq!(plan.slots, 4);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let rows = [
            ("--slots", "0"),
            ("--slots", "1024"),
            ("--node-directory", "data"),
            ("--node-directory", "data=srv"),
            ("--node-directory", "=/srv"),
            ("--memory-reserve", "much"),
            ("--operator", "https://a:1"),
        ];
        for (flag, value) in rows {
            assert!(parse(&[flag, value]).is_err(), "{flag} {value}");
        }
    }
}

//! Flags of `evaljob-agent serve`, most of them also environment variables. No decisions.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use evaljob_crds::quantity::Quantity;
use evaljob_sandbox::Confinement;
use evaljob_sandbox::plan::{HostPlan, NodeDirectory};

use crate::link::address::Address;

/// Most slots: the sandbox has ids for one more, which trial runs use, and for a checker beside each.
const MAX_SLOTS: u32 = 1023;
/// uid and gid of the agent itself: nobody's on most machines, as other images without root use it.
pub const AGENT_UID: u32 = 65_532;
/// Port of name servers.
const DNS: u16 = 53;

/// Runs jobs of an operator on this node.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Address of an operator; more than one may be given, a name may have several addresses
    #[arg(
        long = "operator",
        env = "EVALJOB_OPERATOR",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        required_unless_present = "operator_env"
    )]
    pub operators: Vec<Address>,
    /// Start of the variables in which Kubernetes names the operator's Service, as EVALJOB_OPERATOR of
    /// EVALJOB_OPERATOR_SERVICE_HOST and EVALJOB_OPERATOR_SERVICE_PORT: for clusters without DNS; dialled beside
    /// --operator
    #[arg(long, value_name = "PREFIX")]
    pub operator_env: Option<String>,
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
    /// uid and gid that the agent itself goes on with once the spawner's launcher runs; the token must be readable by it
    #[arg(long, env = "EVALJOB_AGENT_UID", value_name = "UID", default_value_t = AGENT_UID, value_parser = clap::value_parser!(u32).range(1..))]
    pub agent_uid: u32,
    /// Name of this node; the token must be bound to it
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub node_name: String,
    /// Runs side by side; absent: one for each CPU that this container's limit and affinity leave
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
        self.slots
            .unwrap_or_else(|| evaljob_sandbox::cpus().min(MAX_SLOTS))
    }

    /// Where operators are, the Service's variables first. `variable`: reads one.
    ///
    /// # Errors
    /// When the variables that were asked for say nothing, and no other operator is given.
    pub fn all_operators(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<Address>, NoService> {
        let service = self.operator_env.as_ref().map(|prefix| {
            let (host, port) = (
                format!("{prefix}_SERVICE_HOST"),
                format!("{prefix}_SERVICE_PORT"),
            );
            let address = Address::of(variable(&host), variable(&port));
            address.ok_or(NoService { host, port })
        });
        match service {
            Some(Ok(service)) => Ok([&[service], self.operators.as_slice()].concat()),
            Some(Err(missing)) if self.operators.is_empty() => Err(missing),
            // The Service was made after this Pod: its name is what is left.
            Some(Err(_)) | None => Ok(self.operators.clone()),
        }
    }

    /// The name that the operator's certificate must have, whatever address is dialled; `None`: each address its own.
    pub fn server_name(&self) -> Option<String> {
        let named = || {
            self.operators
                .first()
                .map(|address| address.host().to_owned())
        };
        let by_service = self.operator_env.as_ref().and_then(|_| named());
        self.operator_name.clone().or(by_service)
    }

    /// How the agent itself is locked in: it reads its credentials and what names are resolved by, listens on its
    /// page's port and connects to operators and, where answers are long, to name servers.
    pub fn confinement(&self, operators: &[Address]) -> Confinement {
        let of_names = [
            "resolv.conf",
            "hosts",
            "nsswitch.conf",
            "host.conf",
            "gai.conf",
        ];
        let credentials = [&self.token_file, &self.operator_ca];
        // A directory each: the kubelet replaces the files by a link that it turns over.
        let directories = credentials.map(|file| match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        });
        let names = of_names.map(|name| PathBuf::from("/etc").join(name));
        Confinement {
            id: self.agent_uid,
            read: directories.into_iter().chain(names).collect(),
            write: Vec::new(),
            bind: self.metrics_listen.iter().map(SocketAddr::port).collect(),
            connect: operators.iter().map(Address::port).chain([DNS]).collect(),
        }
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

/// The Service's variables are not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} and {port} do not name an address (hint: the Service must exist before the Pod, in its namespace, and enableServiceLinks be true; or give --operator)"
)]
pub struct NoService {
    host: String,
    port: String,
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
    fn an_operator_is_found_by_the_variables_of_its_service_and_by_name() {
        let known = |name: &str| match name {
            "OP_SERVICE_HOST" => Some("fd00::7".to_owned()),
            "OP_SERVICE_PORT" => Some("7443".to_owned()),
            _ => None,
        };
        let text = |options: &Options, variable: &dyn Fn(&str) -> Option<String>| {
            let found = options.all_operators(variable);
            found.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let both = parse(&["--operator-env", "OP"]).unwrap();
        assert_eq!(text(&both, &known).unwrap(), ["[fd00::7]:7443", "a:1"]);
        assert_eq!(text(&both, &|_| None).unwrap(), ["a:1"]);
        assert_eq!(both.server_name().as_deref(), Some("a"));
        assert_eq!(parse(&[]).unwrap().server_name(), None);
        let rest = [
            "--operator-ca",
            "ca",
            "--node-name",
            "n",
            "--operator-env",
            "OP",
        ];
        let only = |more: &[&str]| {
            let given = ["agent"].iter().chain(&rest).chain(more);
            Command::try_parse_from(given).unwrap().options
        };
        assert_eq!(text(&only(&[]), &known).unwrap(), ["[fd00::7]:7443"]);
        let missing = text(&only(&[]), &|_| None).unwrap_err();
        assert!(missing.to_string().contains("OP_SERVICE_HOST"), "{missing}");
        let named = only(&["--operator-name", "operator.test"]);
        assert_eq!(named.server_name().as_deref(), Some("operator.test"));
        let without = ["agent", "--operator-ca", "ca", "--node-name", "n"];
        let refused = Command::try_parse_from(without).err();
        assert!(refused.is_some(), "an agent without an operator");
    }

    #[test]
    fn the_agent_may_reach_its_credentials_names_and_operators_and_nothing_else() {
        let options = parse(&[
            "--token-file",
            "/run/t/token",
            "--metrics-listen",
            "[::]:9090",
        ])
        .unwrap();
        let plan = options.confinement(&options.all_operators(|_| None).unwrap());
        assert_eq!(plan.id, 65532);
        assert_eq!(
            plan.read[..2],
            [PathBuf::from("/run/t"), PathBuf::from(".")]
        );
        assert!(
            plan.read[2..]
                .iter()
                .all(|path| path.parent() == Some("/etc".as_ref()))
        );
        assert!(plan.write.is_empty());
        assert_eq!((plan.bind, plan.connect), (vec![9090], vec![1, 53]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let rows = [
            ("--slots", "0"),
            ("--agent-uid", "0"),
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

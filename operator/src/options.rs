//! Flags of the operator, each also an environment variable. No decisions.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use evaljob_crds::quantity::Quantity;
use kube::{Api, Client};

use crate::agents::ServiceAccount;
use crate::tls::Source;
use crate::tls::authority::Lives;
use crate::tls::shared::Shared;

/// Operator of EvalJob: watches jobs, sends them to node agents, stores one status each.
#[derive(Debug, Clone, Parser)]
#[command(name = "evaljob-operator")]
pub struct Options {
    /// Address for node agents (gRPC over TLS)
    #[arg(long, env = "EVALJOB_LISTEN", default_value = "0.0.0.0:7443")]
    pub listen: SocketAddr,
    /// Address of /metrics, /healthz and /readyz
    #[arg(long, env = "EVALJOB_METRICS_LISTEN", default_value = "0.0.0.0:8080")]
    pub metrics_listen: SocketAddr,
    /// ServiceAccount of the node agents
    #[arg(
        long,
        env = "EVALJOB_AGENT_SERVICE_ACCOUNT",
        value_name = "NAMESPACE/NAME",
        default_value = "evaljob-system/evaljob-agent"
    )]
    pub agent_service_account: ServiceAccount,
    /// Audience that agents' tokens must have
    #[arg(long, env = "EVALJOB_AUDIENCE", default_value = "evaljob-operator")]
    pub audience: String,
    /// Namespace of the Lease
    #[arg(
        long,
        env = "EVALJOB_LEASE_NAMESPACE",
        default_value = "evaljob-system"
    )]
    pub lease_namespace: String,
    /// Name of the Lease
    #[arg(long, env = "EVALJOB_LEASE_NAME", default_value = "evaljob-operator")]
    pub lease_name: String,
    /// How long a leader that says nothing is believed; whole seconds
    #[arg(long, env = "EVALJOB_LEASE_DURATION", default_value = "15s", value_parser = duration)]
    pub lease_duration: Duration,
    /// Longest time at the end for verdicts that have arrived to be stored
    #[arg(long, env = "EVALJOB_FLUSH", default_value = "5s", value_parser = duration)]
    pub flush: Duration,
    /// Time to live of finished jobs that name none
    #[arg(long, env = "EVALJOB_DEFAULT_TTL", default_value = "86400s", value_parser = duration)]
    pub default_ttl: Duration,
    /// Finished jobs that are kept; beyond it the oldest go first
    #[arg(long, env = "EVALJOB_MAX_FINISHED", default_value_t = 50_000)]
    pub max_finished: usize,
    /// Longest time from creation or resume to the end of any job
    #[arg(long, env = "EVALJOB_MAX_ACTIVE_DEADLINE", default_value = "24h", value_parser = duration)]
    pub max_active_deadline: Duration,
    /// How long an agent may be away before its jobs run elsewhere
    #[arg(long, env = "EVALJOB_AGENT_GRACE", default_value = "20s", value_parser = duration)]
    pub agent_grace: Duration,
    /// Memory for specs of jobs that wait; others are read again when they are sent
    #[arg(long, env = "EVALJOB_SPEC_CACHE", default_value = "256Mi", value_parser = bytes)]
    pub spec_cache: usize,
    /// Certificate chain (PEM); reloaded when it changes
    #[arg(long, env = "EVALJOB_TLS_CERT_FILE", requires = "tls_key_file")]
    pub tls_cert_file: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, env = "EVALJOB_TLS_KEY_FILE", requires = "tls_cert_file")]
    pub tls_key_file: Option<PathBuf>,
    /// Secret in the Lease's namespace in which all operators keep one CA and certificate; must exist
    #[arg(
        long,
        env = "EVALJOB_TLS_SECRET",
        value_name = "NAME",
        requires = "tls_ca_config_map",
        conflicts_with = "tls_cert_file"
    )]
    pub tls_secret: Option<String>,
    /// ConfigMap in the Lease's namespace in which they publish ca.crt for agents; must exist
    #[arg(
        long,
        env = "EVALJOB_TLS_CA_CONFIG_MAP",
        value_name = "NAME",
        requires = "tls_secret"
    )]
    pub tls_ca_config_map: Option<String>,
    /// Life of the CA in the Secret; the next one follows after two thirds
    #[arg(long, env = "EVALJOB_TLS_CA_LIFE", default_value = "8760h", value_parser = duration)]
    pub tls_ca_life: Duration,
    /// Life of the certificate in the Secret; renewed after two thirds
    #[arg(long, env = "EVALJOB_TLS_CERTIFICATE_LIFE", default_value = "2160h", value_parser = duration)]
    pub tls_certificate_life: Duration,
    /// How long a CA is published before it signs, and after another took its place
    #[arg(long, env = "EVALJOB_TLS_OVERLAP", default_value = "24h", value_parser = duration)]
    pub tls_overlap: Duration,
    /// Without a certificate and a Secret: where the operator keeps a CA of its own; agents need ca.crt of it
    #[arg(
        long,
        env = "EVALJOB_TLS_DIR",
        default_value = "/var/lib/evaljob-operator/tls"
    )]
    pub tls_dir: PathBuf,
    /// Names and addresses of the operator's own certificate
    #[arg(long, env = "EVALJOB_TLS_NAME", value_delimiter = ',', default_values = ["evaljob-operator", "localhost", "127.0.0.1"])]
    pub tls_name: Vec<String>,
}

impl Options {
    /// Where the certificate comes from.
    #[must_use]
    pub fn certificate(&self, client: &Client) -> Source {
        if let (Some(secret), Some(config_map)) = (&self.tls_secret, &self.tls_ca_config_map) {
            return Source::Shared(Box::new(Shared {
                secrets: Api::namespaced(client.clone(), &self.lease_namespace),
                config_maps: Api::namespaced(client.clone(), &self.lease_namespace),
                secret: secret.clone(),
                config_map: config_map.clone(),
                names: self.tls_name.clone(),
                lives: Lives {
                    ca: self.tls_ca_life,
                    certificate: self.tls_certificate_life,
                    overlap: self.tls_overlap,
                },
            }));
        }
        match (&self.tls_cert_file, &self.tls_key_file) {
            (Some(certificate), Some(key)) => Source::Files {
                certificate: certificate.clone(),
                key: key.clone(),
            },
            _ => Source::Own {
                directory: self.tls_dir.clone(),
                names: self.tls_name.clone(),
            },
        }
    }
}

/// Reads 90s, 15m, 24h, 500ms or a plain number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let (digits, factor) = units
        .iter()
        .find_map(|(unit, factor)| {
            let digits = text.strip_suffix(unit)?;
            digits
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some((digits, *factor))
        })
        .unwrap_or((text, 1_000));
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .map(Duration::from_millis)
        .ok_or_else(|| "must be a time such as 90s, 15m, 24h or 500ms".to_owned())
}

fn bytes(text: &str) -> Result<usize, String> {
    let quantity = Quantity::Text(text.to_owned());
    let bytes = quantity.bytes().map_err(|error| error.to_string())?;
    usize::try_from(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_units_people_write() {
        let rows = [
            ("86400s", Some(86_400_000)),
            ("24h", Some(86_400_000)),
            ("15m", Some(900_000)),
            ("500ms", Some(500)),
            ("20", Some(20_000)),
            ("-1s", None),
            ("1.5h", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(
                duration(text).ok(),
                expected.map(Duration::from_millis),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let options = Options::try_parse_from(["evaljob-operator"]).unwrap();
        assert_eq!(options.default_ttl, Duration::from_secs(86_400));
        assert_eq!(options.max_active_deadline, Duration::from_secs(86_400));
        assert_eq!(options.agent_grace, Duration::from_secs(20));
        assert_eq!(
            (options.max_finished, options.spec_cache),
            (50_000, 256 << 20)
        );
        assert_eq!((options.tls_secret, options.tls_cert_file), (None, None));
    }

    #[test]
    fn a_certificate_needs_its_key_and_a_secret_its_config_map() {
        for flag in ["--tls-cert-file", "--tls-secret", "--tls-ca-config-map"] {
            Options::try_parse_from(["evaljob-operator", flag, "a"]).unwrap_err();
        }
    }
}

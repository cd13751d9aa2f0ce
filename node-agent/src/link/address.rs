//! Where operators listen, as flags name them.
//!
//! In: `HOST:PORT`. Out: the parts. Names are resolved at each dial, so that a Service, a headless one or a list of
//! addresses all work, and none of them has to be right for ever.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// Time for a name server's answer: where there is none, other addresses are to be dialled.
const RESOLVE: Duration = Duration::from_secs(5);

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// It is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be HOST:PORT, an IPv6 address in brackets")]
pub struct BadAddress;

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(BadAddress)?;
        let port = port.parse().map_err(|_| BadAddress)?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        // Without brackets the colons of an IPv6 address would be ambiguous.
        let colons = bracketed.is_none() && host.contains(':');
        if host.is_empty() || colons || host.contains(['/', ' ', '@']) {
            return Err(BadAddress);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One address behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub socket: SocketAddr,
    /// Host of the flag, which the certificate must name.
    pub host: String,
}

impl Address {
    /// From the two variables of a Service; `None` where one is missing or no port.
    pub fn of(host: Option<String>, port: Option<String>) -> Option<Self> {
        let host = host.filter(|host| !host.is_empty())?;
        let port = port?.parse().ok()?;
        Some(Self { host, port })
    }

    /// Its host name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All addresses behind the name now.
    ///
    /// # Errors
    /// When the name cannot be resolved, or not soon.
    pub async fn resolve(&self) -> std::io::Result<Vec<Target>> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port));
        let found = tokio::time::timeout(RESOLVE, found).await;
        let sockets = found.map_err(|_| std::io::ErrorKind::TimedOut)??;
        Ok(sockets
            .map(|socket| Target {
                socket,
                host: self.host.clone(),
            })
            .collect())
    }
}

/// The order in which to dial: the one that led last first, the others in an order left to chance. Each once.
pub fn order(mut targets: Vec<Target>, last: Option<SocketAddr>, random: u64) -> Vec<Target> {
    let mut seen = Vec::new();
    targets.retain(|target| {
        let new = !seen.contains(&target.socket);
        seen.push(target.socket);
        new
    });
    let count = u64::try_from(targets.len()).unwrap_or(u64::MAX).max(1);
    let turn = usize::try_from(random % count).unwrap_or(0);
    targets.rotate_left(turn);
    targets.sort_by_key(|target| Some(target.socket) != last);
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let rows = [
            ("operator:7443", Some("operator:7443")),
            ("10.0.0.1:7443", Some("10.0.0.1:7443")),
            ("[fd00::1]:7443", Some("[fd00::1]:7443")),
            (
                "operator.evaljob-system.svc:1",
                Some("operator.evaljob-system.svc:1"),
            ),
            ("operator", None),
            (":7443", None),
            ("operator:", None),
            ("operator:70000", None),
            ("fd00::1:7443", None),
            ("https://operator:7443", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let parsed: Option<Address> = text.parse().ok();
            assert_eq!(
                parsed.map(|address| address.to_string()).as_deref(),
                expected,
                "{text:?}"
            );
        }
    }

    fn targets(ports: &[u16]) -> Vec<Target> {
        ports
            .iter()
            .map(|port| Target {
                socket: SocketAddr::from(([127, 0, 0, 1], *port)),
                host: "operator".to_owned(),
            })
            .collect()
    }

    fn ports(targets: &[Target]) -> Vec<u16> {
        targets.iter().map(|target| target.socket.port()).collect()
    }

    #[test]
    fn every_address_is_dialled_once_and_the_last_leader_first() {
        let given = targets(&[1, 2, 2, 3]);
        assert_eq!(ports(&order(given.clone(), None, 0)), [1, 2, 3]);
        assert_eq!(ports(&order(given.clone(), None, 4)), [2, 3, 1]);
        let last = Some(SocketAddr::from(([127, 0, 0, 1], 3)));
        assert_eq!(ports(&order(given.clone(), last, 0)), [3, 1, 2]);
        let gone = Some(SocketAddr::from(([127, 0, 0, 1], 9)));
        assert_eq!(ports(&order(given, gone, 0)), [1, 2, 3]);
        assert!(order(Vec::new(), last, 7).is_empty());
    }
}

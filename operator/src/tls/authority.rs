//! A certificate authority and its one certificate: what is in force, and what comes next.
//!
//! In: what was kept, names, the time. Out: what to keep, or that nothing changes; pure but for fresh keys. A new CA
//! is in the bundle for a while before anything is signed by it, and an old one for a while after: whoever trusts
//! the bundle of yesterday or of tomorrow can connect today.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};

/// Certificates begin this long ago, for machines whose clock is late.
const BACKDATED: u64 = 86_400;

/// How long certificates live. Each is replaced after two thirds of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// Of the CA.
    pub ca: Duration,
    /// Of the certificate.
    pub certificate: Duration,
    /// How long a CA is trusted before it signs, and after it signed last.
    pub overlap: Duration,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS#8.
    pub key: String,
    /// Made at, seconds since 1970.
    pub from: u64,
    /// Ends at, seconds since 1970.
    pub until: u64,
}

/// The operator's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// What it is.
    #[serde(flatten)]
    pub issued: Issued,
    /// DNS names and IP addresses in it.
    pub names: Vec<String>,
}

/// A CA that signs no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// PEM.
    pub certificate: String,
    /// When another took its place, seconds since 1970.
    pub left: u64,
}

/// All that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// The CA that signs.
    pub ca: Issued,
    /// The one that will sign next, already trusted.
    pub next: Option<Issued>,
    /// Those that are trusted a little longer.
    pub former: Vec<Former>,
    /// The certificate in use, by `ca`.
    pub leaf: Leaf,
}

impl Authority {
    /// A new CA and a certificate by it.
    ///
    /// # Errors
    /// A name is neither a DNS name nor an IP address.
    pub fn new(names: &[String], lives: Lives, now: u64) -> Result<Self, rcgen::Error> {
        let ca = make_ca(lives, now)?;
        let leaf = sign(&ca, names, lives, now)?;
        Ok(Self {
            ca,
            next: None,
            former: Vec::new(),
            leaf,
        })
    }

    /// What is to be kept from now on.
    ///
    /// # Errors
    /// A name is neither a DNS name nor an IP address, or a kept key is not one.
    pub fn advanced(&self, names: &[String], lives: Lives, now: u64) -> Result<Self, rcgen::Error> {
        let mut after = self.clone();
        let overlap = lives.overlap.as_secs();
        after.former.retain(|former| now < former.left + overlap);
        if after.next.is_none() && worn(&after.ca, now) {
            after.next = Some(make_ca(lives, now)?);
        }
        // Nobody trusts a CA that has ended: waiting would help no one.
        let known = |next: &mut Issued| now >= next.from + overlap || now >= self.ca.until;
        if let Some(next) = after.next.take_if(known) {
            let former = std::mem::replace(&mut after.ca, next);
            after.former.push(Former {
                certificate: former.certificate,
                left: now,
            });
            after.leaf = sign(&after.ca, names, lives, now)?;
        }
        if worn(&after.leaf.issued, now) || after.leaf.names != names {
            after.leaf = sign(&after.ca, names, lives, now)?;
        }
        Ok(after)
    }

    /// Every CA that agents trust, PEM.
    #[must_use]
    pub fn bundle(&self) -> String {
        let next = self.next.iter().map(|next| &next.certificate);
        let former = self.former.iter().map(|former| &former.certificate);
        std::iter::once(&self.ca.certificate)
            .chain(next)
            .chain(former)
            .map(String::as_str)
            .collect()
    }
}

/// Whether two thirds of its life are over.
fn worn(issued: &Issued, now: u64) -> bool {
    let life = issued.until.saturating_sub(issued.from);
    now >= issued.from + life / 3 * 2
}

fn make_ca(lives: Lives, now: u64) -> Result<Issued, rcgen::Error> {
    let until = now + lives.ca.as_secs();
    let key = KeyPair::generate()?;
    let key_pem = key.serialize_pem();
    let certificate = CertifiedIssuer::self_signed(ca_params(now, until), key)?.pem();
    Ok(Issued {
        certificate,
        key: key_pem,
        from: now,
        until,
    })
}

/// Name and key are all that a CA gives to what it signs; the name tells two of them apart.
fn ca_params(from: u64, until: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("evaljob-operator CA {from}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, from, until);
    params
}

fn sign(ca: &Issued, names: &[String], lives: Lives, now: u64) -> Result<Leaf, rcgen::Error> {
    let issuer = Issuer::new(ca_params(ca.from, ca.until), KeyPair::from_pem(&ca.key)?);
    let key = KeyPair::generate()?;
    let until = now + lives.certificate.as_secs();
    let mut params = CertificateParams::new(names.to_vec())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "evaljob-operator");
    valid(&mut params, now, until);
    Ok(Leaf {
        issued: Issued {
            certificate: params.signed_by(&key, &issuer)?.pem(),
            key: key.serialize_pem(),
            from: now,
            until,
        },
        names: names.to_vec(),
    })
}

fn valid(params: &mut CertificateParams, from: u64, until: u64) {
    let moment = |seconds| std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    params.not_before = moment(from.saturating_sub(BACKDATED)).into();
    params.not_after = moment(until).into();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::crypto::ring;
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    const DAY: u64 = 86_400;
    const LIVES: Lives = Lives {
        ca: Duration::from_secs(360 * DAY),
        certificate: Duration::from_secs(90 * DAY),
        overlap: Duration::from_secs(DAY),
    };
    /// 2026.
    const START: u64 = 1_780_000_000;

    fn names() -> Vec<String> {
        vec!["evaljob-operator".to_owned(), "10.0.0.1".to_owned()]
    }

    /// Whether a client that has this bundle accepts this certificate.
    fn accepted(bundle: &str, leaf: &Leaf, now: u64) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        for ca in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(ca.unwrap()).unwrap();
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        let leaf = CertificateDer::from_pem_slice(leaf.issued.certificate.as_bytes()).unwrap();
        let name = ServerName::try_from("evaljob-operator").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        verifier
            .verify_server_cert(&leaf, &[], &name, &[], now)
            .is_ok()
    }

    #[test]
    fn in_three_years_a_client_with_the_bundle_of_an_hour_ago_is_never_refused() {
        let hour = 3600;
        let mut authority = Authority::new(&names(), LIVES, START).unwrap();
        let (mut authorities, mut leaves) = (1, 1);
        let mut now = START;
        while now < START + 3 * 360 * DAY {
            now += hour;
            let after = authority.advanced(&names(), LIVES, now).unwrap();
            authorities += u32::from(after.ca != authority.ca);
            leaves += u32::from(after.leaf != authority.leaf);
            if after != authority {
                assert!(
                    accepted(&authority.bundle(), &after.leaf, now),
                    "an old bundle"
                );
                assert!(
                    accepted(&after.bundle(), &authority.leaf, now),
                    "an old certificate"
                );
            }
            assert!(after.leaf.issued.until > now && after.ca.until > now);
            assert!(after.former.len() <= 1);
            authority = after;
        }
        assert!(accepted(&authority.bundle(), &authority.leaf, now));
        // Two thirds of 360 days, and of 90.
        assert_eq!(authorities, 5);
        assert!((18..=23).contains(&leaves), "{leaves}");
    }

    #[test]
    fn nothing_changes_without_a_reason() {
        let authority = Authority::new(&names(), LIVES, START).unwrap();
        let later = authority.advanced(&names(), LIVES, START + 59 * DAY);
        assert_eq!(later.unwrap(), authority);
    }

    #[test]
    fn other_names_need_another_certificate_by_the_same_ca() {
        let authority = Authority::new(&names(), LIVES, START).unwrap();
        let other = vec!["evaljob-operator".to_owned()];
        let after = authority.advanced(&other, LIVES, START + 1).unwrap();
        assert_eq!(after.ca, authority.ca);
        assert_eq!(after.leaf.names, other);
        assert!(accepted(&authority.bundle(), &after.leaf, START + 1));
    }

    #[test]
    fn a_ca_that_ended_while_nobody_looked_is_replaced_at_once() {
        let authority = Authority::new(&names(), LIVES, START).unwrap();
        let now = START + 400 * DAY;
        let after = authority.advanced(&names(), LIVES, now).unwrap();
        assert!(accepted(&after.bundle(), &after.leaf, now));
        assert_eq!(after.next, None);
    }

    #[test]
    fn a_ca_that_is_not_trusted_yet_signs_nothing() {
        let authority = Authority::new(&names(), LIVES, START).unwrap();
        let now = START + 241 * DAY;
        let after = authority.advanced(&names(), LIVES, now).unwrap();
        assert!(after.next.is_some());
        assert_eq!(after.ca, authority.ca);
        assert!(accepted(&authority.bundle(), &after.leaf, now));
        let promoted = after.advanced(&names(), LIVES, now + DAY).unwrap();
        assert_eq!(Some(&promoted.ca), after.next.as_ref());
        assert!(!accepted(&authority.bundle(), &promoted.leaf, now + DAY));
    }
}

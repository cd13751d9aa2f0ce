//! The operator's certificate: from files, or made here; renewed or reloaded without a restart.
//!
//! In: a certificate and key file, a directory for a CA of our own, or a Secret that all operators of a cluster share
//! ([`shared`]). Out: a rustls configuration whose certificate is looked up at each handshake. Agents prove themselves
//! by token, so no client certificates. In a directory the CA's certificate lies in `ca.crt` for the agents, and its
//! key beside it (mode 0600), so that a restart keeps the CA.

pub mod authority;
pub mod shared;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use self::shared::{Shared, SharedError};

/// How often files are looked at and an own certificate's age is checked.
const CHECK: Duration = Duration::from_secs(10);
/// Life of a certificate of our own; renewed after two thirds.
const LIFE: Duration = Duration::from_secs(90 * 86_400);
/// Life of our own CA.
const CA_LIFE: Duration = Duration::from_secs(3650 * 86_400);
/// Certificates begin this long ago, for machines whose clock is late.
const BACKDATED: Duration = Duration::from_secs(86_400);

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// PEM files that somebody else renews.
    Files {
        /// Certificate chain.
        certificate: PathBuf,
        /// Private key.
        key: PathBuf,
    },
    /// A CA of our own in this directory, and a certificate for these names.
    Own {
        /// The directory.
        directory: PathBuf,
        /// DNS names and IP addresses under which agents dial.
        names: Vec<String>,
    },
    /// A CA of our own in a Secret.
    Shared(Box<Shared>),
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is no PEM of the expected kind.
    #[error("{} holds no usable PEM (hint: a certificate chain, and a PKCS#8, SEC1 or PKCS#1 key)", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key do not fit together, or rustls cannot use them.
    #[error("certificate and key cannot be used together")]
    Pair(#[source] rustls::Error),
    /// A certificate could not be made.
    #[error("cannot make a certificate (hint: --tls-name takes DNS names and IP addresses)")]
    Make(#[source] rcgen::Error),
    /// The Secret cannot be used.
    #[error("no certificate from the Secret that operators share")]
    Shared(#[source] SharedError),
}

/// A certificate that can be exchanged while the server runs.
#[derive(Debug)]
pub struct Certificate {
    source: Source,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.read().ok().map(|current| current.clone())
    }
}

impl Certificate {
    /// Loads or makes the certificate.
    ///
    /// # Errors
    /// [`TlsError`] where that is not possible.
    pub async fn load(source: Source) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(Arc::new(obtain(&source).await?));
        Ok(Arc::new(Self { source, current }))
    }

    /// Reads or makes it anew; the old one stays where that fails.
    ///
    /// # Errors
    /// [`TlsError`] where that is not possible.
    pub async fn renew(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(obtain(&self.source).await?);
        if let Ok(mut current) = self.current.write() {
            if current.cert != fresh.cert {
                tracing::info!("another certificate is in use");
            }
            *current = fresh;
        }
        Ok(())
    }

    /// The server configuration that looks the certificate up at each handshake; HTTP/2 only.
    ///
    /// # Errors
    /// [`TlsError::Pair`] where ring offers no usable protocol version.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// Keeps it fresh until the task is dropped.
    pub async fn keep_fresh(self: Arc<Self>) {
        let mut seen = self.stamp();
        let mut age = Duration::ZERO;
        let check = match &self.source {
            // Nothing may be due twice between two looks.
            Source::Shared(shared) => CHECK.min(shared.lives.overlap / 4),
            Source::Files { .. } | Source::Own { .. } => CHECK,
        };
        loop {
            tokio::time::sleep(check).await;
            age += check;
            let stamp = self.stamp();
            let due = match self.source {
                Source::Files { .. } => stamp != seen,
                Source::Own { .. } => age >= LIFE * 2 / 3,
                Source::Shared(_) => true,
            };
            if !due {
                continue;
            }
            match self.renew().await {
                Ok(()) => {
                    seen = stamp;
                    age = Duration::ZERO;
                }
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the old certificate stays in use"
                ),
            }
        }
    }

    /// Times of change of the files.
    fn stamp(&self) -> Vec<Option<SystemTime>> {
        match &self.source {
            Source::Files { certificate, key } => [certificate, key]
                .iter()
                .map(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok())
                .collect(),
            Source::Own { .. } | Source::Shared(_) => Vec::new(),
        }
    }
}

async fn obtain(source: &Source) -> Result<CertifiedKey, TlsError> {
    match source {
        Source::Files { certificate, key } => from_files(certificate, key),
        Source::Own { directory, names } => own(directory, names),
        Source::Shared(shared) => {
            let authority = shared.obtain().await.map_err(TlsError::Shared)?;
            from_pem(&authority.leaf.issued, &shared.secret)
        }
    }
}

fn from_pem(issued: &authority::Issued, secret: &str) -> Result<CertifiedKey, TlsError> {
    let pem = |source| TlsError::Pem {
        path: secret.into(),
        source,
    };
    let chain = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).map_err(pem)?;
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).map_err(pem)?;
    pair(vec![chain], key)
}

fn from_files(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(pem(key))?;
    pair(chain, key)
}

fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    let key =
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(TlsError::Pair)?;
    key.keys_match().map_err(TlsError::Pair)?;
    Ok(key)
}

/// A certificate by the CA in `directory`, which is made where it is missing.
fn own(directory: &Path, names: &[String]) -> Result<CertifiedKey, TlsError> {
    let (ca_pem, ca_key) = (directory.join("ca.crt"), directory.join("ca.key"));
    if !ca_pem.exists() || !ca_key.exists() {
        make_ca(directory, &ca_pem, &ca_key)?;
    }
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|source| TlsError::File {
            path: path.to_owned(),
            source,
        })
    };
    let key = KeyPair::from_pem(&read(&ca_key)?).map_err(TlsError::Make)?;
    // Name and key are all that the CA's certificate adds; both are known without parsing it.
    let issuer = Issuer::new(ca_params(), key);
    let own_key = KeyPair::generate().map_err(TlsError::Make)?;
    let mut params = CertificateParams::new(names.to_vec()).map_err(TlsError::Make)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "evaljob-operator");
    valid_for(&mut params, LIFE);
    let certificate = params
        .signed_by(&own_key, &issuer)
        .map_err(TlsError::Make)?;
    let key = PrivateKeyDer::try_from(own_key.serialize_der())
        .map_err(|words| TlsError::Pair(rustls::Error::General(words.to_owned())))?;
    pair(vec![certificate.der().clone()], key)
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "evaljob-operator CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, CA_LIFE);
    params
}

fn make_ca(directory: &Path, ca_pem: &Path, ca_key: &Path) -> Result<(), TlsError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    fs::create_dir_all(directory).map_err(file(directory))?;
    let key = KeyPair::generate().map_err(TlsError::Make)?;
    let key_pem = key.serialize_pem();
    let ca = CertifiedIssuer::self_signed(ca_params(), key).map_err(TlsError::Make)?;
    // The key first: a certificate without its key would be kept and could sign nothing.
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(ca_key)
        .and_then(|mut file| file.write_all(key_pem.as_bytes()))
        .map_err(file(ca_key))?;
    // Readers never see half a certificate.
    let partial = directory.join("ca.crt.new");
    fs::write(&partial, ca.pem()).map_err(file(&partial))?;
    fs::rename(&partial, ca_pem).map_err(file(ca_pem))
}

fn valid_for(params: &mut CertificateParams, life: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + life).into();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_source(directory: &Path) -> Source {
        Source::Own {
            directory: directory.to_owned(),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        }
    }

    #[tokio::test]
    async fn a_restart_keeps_the_ca_and_its_key_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        Certificate::load(own_source(directory.path()))
            .await
            .unwrap();
        let first = fs::read(directory.path().join("ca.crt")).unwrap();
        let certificate = Certificate::load(own_source(directory.path()))
            .await
            .unwrap();
        assert_eq!(fs::read(directory.path().join("ca.crt")).unwrap(), first);
        let mode = fs::metadata(directory.path().join("ca.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        certificate.server_config().unwrap();
    }

    #[tokio::test]
    async fn files_are_reloaded_and_a_bad_one_leaves_the_old_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = (
            directory.path().join("tls.crt"),
            directory.path().join("tls.key"),
        );
        let write = |name: &str| {
            let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
            fs::write(&certificate, made.cert.pem()).unwrap();
            fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            made.cert.der().clone()
        };
        let first = write("a.example.test");
        let source = Source::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let loaded = Certificate::load(source).await.unwrap();
        let current = || loaded.current.read().unwrap().cert[0].clone();
        assert_eq!(current(), first);
        let second = write("b.example.test");
        loaded.renew().await.unwrap();
        assert_eq!(current(), second);
        fs::write(&key, "no key").unwrap();
        assert!(matches!(loaded.renew().await, Err(TlsError::Pem { .. })));
        assert_eq!(current(), second);
    }
}

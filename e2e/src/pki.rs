//! The keys and certificates of a private cluster, and the kubeconfigs that use them.
//!
//! In: a directory and the API server's address. Out: PEM files and kubeconfigs below it. Users are
//! client certificates in the way Kubernetes reads them: CN is the user, O the group. Elliptic curve
//! keys throughout, ServiceAccount tokens included (ES256). Nothing here is ever used outside the
//! cluster's own network namespace.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::node;

/// The API server's address for Pods: the first of the Services' range.
const SERVICE_ADDRESS: &str = "10.96.0.1";

/// A user of the API server: file name, CN and O of its certificate.
struct User {
    file: &'static str,
    name: &'static str,
    group: Option<&'static str>,
}

const USERS: [User; 5] = [
    User {
        file: "admin",
        name: "admin",
        group: Some("system:masters"),
    },
    User {
        file: "controller-manager",
        name: "system:kube-controller-manager",
        group: None,
    },
    User {
        file: "scheduler",
        name: "system:kube-scheduler",
        group: None,
    },
    User {
        file: "proxy",
        name: "system:kube-proxy",
        group: None,
    },
    // The API server as client of kubelets: logs and exec.
    User {
        file: "apiserver-kubelet-client",
        name: "kube-apiserver-kubelet-client",
        group: Some("system:masters"),
    },
];

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Pki {
    dir: PathBuf,
}

impl Pki {
    /// Makes every key, certificate and kubeconfig below `dir`, for an API server at `address`
    /// (an IP address) and `port`.
    ///
    /// # Errors
    /// A file cannot be written or a certificate cannot be made.
    pub fn create(dir: &Path, address: &str, port: u16) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let pki = Self {
            dir: dir.to_owned(),
        };
        let ca = pki.authority("ca")?;
        pki.authority("front-proxy-ca")?;
        pki.server(&ca, "apiserver", address)?;
        pki.server(&ca, "kubelet-server", address)?;
        let server = format!("https://{address}:{port}");
        for user in USERS {
            pki.user(&ca, &server, user.file, user.name, user.group)?;
        }
        for number in 1..=node::MOST {
            let name = node::name(number);
            let user = format!("system:node:{name}");
            pki.user(&ca, &server, &name, &user, Some("system:nodes"))?;
        }
        let tokens = KeyPair::generate()?;
        fs::write(pki.path("service-accounts.key"), tokens.serialize_pem())?;
        fs::write(pki.path("service-accounts.pub"), tokens.public_key_pem())?;
        Ok(pki)
    }

    /// Path of one file (`ca.crt`, `apiserver.key`, ...).
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// The kubeconfig of `admin`, `controller-manager`, `scheduler`, `proxy` or a node.
    #[must_use]
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.path(&format!("{user}.kubeconfig"))
    }

    fn authority(&self, file: &str) -> Result<Issuer<'static, KeyPair>> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("evaljob-e2e {file}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate()?;
        fs::write(
            self.path(&format!("{file}.crt")),
            params.self_signed(&key)?.pem(),
        )?;
        Ok(Issuer::new(params, key))
    }

    fn server(&self, ca: &Issuer<'_, KeyPair>, file: &str, address: &str) -> Result<()> {
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "127.0.0.1",
            SERVICE_ADDRESS,
            address,
        ];
        let mut params = CertificateParams::new(names.map(str::to_owned).to_vec())?;
        params.distinguished_name.push(DnType::CommonName, file);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(ca, file, &params)
    }

    /// A client certificate and the kubeconfig that uses it.
    fn user(
        &self,
        ca: &Issuer<'_, KeyPair>,
        server: &str,
        file: &str,
        name: &str,
        group: Option<&str>,
    ) -> Result<()> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(ca, file, &params)?;
        let credentials = Credentials::Certificate {
            certificate: self.path(&format!("{file}.crt")),
            key: self.path(&format!("{file}.key")),
        };
        let config = kubeconfig(server, &self.path("ca.crt"), &credentials);
        fs::write(self.kubeconfig(file), config).map_err(Into::into)
    }

    fn sign(&self, ca: &Issuer<'_, KeyPair>, file: &str, params: &CertificateParams) -> Result<()> {
        let key = KeyPair::generate()?;
        let certificate = params
            .signed_by(&key, ca)
            .with_context(|| format!("cannot sign {file}"))?;
        fs::write(self.path(&format!("{file}.crt")), certificate.pem())?;
        fs::write(self.path(&format!("{file}.key")), key.serialize_pem())?;
        Ok(())
    }
}

/// How a kubeconfig proves who it is.
#[derive(Debug)]
pub enum Credentials {
    /// A client certificate, by path.
    Certificate {
        /// The certificate's file.
        certificate: PathBuf,
        /// Its key's file.
        key: PathBuf,
    },
    /// A bearer token that is read again from this file when it is renewed.
    TokenFile(PathBuf),
}

/// The text of a kubeconfig with one cluster and one user. JSON is YAML, and needs no quoting rules.
#[must_use]
pub fn kubeconfig(server: &str, ca: &Path, credentials: &Credentials) -> String {
    let user = match credentials {
        Credentials::Certificate { certificate, key } => {
            serde_json::json!({"client-certificate": certificate, "client-key": key})
        }
        Credentials::TokenFile(path) => serde_json::json!({"tokenFile": path}),
    };
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "e2e",
        "clusters": [{"name": "e2e", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "e2e", "user": user}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
    })
    .to_string()
}

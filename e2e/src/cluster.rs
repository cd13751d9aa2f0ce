//! The cluster the tests use: a private one, or the one KUBECONFIG names.
//!
//! In: a directory for state and logs. Out: an administrator's client, `kubectl`, and the objects of
//! EvalJob that tests build on (CRD, accounts, roles). It never starts the operator or an agent.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fmt, fs};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, Config};
use tokio::sync::RwLock;

use crate::chart;
use crate::control_plane::{ControlPlane, Options};
use crate::found::Found;
use crate::kubectl::Kubectl;
use crate::namespaces::log_directory;
use crate::node::{self, Node};
use crate::pki::{self, Credentials};
use crate::programs;
use crate::wait::{self, Seen};

/// The namespace of operator and agents, the chart's.
pub const SYSTEM_NAMESPACE: &str = "evaljob-system";

/// A cluster that serves.
pub struct Cluster {
    directory: PathBuf,
    kubeconfig: PathBuf,
    server: String,
    client: Client,
    nodes: Vec<Node>,
    control_plane: Option<ControlPlane>,
    found: Option<Found>,
    /// Held for writing by tests that must have the API server to themselves.
    pub(crate) turn: RwLock<()>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("server", &self.server)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Starts a control plane of its own below `directory`.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn start(directory: &Path, options: Options) -> Result<Self> {
        let control_plane = ControlPlane::start(directory, options).await?;
        let kubeconfig = control_plane.admin_kubeconfig();
        let nodes = if options.nodes == 0 {
            Vec::new()
        } else {
            let client = client(&kubeconfig).await?;
            node::start_all(directory, control_plane.pki(), &client, options.nodes).await?
        };
        let mut cluster = Self::connect(directory, kubeconfig, Some(control_plane)).await?;
        cluster.nodes = nodes;
        Ok(cluster)
    }

    /// Uses the cluster that KUBECONFIG names.
    ///
    /// # Errors
    /// KUBECONFIG is not set or cannot be read.
    pub async fn existing(directory: &Path) -> Result<Self> {
        let kubeconfig = env::var_os("KUBECONFIG").context("KUBECONFIG is not set")?;
        let mut cluster = Self::connect(directory, kubeconfig.into(), None).await?;
        cluster.found = Some(Found::before(&cluster.kubectl()).await?);
        Ok(cluster)
    }

    /// Removes from the cluster of KUBECONFIG what tests made outside of their namespaces; a private one ends anyway.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn leave(&self) -> Result<()> {
        match &self.found {
            Some(found) => found.restore(&self.kubectl()).await,
            None => Ok(()),
        }
    }

    async fn connect(
        directory: &Path,
        kubeconfig: PathBuf,
        control_plane: Option<ControlPlane>,
    ) -> Result<Self> {
        let config = config(&kubeconfig).await?;
        let server = config
            .cluster_url
            .to_string()
            .trim_end_matches('/')
            .to_owned();
        let client = Client::try_from(config)?;
        let turn = RwLock::new(());
        Ok(Self {
            directory: directory.to_owned(),
            kubeconfig,
            server,
            client,
            nodes: Vec::new(),
            control_plane,
            found: None,
            turn,
        })
    }

    /// The administrator's client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client with this token and nothing else.
    ///
    /// # Errors
    /// The administrator's kubeconfig, which says where the API server is, cannot be read.
    pub async fn client_by(&self, token: &str) -> Result<Client> {
        let mut config = config(&self.kubeconfig).await?;
        config.auth_info = serde_json::from_value(serde_json::json!({"token": token}))?;
        Ok(Client::try_from(config)?)
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Directory for files of this run; gone after it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Directory of the logs of all processes.
    #[must_use]
    pub fn log_directory(&self) -> PathBuf {
        log_directory(&self.directory)
    }

    /// The processes of a private cluster.
    ///
    /// # Errors
    /// The cluster is one that KUBECONFIG names.
    pub fn control_plane(&self) -> Result<&ControlPlane> {
        self.control_plane
            .as_ref()
            .context("needs the private cluster (hint: unset KUBECONFIG)")
    }

    /// The nodes that run Pods; none where a test makes Nodes itself, or KUBECONFIG names the cluster.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// `kubectl` as administrator, in no particular namespace.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(
            &self.kubeconfig,
            &self.directory.join("kubectl-cache"),
            None,
        )
    }

    /// Installs `crds/evaljobs.yaml` as it is in the checkout and waits until EvalJobs are served.
    ///
    /// # Errors
    /// The API server refuses the CRD or does not serve it in time.
    pub async fn apply_crd(&self) -> Result<()> {
        let path = programs::checkout("crds/evaljobs.yaml");
        ensure!(
            path.is_file(),
            "{} is missing (hint: make crds)",
            path.display()
        );
        let path = path.display().to_string();
        self.kubectl()
            .ok(&["apply", "--server-side", "--force-conflicts", "-f", &path])
            .await?;
        self.kubectl()
            .ok(&[
                "wait",
                "--for=condition=Established",
                "--timeout=60s",
                "-f",
                &path,
            ])
            .await?;
        let jobs = Api::<DynamicObject>::all_with(self.client(), &evaljobs());
        wait::until("EvalJobs to be served", Duration::from_secs(60), || async {
            Ok(match jobs.list(&ListParams::default().limit(1)).await {
                Ok(_) => Seen::Yes(()),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        })
        .await
    }

    /// Installs what the chart gives operator and agent to be someone: namespace, accounts, roles, the objects of
    /// the certificate. Everything that they may do in a cluster is in these.
    ///
    /// # Errors
    /// The chart cannot be rendered, or the API server refuses a manifest.
    pub async fn apply_roles(&self) -> Result<()> {
        let namespace =
            format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {SYSTEM_NAMESPACE}}}\n");
        let chart = chart::render(&[
            "--show-only=templates/accounts.yaml",
            "--show-only=templates/rbac.yaml",
            "--show-only=templates/tls.yaml",
        ])
        .await?;
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        for manifests in [&namespace, &chart] {
            self.kubectl().ok_with(&apply, manifests).await?;
        }
        Ok(())
    }

    /// Empties the Secret and the ConfigMap of the operators' certificate: as the chart makes them.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn forget_certificate(&self) -> Result<()> {
        let empty = Patch::Merge(serde_json::json!({"data": null}));
        Api::<Secret>::namespaced(self.client(), SYSTEM_NAMESPACE)
            .patch("evaljob-operator-tls", &PatchParams::default(), &empty)
            .await?;
        Api::<ConfigMap>::namespaced(self.client(), SYSTEM_NAMESPACE)
            .patch("evaljob-operator-ca", &PatchParams::default(), &empty)
            .await?;
        Ok(())
    }

    /// A real token of a ServiceAccount.
    ///
    /// # Errors
    /// The API server refuses the request.
    pub async fn token(&self, account: &Account<'_>, request: &TokenOptions<'_>) -> Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), account.namespace);
        let spec = TokenRequestSpec {
            audiences: request.audience.map(str::to_owned).into_iter().collect(),
            expiration_seconds: Some(request.seconds),
            bound_object_ref: request.bound_to.clone(),
        };
        let body = TokenRequest {
            spec,
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(account.name, &PostParams::default(), &body)
            .await
            .with_context(|| format!("no token for {}/{}", account.namespace, account.name))?;
        Ok(answer
            .status
            .context("a TokenRequest without status")?
            .token)
    }

    /// A kubeconfig that acts as a ServiceAccount, with a token of one hour.
    ///
    /// # Errors
    /// No token is issued or the file cannot be written.
    pub async fn account_kubeconfig(&self, account: &Account<'_>) -> Result<PathBuf> {
        let token = self.token(account, &TokenOptions::default()).await?;
        let path = |suffix: &str| {
            self.directory
                .join(format!("{}.{}.{suffix}", account.namespace, account.name))
        };
        fs::write(path("token"), token)?;
        let ca = self.authority()?;
        let text = pki::kubeconfig(&self.server, &ca, &Credentials::TokenFile(path("token")));
        fs::write(path("kubeconfig"), text)?;
        Ok(path("kubeconfig"))
    }

    /// The file with the API server's certificate authority.
    fn authority(&self) -> Result<PathBuf> {
        let config = Kubeconfig::read_from(&self.kubeconfig)?;
        let cluster = config
            .clusters
            .iter()
            .find_map(|named| named.cluster.as_ref())
            .context("no cluster in KUBECONFIG")?;
        if let Some(path) = &cluster.certificate_authority {
            return Ok(path.into());
        }
        let data = cluster
            .certificate_authority_data
            .as_ref()
            .context("KUBECONFIG names no certificate authority")?;
        let path = self.directory.join("ca.crt");
        fs::write(&path, base64_decode(data)?)?;
        Ok(path)
    }
}

/// Base64 by way of a Secret's own type, so that no further dependency is needed.
fn base64_decode(text: &str) -> Result<Vec<u8>> {
    let bytes: k8s_openapi::ByteString = serde_json::from_value(text.into())?;
    Ok(bytes.0)
}

/// A ServiceAccount by name.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// What a token is asked for.
#[derive(Debug, Clone)]
pub struct TokenOptions<'a> {
    /// Audience; `None` is the API server itself.
    pub audience: Option<&'a str>,
    /// Lifetime in seconds; the API server refuses less than 600.
    pub seconds: i64,
    /// Object whose deletion ends the token.
    pub bound_to: Option<BoundObjectReference>,
}

impl Default for TokenOptions<'_> {
    fn default() -> Self {
        Self {
            audience: None,
            seconds: 3600,
            bound_to: None,
        }
    }
}

/// The resource under test, untyped: tests look at what is on the wire.
#[must_use]
pub fn evaljobs() -> ApiResource {
    ApiResource {
        group: "evaljob.dev".into(),
        version: "v1alpha1".into(),
        api_version: "evaljob.dev/v1alpha1".into(),
        kind: "EvalJob".into(),
        plural: "evaljobs".into(),
    }
}

async fn config(kubeconfig: &Path) -> Result<Config> {
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(Into::into)
}

/// A client for a kubeconfig.
///
/// # Errors
/// The file or what it names cannot be read.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    Ok(Client::try_from(config(kubeconfig).await?)?)
}

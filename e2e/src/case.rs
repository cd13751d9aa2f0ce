//! What one test gets: the cluster, a Kubernetes namespace of its own, and short ways to act on EvalJobs.
//!
//! In: the shared cluster. Out: objects and requests in the test's namespace. On failure
//! [`Case::dump`] says what the namespace and the test's processes looked like; [`Case::end`] deletes
//! the test's jobs, so that the operator of a later test does not find them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::audit::Audit;
use crate::cluster::{Cluster, evaljobs};
use crate::kubectl::Kubectl;
use crate::process::last_lines;
use crate::wait::{self, Seen};

/// One running test; clones share it.
#[derive(Debug, Clone)]
pub struct Case(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cluster: Arc<Cluster>,
    namespace: String,
    logs: Mutex<Vec<PathBuf>>,
}

impl Case {
    /// Makes a namespace whose name begins with the test's.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn new(cluster: Arc<Cluster>, test: &str) -> Result<Self> {
        let name: String = test
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(50)
            .collect();
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"generateName": format!("{name}-")}}))?;
        let namespaces = Api::<Namespace>::all(cluster.client());
        let made = namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .context("no namespace for the test")?;
        Ok(Self(Arc::new(Inner {
            cluster,
            namespace: made.name_any(),
            logs: Mutex::default(),
        })))
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.0.cluster
    }

    /// The test's own namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The administrator's client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.0.cluster.client()
    }

    /// `kubectl` as administrator in the test's namespace.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        let cache = self.0.cluster.directory().join("kubectl-cache");
        Kubectl::new(self.0.cluster.kubeconfig(), &cache, Some(&self.0.namespace))
    }

    /// EvalJobs of the test's namespace.
    #[must_use]
    pub fn jobs(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), &self.0.namespace, &evaljobs())
    }

    /// Creates an EvalJob.
    ///
    /// # Errors
    /// The API server refuses it; [`refusal`] reads why.
    pub async fn create(&self, name: &str, spec: Value) -> Result<DynamicObject, kube::Error> {
        let job = DynamicObject::new(name, &evaljobs()).data(json!({"spec": spec}));
        self.jobs().create(&PostParams::default(), &job).await
    }

    /// Writes a whole status in the way the operator does: one JSON Patch, fenced by the uid.
    ///
    /// # Errors
    /// The API server refuses it; [`refusal`] reads why.
    pub async fn write_status(
        &self,
        job: &DynamicObject,
        status: Value,
    ) -> Result<DynamicObject, kube::Error> {
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": job.uid()},
            {"op": "add", "path": "/status", "value": status},
        ]);
        let patch =
            Patch::<()>::Json(serde_json::from_value(patch).map_err(kube::Error::SerdeError)?);
        self.jobs()
            .patch_status(&job.name_any(), &PatchParams::default(), &patch)
            .await
    }

    /// Waits until a job has a verdict and returns the job.
    ///
    /// # Errors
    /// It is gone, or has none within the deadline.
    pub async fn verdict(&self, name: &str, deadline: Duration) -> Result<DynamicObject> {
        let jobs = self.jobs();
        wait::until(&format!("a verdict of {name}"), deadline, || async {
            let job = jobs.get(name).await?;
            let finished = job.data.pointer("/status/verdict").is_some();
            Ok(if finished {
                Seen::Yes(job)
            } else {
                Seen::NotYet(job.data["status"].to_string())
            })
        })
        .await
    }

    /// The audit log from here on.
    ///
    /// # Errors
    /// The cluster has no audit log.
    pub fn audit(&self) -> Result<Audit> {
        let log = self
            .0
            .cluster
            .control_plane()?
            .audit_log()
            .context("the API server keeps no audit log")?;
        Audit::now(&log)
    }

    /// Adds a process's log to what [`Self::dump`] shows.
    pub(crate) fn show_on_failure(&self, log: PathBuf) {
        self.0
            .logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(log);
    }

    /// The state of the namespace and the ends of the logs, for a failed test.
    pub async fn dump(&self) -> String {
        let mut text = format!("\n--- namespace {}\n", self.0.namespace);
        for what in [
            &["get", "evaljobs", "-o", "wide"][..],
            &["get", "events"],
            &["get", "evaljobs", "-o", "yaml"],
        ] {
            let shown = self
                .kubectl()
                .ok(what)
                .await
                .unwrap_or_else(|error| error.to_string());
            let _infallible = writeln!(text, "$ kubectl {}\n{}", what.join(" "), clipped(&shown));
        }
        let logs = self.0.logs.lock().unwrap_or_else(PoisonError::into_inner);
        for log in logs.iter() {
            let lines = std::fs::read_to_string(log).unwrap_or_else(|error| error.to_string());
            let _infallible = writeln!(text, "--- {}\n{}", log.display(), last_lines(&lines, 40));
        }
        text
    }

    /// Deletes the test's jobs and, where it is not thrown away anyway, its namespace.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn end(&self) -> Result<()> {
        let deleted = self
            .jobs()
            .delete_collection(&DeleteParams::default(), &ListParams::default())
            .await;
        // Without the CRD there are no jobs either.
        if !matches!(&deleted, Err(kube::Error::Api(status)) if status.code == 404) {
            deleted?;
        }
        if self.0.cluster.control_plane().is_err() {
            Api::<Namespace>::all(self.client())
                .delete(&self.0.namespace, &DeleteParams::default())
                .await?;
        }
        Ok(())
    }
}

/// At most 8 KiB of a dump's part: the rest of a large object explains nothing.
fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(8192)]
}

/// Code and message of a request that the API server refused.
///
/// # Errors
/// The request succeeded, or failed in another way.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> Result<(u16, String)> {
    match result {
        Err(kube::Error::Api(status)) => Ok((status.code, status.message.clone())),
        other => {
            ensure!(other.is_err(), "the API server accepted {other:?}");
            other
                .map(|_| (0, String::new()))
                .context("not an answer of the API server")
        }
    }
}

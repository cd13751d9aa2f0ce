//! The same work as Jobs of Kubernetes: a Pod each, on the same node, of an image with one static program.
//!
//! With what Kubernetes offers of the same promises: placed by the scheduler, with limits, a seccomp profile, no capabilities, a
//! read-only root and a deadline; that costs them nothing that can be measured. They ask for next to no CPU, so that all run at
//! once; a whole CPU each, as a slot gives, would make them several times slower.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use evaljob_e2e::images::Image;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, node, release};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

/// Longest for all of them.
const PATIENCE: Duration = Duration::from_secs(600);
const IMAGE: &str = "registry.local/true:e2e";

/// Spec of a Job.
fn spec() -> Value {
    json!({
        "activeDeadlineSeconds": 600,
        "backoffLimit": 0,
        "template": {"spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "nodeSelector": {"kubernetes.io/hostname": node::name(1)},
            "securityContext": {
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "true",
                "image": IMAGE,
                "imagePullPolicy": "Never",
                "resources": {
                    "requests": {"cpu": "1m", "memory": "1Mi"},
                    "limits": {"cpu": "1", "memory": "256Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                },
            }],
        }},
    })
}

/// Jobs a second, all created at once.
pub(crate) async fn measure(case: &Case, jobs: u32) -> Result<f64> {
    release::import(case.cluster(), &image()).await?;
    let api = Api::<Job>::namespaced(case.client(), case.namespace());
    let begun = Instant::now();
    for number in 0..jobs {
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": format!("batch-{number}")},
            "spec": spec(),
        }))?;
        api.create(&PostParams::default(), &job).await?;
    }
    wait::until("every Job to be complete", PATIENCE, || async {
        let list = api.list(&ListParams::default()).await?;
        let complete = list
            .iter()
            .filter(|job| job.status.as_ref().and_then(|status| status.succeeded) == Some(1))
            .count();
        Ok(if complete == usize::try_from(jobs)? {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{complete} of {jobs}"))
        })
    })
    .await?;
    let took = begun.elapsed();
    let delete = DeleteParams::background();
    api.delete_collection(&delete, &ListParams::default())
        .await?;
    let pods = Api::<Pod>::namespaced(case.client(), case.namespace());
    let theirs = ListParams::default().labels("batch.kubernetes.io/job-name");
    wait::until("the Jobs' Pods to be gone", PATIENCE, || async {
        let left = pods.list(&theirs).await?.items.len();
        Ok(if left == 0 {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{left} left"))
        })
    })
    .await?;
    Ok(f64::from(jobs) / took.as_secs_f64())
}

/// busybox, called by the name of what it is to do.
fn image() -> Image {
    Image {
        reference: IMAGE.into(),
        base: None,
        programs: vec![(PathBuf::from("/bin/busybox"), "/true")],
        entrypoint: vec!["/true"],
        user: Some("65532:65532"),
    }
}

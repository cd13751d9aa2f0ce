//! The same work as Jobs of Kubernetes: a Pod each, on the same node, of an image with one static program.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use evaljob_e2e::images::Image;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, node, release};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

/// Longest for all of them.
const PATIENCE: Duration = Duration::from_secs(600);
const IMAGE: &str = "registry.local/true:e2e";

/// Jobs a second, all created at once.
pub(crate) async fn measure(case: &Case, jobs: u32) -> Result<f64> {
    release::import(case.cluster(), &image()).await?;
    let api = Api::<Job>::namespaced(case.client(), case.namespace());
    let begun = Instant::now();
    for number in 0..jobs {
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": format!("batch-{number}")},
            "spec": {"template": {"spec": {
                "nodeName": node::name(1),
                "restartPolicy": "Never",
                "automountServiceAccountToken": false,
                "containers": [{"name": "true", "image": IMAGE, "imagePullPolicy": "Never"}],
            }}},
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

//! The chart as a release on nodes that run Pods: its images there, `helm install`, ready, what it says, uninstalled.
//!
//! In: a case, and values beside those that every test needs. Out: operator and agents as Pods with the permissions
//! that the chart gives; Helm's own words where it refuses.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::future::try_join_all;

use crate::case::Case;
use crate::chart::{self, RELEASE};
use crate::cluster::{Cluster, SYSTEM_NAMESPACE};
use crate::images::Image;
use crate::kubectl::Output;
use crate::note::note;
use crate::product_images::{self, TAG, TOOLBOX_TAG, repository};
use crate::programs;

/// Longest for the Pods of a release to be Ready.
const READY: Duration = Duration::from_secs(180);

/// Makes an image known to every node; says how long that took where one did not have it.
///
/// # Errors
/// A file of the image is missing, or a node refuses it.
pub async fn import(cluster: &Cluster, image: &Image) -> Result<()> {
    let start = Instant::now();
    let imports = cluster.nodes().iter().map(|node| node.import(image));
    if try_join_all(imports).await?.contains(&true) {
        note(&format!(
            "import of {}: {:.1} s",
            image.reference,
            start.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

/// The operator and the agent with its toolbox, on every node.
///
/// # Errors
/// As [`import`].
pub async fn import_product(cluster: &Cluster) -> Result<()> {
    let toolbox = programs::build_toolbox()?;
    import(cluster, &product_images::operator()?).await?;
    import(cluster, &product_images::agent_toolbox(&toolbox)?).await
}

/// Arguments for agents that run so many programs side by side, each with twice the memory it gets by default.
#[must_use]
pub fn slots(count: usize) -> [String; 2] {
    [
        format!("--set=agent.resources.limits.cpu={count}"),
        format!(
            "--set=agent.resources.limits.memory={}Mi",
            (count + 1) * 512
        ),
    ]
}

/// The images of [`import_product`] once more, under the tags that the charts of these versions ask for by themselves. All
/// of them are this build.
///
/// # Errors
/// As [`import`], or a node does not know the image.
pub async fn import_versions(case: &Case, versions: &[&str]) -> Result<()> {
    import_product(case.cluster()).await?;
    for (name, tag, suffix) in [
        ("evaljob-operator", TAG, ""),
        ("evaljob-agent", TOOLBOX_TAG, "-toolbox"),
    ] {
        let known = product_images::reference(name, tag);
        for version in versions {
            let tagged = product_images::reference(name, &format!("{version}{suffix}"));
            for node in case.cluster().nodes() {
                node.tag(&known, &tagged).await?;
            }
        }
    }
    Ok(())
}

/// `helm install` with the images of this build and more arguments, on machines that may have cgroup v1 and few CPUs.
///
/// # Errors
/// Helm refuses.
pub async fn install(case: &Case, more: &[&str]) -> Result<()> {
    let chart = chart::path("").display().to_string();
    let tags = [
        format!("--set=operator.image.tag={TAG}"),
        format!("--set=agent.image.tag={TOOLBOX_TAG}"),
    ];
    let mut arguments: Vec<&str> = tags.iter().map(String::as_str).collect();
    arguments.extend(more);
    put(case, "install", &chart, &arguments).await
}

/// `helm install` or `helm upgrade` of a chart, with the images of its own version unless `values` say others.
///
/// # Errors
/// Helm refuses.
pub async fn put(case: &Case, verb: &str, chart: &str, values: &[&str]) -> Result<()> {
    let [operator, agent] = ["operator", "agent"].map(|part| {
        let repository = repository(&format!("evaljob-{part}"));
        format!("--set={part}.image.repository={repository}")
    });
    let mut more = vec![
        chart,
        "--set=agent.allowCgroupV1=true",
        "--set=agent.resources.requests.cpu=100m",
        &operator,
        &agent,
    ];
    if verb == "install" {
        more.push("--create-namespace");
    }
    more.extend(values);
    helm(case, verb, &more).await.map(drop)
}

/// A verb of Helm's on the release.
///
/// # Errors
/// Helm refuses; the message holds what the release's Pods say.
pub async fn helm(case: &Case, verb: &str, more: &[&str]) -> Result<Output> {
    let mut arguments = vec![verb, RELEASE];
    arguments.extend(more);
    arguments.extend(["--namespace", SYSTEM_NAMESPACE]);
    let output = chart::helm_in(case, &arguments).await?;
    if !output.status.success() {
        let said = said(case).await;
        bail!("helm {verb}: {} {}\n{said}", output.stdout, output.stderr);
    }
    Ok(output)
}

/// Waits until operator and agents are Ready.
///
/// # Errors
/// They are not in time; the message holds what they say.
pub async fn ready(case: &Case) -> Result<()> {
    let timeout = format!("--timeout={}s", READY.as_secs());
    for what in ["deployment/evaljob-operator", "daemonset/evaljob-agent"] {
        let arguments = ["-n", SYSTEM_NAMESPACE, "rollout", "status", what, &timeout];
        let output = case.cluster().kubectl().run(&arguments, "").await?;
        if !output.status.success() {
            let said = said(case).await;
            bail!("{what}: {}{}\n{said}", output.stdout, output.stderr);
        }
    }
    Ok(())
}

/// `helm uninstall`, and waits until everything of it is gone.
///
/// # Errors
/// Helm refuses, or an object stays.
pub async fn uninstall(case: &Case) -> Result<()> {
    helm(case, "uninstall", &["--wait"]).await.map(drop)
}

/// What the release's Pods and their events say.
pub async fn said(case: &Case) -> String {
    let kubectl = case.cluster().kubectl();
    let mut text = String::new();
    for arguments in [
        &["get", "pods", "-o", "wide"][..],
        &["get", "events", "--sort-by=.lastTimestamp"],
        &["logs", "deployment/evaljob-operator", "--tail=20"],
        &[
            "logs",
            "--selector=app.kubernetes.io/component=agent",
            "--prefix",
            "--tail=20",
        ],
        &["logs", "pod/evaljob-selftest", "--tail=20"],
    ] {
        let mut all = vec!["--namespace", SYSTEM_NAMESPACE];
        all.extend(arguments);
        let said = kubectl.ok(&all).await;
        text += &said.unwrap_or_else(|error| error.to_string());
    }
    text
}

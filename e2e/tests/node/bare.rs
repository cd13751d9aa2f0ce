//! The agent in an empty image, in a cluster with DNS: it finds the operator by name, and says what it cannot run.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::name_server::NameServer;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::{Case, product_images, release, trials_alone};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{Patch, PatchParams};
use libtest_mimic::Trial;
use serde_json::json;

use crate::agent::not_placed;

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials_alone![
        an_agent_in_an_empty_image_finds_the_operator_by_name_and_takes_no_job_without_image
    ])
}

const NAME: &str = "evaljob-operator.evaljob-system.svc";

async fn an_agent_in_an_empty_image_finds_the_operator_by_name_and_takes_no_job_without_image(
    case: Case,
) -> Result<()> {
    release::import_product(case.cluster()).await?;
    release::import(case.cluster(), &product_images::agent()?).await?;
    let tag = format!("--set=agent.image.tag={}", product_images::TAG);
    // Nobody is away for the DaemonSet's new Pods.
    let all = "--set=agent.maxUnavailable=100%";
    release::install(&case, &["--set=agent.toolbox=false", &tag, all]).await?;
    let seen = async {
        let server = name_server(&case).await?;
        by_name_only(&case).await?;
        release::ready(&case).await?;
        let asked = server.asked();
        let full = format!("{NAME}.cluster.local");
        ensure!(asked.contains(&full), "asked for {asked:?}");
        let spec = json!({"command": ["true"]});
        let why = "2 have no default root file system (hint: set agent.toolbox";
        not_placed(&case, "imageless", spec, why).await
    };
    if let Err(error) = seen.await {
        return Err(error.context(release::said(&case).await));
    }
    release::uninstall(&case).await
}

/// On the address that all Pods reach the node by.
async fn name_server(case: &Case) -> Result<NameServer> {
    let services = Api::<Service>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let service = services.get("evaljob-operator").await?.spec;
    let address = service
        .and_then(|spec| spec.cluster_ip)
        .context("no address")?;
    let node = case.cluster().nodes()[0].address();
    let listen = SocketAddr::new(node.parse()?, 53);
    NameServer::start(listen, &format!("{NAME}.cluster.local"), address.parse()?).await
}

/// The resolver's settings that a kubelet with a cluster's DNS writes, and no variable of a Service.
async fn by_name_only(case: &Case) -> Result<()> {
    let searches = [
        &format!("{SYSTEM_NAMESPACE}.svc.cluster.local"),
        "svc.cluster.local",
        "cluster.local",
    ];
    let dns = json!({
        "nameservers": [case.cluster().nodes()[0].address()],
        "searches": searches,
        "options": [{"name": "ndots", "value": "5"}],
    });
    let pod = json!({"dnsPolicy": "None", "dnsConfig": dns, "enableServiceLinks": false});
    let patch = Patch::Merge(json!({"spec": {"template": {"spec": pod}}}));
    let sets = Api::<DaemonSet>::namespaced(case.client(), SYSTEM_NAMESPACE);
    sets.patch("evaljob-agent", &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

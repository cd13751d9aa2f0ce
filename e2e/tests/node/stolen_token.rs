//! What somebody has who stole an agent's token: nothing at the API server.

use anyhow::{Context, Result, ensure};
use evaljob_e2e::Case;
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::agent::agents;

/// Method, path, body, whether the operator may.
fn requests() -> Vec<(&'static str, String, Value, bool)> {
    let system = format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}");
    let jobs = "/apis/evaljob.dev/v1alpha1/evaljobs";
    let review = |kind: &str, group: &str, spec: Value| json!({"apiVersion": format!("{group}/v1"), "kind": kind, "spec": spec});
    let attributes = json!({"resourceAttributes": {"verb": "get", "resource": "pods"}});
    let own = review(
        "SelfSubjectAccessReview",
        "authorization.k8s.io",
        attributes.clone(),
    );
    let (token, access) = ("authentication.k8s.io", "authorization.k8s.io");
    vec![
        ("GET", "/api".to_owned(), Value::Null, true),
        ("GET", jobs.to_owned(), Value::Null, true),
        (
            "GET",
            format!("/apis/evaljob.dev/v1alpha1/namespaces/{SYSTEM_NAMESPACE}/evaljobs"),
            Value::Null,
            true,
        ),
        ("GET", "/api/v1/nodes".to_owned(), Value::Null, false),
        (
            "GET",
            format!("{system}/secrets/evaljob-operator-tls"),
            Value::Null,
            true,
        ),
        (
            "POST",
            format!("/apis/{token}/v1/tokenreviews"),
            review("TokenReview", token, json!({"token": "x"})),
            true,
        ),
        (
            "POST",
            format!("/apis/{access}/v1/selfsubjectaccessreviews"),
            own,
            true,
        ),
        ("GET", format!("{system}/pods"), Value::Null, false),
        ("GET", format!("{system}/secrets"), Value::Null, false),
        ("GET", format!("{system}/configmaps"), Value::Null, false),
        ("POST", format!("{system}/pods"), json!({}), false),
        (
            "POST",
            format!("{system}/serviceaccounts/evaljob-operator/token"),
            json!({"spec": {}}),
            false,
        ),
        (
            "POST",
            format!("{system}/serviceaccounts/evaljob-agent/token"),
            json!({"spec": {}}),
            false,
        ),
    ]
}

/// The only token in an agent's Pod is refused whatever it asks for, where the operator's is served.
pub(crate) async fn is_powerless(case: &Case) -> Result<()> {
    for pod in agents(case).await? {
        one_token_for_the_operator(&pod)?;
        let stolen = bearer(case, &pod, "token").await?;
        for (method, path, body, _) in requests() {
            let code = answer(&stolen, method, &path, &body).await?;
            ensure!(code == 401, "{method} {path}: {code}");
        }
    }
    let pods = Api::<Pod>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let selected = ListParams::default().labels("app.kubernetes.io/component=operator");
    let pod = pods
        .list(&selected)
        .await?
        .items
        .pop()
        .context("no operator")?;
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    let mut names = volumes.map(|volume| volume.name.clone());
    let volume = names.find(|name| name.starts_with("kube-api-access-"));
    let operator = bearer(case, &pod, &volume.context("the operator has no token")?).await?;
    for (method, path, body, may) in requests() {
        let code = answer(&operator, method, &path, &body).await?;
        let expected = if may { 200..=201 } else { 403..=403 };
        ensure!(
            expected.contains(&code),
            "{method} {path} by the operator: {code}"
        );
    }
    Ok(())
}

fn one_token_for_the_operator(pod: &Pod) -> Result<()> {
    let spec = pod.spec.as_ref().context("no spec")?;
    ensure!(
        spec.automount_service_account_token == Some(false),
        "{spec:?}"
    );
    let sources = spec
        .volumes
        .iter()
        .flatten()
        .filter_map(|volume| volume.projected.as_ref());
    let sources = sources.flat_map(|projected| projected.sources.iter().flatten());
    let audiences: Vec<_> = sources
        .filter_map(|source| source.service_account_token.as_ref())
        .map(|token| token.audience.as_deref())
        .collect();
    ensure!(audiences == [Some("evaljob-operator")], "{audiences:?}");
    let mounts = spec
        .containers
        .iter()
        .flat_map(|container| container.volume_mounts.iter().flatten());
    let standard = mounts.filter(|mount| {
        mount
            .mount_path
            .starts_with("/var/run/secrets/kubernetes.io")
    });
    ensure!(standard.count() == 0, "{spec:?}");
    Ok(())
}

/// A client with the token that the kubelet has put into a Pod's volume.
async fn bearer(case: &Case, pod: &Pod, volume: &str) -> Result<Client> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let mut nodes = case.cluster().nodes().iter();
    let node = nodes
        .find(|one| Some(one.name()) == node)
        .context("no node")?;
    let uid = pod.metadata.uid.as_deref().context("no uid")?;
    let file = node.projected_volume(uid, volume).join("token");
    let token = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    case.cluster().client_by(token.trim()).await
}

/// The status code of an answer.
async fn answer(client: &Client, method: &str, path: &str, body: &Value) -> Result<u16> {
    let bytes = if body.is_null() {
        Vec::new()
    } else {
        serde_json::to_vec(body)?
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(kube::client::Body::from(bytes))?;
    Ok(client.send(request).await?.status().as_u16())
}

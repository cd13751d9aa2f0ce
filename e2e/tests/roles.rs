//! The operator may do what it does and nothing else; an agent may do nothing.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::agent_pod::AgentPod;
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::product;
use evaljob_e2e::product::OPERATOR_ACCOUNT;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials, trials_alone};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use libtest_mimic::Trial;
use serde_json::json;

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![the_operator_may_do_nothing_else, an_agent_may_do_none_of_it];
    tests.extend(on_own_cluster(trials_alone![
        the_roles_grant_what_the_operator_does
    ]));
    tests
}

/// Verb, group, resource with subresource, namespace, name.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// One verb on one resource, perhaps on one object of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    verb: String,
    group: String,
    resource: String,
    /// Empty: cluster-wide.
    namespace: String,
    /// Empty: any.
    name: String,
}

/// Longest for a piece of work.
const SOON: Duration = Duration::from_secs(60);

/// The names that the chart gives to what the operator keeps.
const LEASE: &str = "evaljob-operator";
const SECRET: &str = "evaljob-operator-tls";
const CONFIG_MAP: &str = "evaljob-operator-ca";

const BEYOND: [Row; 24] = [
    ("create", "evaljob.dev", "evaljobs", "any", ""),
    ("update", "evaljob.dev", "evaljobs", "any", "a"),
    ("patch", "evaljob.dev", "evaljobs", "any", "a"),
    ("deletecollection", "evaljob.dev", "evaljobs", "any", ""),
    ("update", "evaljob.dev", "evaljobs/status", "any", "a"),
    ("get", "", "secrets", SYSTEM_NAMESPACE, "a"),
    ("get", "", "secrets", "any", SECRET),
    ("list", "", "secrets", SYSTEM_NAMESPACE, ""),
    ("create", "", "secrets", SYSTEM_NAMESPACE, ""),
    ("delete", "", "secrets", SYSTEM_NAMESPACE, SECRET),
    ("list", "", "configmaps", "any", ""),
    ("update", "", "configmaps", "any", "a"),
    ("patch", "", "configmaps", SYSTEM_NAMESPACE, "a"),
    ("patch", "", "configmaps", "any", CONFIG_MAP),
    ("create", "", "configmaps", SYSTEM_NAMESPACE, ""),
    ("get", "", "pods", "any", "a"),
    ("create", "", "pods", "any", ""),
    ("patch", "", "nodes", "", "a"),
    ("create", "", "serviceaccounts/token", SYSTEM_NAMESPACE, "a"),
    (
        "get",
        "coordination.k8s.io",
        "leases",
        "kube-node-lease",
        "a",
    ),
    (
        "get",
        "coordination.k8s.io",
        "leases",
        SYSTEM_NAMESPACE,
        "a",
    ),
    (
        "list",
        "coordination.k8s.io",
        "leases",
        SYSTEM_NAMESPACE,
        "",
    ),
    (
        "delete",
        "coordination.k8s.io",
        "leases",
        SYSTEM_NAMESPACE,
        LEASE,
    ),
    (
        "create",
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        "",
        "",
    ),
];

/// Everything that the chart's roles grant.
async fn granted(case: &Case) -> Result<BTreeSet<Permission>> {
    let cluster = Api::<ClusterRole>::all(case.client());
    let local = Api::<Role>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let cluster = cluster.get("evaljob-operator").await?.rules;
    let local = local.get("evaljob-operator").await?.rules;
    let mut granted = BTreeSet::new();
    for rule in cluster.unwrap_or_default() {
        add(&mut granted, &rule, "");
    }
    for rule in local.unwrap_or_default() {
        add(&mut granted, &rule, SYSTEM_NAMESPACE);
    }
    Ok(granted)
}

fn add(granted: &mut BTreeSet<Permission>, rule: &PolicyRule, namespace: &str) {
    let any = vec![String::new()];
    let names = rule.resource_names.as_ref().unwrap_or(&any);
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            for verb in &rule.verbs {
                granted.extend(names.iter().map(|name| Permission {
                    verb: verb.clone(),
                    group: group.clone(),
                    resource: resource.clone(),
                    namespace: namespace.to_owned(),
                    name: name.clone(),
                }));
            }
        }
    }
}

/// The work of an operator from nothing: its Lease, its certificate, a job with an input, a retry, a deletion. What
/// the audit log says it asked for is what the roles grant: a verb that is missing fails the work, one too many fails
/// the comparison.
async fn the_roles_grant_what_the_operator_does(case: Case) -> Result<()> {
    forget_everything(&case).await?;
    let audit = case.audit()?;
    let mut installation = Installation::start_shared(&case, &[]).await?;
    let agent = installation.agent("roles", 1).await?;
    input(&case).await?;
    let spec = json!({
        "command": ["cat", "a"],
        "files": [{"path": "a", "configMapKeyRef": {"name": "input", "key": "a"}}],
        "ttlSecondsAfterFinished": 0,
    });
    case.create("short-lived", spec).await?;
    let jobs = case.jobs();
    wait::until(
        "the job to be deleted by its time to live",
        SOON,
        || async {
            Ok(match jobs.get_opt("short-lived").await? {
                None => Seen::Yes(()),
                Some(job) => Seen::NotYet(job.data["status"]["message"].to_string()),
            })
        },
    )
    .await?;
    drop(agent);
    warn_twice(&case, &installation).await?;
    // A watch is in the log when it has ended.
    installation.operator().terminate(SOON).await?;
    let granted = granted(&case).await?;
    let user = format!(
        "system:serviceaccount:{}:{}",
        OPERATOR_ACCOUNT.namespace, OPERATOR_ACCOUNT.name
    );
    wait::until("the log to have what the roles grant", SOON, || async {
        let requests = audit.requests()?;
        let own = requests.iter().filter(|request| request.user == user);
        let mut unused = granted.clone();
        for request in own {
            let fits = |granted: &&Permission| {
                granted.verb == request.verb
                    && granted.resource == request.resource
                    && (granted.namespace.is_empty() || granted.namespace == request.namespace)
                    && (granted.name.is_empty() || granted.name == request.name)
            };
            let used: Vec<Permission> = granted.iter().filter(fits).cloned().collect();
            ensure!(
                !used.is_empty() && request.code != 403,
                "not granted: {request:?}"
            );
            unused.retain(|permission| !used.contains(permission));
        }
        Ok(if unused.is_empty() {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("granted and not used: {unused:?}"))
        })
    })
    .await
}

/// An agent without a root file system, then with one, then without: an event on its Pod, and a second of its kind.
async fn warn_twice(case: &Case, installation: &Installation) -> Result<()> {
    let pod = AgentPod::create(case.cluster(), "unfit").await?;
    let token = pod.write_token("evaljob-operator").await?;
    let ca = installation.ca();
    let events = Api::<Event>::namespaced(case.client(), SYSTEM_NAMESPACE);
    // There is no directory /nowhere.
    for (start, rootfs) in ["/nowhere", "/", "/nowhere"].iter().enumerate() {
        let arguments = [
            OsStr::new("--operator=127.0.0.1:7443"),
            OsStr::new("--operator-ca"),
            ca.as_os_str(),
            OsStr::new("--token-file"),
            token.as_os_str(),
            OsStr::new("--node-name=unfit"),
            OsStr::new("--allow-cgroup-v1"),
            OsStr::new("--rootfs"),
            OsStr::new(rootfs),
        ];
        let _agent = product::start_agent(case, &format!("unfit-{start}"), &arguments)?;
        wait::until("the operator to take notice", SOON, || async {
            if *rootfs == "/" {
                let page = installation.metrics().await?;
                let fit = page.contains("evaljob_operator_agents_unfit 0");
                let connected = page.contains("evaljob_operator_agents_connected 1");
                return Ok(Seen::some((fit && connected).then_some(()), "unfit"));
            }
            let all = events.list(&ListParams::default()).await?;
            let own = all.iter().filter(|event| {
                let regarding = event.regarding.as_ref();
                regarding.and_then(|object| object.name.as_deref()) == Some(pod.pod())
                    && event.reason.as_deref() == Some("NodeCannotEnforce")
                    && (start == 0 || event.series.is_some())
            });
            Ok(Seen::some((own.count() > 0).then_some(()), "no event"))
        })
        .await?;
    }
    Ok(())
}

/// As after the installation of the chart: no Lease, an empty Secret, an empty ConfigMap.
async fn forget_everything(case: &Case) -> Result<()> {
    let leases = Api::<Lease>::namespaced(case.client(), SYSTEM_NAMESPACE);
    if leases.get_opt(LEASE).await?.is_some() {
        leases.delete(LEASE, &DeleteParams::default()).await?;
    }
    case.cluster().forget_certificate().await?;
    Ok(())
}

/// A ConfigMap that its owner has made an input.
async fn input(case: &Case) -> Result<()> {
    let config_map = serde_json::from_value(json!({
        "metadata": {"name": "input", "labels": {"evaljob.dev/input": "true"}},
        "immutable": true,
        "data": {"a": "text"},
    }))?;
    Api::<ConfigMap>::namespaced(case.client(), case.namespace())
        .create(&PostParams::default(), &config_map)
        .await?;
    Ok(())
}

async fn the_operator_may_do_nothing_else(case: Case) -> Result<()> {
    for row in BEYOND {
        ensure!(
            !may(&case, "evaljob-operator", row).await?,
            "allowed: {row:?}"
        );
    }
    Ok(())
}

async fn an_agent_may_do_none_of_it(case: Case) -> Result<()> {
    for row in BEYOND {
        ensure!(!may(&case, "evaljob-agent", row).await?, "allowed: {row:?}");
    }
    for permission in granted(&case).await? {
        let allowed = may_use(&case, "evaljob-agent", &permission).await?;
        ensure!(!allowed, "allowed: {permission:?}");
    }
    Ok(())
}

async fn may(
    case: &Case,
    account: &str,
    (verb, group, resource, namespace, name): Row,
) -> Result<bool> {
    let permission = Permission {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    may_use(case, account, &permission).await
}

async fn may_use(case: &Case, account: &str, asked: &Permission) -> Result<bool> {
    let (resource, subresource) = asked
        .resource
        .split_once('/')
        .unwrap_or((&asked.resource, ""));
    let attributes = ResourceAttributes {
        verb: Some(asked.verb.clone()),
        group: Some(asked.group.clone()),
        resource: Some(resource.into()),
        subresource: Some(subresource.into()),
        namespace: Some(asked.namespace.clone()),
        name: Some(asked.name.clone()),
        ..ResourceAttributes::default()
    };
    let groups = [
        "system:serviceaccounts",
        "system:serviceaccounts:evaljob-system",
        "system:authenticated",
    ];
    let spec = SubjectAccessReviewSpec {
        user: Some(format!(
            "system:serviceaccount:{SYSTEM_NAMESPACE}:{account}"
        )),
        groups: Some(groups.map(str::to_owned).to_vec()),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview {
        spec,
        ..SubjectAccessReview::default()
    };
    let reviews = Api::<SubjectAccessReview>::all(case.client());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("a review without status")?.allowed)
}

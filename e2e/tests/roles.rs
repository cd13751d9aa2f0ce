//! The operator may do what its manifest says and nothing else; an agent may do nothing.

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::{Case, trials};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        the_operator_may_do_its_work,
        the_operator_may_do_nothing_else,
        an_agent_may_do_none_of_it
    ]
}

/// Verb, group, resource with subresource, namespace.
type Row = (&'static str, &'static str, &'static str, &'static str);

const WORK: [Row; 16] = [
    ("get", "evaljob.dev", "evaljobs", "any"),
    ("list", "evaljob.dev", "evaljobs", ""),
    ("watch", "evaljob.dev", "evaljobs", ""),
    ("delete", "evaljob.dev", "evaljobs", "any"),
    ("patch", "evaljob.dev", "evaljobs/status", "any"),
    ("create", "events.k8s.io", "events", "any"),
    ("patch", "events.k8s.io", "events", "any"),
    ("create", "authentication.k8s.io", "tokenreviews", ""),
    ("get", "", "nodes", ""),
    ("list", "", "nodes", ""),
    ("watch", "", "nodes", ""),
    ("get", "", "configmaps", "any"),
    ("get", "coordination.k8s.io", "leases", SYSTEM_NAMESPACE),
    ("create", "coordination.k8s.io", "leases", SYSTEM_NAMESPACE),
    ("update", "coordination.k8s.io", "leases", SYSTEM_NAMESPACE),
    ("patch", "coordination.k8s.io", "leases", SYSTEM_NAMESPACE),
];

const BEYOND: [Row; 16] = [
    ("create", "evaljob.dev", "evaljobs", "any"),
    ("update", "evaljob.dev", "evaljobs", "any"),
    ("patch", "evaljob.dev", "evaljobs", "any"),
    ("deletecollection", "evaljob.dev", "evaljobs", "any"),
    ("update", "evaljob.dev", "evaljobs/status", "any"),
    ("get", "", "secrets", SYSTEM_NAMESPACE),
    ("list", "", "secrets", "any"),
    ("list", "", "configmaps", "any"),
    ("update", "", "configmaps", "any"),
    ("get", "", "pods", "any"),
    ("create", "", "pods", "any"),
    ("patch", "", "nodes", ""),
    ("create", "", "serviceaccounts/token", SYSTEM_NAMESPACE),
    ("get", "coordination.k8s.io", "leases", "kube-node-lease"),
    ("delete", "coordination.k8s.io", "leases", SYSTEM_NAMESPACE),
    (
        "create",
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        "",
    ),
];

async fn the_operator_may_do_its_work(case: Case) -> Result<()> {
    for row in WORK {
        ensure!(
            may(&case, "evaljob-operator", row).await?,
            "refused: {row:?}"
        );
    }
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
    for row in WORK.into_iter().chain(BEYOND) {
        ensure!(!may(&case, "evaljob-agent", row).await?, "allowed: {row:?}");
    }
    Ok(())
}

async fn may(case: &Case, account: &str, (verb, group, resource, namespace): Row) -> Result<bool> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let attributes = ResourceAttributes {
        verb: Some(verb.into()),
        group: Some(group.into()),
        resource: Some(resource.into()),
        subresource: Some(subresource.into()),
        namespace: Some(namespace.into()),
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

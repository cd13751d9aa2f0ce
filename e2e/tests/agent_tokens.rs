//! What the API server says about tokens of agents, true and false ones.
//!
//! These are the facts that the operator's check stands on; the check itself has tests of its own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::agent_pod::{AGENT_ACCOUNT, AgentPod};
use evaljob_e2e::cluster::{self, TokenOptions};
use evaljob_e2e::product::OPERATOR_ACCOUNT;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::api::PostParams;
use kube::{Api, Client};
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        a_token_bound_to_an_agents_pod_names_pod_and_node,
        a_token_without_pod_names_no_node,
        a_token_ends_with_its_pod,
    ]
}

const AUDIENCE: &str = "evaljob-operator";
const CLAIM: &str = "authentication.kubernetes.io";

async fn a_token_bound_to_an_agents_pod_names_pod_and_node(case: Case) -> Result<()> {
    let agent = AgentPod::create(case.cluster(), case.namespace()).await?;
    let operator = operator_client(&case).await?;
    let token = agent.token(AUDIENCE, 600).await?;
    let status = review(&operator, &token, AUDIENCE).await?;
    ensure!(status.authenticated == Some(true), "{status:?}");
    assert_eq!(status.audiences, Some(vec![AUDIENCE.to_owned()]));
    let user = status.user.context("no user")?;
    assert_eq!(
        user.username.as_deref(),
        Some("system:serviceaccount:evaljob-system:evaljob-agent")
    );
    let extra = user.extra.context("no claims")?;
    assert_eq!(extra[&format!("{CLAIM}/pod-name")], [agent.pod()]);
    assert_eq!(extra[&format!("{CLAIM}/node-name")], [agent.node()]);
    assert_eq!(extra[&format!("{CLAIM}/pod-uid")].len(), 1);
    let elsewhere = review(&operator, &token, "another").await?;
    ensure!(
        elsewhere.authenticated != Some(true),
        "accepted for another audience: {elsewhere:?}"
    );
    agent.delete().await
}

async fn a_token_without_pod_names_no_node(case: Case) -> Result<()> {
    let options = TokenOptions {
        audience: Some(AUDIENCE),
        ..TokenOptions::default()
    };
    let token = case.cluster().token(&AGENT_ACCOUNT, &options).await?;
    let status = review(&operator_client(&case).await?, &token, AUDIENCE).await?;
    ensure!(status.authenticated == Some(true), "{status:?}");
    let extra = status.user.and_then(|user| user.extra).unwrap_or_default();
    ensure!(
        !extra.contains_key(&format!("{CLAIM}/node-name")),
        "{extra:?}"
    );
    Ok(())
}

async fn a_token_ends_with_its_pod(case: Case) -> Result<()> {
    let agent = AgentPod::create(case.cluster(), case.namespace()).await?;
    let operator = operator_client(&case).await?;
    let token = agent.token(AUDIENCE, 600).await?;
    ensure!(
        review(&operator, &token, AUDIENCE).await?.authenticated == Some(true),
        "true while the Pod is there"
    );
    agent.delete_pod().await?;
    // The API server remembers an accepted token for ten seconds.
    wait::until(
        "the token to be refused",
        Duration::from_secs(60),
        || async {
            let status = review(&operator, &token, AUDIENCE).await?;
            Ok(if status.authenticated == Some(true) {
                Seen::NotYet(format!("{status:?}"))
            } else {
                Seen::Yes(())
            })
        },
    )
    .await
}

pub(crate) async fn operator_client(case: &Case) -> Result<Client> {
    cluster::client(&case.cluster().account_kubeconfig(&OPERATOR_ACCOUNT).await?).await
}

pub(crate) async fn review(
    client: &Client,
    token: &str,
    audience: &str,
) -> Result<TokenReviewStatus> {
    let spec = TokenReviewSpec {
        token: Some(token.to_owned()),
        audiences: Some(vec![audience.to_owned()]),
    };
    let review = TokenReview {
        spec,
        ..TokenReview::default()
    };
    let answer = Api::<TokenReview>::all(client.clone())
        .create(&PostParams::default(), &review)
        .await?;
    answer.status.context("a TokenReview without status")
}

//! Tokens that are not an agent's own: each is refused, and its owner gets no job.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use evaljob_e2e::agent_pod::{AGENT_ACCOUNT, AgentPod};
use evaljob_e2e::cluster::TokenOptions;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::product::OPERATOR_ACCOUNT;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::token;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use libtest_mimic::Trial;
use serde_json::json;

use crate::agent_tokens::{operator_client, review};

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials_alone![
        a_token_that_is_not_the_agents_own_is_refused_and_gets_no_job
    ])
}

const AUDIENCE: &str = "evaljob-operator";
/// Longest for a refusal or a verdict.
const SOON: Duration = Duration::from_secs(60);

/// Whose token it is, the token, the node it is used for, and what the operator says.
type Row = (&'static str, String, String, &'static str);

async fn a_token_that_is_not_the_agents_own_is_refused_and_gets_no_job(case: Case) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    case.create("waits", json!({"command": ["true"]})).await?;
    for (row, token, node, words) in rows(&case).await? {
        let file = write(&case, row, &token)?;
        let before = installation.operator().log().len();
        let mut agent = installation.agent_with(
            &file,
            &node,
            1,
            &format!("agent-{}", row.replace(' ', "-")),
        )?;
        let operator = installation.operator();
        wait::until(&format!("a refusal of {row}"), SOON, || async {
            let log = operator.log().split_off(before);
            Ok(if log.contains(words) {
                Seen::Yes(())
            } else {
                Seen::NotYet(log)
            })
        })
        .await?;
        agent.kill().await?;
    }
    let waiting = case.jobs().get("waits").await?;
    ensure!(
        waiting.data.pointer("/status/verdict").is_none(),
        "a job ran for a wrong token: {}",
        waiting.data["status"]
    );
    // The control: with its own token an agent gets the job.
    let _agent = installation
        .agent(&format!("{}-own", case.namespace()), 1)
        .await?;
    let job = case.verdict("waits", SOON).await?;
    assert_eq!(job.data["status"]["verdict"], "Completed");
    Ok(())
}

async fn rows(case: &Case) -> Result<Vec<Row>> {
    let node = format!("{}-n1", case.namespace());
    let cluster = case.cluster();
    let own = AgentPod::create(cluster, &node).await?;
    let other = AgentPod::create_as(cluster, &node, OPERATOR_ACCOUNT).await?;
    let gone = AgentPod::create(cluster, &node).await?;
    let of_gone = gone.token(AUDIENCE, 600).await?;
    gone.delete_pod().await?;
    let nowhere = AgentPod::nowhere(cluster).await?;
    let expired = expired(case, &own).await?;
    let unbound = TokenOptions {
        audience: Some(AUDIENCE),
        ..TokenOptions::default()
    };
    Ok(vec![
        (
            "another account",
            other.token(AUDIENCE, 600).await?,
            node.clone(),
            "not of the agents' account",
        ),
        (
            "another audience",
            own.token("somebody", 600).await?,
            node.clone(),
            "is not valid for audience",
        ),
        (
            "no pod",
            cluster.token(&AGENT_ACCOUNT, &unbound).await?,
            node.clone(),
            "the token has no single authentication.kubernetes.io/pod-name",
        ),
        (
            "no node",
            nowhere.token(AUDIENCE, 600).await?,
            node.clone(),
            "the token has no single authentication.kubernetes.io/node-name",
        ),
        ("an expired one", expired, node.clone(), "has expired"),
        ("a deleted pod", of_gone, node.clone(), "been invalidated"),
        (
            "another node",
            own.token(AUDIENCE, 600).await?,
            format!("{node}-x"),
            "Hello",
        ),
    ])
}

/// A token of the agent's that ended an hour ago. One that is signed in the same way and has not ended is accepted.
async fn expired(case: &Case, own: &AgentPod) -> Result<String> {
    let key = case.cluster().control_plane()?.token_key()?;
    let token = own.token(AUDIENCE, 600).await?;
    let shifted = |seconds: i64| {
        token::with_claims(&token, &key, |claims| {
            for claim in ["exp", "iat", "nbf"] {
                claims[claim] = claims[claim].as_i64().map(|time| time - seconds).into();
            }
        })
    };
    let operator = operator_client(case).await?;
    let review = review(&operator, &shifted(60)?, AUDIENCE).await?;
    ensure!(review.authenticated == Some(true), "{review:?}");
    shifted(3600)
}

fn write(case: &Case, row: &str, token: &str) -> Result<PathBuf> {
    let path = case
        .cluster()
        .directory()
        .join(format!("{}.wrong", row.replace(' ', "-")));
    std::fs::write(&path, token)?;
    Ok(path)
}

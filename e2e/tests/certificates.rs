//! The certificate that operators share: made, published, kept over a restart, rotated under agents that stay.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use evaljob_e2e::installation::Installation;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::sync::Mutex;

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![
        a_restart_keeps_the_ca,
        agents_follow_a_ca_that_is_rotated_under_them
    ]
}

const SOON: Duration = Duration::from_secs(60);

async fn a_restart_keeps_the_ca(case: Case) -> Result<()> {
    let mut installation = Installation::start_shared(&case, &[]).await?;
    let before = installation.write_bundle().await?;
    let _agent = installation.agent("restart", 1).await?;
    installation.operator().kill().await?;
    installation.start_operator_again().await?;
    assert_eq!(installation.write_bundle().await?, before);
    judged(&case, "after").await
}

async fn agents_follow_a_ca_that_is_rotated_under_them(case: Case) -> Result<()> {
    let lives = [
        "--tls-ca-life=15s",
        "--tls-certificate-life=9s",
        "--tls-overlap=2s",
    ];
    // A CA that is there keeps the life it was made with.
    case.cluster().forget_certificate().await?;
    let installation = Installation::start_shared(&case, &lives).await?;
    let first = installation.write_bundle().await?;
    let mut agent = installation.agent("rotation", 1).await?;
    judged(&case, "before").await?;
    let signs = |bundle: &str| {
        bundle
            .split_inclusive("-----END CERTIFICATE-----")
            .next()
            .map(str::to_owned)
    };
    let published = Mutex::new(BTreeSet::new());
    // What the kubelet does with the volume of a ConfigMap.
    let rotated = "another CA to sign, and the first to be forgotten";
    wait::until(rotated, SOON, || async {
        let bundle = installation.write_bundle().await?;
        let other = signs(&bundle) != signs(&first) && !bundle.contains(first.trim());
        published.lock().await.insert(bundle);
        Ok(if other {
            Seen::Yes(())
        } else {
            Seen::NotYet("the first CA is trusted still".to_owned())
        })
    })
    .await?;
    // Alone, with the next one, then that one with the former: agents saw each.
    let states = published.lock().await.len();
    ensure!(states >= 3, "{states} states of the bundle");
    agent.process.kill().await?;
    let again = installation.agent_process(&agent.pod, 1, 1).await?;
    judged(&case, "after").await?;
    drop(again);
    // The next operator shall not begin with certificates of seconds.
    case.cluster().forget_certificate().await
}

async fn judged(case: &Case, name: &str) -> Result<()> {
    case.create(name, json!({"command": ["true"]})).await?;
    let job = case.verdict(name, SOON).await?;
    assert_eq!(
        job.data["status"]["verdict"], "Completed",
        "{:?}",
        job.data["status"]
    );
    Ok(())
}

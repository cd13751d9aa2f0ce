//! `kubectl cordon` keeps new jobs from a node and leaves those that it runs; `kubectl uncordon` lets them in again.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use evaljob_e2e::barrier::Barrier;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![a_cordoned_node_gets_no_jobs_until_it_is_uncordoned]
}

/// Longest for any of these.
const SOON: Duration = Duration::from_secs(60);
/// Jobs that may run before the operator's watch has the cordon.
const PROBES: u32 = 50;

async fn a_cordoned_node_gets_no_jobs_until_it_is_uncordoned(case: Case) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    let barrier = Barrier::new(&case, &["before"])?;
    installation.give_agents(barrier.agent_arguments());
    let nodes = [1, 2].map(|number| format!("{}-n{number}", case.namespace()));
    let [cordoned, other] = &nodes;
    // Twice the slots: while both are open, it is the one that is chosen.
    let _agents = (
        installation.agent(cordoned, 2).await?,
        installation.agent(other, 1).await?,
    );
    let mut before = barrier.job("before");
    before["nodeSelector"] = json!({"kubernetes.io/hostname": cordoned});
    case.create("before", before).await?;
    wait::until("a run on the node", SOON, || async {
        Ok(match barrier.waiting("before")?.len() {
            1 => Seen::Yes(()),
            other => Seen::NotYet(format!("{other} runs")),
        })
    })
    .await?;

    let kubectl = case.cluster().kubectl();
    kubectl.ok(&["cordon", cordoned]).await?;
    let waits = refused(&case, cordoned).await?;
    for number in 0..5 {
        let name = format!("during-{number}");
        case.create(&name, json!({"command": ["true"]})).await?;
        let status = ended(&case, &name).await?;
        assert_eq!(status["nodeName"], other.as_str(), "{status}");
    }
    barrier.open("before")?;
    let status = ended(&case, "before").await?;
    assert_eq!(status["nodeName"], cordoned.as_str(), "{status}");
    assert_eq!(status["attempt"], 1, "{status}");

    let job = case.jobs().get(&waits).await?;
    ensure!(
        job.data.pointer("/status/verdict").is_none(),
        "{:?}",
        job.data
    );
    kubectl.ok(&["uncordon", cordoned]).await?;
    let status = ended(&case, &waits).await?;
    assert_eq!(status["nodeName"], cordoned.as_str(), "{status}");
    Ok(())
}

/// Creates jobs for the node until one is told that it is cordoned, which is when the operator knows; returns its name.
async fn refused(case: &Case, node: &str) -> Result<String> {
    for number in 0..PROBES {
        let name = format!("waits-{number}");
        let spec = json!({"command": ["true"], "nodeSelector": {"kubernetes.io/hostname": node}});
        case.create(&name, spec).await?;
        let told = wait::until("a verdict or a reason to wait", SOON, || async {
            let status = case.jobs().get(&name).await?.data["status"].clone();
            let text = status.to_string();
            Ok(if status.get("verdict").is_some() {
                Seen::Yes(false)
            } else if text.contains("NoCapableNode") {
                ensure!(
                    text.contains("1 cordoned (hint: kubectl uncordon)"),
                    "{text}"
                );
                Seen::Yes(true)
            } else {
                Seen::NotYet(text)
            })
        })
        .await?;
        if told {
            return Ok(name);
        }
    }
    bail!("{PROBES} jobs, one after the other, ran on {node} after it was cordoned");
}

/// The status of a job that ended well.
async fn ended(case: &Case, name: &str) -> Result<Value> {
    let job = case.verdict(name, SOON).await?;
    let status = job.data["status"].clone();
    ensure!(status["verdict"] == "Completed", "{status}");
    Ok(status)
}

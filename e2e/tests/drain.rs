//! SIGTERM to an agent: what runs has its time, the rest runs elsewhere, and nobody is blamed for it.

use std::time::Duration;

use anyhow::{Result, ensure};
use evaljob_e2e::barrier::Barrier;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use libtest_mimic::Trial;
use serde_json::Value;

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![a_terminated_agent_ends_what_it_can_and_gives_the_rest_back]
}

const PATIENCE: Duration = Duration::from_secs(120);

async fn a_terminated_agent_ends_what_it_can_and_gives_the_rest_back(case: Case) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    let barrier = Barrier::new(&case, &["short", "long"])?;
    installation.give_agents(barrier.agent_arguments());
    let (goes, stays): (String, String) = ["goes", "stays"]
        .map(|name| format!("{}-{name}", case.namespace()))
        .into();
    let mut agent = installation.agent(&goes, 2).await?;
    for name in ["short", "long"] {
        case.create(name, barrier.job(name)).await?;
        running(&barrier, name).await?;
    }
    let _other = installation.agent(&stays, 2).await?;
    let (status, opened) = tokio::join!(agent.process.terminate(PATIENCE), async {
        // The signal was sent when this is polled first.
        barrier.open("short")
    });
    opened?;
    ensure!(status?.success(), "the agent failed");
    running(&barrier, "long").await?;
    barrier.open("long")?;
    for (name, attempt, node) in [("short", 1, &goes), ("long", 2, &stays)] {
        let job = case.verdict(name, PATIENCE).await?;
        let status: &Value = &job.data["status"];
        assert_eq!(status["verdict"], "Completed", "{name}: {status}");
        assert_eq!(status["attempt"], attempt, "{name}: {status}");
        assert_eq!(status["nodeName"], node.as_str(), "{name}: {status}");
        assert_eq!(status["infrastructureFailures"], 0, "{name}: {status}");
    }
    Ok(())
}

async fn running(barrier: &Barrier, name: &str) -> Result<()> {
    wait::until(&format!("a run of {name}"), PATIENCE, || async {
        let found = barrier.waiting(name)?;
        Ok(Seen::some((!found.is_empty()).then_some(()), "none"))
    })
    .await
}

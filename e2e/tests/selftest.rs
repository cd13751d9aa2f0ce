//! `evaljob-operator selftest`, with the permissions that the chart gives to the Pod of `helm test`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::{Account, SYSTEM_NAMESPACE};
use evaljob_e2e::installation::Installation;
use evaljob_e2e::process::Process;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, chart, programs, trials_alone};
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![
        ten_hostile_programs_stay_inside,
        without_an_agent_the_test_fails_and_says_why
    ]
}

const ACCOUNT: Account<'static> = Account {
    namespace: SYSTEM_NAMESPACE,
    name: "evaljob-selftest",
};
const PATIENCE: Duration = Duration::from_secs(180);

async fn ten_hostile_programs_stay_inside(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation.agent("selftest", 2).await?;
    let (good, text) = selftest(&case, "inside", 120).await?;
    ensure!(good, "{text}");
    let passed = text.lines().filter(|line| line.starts_with("ok "));
    assert_eq!(passed.count(), 11, "{text}");
    Ok(())
}

async fn without_an_agent_the_test_fails_and_says_why(case: Case) -> Result<()> {
    let _installation = Installation::start(&case).await?;
    let (good, text) = selftest(&case, "nobody", 2).await?;
    ensure!(!good && text.contains("no verdict in time"), "{text}");
    Ok(())
}

/// Runs it with the chart's role for it; whether it was content, and what it wrote.
async fn selftest(case: &Case, name: &str, seconds: u32) -> Result<(bool, String)> {
    let rendered = chart::render(&["--show-only=templates/tests/selftest.yaml"]).await?;
    let objects = chart::objects(&rendered)?;
    let roles = objects.iter().filter(|object| object["kind"] != "Pod");
    for object in roles {
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        let kubectl = case.cluster().kubectl();
        kubectl.ok_with(&apply, &object.to_string()).await?;
    }
    let pod = objects.iter().find(|object| object["kind"] == "Pod");
    let arguments = pod.context("no Pod")?["spec"]["containers"][0]["args"].clone();
    let mut arguments: Vec<String> = serde_json::from_value(arguments)?;
    arguments.retain(|argument| !argument.starts_with("--timeout-seconds="));
    let mut command = Command::new(programs::product("evaljob-operator")?);
    command
        .args(arguments)
        .args([format!("--timeout-seconds={seconds}")])
        .env_clear()
        .env(
            "KUBECONFIG",
            case.cluster().account_kubeconfig(&ACCOUNT).await?,
        );
    let logs = case.cluster().log_directory();
    let mut process = Process::start(&format!("selftest-{name}"), &logs, command)?;
    let status = {
        let process = tokio::sync::Mutex::new(&mut process);
        wait::until("the self-test to end", PATIENCE, || async {
            let ended = process.lock().await.ended()?;
            Ok(Seen::some(ended, "running"))
        })
        .await?
    };
    Ok((status.success(), process.log()))
}

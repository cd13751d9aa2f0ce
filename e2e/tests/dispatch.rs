//! Jobs from `kubectl create` to the verdict: operator, agent and sandbox together on a real API server.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::installation::Installation;
use evaljob_e2e::metrics::Requests;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::traces::{self, Traces};
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials_alone![
        each_verdict_comes_once_and_explains_itself,
        a_job_that_is_cancelled_or_deleted_ends,
        a_job_runs_again_when_its_agent_is_killed,
        results_wait_for_an_operator_that_was_killed,
        a_bad_input_is_refused_by_the_operator_with_the_way_out,
    ];
    // They count the requests of everybody.
    tests.extend(on_own_cluster(trials_alone![
        a_job_costs_one_status_write_and_no_read,
        a_long_job_is_shown_running_and_costs_two_writes,
    ]));
    tests
}

/// Longest for any of these.
const SOON: Duration = Duration::from_secs(60);

/// A program per verdict; the limits are those of the row.
fn rows() -> Vec<(&'static str, Value)> {
    let python = |code: &str| json!(["python3", "-c", code]);
    let test = json!([{"name": "1", "expectedStdout": "1\n"}]);
    vec![
        (
            "Accepted",
            json!({"command": python("print(1)"), "tests": test}),
        ),
        ("Completed", json!({"command": ["true"]})),
        (
            "WrongAnswer",
            json!({"command": python("print(2)"), "tests": test}),
        ),
        (
            "CompileError",
            json!({"command": ["true"], "steps": [{"name": "compile", "command": ["false"]}]}),
        ),
        ("RuntimeError", json!({"command": ["false"]})),
        (
            "TimeLimitExceeded",
            json!({"command": python("while True: pass"), "limits": {"cpuTimeMilliseconds": 300}}),
        ),
        (
            "IdleLimitExceeded",
            json!({"command": ["sleep", "60"], "limits": {"wallTimeMilliseconds": 500}}),
        ),
        (
            "MemoryLimitExceeded",
            json!({"command": python("x = bytearray(200 << 20)"), "limits": {"memory": "32Mi"}}),
        ),
        (
            "OutputLimitExceeded",
            json!({"command": ["yes"], "limits": {"output": "64Ki"}}),
        ),
        (
            "DiskLimitExceeded",
            json!({"command": ["dd", "if=/dev/zero", "of=x", "bs=1M"], "limits": {"workspace": "4Mi"}}),
        ),
        (
            "ProcessLimitExceeded",
            json!({"command": ["sh", "-c", "sleep 5 & sleep 5 & sleep 5 & exit 3"], "limits": {"processes": 2}}),
        ),
        (
            "SandboxViolation",
            json!({"command": python("import ctypes; ctypes.CDLL(None).syscall(165, 0, 0, 0, 0, 0)")}),
        ),
        (
            "InvalidSpec",
            json!({"command": ["true"], "image": "registry.example/x:1"}),
        ),
        ("Cancelled", json!({"command": ["true"], "cancel": true})),
        (
            "DeadlineExceeded",
            json!({"command": ["sleep", "60"], "activeDeadlineSeconds": 1}),
        ),
    ]
}

async fn each_verdict_comes_once_and_explains_itself(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 2)
        .await?;
    for (verdict, spec) in rows() {
        case.create(&verdict.to_lowercase(), spec).await?;
    }
    for (verdict, _) in rows() {
        let job = case.verdict(&verdict.to_lowercase(), SOON).await?;
        let status = &job.data["status"];
        assert_eq!(status["verdict"], verdict, "{status}");
        let succeeded = condition(status, "Succeeded");
        let wanted = match verdict {
            "Accepted" | "Completed" => "True",
            "InvalidSpec" | "Cancelled" | "DeadlineExceeded" => "Unknown",
            _ => "False",
        };
        assert_eq!(succeeded, Some(wanted.into()), "{verdict}: {status}");
        if wanted != "True" {
            ensure!(
                status["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{status}"
            );
        }
    }
    // One condition for every kind of end, also when the waiting begins after it.
    let all = [
        "wait",
        "ej",
        "--all",
        "--for=condition=Finished",
        "--timeout=60s",
    ];
    case.kubectl().ok(&all).await.map(drop)
}

async fn a_job_costs_one_status_write_and_no_read(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 2)
        .await?;
    case.create("warm", json!({"command": ["true"]})).await?;
    case.verdict("warm", SOON).await?;
    let before = Requests::read(&case.client()).await?;
    for number in 0..50 {
        case.create(&format!("j{number}"), json!({"command": ["true"]}))
            .await?;
    }
    // The counter itself says when they are done; reads of this test would count.
    let spent = wait::until("50 status writes", SOON, || async {
        let spent = Requests::read(&case.client()).await?.since(&before);
        let written = spent.count("PATCH", "evaljobs", "status");
        Ok(if written >= 50 {
            Seen::Yes(spent)
        } else {
            Seen::NotYet(written.to_string())
        })
    })
    .await?;
    assert_eq!(spent.count("PATCH", "evaljobs", "status"), 50);
    assert_eq!(spent.count("POST", "evaljobs", ""), 50);
    assert_eq!(spent.count("DELETE", "evaljobs", ""), 0);
    assert_eq!(spent.count("PUT", "evaljobs", ""), 0);
    assert_eq!(spent.count("GET", "evaljobs", ""), 0);
    assert_eq!(spent.count("LIST", "evaljobs", ""), 0);
    Ok(())
}

async fn a_long_job_is_shown_running_and_costs_two_writes(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 1)
        .await?;
    let before = Requests::read(&case.client()).await?;
    case.create("long", json!({"command": ["sleep", "5"]}))
        .await?;
    case.kubectl()
        .ok(&[
            "wait",
            "ej/long",
            "--for=jsonpath={.status.conditions[?(@.type==\"Finished\")].reason}=Running",
            "--timeout=30s",
        ])
        .await?;
    let job = case.verdict("long", SOON).await?;
    assert_eq!(job.data["status"]["verdict"], "Completed");
    let spent = Requests::read(&case.client()).await?.since(&before);
    assert_eq!(spent.count("PATCH", "evaljobs", "status"), 2);
    Ok(())
}

async fn a_job_that_is_cancelled_or_deleted_ends(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 1)
        .await?;
    case.create(
        "cancelled",
        json!({"command": ["sleep", "600"], "limits": {"wallTimeMilliseconds": 600000}}),
    )
    .await?;
    case.kubectl()
        .ok(&[
            "wait",
            "ej/cancelled",
            "--for=jsonpath={.status.conditions[?(@.type==\"Finished\")].reason}=Running",
            "--timeout=30s",
        ])
        .await?;
    case.kubectl()
        .ok(&[
            "patch",
            "ej",
            "cancelled",
            "--type=merge",
            "-p",
            r#"{"spec":{"cancel":true}}"#,
        ])
        .await?;
    let job = case.verdict("cancelled", SOON).await?;
    assert_eq!(job.data["status"]["verdict"], "Cancelled");
    case.create(
        "deleted",
        json!({"command": ["sleep", "600"], "limits": {"wallTimeMilliseconds": 600000}}),
    )
    .await?;
    case.kubectl().ok(&["delete", "ej", "deleted"]).await?;
    // The one slot is free again: the next job runs.
    case.create("next", json!({"command": ["true"]})).await?;
    let job = case.verdict("next", SOON).await?;
    assert_eq!(job.data["status"]["verdict"], "Completed");
    Ok(())
}

async fn a_job_runs_again_when_its_agent_is_killed(case: Case) -> Result<()> {
    let mounts = traces::mounts()?;
    let installation = Installation::start(&case).await?;
    let mut agent = installation
        .agent(&format!("{}-n1", case.namespace()), 2)
        .await?;
    let command = json!(["sleep", "4"]);
    let once = json!({"command": command, "infraRetryLimit": 0});
    case.create("once", once).await?;
    case.create("job", json!({"command": command})).await?;
    case.kubectl()
        .ok(&[
            "wait",
            "ej/job",
            "--for=jsonpath={.status.conditions[?(@.type==\"Finished\")].reason}=Running",
            "--timeout=30s",
        ])
        .await?;
    let first = Traces::of(agent.process.pid().context("no agent")?)?;
    ensure!(
        first.processes.len() > 4,
        "agent, spawner and two runs: {first:?}"
    );
    ensure!(!first.cgroups.is_empty(), "no cgroup: {first:?}");
    agent.process.kill().await?;
    let _again = installation.agent_process(&agent.pod, 2, 1).await?;
    let job = case.verdict("job", SOON).await?;
    wait::until("nothing of attempt 1 on the node", SOON, || async {
        let left = first.left()?;
        Ok(if left.is_empty() {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{left:?}"))
        })
    })
    .await?;
    assert_eq!(traces::mounts()?, mounts);
    let status = &job.data["status"];
    assert_eq!(status["verdict"], "Completed", "{status}");
    assert_eq!(status["attempt"], 2, "{status}");
    assert_eq!(status["infrastructureFailures"], 1, "{status}");
    let job = case.verdict("once", SOON).await?;
    let status = &job.data["status"];
    assert_eq!(status["verdict"], "InfrastructureError", "{status}");
    assert_eq!(
        condition(status, "Succeeded"),
        Some("Unknown".into()),
        "{status}"
    );
    Ok(())
}

async fn results_wait_for_an_operator_that_was_killed(case: Case) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 2)
        .await?;
    for number in 0..40 {
        case.create(&format!("j{number}"), json!({"command": ["sleep", "0.2"]}))
            .await?;
    }
    for _ in 0..3 {
        installation.operator().kill().await?;
        installation.start_operator_again().await?;
    }
    for number in 0..40 {
        let job = case.verdict(&format!("j{number}"), SOON).await?;
        let status = &job.data["status"];
        assert_eq!(status["verdict"], "Completed", "{status}");
        assert_eq!(status["attempt"], 1, "{status}");
    }
    Ok(())
}

async fn a_bad_input_is_refused_by_the_operator_with_the_way_out(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 1)
        .await?;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {in: \"1\\n\"}\n";
    case.kubectl().ok_with(&["apply", "-f", "-"], map).await?;
    let spec = json!({"command": ["cat"], "stdinFrom": {"configMapKeyRef": {"name": "plain", "key": "in"}}});
    case.create("refused", spec.clone()).await?;
    let job = case.verdict("refused", SOON).await?;
    let status = &job.data["status"];
    assert_eq!(status["verdict"], "InvalidSpec", "{status}");
    let message = status["message"].as_str().context("no message")?;
    ensure!(
        message.contains("spec.stdinFrom") && message.contains("kubectl"),
        "{message}"
    );
    case.kubectl()
        .ok(&["label", "configmap", "plain", "evaljob.dev/input=true"])
        .await?;
    case.kubectl()
        .ok(&[
            "patch",
            "configmap",
            "plain",
            "--type=merge",
            "-p",
            r#"{"immutable":true}"#,
        ])
        .await?;
    case.create("accepted", spec).await?;
    let job = case.verdict("accepted", SOON).await?;
    assert_eq!(
        job.data["status"]["run"]["stdout"]["text"], "1\n",
        "{}",
        job.data["status"]
    );
    Ok(())
}

fn condition(status: &Value, kind: &str) -> Option<String> {
    let conditions = status["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    found["status"].as_str().map(str::to_owned)
}

//! Results that meet another object, or another writer, on their way.

use std::time::Duration;

use anyhow::Result;
use evaljob_e2e::barrier::Barrier;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials_alone};
use kube::ResourceExt;
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::json;

use crate::crd::condition;

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![
        a_job_made_again_under_its_name_gets_its_own_result,
        a_result_in_flight_does_not_reach_a_job_made_again,
        a_verdict_written_by_hand_stands_and_the_next_job_runs,
        local_run_and_cluster_give_the_same_status,
    ]
}

/// Longest for any of these.
const SOON: Duration = Duration::from_secs(60);

async fn a_job_made_again_under_its_name_gets_its_own_result(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 2)
        .await?;
    let say = |text: &str, seconds: &str| json!({"command": ["sh", "-c", format!("sleep {seconds}; echo {text}")]});
    for round in 0..5 {
        let name = format!("same-{round}");
        let first = case.create(&name, say("first", "0.3")).await?;
        case.kubectl().ok(&["delete", "ej", &name]).await?;
        let second = case.create(&name, say("second", "0")).await?;
        assert_ne!(first.uid(), second.uid());
        let job = case.verdict(&name, SOON).await?;
        assert_eq!(job.uid(), second.uid());
        assert_eq!(
            job.data["status"]["run"]["stdout"]["text"], "second\n",
            "{}",
            job.data["status"]
        );
    }
    Ok(())
}

async fn a_result_in_flight_does_not_reach_a_job_made_again(case: Case) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    let barrier = Barrier::new(&case, &["first"])?;
    installation.give_agents(barrier.agent_arguments());
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 2)
        .await?;
    case.create("same", barrier.job("first")).await?;
    let waiting = |wanted: usize| {
        let barrier = &barrier;
        wait::until("the first run", SOON, move || async move {
            let seen = barrier.waiting("first")?;
            Ok(if seen.len() == wanted {
                Seen::Yes(())
            } else {
                Seen::NotYet(format!("{seen:?}"))
            })
        })
    };
    waiting(1).await?;
    // The operator stands still while the run ends, the job goes and another comes: all of it reaches it at once.
    installation.operator().signal(Signal::STOP)?;
    barrier.open("first")?;
    waiting(0).await?;
    case.kubectl().ok(&["delete", "ej", "same"]).await?;
    let say = json!({"command": ["echo", "second"]});
    let second = case.create("same", say).await?;
    installation.operator().signal(Signal::CONT)?;
    let job = case.verdict("same", SOON).await?;
    assert_eq!(job.uid(), second.uid());
    let status = &job.data["status"];
    assert_eq!(status["run"]["stdout"]["text"], "second\n", "{status}");
    assert_eq!(status["attempt"], 1, "{status}");
    Ok(())
}

async fn a_verdict_written_by_hand_stands_and_the_next_job_runs(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 1)
        .await?;
    let job = case
        .create("foreign", json!({"command": ["sleep", "1"]}))
        .await?;
    let status = json!({"verdict": "Cancelled", "message": "by hand", "attempt": 1, "conditions": [condition("Finished", "True", "Cancelled")]});
    case.write_status(&job, status).await?;
    case.create("next", json!({"command": ["true"]})).await?;
    let next = case.verdict("next", SOON).await?;
    assert_eq!(next.data["status"]["verdict"], "Completed");
    // The result of the run that was in flight has had its answer when the slot took the next job.
    wait::until("a stable verdict", SOON, || async {
        let job = case.jobs().get("foreign").await?;
        assert_eq!(job.data["status"]["message"], "by hand");
        Ok(Seen::Yes(()))
    })
    .await
}

async fn local_run_and_cluster_give_the_same_status(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 1)
        .await?;
    let spec = json!({
        "files": [{"path": "a.py", "content": "print(int(input()) + 1)\n"}],
        "command": ["python3", "a.py"],
        "tests": [{"name": "1", "stdin": "1\n", "expectedStdout": "2\n"}, {"name": "2", "stdin": "2\n", "expectedStdout": "4\n"}],
        "outputs": [{"path": "a.py"}],
    });
    case.create("both", spec.clone()).await?;
    let there = case.verdict("both", SOON).await?.data["status"].clone();
    let manifest = json!({"apiVersion": "evaljob.dev/v1alpha1", "kind": "EvalJob", "metadata": {"name": "both"}, "spec": spec});
    let file = case.cluster().directory().join("both.json");
    std::fs::write(&file, manifest.to_string())?;
    let agent = evaljob_e2e::programs::product("evaljob-agent")?;
    let output = tokio::process::Command::new(agent)
        .args(["run", "--allow-cgroup-v1", "-o", "json", "-f"])
        .arg(&file)
        .output()
        .await?;
    let local: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stable(&local["status"]), stable(&there));
    Ok(())
}

/// A status without times, measurements and names.
fn stable(status: &serde_json::Value) -> serde_json::Value {
    let mut status = status.clone();
    if let Some(fields) = status.as_object_mut() {
        for name in [
            "queuedTime",
            "dispatchedTime",
            "startTime",
            "completionTime",
            "nodeName",
            "usage",
        ] {
            fields.remove(name);
        }
    }
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = "".into();
    }
    for test in status["tests"].as_array_mut().into_iter().flatten() {
        test["usage"] = "".into();
    }
    status["enforcement"]["uid"] = 0.into();
    status
}

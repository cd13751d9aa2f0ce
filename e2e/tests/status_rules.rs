//! What a status may become: the invariants that hold whoever writes.
//!
//! Each refused write has an accepted one beside it, so that a rule that refuses everything fails too.

use anyhow::{Context, Result, ensure};
use evaljob_e2e::case::refusal;
use evaljob_e2e::{Case, trials};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::crd::condition;

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        a_status_with_a_verdict_never_changes,
        writing_the_same_final_status_again_is_no_change_and_no_error,
        a_verdict_and_the_end_come_together,
        the_attempt_never_falls,
        a_write_for_another_uid_is_refused,
        the_main_resource_does_not_write_a_status,
        a_write_of_the_status_leaves_the_spec_alone,
        an_annotation_does_not_refuse_a_result,
        managed_fields_name_the_status_as_a_whole,
    ]
}

fn running(attempt: u32) -> Value {
    json!({"attempt": attempt, "conditions": [condition("Finished", "False", "Running")]})
}

fn accepted() -> Value {
    json!({"verdict": "Accepted", "message": "", "attempt": 1, "conditions": [condition("Finished", "True", "Accepted")]})
}

async fn a_status_with_a_verdict_never_changes(case: Case) -> Result<()> {
    let job = case.create("a", json!({"command": ["true"]})).await?;
    case.write_status(&job, running(1)).await?;
    case.write_status(&job, accepted()).await?;
    let with = |change: fn(&mut Value)| {
        let mut status = accepted();
        change(&mut status);
        status
    };
    let rows: [(&str, Value); 5] = [
        (
            "another verdict",
            with(|s| s["verdict"] = "WrongAnswer".into()),
        ),
        ("another message", with(|s| s["message"] = "better".into())),
        ("a further field", with(|s| s["nodeName"] = "n2".into())),
        ("no verdict", running(1)),
        ("nothing", json!({})),
    ];
    for (row, status) in rows {
        let (code, message) = refusal(case.write_status(&job, status).await).context(row)?;
        ensure!(code == 422, "{row}: {code} {message}");
        ensure!(message.contains("verdict"), "{row}: {message}");
    }
    let remove: Patch<()> = Patch::Json(serde_json::from_value(
        json!([{"op": "remove", "path": "/status"}]),
    )?);
    let (code, _) = refusal(
        case.jobs()
            .patch_status("a", &PatchParams::default(), &remove)
            .await,
    )?;
    assert_eq!(code, 422, "the whole status removed");
    let merge = Patch::Merge(json!({"status": {"verdict": null}}));
    let (code, _) = refusal(
        case.jobs()
            .patch_status("a", &PatchParams::default(), &merge)
            .await,
    )?;
    assert_eq!(code, 422, "the verdict removed by a merge patch");
    assert_eq!(case.jobs().get("a").await?.data["status"], accepted());
    Ok(())
}

async fn writing_the_same_final_status_again_is_no_change_and_no_error(case: Case) -> Result<()> {
    let job = case.create("a", json!({"command": ["true"]})).await?;
    let first = case.write_status(&job, accepted()).await?;
    let second = case.write_status(&job, accepted()).await?;
    assert_eq!(first.resource_version(), second.resource_version());
    Ok(())
}

async fn a_verdict_and_the_end_come_together(case: Case) -> Result<()> {
    let job = case.create("a", json!({"command": ["true"]})).await?;
    let rows = [
        (
            "a verdict, not finished",
            json!({"verdict": "Accepted", "conditions": [condition("Finished", "False", "Running")]}),
        ),
        (
            "finished, no verdict",
            json!({"conditions": [condition("Finished", "True", "Accepted")]}),
        ),
        ("a verdict, no conditions", json!({"verdict": "Accepted"})),
    ];
    for (row, status) in rows {
        let (code, message) = refusal(case.write_status(&job, status).await).context(row)?;
        ensure!(
            code == 422 && message.contains("Finished"),
            "{row}: {code} {message}"
        );
    }
    case.write_status(&job, accepted()).await?;
    Ok(())
}

async fn the_attempt_never_falls(case: Case) -> Result<()> {
    let job = case.create("a", json!({"command": ["true"]})).await?;
    case.write_status(&job, running(1)).await?;
    case.write_status(&job, running(2)).await?;
    let (code, message) = refusal(case.write_status(&job, running(1)).await)?;
    ensure!(
        code == 422 && message.contains("attempt"),
        "{code} {message}"
    );
    case.write_status(&job, running(2)).await?;
    Ok(())
}

async fn a_write_for_another_uid_is_refused(case: Case) -> Result<()> {
    let old = case.create("a", json!({"command": ["true"]})).await?;
    case.jobs().delete("a", &Default::default()).await?;
    let new = case.create("a", json!({"command": ["true"]})).await?;
    let (code, _) = refusal(case.write_status(&old, accepted()).await)?;
    assert_eq!(code, 422);
    ensure!(
        case.jobs()
            .get("a")
            .await?
            .data
            .pointer("/status/verdict")
            .is_none(),
        "the new job is untouched"
    );
    case.write_status(&new, accepted()).await?;
    Ok(())
}

async fn the_main_resource_does_not_write_a_status(case: Case) -> Result<()> {
    let mut job = case.create("a", json!({"command": ["true"]})).await?;
    job.data["status"] = accepted();
    let replaced = case
        .jobs()
        .replace("a", &PostParams::default(), &job)
        .await?;
    ensure!(
        replaced.data.pointer("/status/verdict").is_none(),
        "{}",
        replaced.data
    );
    Ok(())
}

/// Why the rule about the spec need not look at a write of the status.
async fn a_write_of_the_status_leaves_the_spec_alone(case: Case) -> Result<()> {
    let before = case.create("a", json!({"command": ["true"]})).await?;
    let both = Patch::Merge(json!({
        "spec": {"command": ["false"], "cancel": true, "nodeSelector": {"a": "b"}},
        "status": accepted(),
    }));
    let after = case
        .jobs()
        .patch_status("a", &PatchParams::default(), &both)
        .await?;
    assert_eq!(after.data["status"], accepted());
    assert_eq!(after.data["spec"], before.data["spec"]);
    Ok(())
}

async fn an_annotation_does_not_refuse_a_result(case: Case) -> Result<()> {
    let job = case.create("a", json!({"command": ["true"]})).await?;
    case.kubectl()
        .ok(&["annotate", "evaljob", "a", "note=changed meanwhile"])
        .await?;
    let done = case.write_status(&job, accepted()).await?;
    assert_eq!(
        done.annotations().get("note").map(String::as_str),
        Some("changed meanwhile")
    );
    Ok(())
}

async fn managed_fields_name_the_status_as_a_whole(case: Case) -> Result<()> {
    let job = case.create("a", json!({"command": ["true"]})).await?;
    case.write_status(&job, accepted()).await?;
    let job = case.jobs().get("a").await?;
    let entries = job.metadata.managed_fields.context("no managedFields")?;
    let status = entries
        .into_iter()
        .find(|entry| entry.subresource.as_deref() == Some("status"));
    let fields = status.and_then(|entry| entry.fields_v1);
    assert_eq!(
        fields.context("no fields")?.0,
        json!({"f:status": {}}),
        "1,000 tests would have their names there again"
    );
    Ok(())
}

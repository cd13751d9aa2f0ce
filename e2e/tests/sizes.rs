//! The largest job that the API allows fits into one object of the API server, its result included.
//!
//! etcd takes requests of at most 1.5 MiB. An object that is accepted but whose result can't be stored
//! would run for nothing, so the bounds of the API must leave room; 1.2 MiB is ours.

use anyhow::{Result, ensure};
use evaljob_e2e::note::note;
use evaljob_e2e::{Case, trials};
use kube::ResourceExt;
use kube::core::DynamicObject;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::crd::condition;

pub(crate) fn tests() -> Vec<Trial> {
    trials![the_largest_job_with_the_largest_status_stays_below_1_2_mib]
}

const INLINE: usize = 512 << 10;
const TESTS: usize = 1024;
const FILES: usize = 64;
/// Names and paths together, and what each file has of it.
const NAMES: usize = 64 << 10;
const FILE_PATH: usize = 100;

async fn the_largest_job_with_the_largest_status_stays_below_1_2_mib(case: Case) -> Result<()> {
    let name = "a".repeat(253);
    let job = case.create(&name, largest_spec()).await?;
    let created = stored_bytes(&job)?;
    let done = case.write_status(&job, largest_status()).await?;
    let finished = stored_bytes(&done)?;
    let managed = serde_json::to_vec(done.managed_fields())?.len();
    note(&format!(
        "largest job: {created} bytes created, {finished} with its status ({managed} of managedFields)"
    ));
    ensure!(
        finished < 12 * 1024 * 1024 / 10,
        "{created} bytes created, {finished} finished"
    );
    Ok(())
}

/// JSON is also how the API server stores custom resources.
fn stored_bytes(job: &DynamicObject) -> Result<usize> {
    Ok(serde_json::to_vec(job)?.len())
}

/// Every list full, the bytes of names and paths spent where they are stored twice, and the rest of the inline bytes in
/// tests.
fn largest_spec() -> Value {
    let long =
        |prefix: String, length: usize| format!("{prefix}{}", "n".repeat(length - prefix.len()));
    let path = |index: usize| {
        let component = "p".repeat(255);
        format!("{:0>251}/{component}/{component}/{component}", index)
    };
    let each = (INLINE - "true".len() - 8) / (2 * TESTS);
    let tests: Vec<Value> = (0..TESTS)
        .map(|index| {
            json!({
                "name": long(format!("t{index}-"), (NAMES - FILES * FILE_PATH) / TESTS),
                "weight": 1000,
                "stdin": "i".repeat(each),
                "expectedStdout": "o".repeat(each),
            })
        })
        .collect();
    let files: Vec<Value> = (0..FILES)
        .map(|index| json!({"path": long(format!("f{index}-"), FILE_PATH), "content": "", "executable": true}))
        .collect();
    let outputs: Vec<Value> = (0..8)
        .map(|index| json!({"path": path(index), "maxSize": "32Ki"}))
        .collect();
    let steps: Vec<Value> = (0..8)
        .map(|index| json!({"name": long(format!("s{index}-"), 63), "command": ["x"]}))
        .collect();
    json!({"command": ["true"], "tests": tests, "files": files, "outputs": outputs, "steps": steps})
}

/// 64 KiB without outputs, and eight outputs of 32 KiB in base64.
fn largest_status() -> Value {
    let outputs: Vec<Value> = (0..8)
        .map(|index| json!({"path": format!("o{index}"), "size": 32 << 10, "contentBase64": "Q".repeat((32 << 10) * 4 / 3)}))
        .collect();
    let stream = |bytes: usize| json!({"text": "x".repeat(bytes / 2), "tail": "x".repeat(bytes / 2), "bytes": 1, "truncated": true});
    let tests: Vec<Value> = (0..16)
        .map(|index| json!({"name": format!("t{index}"), "verdict": "WrongAnswer", "stdout": stream(3 << 10)}))
        .collect();
    json!({
        "verdict": "WrongAnswer",
        "attempt": 4,
        "summary": {"total": TESTS, "pattern": "W".repeat(TESTS)},
        "tests": tests,
        "steps": [{"name": "a", "verdict": "Completed", "stderr": stream(12 << 10)}],
        "outputs": outputs,
        "conditions": [condition("Finished", "True", "WrongAnswer")],
    })
}

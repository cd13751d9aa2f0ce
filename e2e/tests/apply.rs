//! `kubectl apply` and `create`, client side and server side, with small and large objects.
//!
//! Client-side apply keeps a copy of the object in an annotation of at most 262,144 bytes, which is where
//! large CRDs and large jobs fail elsewhere.

use std::fs;

use anyhow::{Result, ensure};
use evaljob_e2e::{Case, programs, trials};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        the_crd_applies_twice_client_side_and_server_side,
        the_directory_with_the_crd_applies_over_what_is_installed,
        a_job_with_120_kib_of_files_applies_client_side,
        the_most_inline_bytes_are_accepted_and_one_more_is_refused_with_the_way_out,
        a_file_above_its_own_maximum_is_refused_by_its_path,
    ]
}

async fn the_crd_applies_twice_client_side_and_server_side(case: Case) -> Result<()> {
    // Another group makes it another object, so that the first apply creates it.
    let text = fs::read_to_string(programs::checkout("crds/evaljobs.yaml"))?;
    let kubectl = case.cluster().kubectl();
    let group = format!("{}.test", case.namespace());
    let other = text
        .replace("evaljobs.evaljob.dev", &format!("evaljobs.{group}"))
        .replace("group: evaljob.dev", &format!("group: {group}"));
    let name = format!("customresourcedefinition.apiextensions.k8s.io/evaljobs.{group}");
    for mode in [
        &["apply", "-f", "-"][..],
        &["apply", "--server-side", "-f", "-"],
    ] {
        let first = kubectl.ok_with(mode, &other).await?;
        let second = kubectl.ok_with(mode, &other).await?;
        ensure!(
            first.starts_with(&name) && second.starts_with(&name),
            "{mode:?}: {first}{second}"
        );
        ensure!(
            !first.contains("unchanged"),
            "the first one creates it: {first}"
        );
        let configured = second.contains("unchanged") || second.contains("serverside-applied");
        ensure!(configured, "the second one changes nothing: {second}");
        kubectl.ok(&["delete", &name]).await?;
    }
    Ok(())
}

async fn the_directory_with_the_crd_applies_over_what_is_installed(case: Case) -> Result<()> {
    let directory = programs::checkout("crds").display().to_string();
    let kubectl = case.cluster().kubectl();
    for mode in [
        &["apply", "-f", &directory][..],
        &["apply", "--server-side", "-f", &directory],
    ] {
        for _ in 0..2 {
            kubectl.ok(mode).await?;
        }
    }
    Ok(())
}

async fn a_job_with_120_kib_of_files_applies_client_side(case: Case) -> Result<()> {
    let program = "print(len(open('a.txt').read()))";
    let files = json!([{"path": "a.txt", "content": letters(120 << 10)}, {"path": "main.py", "content": program}]);
    let job = job(
        "medium",
        json!({"files": files, "command": ["python3", "main.py"]}),
    );
    for _ in 0..2 {
        case.kubectl().ok_with(&["apply", "-f", "-"], &job).await?;
    }
    Ok(())
}

async fn the_most_inline_bytes_are_accepted_and_one_more_is_refused_with_the_way_out(
    case: Case,
) -> Result<()> {
    // Two files of 256 KiB less what the command takes, and the same with one byte more.
    let command = json!(["cat", "a", "b"]);
    let taken = "catab".len();
    let spec = |second: usize| {
        let files = json!([{"path": "a", "content": letters(256 << 10)}, {"path": "b", "content": letters(second)}]);
        json!({"files": files, "command": command})
    };
    let most = (256 << 10) - taken;
    case.kubectl()
        .ok_with(&["create", "-f", "-"], &job("largest", spec(most)))
        .await?;
    case.kubectl()
        .ok_with(
            &["apply", "--server-side", "-f", "-"],
            &job("largest-server-side", spec(most)),
        )
        .await?;
    let refusal = case
        .kubectl()
        .refused(&["create", "-f", "-"], &job("larger", spec(most + 1)))
        .await?;
    for part in ["spec", "524288", "ConfigMap"] {
        ensure!(refusal.contains(part), "no {part} in: {}", head(&refusal));
    }
    Ok(())
}

async fn a_file_above_its_own_maximum_is_refused_by_its_path(case: Case) -> Result<()> {
    let files =
        json!([{"path": "a", "content": "x"}, {"path": "b", "content": letters((256 << 10) + 1)}]);
    let manifest = job("larger", json!({"files": files, "command": ["true"]}));
    let refusal = case
        .kubectl()
        .refused(&["create", "-f", "-"], &manifest)
        .await?;
    for part in ["spec.files[1].content", "262144"] {
        ensure!(refusal.contains(part), "no {part} in: {}", head(&refusal));
    }
    Ok(())
}

fn job(name: &str, spec: Value) -> String {
    json!({"apiVersion": "evaljob.dev/v1alpha1", "kind": "EvalJob", "metadata": {"name": name}, "spec": spec}).to_string()
}

fn letters(count: usize) -> String {
    "a".repeat(count)
}

fn head(text: &str) -> &str {
    text.get(..2048).unwrap_or(text)
}

//! The CRD on a real API server: accepted, explained, printed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, trials};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, ResourceExt};
use libtest_mimic::Trial;
use serde_json::json;

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        the_api_server_finds_nothing_wrong_with_the_schema,
        explain_names_every_limit_with_its_default,
        a_new_job_is_shown_as_queued_before_anybody_wrote_a_status,
        columns_show_what_a_finished_job_came_to,
        jobs_are_found_by_short_name_and_by_category,
    ]
}

/// Longest for kubectl to look up names again.
const SOON: Duration = Duration::from_secs(30);

async fn the_api_server_finds_nothing_wrong_with_the_schema(case: Case) -> Result<()> {
    let crds = Api::<CustomResourceDefinition>::all(case.client());
    let mut crd = crds.get("evaljobs.evaljob.dev").await?;
    let status = crd.status.take().context("no status")?;
    let conditions: Vec<_> = status
        .conditions
        .iter()
        .flatten()
        .map(|c| (c.type_.as_str(), c.status.as_str()))
        .collect();
    // NonStructuralSchema and KubernetesAPIApprovalPolicyConformant would stand here beside these two.
    for condition in &conditions {
        ensure!(
            [("NamesAccepted", "True"), ("Established", "True")].contains(condition),
            "{conditions:?}"
        );
    }
    // Client-side apply keeps the whole object in an annotation of at most 262,144 bytes.
    crd.managed_fields_mut().clear();
    crd.annotations_mut().clear();
    let size = serde_json::to_vec(&crd)?.len();
    ensure!(size < 200_000, "the CRD's JSON has {size} bytes");
    Ok(())
}

async fn explain_names_every_limit_with_its_default(case: Case) -> Result<()> {
    // The OpenAPI document follows the CRD with a delay.
    let what = "kubectl explain to know evaljob.spec.limits";
    let kubectl = case.kubectl();
    let text = wait::until(what, Duration::from_secs(60), || async {
        let output = kubectl.run(&["explain", "evaljob.spec.limits"], "").await?;
        Ok(if output.status.success() {
            Seen::Yes(output.stdout)
        } else {
            Seen::NotYet(output.stderr)
        })
    })
    .await?;
    let fields = text.split_once("FIELDS:").context("no fields")?.1;
    let limits = [
        ("cpuTimeMilliseconds", "10000"),
        ("wallTimeMilliseconds", "1000"),
        ("cpus", "1"),
        ("memory", "256Mi"),
        ("processes", "64"),
        ("openFiles", "1024"),
        ("fileSize", "64Mi"),
        ("workspace", "64Mi"),
        ("stack", "8Mi"),
        ("output", "16Mi"),
    ];
    for (limit, default) in limits {
        let rest = fields
            .split_once(&format!("\n  {limit}\t<"))
            .with_context(|| format!("{limit} is not explained"))?
            .1;
        let paragraph = rest.split("\n\n").next().unwrap_or_default();
        ensure!(
            paragraph.contains("Default") && paragraph.contains(default),
            "{limit}: {paragraph}"
        );
    }
    for path in [
        "evaljob",
        "evaljob.spec",
        "evaljob.spec.tests.expectedStdout",
        "evaljob.status.verdict",
    ] {
        let text = kubectl.ok(&["explain", path]).await?;
        let description = text
            .split_once("DESCRIPTION:")
            .with_context(|| format!("{path}: {text}"))?
            .1;
        ensure!(
            !description.trim_start().starts_with("<empty>"),
            "{path} has no description"
        );
    }
    Ok(())
}

async fn a_new_job_is_shown_as_queued_before_anybody_wrote_a_status(case: Case) -> Result<()> {
    let job = case.create("queued", json!({"command": ["true"]})).await?;
    let conditions = &job.data["status"]["conditions"];
    ensure!(
        conditions[0]["type"] == "Finished" && conditions[0]["status"] == "False",
        "{conditions}"
    );
    let row = case
        .kubectl()
        .ok(&["get", "evaljob", "queued", "--no-headers"])
        .await?;
    ensure!(row.split_whitespace().nth(1) == Some("Queued"), "{row}");
    Ok(())
}

async fn columns_show_what_a_finished_job_came_to(case: Case) -> Result<()> {
    let job = case.create("done", json!({"command": ["true"]})).await?;
    let status = json!({
        "verdict": "WrongAnswer",
        "message": "test 2: token 1 differs",
        "summary": {"total": 3, "passed": 1, "failed": 1, "skipped": 1, "passedText": "1/3", "score": 33, "pattern": "AWs"},
        "usage": {"cpuTimeMilliseconds": 12, "wallTimeMilliseconds": 15, "memoryPeak": "1024Ki"},
        "nodeName": "n1",
        "attempt": 1,
        "conditions": [
            condition("Finished", "True", "WrongAnswer"),
            condition("Sandboxed", "True", "FullyEnforced"),
        ],
    });
    case.write_status(&job, status).await?;
    let cells = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let narrow = case.kubectl().ok(&["get", "evaljob", "done"]).await?;
    let (header, row) = narrow.split_once('\n').context("one line only")?;
    assert_eq!(
        cells(header),
        [
            "NAME", "STATUS", "PASS", "SCORE", "CPU(MS)", "MEM", "NODE", "AGE"
        ]
    );
    assert_eq!(
        cells(row)[..7],
        ["done", "WrongAnswer", "1/3", "33", "12", "1024Ki", "n1"]
    );
    let wide = case
        .kubectl()
        .ok(&["get", "evaljob", "done", "-o", "wide"])
        .await?;
    let (header, row) = wide.split_once('\n').context("one line only")?;
    assert_eq!(
        cells(header)[8..],
        ["ATTEMPT", "WALL(MS)", "SANDBOX", "MESSAGE"]
    );
    assert_eq!(cells(row)[8..11], ["1", "15", "FullyEnforced"]);
    ensure!(row.trim_end().ends_with("test 2: token 1 differs"), "{row}");
    Ok(())
}

async fn jobs_are_found_by_short_name_and_by_category(case: Case) -> Result<()> {
    case.create("found", json!({"command": ["true"]})).await?;
    for resource in ["ej", "eval", "evaljobs"] {
        // Tests beside this one apply the CRD anew, and kubectl then looks its names up again.
        let what = format!("the job by `kubectl get {resource}`");
        wait::until(&what, SOON, || async {
            let output = case
                .kubectl()
                .run(&["get", resource, "-o", "name"], "")
                .await?;
            Ok(if output.stdout.trim_end() == "evaljob.evaljob.dev/found" {
                Seen::Yes(())
            } else {
                Seen::NotYet(format!("{output:?}"))
            })
        })
        .await?;
    }
    Ok(())
}

/// A condition as the operator writes it.
pub(crate) fn condition(kind: &str, status: &str, reason: &str) -> serde_json::Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

//! What the API server itself refuses, with a message that names the field.

use anyhow::{Result, ensure};
use evaljob_e2e::{Case, trials};
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        numbers_and_texts_are_never_mistaken_for_each_other,
        quantities_are_numbers_or_texts
    ]
}

/// A manifest as people write it: YAML decides what a number is before the API server sees it.
fn manifest(spec: &str) -> String {
    format!(
        "{{apiVersion: evaljob.dev/v1alpha1, kind: EvalJob, metadata: {{generateName: j-}}, spec: {{{spec}}}}}"
    )
}

async fn numbers_and_texts_are_never_mistaken_for_each_other(case: Case) -> Result<()> {
    let rows = [
        (
            "a number among arguments",
            "command: [a], args: [1]",
            "spec.args[0]",
        ),
        (
            "a boolean among arguments",
            "command: [a], args: [x, true]",
            "spec.args[1]",
        ),
        (
            "an octal number as command",
            "command: [0666]",
            "spec.command[0]",
        ),
        (
            "a number as a variable's value",
            "command: [a], env: [{name: N, value: 1}]",
            "spec.env[0].value",
        ),
        (
            "text as milliseconds",
            "command: [a], limits: {cpuTimeMilliseconds: '1000'}",
            "spec.limits.cpuTimeMilliseconds",
        ),
        (
            "a fraction of a millisecond",
            "command: [a], limits: {cpuTimeMilliseconds: 0.5}",
            "spec.limits.cpuTimeMilliseconds",
        ),
        (
            "text as boolean",
            "command: [a], cancel: 'yes'",
            "spec.cancel",
        ),
        (
            "a number as test name",
            "command: [a], tests: [{name: 1}]",
            "spec.tests[0].name",
        ),
    ];
    for (row, spec, field) in rows {
        let refusal = case
            .kubectl()
            .refused(&["create", "-f", "-"], &manifest(spec))
            .await?;
        ensure!(refusal.contains(field), "{row}: no {field} in: {refusal}");
    }
    // 1e3 is the number 1000 in YAML and JSON alike, and stays it.
    let spec = "command: [a], limits: {cpuTimeMilliseconds: 1e3}";
    let arguments = [
        "create",
        "-f",
        "-",
        "-o",
        "jsonpath={.spec.limits.cpuTimeMilliseconds}",
    ];
    assert_eq!(
        case.kubectl().ok_with(&arguments, &manifest(spec)).await?,
        "1000"
    );
    Ok(())
}

async fn quantities_are_numbers_or_texts(case: Case) -> Result<()> {
    let arguments = ["create", "-f", "-", "-o", "jsonpath={.spec.limits.memory}"];
    for (written, kept) in [
        ("268435456", "268435456"),
        ("256Mi", "256Mi"),
        ("'268435456'", "268435456"),
    ] {
        let spec = format!("command: [a], limits: {{memory: {written}}}");
        assert_eq!(
            case.kubectl().ok_with(&arguments, &manifest(&spec)).await?,
            kept,
            "{written}"
        );
    }
    for wrong in ["0.5", "1.5Mi", "-1", "true", "1MB", "''"] {
        let spec = format!("command: [a], limits: {{memory: {wrong}}}");
        let refusal = case
            .kubectl()
            .refused(&["create", "-f", "-"], &manifest(&spec))
            .await?;
        ensure!(refusal.contains("spec.limits.memory"), "{wrong}: {refusal}");
    }
    Ok(())
}

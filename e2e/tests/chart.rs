//! The chart: what Helm makes of it, what the API server says to that, and that nothing in it is out of date.
//!
//! `UPDATE_GOLDEN=1` rewrites the renders below tests/golden/chart, README.md and the copy of the CRD (`make chart`).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::{Case, chart, programs, trials};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![
        helm_lint_finds_nothing,
        chart_and_programs_have_one_version,
        renders_are_the_committed_ones,
        values_that_cannot_be_meant_are_refused,
        the_crd_is_that_of_the_types_and_is_kept,
        every_value_is_in_the_readme_and_in_the_schema,
        every_flag_is_one_of_the_binary,
        the_agents_container_has_six_capabilities_and_nothing_else,
        the_operator_passes_restricted_pod_security,
    ];
    // It puts stand-ins in the place of other projects' definitions.
    tests.extend(on_own_cluster(trials![
        every_render_is_accepted_by_the_api_server
    ]));
    tests
}

/// Names of the value sets below `ci/`.
const SETS: [&str; 5] = ["bare", "cert-manager", "default", "extras", "production"];

fn set(name: &str) -> String {
    let file = chart::path("ci").join(format!("{name}.yaml"));
    format!("--values={}", file.display())
}

async fn helm_lint_finds_nothing(_: Case) -> Result<()> {
    let chart = chart::path("").display().to_string();
    for name in SETS {
        let output = chart::helm(&["lint", "--strict", &chart, &set(name)]).await?;
        ensure!(output.status.success(), "{name}: {}", output.stderr);
        let said = output.stdout + &output.stderr;
        ensure!(
            !said.contains("[WARNING]") && !said.contains("[ERROR]"),
            "{name}: {said}"
        );
    }
    Ok(())
}

async fn chart_and_programs_have_one_version(_: Case) -> Result<()> {
    let chart = std::fs::read_to_string(chart::path("Chart.yaml"))?;
    for key in ["version", "appVersion"] {
        let line = format!("\n{key}: {}\n", chart::VERSION);
        ensure!(chart.contains(&line), "Chart.yaml lacks {line}");
    }
    Ok(())
}

async fn renders_are_the_committed_ones(_: Case) -> Result<()> {
    for name in SETS {
        // The CRD has a test of its own.
        let text = chart::render(&[&set(name), "--set=crds.enabled=false"]).await?;
        let file = programs::checkout("e2e/tests/golden/chart").join(format!("{name}.yaml"));
        compare(file, &text)?;
    }
    Ok(())
}

/// The file has this text; with UPDATE_GOLDEN=1 it gets it.
fn compare(file: PathBuf, text: &str) -> Result<()> {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        return Ok(fs::write(file, text)?);
    }
    let committed =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let differs = committed.lines().zip(text.lines()).find(|(a, b)| a != b);
    ensure!(
        committed == text,
        "{} is stale (hint: make chart); first difference: {differs:?}",
        file.display()
    );
    Ok(())
}

async fn every_render_is_accepted_by_the_api_server(case: Case) -> Result<()> {
    let kubectl = case.cluster().kubectl();
    for (group, kind) in [
        ("monitoring.coreos.com", "ServiceMonitor"),
        ("monitoring.coreos.com", "PodMonitor"),
        ("monitoring.coreos.com", "PrometheusRule"),
        ("cert-manager.io", "Certificate"),
    ] {
        let stub = foreign(group, kind).to_string();
        let apply = ["apply", "--server-side", "-f", "-"];
        kubectl.ok_with(&apply, &stub).await?;
        let wait = [
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "-f",
            "-",
        ];
        kubectl.ok_with(&wait, &stub).await?;
    }
    for name in SETS {
        let text = chart::render(&[&set(name)]).await?;
        let objects = chart::objects(&text)?;
        // A Pod needs its account to be there, and a dry run makes none.
        for account in objects
            .iter()
            .filter(|object| object["kind"] == "ServiceAccount")
        {
            let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
            kubectl.ok_with(&apply, &account.to_string()).await?;
        }
        let dry = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        let answer = kubectl.ok_with(&dry, &text).await.context(name)?;
        let accepted = answer
            .lines()
            .filter(|line| line.contains("server dry run"));
        assert_eq!(accepted.count(), objects.len(), "{name}: {answer}");
    }
    Ok(())
}

/// A CRD that knows only the name of a kind that others define.
fn foreign(group: &str, kind: &str) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({
        "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            // The group is protected; these are stand-ins.
            "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in"},
        },
        "spec": {
            "group": group, "scope": "Namespaced", "versions": [version],
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
        },
    })
}

async fn values_that_cannot_be_meant_are_refused(_: Case) -> Result<()> {
    let rows = [
        ("--set=operator.replica=2", "replica"),
        ("--set=agent.capabilities=ALL", "capabilities"),
        ("--set=operator.replicas=many", "/operator/replicas"),
        ("--set=operator.defaultTTL=soon", "/operator/defaultTTL"),
        (
            "--set=operator.leaseDuration=500ms",
            "/operator/leaseDuration",
        ),
        (
            "--set=agent.tokenExpirationSeconds=60",
            "/agent/tokenExpirationSeconds",
        ),
        ("--set=agent.slots=1024", "/agent/slots"),
        (
            "--set=agent.nodeDirectories[0].name=data,agent.nodeDirectories[0].path=srv",
            "/path",
        ),
        ("--set=agent.image.digest=sha256:12", "/agent/image/digest"),
        ("--set=tls.mode=None", "/tls/mode"),
        (
            "--set=tls.mode=CertManager",
            "issuerRef must name the issuer",
        ),
        (
            "--set=limitsPolicy.maximum.memory=1.5Gi",
            "/limitsPolicy/maximum/memory",
        ),
        ("--set=agent.extraArgs[0]=slots", "/agent/extraArgs"),
    ];
    for (argument, named) in rows {
        let said = chart::refused(&[argument]).await?;
        ensure!(said.contains(named), "{argument}: {said}");
    }
    Ok(())
}

async fn the_crd_is_that_of_the_types_and_is_kept(_: Case) -> Result<()> {
    let source = fs::read_to_string(programs::checkout("crds/evaljobs.yaml"))?;
    compare(chart::path("files/evaljobs.yaml"), &source)?;
    let only = "--show-only=templates/crds.yaml";
    let rendered = chart::objects(&chart::render(&[only]).await?)?;
    let [rendered] = &rendered[..] else {
        anyhow::bail!("one object expected");
    };
    let expected: Value = serde_saphyr::from_str(&source)?;
    // Not by assert_eq: the CRD has two thousand lines.
    ensure!(
        rendered["spec"] == expected["spec"],
        "the chart changes the CRD's spec"
    );
    assert_eq!(rendered["metadata"]["name"], expected["metadata"]["name"]);
    let policy =
        |object: &Value| object["metadata"]["annotations"]["helm.sh/resource-policy"].clone();
    assert_eq!(policy(rendered), "keep");
    let unkept = chart::objects(&chart::render(&[only, "--set=crds.keep=false"]).await?)?;
    assert_eq!(policy(&unkept[0]), Value::Null);
    Ok(())
}

async fn every_value_is_in_the_readme_and_in_the_schema(_: Case) -> Result<()> {
    let values = fs::read_to_string(chart::path("values.yaml"))?;
    compare(chart::path("README.md"), &chart::readme(&values)?)?;
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(chart::path("values.schema.json"))?)?;
    let mut known = BTreeSet::new();
    collect(&schema, &schema, "", &mut known);
    let documented = chart::documented(&values)?;
    let documented: BTreeSet<String> = documented.into_iter().map(|value| value.key).collect();
    for key in &documented {
        ensure!(known.contains(key), "{key} is not in values.schema.json");
    }
    for key in known.iter().filter(|key| key.as_str() != "global") {
        let described = documented.iter().any(|value| {
            key == value
                || value.starts_with(&format!("{key}."))
                || key.starts_with(&format!("{value}."))
        });
        ensure!(
            described,
            "{key} of values.schema.json is not in values.yaml"
        );
    }
    Ok(())
}

/// Paths of all properties of a schema; each object must be closed.
fn collect(root: &Value, schema: &Value, path: &str, known: &mut BTreeSet<String>) {
    let target = schema["$ref"].as_str().and_then(|reference| {
        let pointer = reference.strip_prefix('#')?;
        root.pointer(pointer)
    });
    if let Some(target) = target {
        return collect(root, target, path, known);
    }
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{path} is open");
    for (name, property) in properties {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        collect(root, property, &path, known);
        known.insert(path);
    }
}

async fn every_flag_is_one_of_the_binary(_: Case) -> Result<()> {
    for (kind, binary, command) in [
        ("Deployment", "evaljob-operator", &["--help"][..]),
        ("DaemonSet", "evaljob-agent", &["serve", "--help"]),
    ] {
        let output = std::process::Command::new(programs::product(binary)?)
            .args(command)
            .output()?;
        let help = String::from_utf8(output.stdout)?;
        let known: BTreeSet<&str> = help
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter(|word| word.starts_with("--"))
            .collect();
        for name in SETS {
            for argument in container(name, kind).await?["args"]
                .as_array()
                .context("args")?
            {
                let argument = argument.as_str().context("a flag that is not text")?;
                let flag = argument.split('=').next().unwrap_or_default();
                ensure!(
                    argument == "serve" || known.contains(flag),
                    "{name}: {binary} has no {flag}"
                );
            }
        }
    }
    Ok(())
}

/// The first object of a kind in a render.
async fn object(name: &str, kind: &str) -> Result<Value> {
    let objects = chart::objects(&chart::render(&[&set(name)]).await?)?;
    let found = objects.into_iter().find(|object| object["kind"] == kind);
    found.with_context(|| format!("{name}: no {kind}"))
}

async fn container(name: &str, kind: &str) -> Result<Value> {
    let object = object(name, kind).await?;
    Ok(object["spec"]["template"]["spec"]["containers"][0].clone())
}

async fn the_agents_container_has_six_capabilities_and_nothing_else(_: Case) -> Result<()> {
    for name in ["default", "bare", "cert-manager"] {
        let object = object(name, "DaemonSet").await?;
        let pod = &object["spec"]["template"]["spec"];
        let expected = json!({
            "runAsUser": 0, "runAsGroup": 0, "privileged": false, "readOnlyRootFilesystem": true,
            "capabilities": {
                "drop": ["ALL"],
                "add": ["SYS_ADMIN", "SETUID", "SETGID", "DAC_OVERRIDE", "CHOWN", "FOWNER"],
            },
            "seccompProfile": {"type": "Unconfined"},
            "appArmorProfile": {"type": "Unconfined"},
        });
        assert_eq!(pod["containers"][0]["securityContext"], expected, "{name}");
        for field in [
            "hostPID",
            "hostNetwork",
            "hostIPC",
            "automountServiceAccountToken",
        ] {
            assert_eq!(pod[field], false, "{name}: {field}");
        }
        assert_eq!(pod["hostUsers"], true, "{name}");
        let volumes = pod["volumes"].as_array().context("volumes")?;
        let tokens: Vec<&Value> = volumes
            .iter()
            .filter_map(|volume| volume.pointer("/projected/sources/0/serviceAccountToken"))
            .collect();
        assert_eq!(tokens.len(), 1, "{name}");
        assert_eq!(tokens[0]["audience"], "evaljob-operator", "{name}");
        ensure!(
            !volumes
                .iter()
                .any(|volume| volume.get("hostPath").is_some()),
            "{name}: a directory of the node that nobody asked for"
        );
    }
    Ok(())
}

async fn the_operator_passes_restricted_pod_security(case: Case) -> Result<()> {
    let labels =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    Api::<Namespace>::all(case.client())
        .patch(
            case.namespace(),
            &PatchParams::default(),
            &Patch::Merge(&labels),
        )
        .await?;
    for (kind, fits) in [("Deployment", true), ("DaemonSet", false)] {
        let mut spec = object("default", kind).await?["spec"]["template"]["spec"].clone();
        spec["serviceAccountName"] = "default".into();
        spec["priorityClassName"] = Value::Null;
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec,
        });
        let create = ["create", "--dry-run=server", "-f", "-"];
        let output = case.kubectl().run(&create, &pod.to_string()).await?;
        assert_eq!(output.status.success(), fits, "{kind}: {}", output.stderr);
        ensure!(
            fits || output.stderr.contains("violates PodSecurity"),
            "{kind}: {}",
            output.stderr
        );
    }
    Ok(())
}

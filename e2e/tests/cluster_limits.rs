//! What a cluster allows: maxima of limits by the chart's ValidatingAdmissionPolicy, and who may do what with jobs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::case::refusal;
use evaljob_e2e::cluster::evaljobs;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, chart, trials};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::PostParams;
use kube::core::DynamicObject;
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        a_job_beyond_a_maximum_is_refused_and_one_at_it_is_not,
        view_reads_edit_writes_and_nobody_writes_a_status,
    ]
}

const SOON: Duration = Duration::from_secs(60);

/// Limit, value at the maximum, value beyond it; both as a job's author writes them.
fn rows() -> Vec<(&'static str, Value, Value)> {
    vec![
        ("cpuTimeMilliseconds", json!(70_000), json!(70_001)),
        ("wallTimeMilliseconds", json!(150_000), json!(150_001)),
        ("cpus", json!(2), json!(3)),
        ("memory", json!("2Gi"), json!("2049Mi")),
        ("memory", json!(2_147_483_648_i64), json!(2_147_483_649_i64)),
        ("processes", json!(200), json!(201)),
        ("openFiles", json!(2000), json!(2001)),
        ("fileSize", json!("300Mi"), json!("301Mi")),
        ("workspace", json!("100Mi"), json!("1Gi")),
        ("stack", json!("16Mi"), json!("17Mi")),
        ("output", json!("32Mi"), json!("33Mi")),
    ]
}

/// Renders the policy for the case's namespace alone, with these maxima, and applies it.
async fn apply_policy(case: &Case, maximum: &Value) -> Result<()> {
    let namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": case.namespace()}});
    let rendered = chart::render(&[
        "--show-only=templates/limits-policy.yaml",
        &format!("--set-json=limitsPolicy.namespaceSelector={namespace}"),
        &format!("--set-json=limitsPolicy.maximum={maximum}"),
        &format!(
            "--set=fullnameOverride={}",
            &case.namespace()[case.namespace().len() - 20..].trim_matches('-')
        ),
    ])
    .await?;
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    case.cluster().kubectl().ok_with(&apply, &rendered).await?;
    Ok(())
}

/// Asks the API server about a job, without making it.
async fn ask(case: &Case, spec: Value) -> Result<DynamicObject, kube::Error> {
    let job = DynamicObject::new("job", &evaljobs()).data(json!({"spec": spec}));
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    case.jobs().create(&dry, &job).await
}

/// The three places of limits: the run's, a step's, a checker program's.
fn places(limits: &Value) -> [(&'static str, Value); 3] {
    let program = json!({"command": ["check"], "limits": limits});
    [
        ("run", json!({"command": ["true"], "limits": limits})),
        (
            "step",
            json!({"command": ["true"], "steps": [{"name": "a", "command": ["true"], "limits": limits}]}),
        ),
        (
            "checker",
            json!({
                "command": ["true"],
                "tests": [{"name": "1", "expectedStdout": "1"}],
                "checker": {"type": "Program", "program": program},
            }),
        ),
    ]
}

async fn a_job_beyond_a_maximum_is_refused_and_one_at_it_is_not(case: Case) -> Result<()> {
    let maximum: serde_json::Map<String, Value> = rows()
        .into_iter()
        .filter(|(_, at, _)| *at != json!(2_147_483_648_i64))
        .map(|(name, at, _)| (name.to_owned(), at))
        .collect();
    apply_policy(&case, &maximum.into()).await?;
    let beyond = json!({"command": ["true"], "limits": {"cpus": 3}});
    wait::until("the policy to be in force", SOON, || async {
        Ok(match ask(&case, beyond.clone()).await {
            Err(_) => Seen::Yes(()),
            Ok(_) => Seen::NotYet("accepted".to_owned()),
        })
    })
    .await?;
    for (name, at, beyond) in rows() {
        for ((place, good), (_, bad)) in places(&json!({name: at}))
            .into_iter()
            .zip(places(&json!({name: beyond})))
        {
            // The job has one workspace.
            if name == "workspace" && place != "run" {
                continue;
            }
            ask(&case, good)
                .await
                .with_context(|| format!("{name} in {place}"))?;
            let (code, words) = refusal(ask(&case, bad).await)?;
            let named = format!("limits.{name} may be at most");
            ensure!(
                code == 422 && words.contains(&named),
                "{name} in {place}: {code} {words}"
            );
        }
    }
    what_is_absent_counts_by_its_default(&case).await
}

async fn what_is_absent_counts_by_its_default(case: &Case) -> Result<()> {
    let mut maximum = json!({"memory": "128Mi"});
    for (name, at, _) in rows().into_iter().filter(|(name, ..)| *name != "memory") {
        maximum[name] = at;
    }
    apply_policy(case, &maximum).await?;
    let absent = json!({"command": ["true"]});
    let words = wait::until("the default to be refused", SOON, || async {
        Ok(match ask(case, absent.clone()).await {
            Err(error) => Seen::Yes(error.to_string()),
            Ok(_) => Seen::NotYet("accepted".to_owned()),
        })
    })
    .await?;
    ensure!(
        words.contains("at most 128Mi") && words.contains("absent: 256Mi"),
        "{words}"
    );
    ask(
        case,
        json!({"command": ["true"], "limits": {"memory": "128Mi"}}),
    )
    .await?;
    Ok(())
}

async fn view_reads_edit_writes_and_nobody_writes_a_status(case: Case) -> Result<()> {
    let roles = Api::<ClusterRole>::all(case.client());
    for (name, writes) in [("view", false), ("edit", true), ("admin", true)] {
        // The controller manager adds up the roles that the chart brings.
        let rules = wait::until(&format!("{name} to know EvalJobs"), SOON, || async {
            let rules = roles.get(name).await?.rules.unwrap_or_default();
            let own: Vec<_> = rules
                .into_iter()
                .filter(|rule| {
                    rule.api_groups
                        .iter()
                        .flatten()
                        .any(|group| group == "evaljob.dev")
                })
                .collect();
            let known = |verb: &str| {
                own.iter().any(|rule| {
                    let jobs = rule.resources.iter().flatten().any(|r| r == "evaljobs");
                    jobs && rule.verbs.iter().any(|v| v == verb)
                })
            };
            let complete = known("watch") && (!writes || known("create"));
            Ok(if complete {
                Seen::Yes(own)
            } else {
                Seen::NotYet(format!("{own:?}"))
            })
        })
        .await?;
        for rule in rules {
            let status = rule.resources.iter().flatten().any(|r| r.contains('/'));
            let reads = ["get", "list", "watch"];
            let only_reads = rule.verbs.iter().all(|verb| reads.contains(&verb.as_str()));
            ensure!(only_reads || (writes && !status), "{name}: {rule:?}");
        }
    }
    Ok(())
}

//! Bad manifests in a cluster: the API server refuses what it can, the operator the rest, both by the field's path.
//!
//! The rows are those of `crds/tests/manifests.rs`, where the same manifests are refused without a cluster. They go to
//! the API server as they are written, in YAML: what a word or number is, is decided there.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::case::refusal;
use evaljob_e2e::installation::Installation;
use evaljob_e2e::{Case, trials, trials_alone};
use libtest_mimic::Trial;

#[path = "../../crds/tests/rows/bad_manifests.rs"]
mod rows;

use rows::{BAD, Gate};

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![the_api_server_refuses_what_it_can_and_names_the_field];
    tests.extend(trials_alone![
        the_operator_refuses_the_rest_and_names_the_field
    ]);
    tests
}

/// Longest for a verdict.
const SOON: Duration = Duration::from_secs(60);

async fn the_api_server_refuses_what_it_can_and_names_the_field(case: Case) -> Result<()> {
    let mut wrong = Vec::new();
    let refused = BAD.iter().filter(|row| row.3 == Gate::Server);
    ensure!(refused.clone().count() >= 30, "few rows");
    for (spec, path, _, _) in refused {
        let answer = create(&case, "bad", spec).await;
        match refusal(answer) {
            Ok((400 | 422, message)) if names(&message, path) => {}
            other => wrong.push(format!("{spec}\n    wanted {path}, got {other:?}")),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The control: the same way in is open for a good one.
    create(&case, "good", "command: [x]").await?;
    Ok(())
}

async fn the_operator_refuses_the_rest_and_names_the_field(case: Case) -> Result<()> {
    let installation = Installation::start(&case).await?;
    let _agent = installation
        .agent(&format!("{}-n1", case.namespace()), 1)
        .await?;
    let rest = BAD.iter().filter(|row| row.3 == Gate::Operator);
    let mut wanted = BTreeMap::new();
    for (number, (spec, path, word, _)) in rest.enumerate() {
        let name = format!("bad-{number}");
        create(&case, &name, spec)
            .await
            .with_context(|| format!("the API server refuses {spec}"))?;
        wanted.insert(name, (spec, path, word));
    }
    ensure!(!wanted.is_empty(), "no rows");
    for (name, (spec, path, word)) in wanted {
        let job = case.verdict(&name, SOON).await?;
        let status = &job.data["status"];
        assert_eq!(status["verdict"], "InvalidSpec", "{spec}: {status}");
        let message = status["message"].as_str().unwrap_or_default();
        ensure!(
            names(message, path) && message.contains(word),
            "{spec}\n    wanted {path}, {word:?}, got {message}"
        );
    }
    Ok(())
}

/// Sends a manifest as it is written; unknown fields are refused, as `kubectl` asks for.
async fn create(case: &Case, name: &str, spec: &str) -> Result<String, kube::Error> {
    let path = format!(
        "/apis/evaljob.dev/v1alpha1/namespaces/{}/evaljobs?fieldValidation=Strict",
        case.namespace()
    );
    let request = http::Request::post(path)
        .header(http::header::CONTENT_TYPE, "application/yaml")
        .body(rows::manifest(name, spec).into_bytes())
        .map_err(kube::Error::HttpError)?;
    case.client().request_text(request).await
}

/// Whether a message holds this path, and not only a longer one's beginning or end.
fn names(message: &str, path: &str) -> bool {
    let part = |c: char| c.is_alphanumeric();
    message.match_indices(path).any(|(start, _)| {
        let before = message[..start].chars().next_back();
        let after = message[start + path.len()..].chars().next();
        !before.is_some_and(|c| part(c) || c == '.') && !after.is_some_and(part)
    })
}

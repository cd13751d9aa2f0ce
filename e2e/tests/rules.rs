//! The CEL rules on the API server itself, those included that only it can evaluate.
//!
//! The rows are those of `crds/tests/rules.rs`, where each rule is also removed to see its row pass. Here a row must be
//! refused with the rule's own message and path, and by nothing else.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use evaljob_crds::all_rules;
use evaljob_crds::rules::Rule;
use evaljob_e2e::{Case, trials};
use kube::api::PostParams;
use kube::core::DynamicObject;
use libtest_mimic::Trial;
use serde_json::json;

#[path = "../../crds/tests/rows/rules.rs"]
mod rows;

use rows::Change;

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        each_rule_accepts_its_row_and_refuses_the_other_with_its_message,
        sizes_are_looked_at_wherever_they_may_stand,
    ]
}

/// Rules that nothing can break without breaking these, too.
const IMPLIED: [(&str, &str); 1] = [("max-size-range", "outputs-total")];

async fn each_rule_accepts_its_row_and_refuses_the_other_with_its_message(
    case: Case,
) -> Result<()> {
    let rules = all_rules();
    for (number, row) in rows::rows().iter().enumerate() {
        let name = row.rule;
        let rule = rules.iter().find(|rule| rule.name == name);
        let rule = rule.with_context(|| format!("no rule {name}"))?;
        carry_out(&case, &format!("good-{number}"), &row.good)
            .await?
            .with_context(|| format!("{name} refuses its good row"))?;
        let causes = match carry_out(&case, &format!("bad-{number}"), &row.bad).await? {
            Ok(_) => bail!("{name} accepts its bad row"),
            Err(error) => causes(error)?,
        };
        let own = |cause: &Cause| of(rule, cause);
        ensure!(
            causes.iter().any(own),
            "{name} is not what refuses: {causes:?}"
        );
        let implied: Vec<&Rule> = IMPLIED
            .iter()
            .filter(|(by, _)| *by == name)
            .filter_map(|(_, implied)| rules.iter().find(|rule| rule.name == *implied))
            .collect();
        let foreign = causes
            .iter()
            .find(|cause| !own(cause) && !implied.iter().any(|rule| of(rule, cause)));
        ensure!(foreign.is_none(), "{name}: {foreign:?} refuses it, too");
    }
    Ok(())
}

async fn sizes_are_looked_at_wherever_they_may_stand(case: Case) -> Result<()> {
    // One job with a size out of bounds, or of no form at all, at each place at once.
    for (value, wanted) in [("1Ei", "-form"), ("1000T", "-range")] {
        let rules = all_rules();
        let mut places = BTreeSet::new();
        for rule in rules.iter().filter(|rule| rule.name.ends_with(wanted)) {
            places.extend(rule.at.iter().map(|place| place.replace("[]", "[0]")));
        }
        let mut job = json!({"spec": {
            "command": ["true"],
            "steps": [{"name": "a", "command": ["x"]}],
            "checker": {"type": "Program", "program": {"command": ["x"], "steps": [{"name": "a", "command": ["x"]}]}},
            "outputs": [{"path": "a"}],
        }});
        for place in &places {
            let pointer = format!("/{}", place.replace('.', "/").replace("[0]", "/0"));
            let (owner, field) = pointer.rsplit_once('/').context("no field")?;
            let owner = match owner.strip_suffix("/limits") {
                None => job.pointer_mut(owner).context("no owner")?,
                Some(run) => &mut job.pointer_mut(run).context("no run")?["limits"],
            };
            owner[field] = value.into();
        }
        let change = Change {
            before: None,
            after: job,
        };
        let error = match carry_out(&case, "everywhere", &change).await? {
            Ok(_) => bail!("{value} is accepted"),
            Err(error) => error,
        };
        let named: BTreeSet<String> = causes(error)?
            .into_iter()
            .map(|cause| cause.field)
            .collect();
        let missing: Vec<_> = places.difference(&named).collect();
        ensure!(places.len() >= 21, "{places:?}");
        ensure!(missing.is_empty(), "{value}: not looked at: {missing:?}");
    }
    Ok(())
}

/// Creates what is there before, then writes what comes after it; the answer to that last write.
async fn carry_out(
    case: &Case,
    name: &str,
    change: &Change,
) -> Result<Result<DynamicObject, kube::Error>> {
    let Some(before) = &change.before else {
        return Ok(case.create(name, change.after["spec"].clone()).await);
    };
    let mut job = case.create(name, before["spec"].clone()).await?;
    if let Some(status) = before.get("status") {
        job = case.write_status(&job, status.clone()).await?;
    }
    if let Some(status) = change.after.get("status") {
        return Ok(case.write_status(&job, status.clone()).await);
    }
    job.data["spec"] = change.after["spec"].clone();
    Ok(case
        .jobs()
        .replace(name, &PostParams::default(), &job)
        .await)
}

/// One thing that the API server says against an object.
#[derive(Debug)]
struct Cause {
    field: String,
    message: String,
}

fn causes(error: kube::Error) -> Result<Vec<Cause>> {
    let kube::Error::Api(status) = error else {
        bail!("not an answer of the API server: {error}");
    };
    ensure!(status.code == 422, "{} {}", status.code, status.message);
    let details = status.details.context("a refusal without details")?;
    let cause = |cause: kube::core::response::StatusCause| Cause {
        field: cause.field,
        message: cause.message,
    };
    Ok(details.causes.into_iter().map(cause).collect())
}

/// Whether a rule says this, at one of its places.
fn of(rule: &Rule, cause: &Cause) -> bool {
    let says = cause.message.contains(rule.message.as_ref());
    says && rule.at.iter().any(|place| {
        let field = format!("{place}{}", rule.field_path.unwrap_or_default());
        without_indices(&cause.field) == field.trim_start_matches('.')
    })
}

/// `spec.tests[3].args` as `spec.tests[].args`.
fn without_indices(field: &str) -> String {
    let mut text = String::new();
    for part in field.split_inclusive('[') {
        let index = part.chars().take_while(char::is_ascii_digit).count();
        let after_bracket = text.ends_with('[');
        text += if after_bracket { &part[index..] } else { part };
    }
    text
}

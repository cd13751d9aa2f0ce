//! Each CEL rule by a row it accepts and one it refuses; the refused one passes when that one rule is removed.
//! Evaluated by kube-cel, which lacks CEL's `type`: rules over quantities are tried on a real API server only
//! (e2e/tests/rules.rs), as all others are there, too.

use std::collections::BTreeSet;

use evaljob_crds::rules::Rule;
use evaljob_crds::{all_rules, schema_with};
use kube_cel::Validator;
use serde_json::{Value, json};

#[path = "rows/rules.rs"]
mod rows;

use rows::{Change, object, rows};

fn accepts(rules: &[Rule], object: &Value, before: Option<&Value>) -> Result<(), String> {
    let schema = schema_with(rules);
    // What the API server does before it evaluates a rule.
    let with_default = |object: &Value| {
        let mut object = object.clone();
        if object.get("status").is_none() {
            object["status"] = schema["properties"]["status"]["default"].clone();
        }
        object
    };
    let before = before.map(with_default);
    Validator::new()
        .validate(&schema, &with_default(object), before.as_ref())
        .map_err(|errors| format!("{errors:?}"))
}

#[test]
fn each_rule_refuses_its_row_and_only_that_rule_does() {
    let all = local_rules();
    for row in rows() {
        let name = row.rule;
        if !all.iter().any(|rule| rule.name == name) {
            continue; // over quantities: on the real API server only
        }
        let try_by =
            |rules: &[Rule], change: &Change| accepts(rules, &change.after, change.before.as_ref());
        try_by(&all, &row.good).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            try_by(&all, &row.bad).is_err(),
            "{name}: the bad row is accepted"
        );
        let others: Vec<Rule> = all
            .iter()
            .filter(|rule| rule.name != name)
            .cloned()
            .collect();
        try_by(&others, &row.bad)
            .unwrap_or_else(|error| panic!("{name}: still refused without the rule: {error}"));
    }
}

#[test]
fn every_rule_has_a_row_and_every_row_a_rule() {
    let named: BTreeSet<_> = rows().iter().map(|row| row.rule).collect();
    let rules: BTreeSet<_> = all_rules().iter().map(|rule| rule.name).collect();
    assert_eq!(named, rules);
}

/// The rules that kube-cel can evaluate.
fn local_rules() -> Vec<Rule> {
    let mut rules = all_rules();
    rules.retain(|rule| !rule.rule.contains("type("));
    rules
}

#[test]
fn no_field_of_the_spec_can_be_added_removed_or_changed() {
    let all = local_rules();
    let schema = evaljob_crds::schema();
    let fields = schema["properties"]["spec"]["properties"]
        .as_object()
        .unwrap();
    let free = ["suspend", "cancel", "ttlSecondsAfterFinished"];
    for (name, field) in fields {
        let (one, two) = values(name, field);
        let plain = object(json!({}));
        let with = |value: &Value| object(json!({name.as_str(): value}));
        for (what, before, after) in [
            ("add", plain.clone(), with(&one)),
            ("remove", with(&one), plain.clone()),
            ("change", with(&one), with(&two)),
        ] {
            if name == "command" && what != "change" {
                continue; // required
            }
            let allowed = accepts(&all, &after, Some(&before)).is_ok();
            let one_way = name == "cancel" && what != "add";
            assert_eq!(
                allowed,
                free.contains(&name.as_str()) && !one_way,
                "{what} {name}"
            );
        }
    }
}

/// Two different values of a field that are both accepted.
#[expect(clippy::panic, reason = "a new field needs a row here")]
fn values(name: &str, field: &Value) -> (Value, Value) {
    match name {
        "command" => (json!(["a"]), json!(["b"])),
        "args" => (json!(["a"]), json!(["b"])),
        "env" => (
            json!([{"name": "A", "value": "1"}]),
            json!([{"name": "A", "value": "2"}]),
        ),
        "files" => (
            json!([{"path": "a", "content": "1"}]),
            json!([{"path": "a", "content": "2"}]),
        ),
        "steps" => (
            json!([{"name": "a", "command": ["1"]}]),
            json!([{"name": "a", "command": ["2"]}]),
        ),
        "tests" => (
            json!([{"name": "1"}, {"name": "2"}]),
            json!([{"name": "2"}, {"name": "1"}]),
        ),
        "outputs" => (json!([{"path": "a"}]), json!([{"path": "b"}])),
        "volumes" => (
            json!([{"name": "a", "mountPath": "/data", "nodeDirectory": {"name": "d"}}]),
            json!([{"name": "a", "mountPath": "/date", "nodeDirectory": {"name": "d"}}]),
        ),
        "stdinFrom" => (
            json!({"configMapKeyRef": {"name": "a", "key": "k"}}),
            json!({"configMapKeyRef": {"name": "b", "key": "k"}}),
        ),
        "stdinBase64" => (json!("eA=="), json!("eQ==")),
        "workingDir" => (json!("/work"), json!("/tmp")),
        "checker" => (json!({"type": "Exact"}), json!({"type": "Lines"})),
        "testPolicy" => (
            json!({"onFailure": "StopAll"}),
            json!({"onFailure": "Continue"}),
        ),
        "limits" => (json!({"cpus": 1}), json!({"cpus": 2})),
        "network" => (json!({"mode": "None"}), json!({"mode": "Loopback"})),
        "sandbox" => (
            json!({"seccompProfile": "Default"}),
            json!({"seccompProfile": "Strict"}),
        ),
        "nodeSelector" => (json!({"a": "b"}), json!({"a": "c"})),
        _ => match (field["type"].as_str(), field["enum"].as_array()) {
            (Some("string"), Some(names)) => (names[0].clone(), names[1].clone()),
            (Some("string"), None) => (json!("a"), json!("b")),
            (Some("integer"), _) => (json!(1), json!(2)),
            (Some("boolean"), _) => (json!(true), json!(false)),
            other => panic!("no values for {name}: {other:?}"),
        },
    }
}

//! Each CEL rule by a row it accepts and one it refuses; the refused one passes when that one rule is removed.
//! Evaluated by kube-cel, which lacks CEL's `type`: rules over quantities are tried on a real API server only
//! (e2e/tests/admission.rs), as all others are there, too.

use evaljob_crds::rules::Rule;
use evaljob_crds::{all_rules, schema_with};
use kube_cel::Validator;
use serde_json::{Value, json};

/// Name of the rule, an object it accepts, one it refuses; for changes, the object before.
struct Row {
    rule: &'static str,
    good: Value,
    bad: Value,
    before: Option<Value>,
}

fn row(rule: &'static str, good: Value, bad: Value) -> Row {
    Row {
        rule,
        good: object(good),
        bad: object(bad),
        before: None,
    }
}

fn change(rule: &'static str, before: Value, good: Value, bad: Value) -> Row {
    Row {
        rule,
        good,
        bad,
        before: Some(before),
    }
}

/// An EvalJob whose spec is `true` and what is given.
fn object(more: Value) -> Value {
    let mut spec = json!({"command": ["true"]});
    if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    json!({"spec": spec})
}

fn with_status(status: Value) -> Value {
    json!({"spec": {"command": ["true"]}, "status": status})
}

fn finished(verdict: &str, status: &str, reason: &str) -> Value {
    with_status(
        json!({"verdict": verdict, "conditions": [{"type": "Finished", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
    )
}

fn rows() -> Vec<Row> {
    let file = |more: Value| {
        let mut file = json!({"path": "a", "content": "x"});
        if let (Some(file), Some(more)) = (file.as_object_mut(), more.as_object()) {
            file.extend(more.clone());
        }
        json!({"files": [file]})
    };
    let volume =
        |path: &str| json!({"name": path, "mountPath": path, "nodeDirectory": {"name": "d"}});
    vec![
        row(
            "file-source",
            file(json!({})),
            file(json!({"contentBase64": "eA=="})),
        ),
        row(
            "input-source",
            json!({"stdinFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}),
            json!({"stdinFrom": {}}),
        ),
        row(
            "stdin-source",
            json!({"stdin": "x"}),
            json!({"stdin": "x", "stdinBase64": "eA=="}),
        ),
        row(
            "expected-source",
            json!({"tests": [{"name": "1", "expectedStdout": "x"}]}),
            json!({"tests": [{"name": "1", "expectedStdout": "x", "expectedStdoutBase64": "eA=="}]}),
        ),
        row(
            "stdin-without-tests",
            json!({"tests": [{"name": "1", "stdin": "x"}]}),
            json!({"stdin": "x", "tests": [{"name": "1"}]}),
        ),
        row(
            "volume-source",
            json!({"volumes": [volume("/data")]}),
            json!({"volumes": [{"name": "d", "mountPath": "/data"}]}),
        ),
        row(
            "output-source",
            json!({"outputs": [{"path": "a"}]}),
            json!({"outputs": [{"path": "a", "stream": "Stdout"}]}),
        ),
        row(
            "workspace-path",
            file(json!({"path": "a/b"})),
            file(json!({"path": "../b"})),
        ),
        row(
            "absolute-path",
            json!({"workingDir": "/work/a"}),
            json!({"workingDir": "work"}),
        ),
        row(
            "mount-path",
            json!({"volumes": [volume("/data")]}),
            json!({"volumes": [volume("/work/x")]}),
        ),
        row(
            "separate-mounts",
            json!({"volumes": [volume("/data"), volume("/data2")]}),
            json!({"volumes": [volume("/data"), volume("/data/x")]}),
        ),
        row(
            "file-and-directory",
            json!({"files": [{"path": "a", "content": ""}, {"path": "b/c", "content": ""}]}),
            json!({"files": [{"path": "a", "content": ""}, {"path": "a/c", "content": ""}]}),
        ),
        row(
            "command-names-a-program",
            json!({"command": ["x"]}),
            json!({"command": [""]}),
        ),
        row(
            "argument-count",
            json!({"args": vec!["a"; 63]}),
            json!({"args": vec!["a"; 64]}),
        ),
        row(
            "test-argument-count",
            json!({"tests": [{"name": "1", "args": vec!["a"; 63]}]}),
            json!({"tests": [{"name": "1", "args": vec!["a"; 64]}]}),
        ),
        row(
            "variable-size",
            json!({"env": [{"name": "A", "value": "x".repeat(4095)}]}),
            json!({"env": [{"name": "A", "value": "x".repeat(4096)}]}),
        ),
        row(
            "float-checker",
            json!({"checker": {"type": "Float", "float": {"absoluteTolerance": "1"}}}),
            json!({"checker": {"type": "Tokens", "float": {"absoluteTolerance": "1"}}}),
        ),
        row(
            "program-checker",
            json!({"checker": {"type": "Tokens"}}),
            json!({"checker": {"type": "Program"}}),
        ),
        row(
            "step-workspace",
            json!({"steps": [{"name": "a", "command": ["x"], "limits": {"memory": "8Mi"}}]}),
            json!({"steps": [{"name": "a", "command": ["x"], "limits": {"workspace": "8Mi"}}]}),
        ),
        row(
            "inline-total",
            json!({"files": [{"path": "a", "content": "x".repeat(262_144)}]}),
            json!({"files": [{"path": "a", "content": "x".repeat(262_144)}, {"path": "b", "content": "x".repeat(262_144)}]}),
        ),
        change(
            "spec-immutable",
            object(json!({})),
            object(json!({"suspend": true})),
            object(json!({"command": ["false"]})),
        ),
        change(
            "node-selector-immutable",
            object(json!({"suspend": true})),
            object(json!({"suspend": true, "nodeSelector": {"a": "b"}})),
            {
                // The same change after the job was dispatched once: see the special case in the test.
                object(json!({"nodeSelector": {"a": "b"}}))
            },
        ),
        change(
            "cancel-one-way",
            object(json!({"cancel": true})),
            object(json!({"cancel": true})),
            object(json!({"cancel": false})),
        ),
        change(
            "status-final",
            finished("Accepted", "True", "Accepted"),
            finished("Accepted", "True", "Accepted"),
            finished("WrongAnswer", "True", "WrongAnswer"),
        ),
        change(
            "verdict-finished",
            with_status(json!({})),
            finished("Accepted", "True", "Accepted"),
            finished("Accepted", "True", "WrongAnswer"),
        ),
        change(
            "attempt-never-falls",
            with_status(json!({"attempt": 2})),
            with_status(json!({"attempt": 2})),
            with_status(json!({"attempt": 1})),
        ),
    ]
}

fn accepts(rules: &[Rule], object: &Value, before: Option<&Value>) -> Result<(), String> {
    let schema = schema_with(rules);
    Validator::new()
        .validate(&schema, object, before)
        .map_err(|errors| format!("{errors:?}"))
}

#[test]
fn each_rule_refuses_its_row_and_only_that_rule_does() {
    let all = local_rules();
    for row in rows() {
        let name = row.rule;
        assert!(
            all.iter().any(|rule| rule.name == name),
            "no rule {name}; there are: {:?}",
            names()
        );
        let mut before = row.before.clone();
        if name == "node-selector-immutable" {
            before = Some(object(json!({})));
            accepts(&all, &row.good, row.before.as_ref())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        } else {
            accepts(&all, &row.good, before.as_ref())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let refused = accepts(&all, &row.bad, before.as_ref());
        assert!(refused.is_err(), "{name}: the bad row is accepted");
        let others: Vec<Rule> = all
            .iter()
            .filter(|rule| rule.name != name)
            .cloned()
            .collect();
        accepts(&others, &row.bad, before.as_ref())
            .unwrap_or_else(|error| panic!("{name}: still refused without the rule: {error}"));
    }
}

#[test]
fn every_rule_has_a_row() {
    let rows = rows();
    let missing: Vec<_> = names()
        .into_iter()
        .filter(|name| !rows.iter().any(|row| row.rule == *name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

fn names() -> Vec<&'static str> {
    local_rules().iter().map(|rule| rule.name).collect()
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

//! Each CEL rule by a change it accepts and one it refuses; read by the tests of this crate, which evaluate the rules
//! by themselves, and by `e2e/tests/rules.rs` for the real API server.

use serde_json::{Value, json};

/// One rule's row.
pub(crate) struct Row {
    /// Name of the rule.
    pub(crate) rule: &'static str,
    /// What it accepts.
    pub(crate) good: Change,
    /// What it, and no other rule, refuses.
    pub(crate) bad: Change,
}

/// A creation, or a change of what is there.
pub(crate) struct Change {
    /// The object that is there; absent: it is created.
    pub(crate) before: Option<Value>,
    /// The object that is written.
    pub(crate) after: Value,
}

fn row(rule: &'static str, good: Value, bad: Value) -> Row {
    let create = |spec| Change {
        before: None,
        after: object(spec),
    };
    Row {
        rule,
        good: create(good),
        bad: create(bad),
    }
}

/// A rule about changes: what is there, what it may become and what it may not.
fn change(rule: &'static str, before: Value, good: Value, bad: Value) -> Row {
    Row {
        rule,
        good: Change {
            before: Some(before.clone()),
            after: good,
        },
        bad: Change {
            before: Some(before),
            after: bad,
        },
    }
}

/// An EvalJob whose spec is `true` and what is given.
pub(crate) fn object(more: Value) -> Value {
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

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = programs_and_inputs();
    rows.extend(sizes());
    rows.extend(changes());
    rows
}

fn programs_and_inputs() -> Vec<Row> {
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
            json!({"command": ["a", "b"], "args": vec!["a"; 63]}),
        ),
        row(
            "test-argument-count",
            json!({"tests": [{"name": "1", "args": vec!["a"; 63]}]}),
            json!({"command": ["a", "b"], "tests": [{"name": "1", "args": vec!["a"; 63]}]}),
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
            "names-total",
            json!({"tests": named_tests(1024, 60)}),
            json!({"tests": named_tests(1024, 63), "files": [{"path": "p".repeat(255), "content": ""}, {"path": "q".repeat(255), "content": ""}, {"path": "r".repeat(255), "content": ""}, {"path": "s".repeat(255), "content": ""}, {"path": "t".repeat(255), "content": ""}]}),
        ),
        row(
            "inline-total",
            json!({"files": [{"path": "a", "content": "x".repeat(262_144)}]}),
            json!({"files": [{"path": "a", "content": "x".repeat(262_144)}, {"path": "b", "content": "x".repeat(262_144)}]}),
        ),
    ]
}

/// That many tests with names of that many bytes.
fn named_tests(tests: usize, length: usize) -> Vec<Value> {
    (0..tests)
        .map(|index| json!({"name": format!("{index:0>length$}")}))
        .collect()
}

/// Forms and ranges of sizes.
fn sizes() -> Vec<Row> {
    let limit = |name: &str, value: &str| json!({"limits": {name: value}});
    let outputs = |sizes: [Value; 2]| {
        let [first, second] = sizes;
        json!({"outputs": [{"path": "a", "maxSize": first}, {"path": "b", "maxSize": second}]})
    };
    vec![
        row(
            "quantity-form",
            limit("memory", "1.5Gi"),
            limit("memory", "1500Mb"),
        ),
        row(
            "memory-range",
            limit("memory", "4Mi"),
            limit("memory", "4194303"),
        ),
        row(
            "file-size-range",
            limit("fileSize", "1Ti"),
            limit("fileSize", "1025Gi"),
        ),
        row(
            "workspace-range",
            limit("workspace", "4Ki"),
            limit("workspace", "4095"),
        ),
        row(
            "stack-range",
            limit("stack", "64Ki"),
            limit("stack", "63Ki"),
        ),
        row("output-range", limit("output", "0"), limit("output", "2Ti")),
        row(
            "max-size-range",
            json!({"outputs": [{"path": "a", "maxSize": "256Ki"}]}),
            json!({"outputs": [{"path": "a", "maxSize": "257Ki"}]}),
        ),
        row(
            "outputs-total",
            outputs(["128Ki".into(), 131_072.into()]),
            outputs(["128Ki".into(), 131_073.into()]),
        ),
    ]
}

/// A job whose checker has steps of these names.
fn checker_with_steps(names: [&str; 2]) -> Value {
    let steps = names.map(|name| json!({"name": name, "command": ["a"]}));
    json!({"checker": {"type": "Program", "program": {"command": ["c"], "steps": steps}}})
}

/// Rules about changes, of the spec and of the status.
fn changes() -> Vec<Row> {
    vec![
        change(
            "spec-immutable",
            object(json!({})),
            object(json!({"suspend": true})),
            object(json!({"command": ["false"]})),
        ),
        // The API server compares these lists as sets by name.
        change(
            "spec-immutable",
            object(json!({"tests": [{"name": "1"}, {"name": "2"}]})),
            object(json!({"tests": [{"name": "1"}, {"name": "2"}], "suspend": true})),
            object(json!({"tests": [{"name": "2"}, {"name": "1"}]})),
        ),
        change(
            "spec-immutable",
            object(
                json!({"steps": [{"name": "1", "command": ["a"]}, {"name": "2", "command": ["b"]}]}),
            ),
            object(
                json!({"steps": [{"name": "1", "command": ["a"]}, {"name": "2", "command": ["b"]}]}),
            ),
            object(
                json!({"steps": [{"name": "2", "command": ["b"]}, {"name": "1", "command": ["a"]}]}),
            ),
        ),
        change(
            "spec-immutable",
            object(checker_with_steps(["1", "2"])),
            object(checker_with_steps(["1", "2"])),
            object(checker_with_steps(["2", "1"])),
        ),
        Row {
            rule: "spec-immutable",
            good: Change {
                before: Some(object(json!({"suspend": true}))),
                after: object(json!({"suspend": true, "nodeSelector": {"a": "b"}})),
            },
            bad: Change {
                before: Some(object(json!({}))),
                after: object(json!({"nodeSelector": {"a": "b"}})),
            },
        },
        change(
            "spec-immutable",
            object(json!({"cancel": true})),
            object(json!({"cancel": true, "suspend": true})),
            object(json!({})),
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

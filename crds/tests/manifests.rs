//! Bad manifests, each refused at the first gate with the path of the field.

use evaljob_crds::manifest;

/// The part of a manifest below `spec:`, and the path and a word of the error.
const BAD: &[(&str, &str, &str)] = &[
    ("command: true", "spec.command", "list"),
    ("command: []", "spec.command", "at least 1"),
    ("args: []", "spec.command", "required"),
    ("command: [1]", "spec.command[0]", "text"),
    ("command: [true, yes]\nargs: [1]", "spec.command[0]", "text"),
    ("command: [x]\nargs: [1, true]", "spec.args[0]", "text"),
    ("command: ['']", "spec.command", "program"),
    ("comand: [x]", "spec.comand", "unknown"),
    (
        "command: [x]\nlimits: {cpu: 1}",
        "spec.limits.cpu",
        "unknown",
    ),
    (
        "command: [x]\nlimits: {cpuTimeMilliseconds: '1000'}",
        "spec.limits.cpuTimeMilliseconds",
        "integer",
    ),
    (
        "command: [x]\nlimits: {cpuTimeMilliseconds: 1.5}",
        "spec.limits.cpuTimeMilliseconds",
        "integer",
    ),
    (
        "command: [x]\nlimits: {cpuTimeMilliseconds: 0}",
        "spec.limits.cpuTimeMilliseconds",
        "at least",
    ),
    (
        "command: [x]\nlimits: {memory: -1}",
        "spec.limits.memory",
        "must be",
    ),
    (
        "command: [x]\nlimits: {memory: 1Mi}",
        "spec.limits.memory",
        "4194304",
    ),
    (
        "command: [x]\nlimits: {memory: 1Ki.}",
        "spec.limits.memory",
        "must be",
    ),
    (
        "command: [x]\nlimits: {memory: '1e400'}",
        "spec.limits.memory",
        "must be",
    ),
    (
        "command: [x]\nlimits: {memory: 0.3Ki}",
        "spec.limits.memory",
        "must be",
    ),
    ("command: [x]\nlimits: {cpus: 2}", "spec.limits.cpus", "not"),
    (
        "command: [x]\nlimits: {cpus: 0}",
        "spec.limits.cpus",
        "at least",
    ),
    (
        "command: [x]\nlimits: {processes: 0}",
        "spec.limits.processes",
        "at least",
    ),
    ("command: [x]\nimage: a/b:1", "spec.image", "not"),
    (
        "command: [x]\nnetwork: {mode: Loopback}",
        "spec.network.mode",
        "not",
    ),
    (
        "command: [x]\nnetwork: {mode: Egress}",
        "spec.network.mode",
        "one of",
    ),
    (
        "command: [x]\ntestPolicy: {onFailure: StopGroup}",
        "spec.testPolicy.onFailure",
        "not",
    ),
    (
        "command: [x]\ntestPolicy: {parallelism: 2}",
        "spec.testPolicy.parallelism",
        "not",
    ),
    (
        "command: [x]\nsandbox: {seccompProfile: Off}",
        "spec.sandbox.seccompProfile",
        "one of",
    ),
    (
        "command: [x]\nfiles: [{path: ../x, content: ''}]",
        "spec.files[0].path",
        "must",
    ),
    (
        "command: [x]\nfiles: [{path: /x, content: ''}]",
        "spec.files[0].path",
        "must",
    ),
    (
        "command: [x]\nfiles: [{path: a//b, content: ''}]",
        "spec.files[0].path",
        "must",
    ),
    (
        "command: [x]\nfiles: [{path: ., content: ''}]",
        "spec.files[0].path",
        "must",
    ),
    (
        "command: [x]\nfiles: [{path: \"a\\0\", content: ''}]",
        "spec.files[0].path",
        "must",
    ),
    (
        "command: [x]\nfiles: [{path: a}]",
        "spec.files[0]",
        "exactly one",
    ),
    (
        "command: [x]\nfiles: [{path: a, content: ''}, {path: a, content: ''}]",
        "spec.files[1]",
        "duplicate",
    ),
    (
        "command: [x]\nfiles: [{path: a, content: ''}, {path: a/b, content: ''}]",
        "spec.files",
        "directory",
    ),
    (
        "command: [x]\nfiles: [{path: a, contentBase64: '!'}]",
        "spec.files[0].contentBase64",
        "must",
    ),
    (
        "command: [x]\nenv: [{name: N, value: 1}]",
        "spec.env[0].value",
        "text",
    ),
    (
        "command: [x]\nenv: [{name: 'A=B', value: x}]",
        "spec.env[0].name",
        "must",
    ),
    (
        "command: [x]\ntests: [{name: a}, {name: a}]",
        "spec.tests[1]",
        "duplicate",
    ),
    (
        "command: [x]\ntests: [{name: a, stdin: x, stdinBase64: eA==}]",
        "spec.tests[0]",
        "at most one",
    ),
    (
        "command: [x]\nstdin: a\ntests: [{name: a}]",
        "spec",
        "tests",
    ),
    (
        "command: [x]\ntests: [{name: a, weight: 1001}]",
        "spec.tests[0].weight",
        "at most",
    ),
    (
        "command: [x]\nchecker: {type: Fuzzy}",
        "spec.checker.type",
        "one of",
    ),
    (
        "command: [x]\nchecker: {type: Float, float: {absoluteTolerance: 0.1}}",
        "spec.checker.float.absoluteTolerance",
        "text",
    ),
    (
        "command: [x]\nvolumes: [{name: v, mountPath: /proc/x, nodeDirectory: {name: d}}]",
        "spec.volumes[0].mountPath",
        "must not",
    ),
    (
        "command: [x]\nvolumes: [{name: v, mountPath: data, nodeDirectory: {name: d}}]",
        "spec.volumes[0].mountPath",
        "must",
    ),
    (
        "command: [x]\noutputs: [{path: a, maxSize: 512Ki}]",
        "spec.outputs[0].maxSize",
        "must be",
    ),
    ("command: [x]\npriority: 1001", "spec.priority", "at most"),
    ("command: [x]\nworkingDir: work", "spec.workingDir", "must"),
    (
        "command: [x]\nstdinFrom: {configMapKeyRef: {name: absent, key: k}}",
        "spec.stdinFrom",
        "does not exist",
    ),
];

fn manifest(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {{name: bad}}\nspec:\n{spec}"
    )
}

#[test]
fn each_bad_manifest_is_refused_by_the_path_of_its_field() {
    let mut wrong = Vec::new();
    for (spec, path, word) in BAD {
        match manifest::parse([manifest(spec).as_str()]) {
            Ok(_) => wrong.push(format!("accepted: {spec}")),
            Err(errors) => {
                let hit = errors.iter().any(|error| {
                    error.error.path.starts_with(path) && error.to_string().contains(word)
                });
                if !hit {
                    let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
                    wrong.push(format!(
                        "{spec}\n    wanted {path}, {word:?}\n    got {shown:?}"
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        BAD.len(),
        wrong.join("\n")
    );
}

#[test]
fn documents_are_numbered_named_and_share_their_config_maps() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: in, labels: {evaljob.dev/input: 'true'}}\nimmutable: true\ndata: {k: v}\n---\napiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {generateName: a-}\nspec: {command: [cat], stdinFrom: {configMapKeyRef: {name: in, key: k}}}\n";
    let documents = manifest::parse([text]).unwrap();
    assert_eq!(documents.jobs.len(), 1);
    assert_eq!(
        (documents.jobs[0].number, documents.jobs[0].name.as_str()),
        (2, "a-2")
    );
    let spec = &documents.jobs[0].job.spec;
    evaljob_crds::job::build(spec, &documents.inputs(spec)).unwrap();
}

#[test]
fn an_unknown_kind_and_broken_yaml_are_errors_of_their_document() {
    let errors = manifest::parse(["kind: Pod\napiVersion: v1\n"]).unwrap_err();
    assert!(errors[0].to_string().contains("Pod"), "{}", errors[0]);
    manifest::parse(["a: [\n"]).unwrap_err();
}

//! Bad manifests; read by the tests of this crate and, for the real API server and operator, by `e2e/tests/bad_manifests.rs`.

use Gate::{Operator, Server};

/// Who refuses a manifest first in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The API server, when it is created.
    Server,
    /// The operator, by the verdict InvalidSpec.
    Operator,
}

/// The part of a manifest below `spec:`, the path and a word of the error, and who refuses it in a cluster.
pub(crate) const BAD: &[(&str, &str, &str, Gate)] = &[
    ("command: true", "spec.command", "list", Server),
    ("command: []", "spec.command", "at least 1", Server),
    ("args: []", "spec.command", "required", Server),
    ("command: [1]", "spec.command[0]", "text", Server),
    (
        "command: [true, yes]\nargs: [1]",
        "spec.command[0]",
        "text",
        Server,
    ),
    (
        "command: [x]\nargs: [1, true]",
        "spec.args[0]",
        "text",
        Server,
    ),
    ("command: ['']", "spec.command", "program", Server),
    ("comand: [x]", "spec.comand", "unknown", Server),
    (
        "command: [x]\nlimits: {cpu: 1}",
        "spec.limits.cpu",
        "unknown",
        Server,
    ),
    (
        "command: [x]\nlimits: {cpuTimeMilliseconds: '1000'}",
        "spec.limits.cpuTimeMilliseconds",
        "integer",
        Server,
    ),
    (
        "command: [x]\nlimits: {cpuTimeMilliseconds: 1.5}",
        "spec.limits.cpuTimeMilliseconds",
        "integer",
        Server,
    ),
    (
        "command: [x]\nlimits: {cpuTimeMilliseconds: 0}",
        "spec.limits.cpuTimeMilliseconds",
        "at least",
        Server,
    ),
    (
        "command: [x]\nlimits: {memory: -1}",
        "spec.limits.memory",
        "must be",
        Server,
    ),
    (
        "command: [x]\nlimits: {memory: 1Mi}",
        "spec.limits.memory",
        "4194304",
        Server,
    ),
    (
        "command: [x]\nlimits: {memory: 1Ki.}",
        "spec.limits.memory",
        "must be",
        Server,
    ),
    (
        "command: [x]\nlimits: {memory: '1e400'}",
        "spec.limits.memory",
        "must be",
        Server,
    ),
    (
        "command: [x]\nlimits: {memory: 0.3Ki}",
        "spec.limits.memory",
        "must be",
        Server,
    ),
    (
        "command: [x]\nlimits: {cpus: 17}",
        "spec.limits.cpus",
        "at most",
        Server,
    ),
    (
        "command: [x]\nlimits: {cpus: 0}",
        "spec.limits.cpus",
        "at least",
        Server,
    ),
    (
        "command: [x]\nlimits: {processes: 0}",
        "spec.limits.processes",
        "at least",
        Server,
    ),
    ("command: [x]\nimage: a/b:1", "spec.image", "not", Operator),
    (
        "command: [x]\nnetwork: {mode: Egress}",
        "spec.network.mode",
        "one of",
        Server,
    ),
    (
        "command: [x]\ntestPolicy: {parallelism: 17}",
        "spec.testPolicy.parallelism",
        "at most",
        Server,
    ),
    (
        "command: [x]\nsandbox: {seccompProfile: Off}",
        "spec.sandbox.seccompProfile",
        "one of",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: ../x, content: ''}]",
        "spec.files[0].path",
        "must",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: /x, content: ''}]",
        "spec.files[0].path",
        "must",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: a//b, content: ''}]",
        "spec.files[0].path",
        "must",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: ., content: ''}]",
        "spec.files[0].path",
        "must",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: \"a\\0\", content: ''}]",
        "spec.files[0].path",
        "must",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: a}]",
        "spec.files[0]",
        "exactly one",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: a, content: ''}, {path: a, content: ''}]",
        "spec.files[1]",
        "duplicate",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: a, content: ''}, {path: a/b, content: ''}]",
        "spec.files",
        "directory",
        Server,
    ),
    (
        "command: [x]\nfiles: [{path: a, contentBase64: '!'}]",
        "spec.files[0].contentBase64",
        "must",
        Server,
    ),
    (
        "command: [x]\nenv: [{name: N, value: 1}]",
        "spec.env[0].value",
        "text",
        Server,
    ),
    (
        "command: [x]\nenv: [{name: 'A=B', value: x}]",
        "spec.env[0].name",
        "must",
        Server,
    ),
    (
        "command: [x]\ntests: [{name: a}, {name: a}]",
        "spec.tests[1]",
        "duplicate",
        Server,
    ),
    (
        "command: [x]\ntests: [{name: a, stdin: x, stdinBase64: eA==}]",
        "spec.tests[0]",
        "at most one",
        Server,
    ),
    (
        "command: [x]\nstdin: a\ntests: [{name: a}]",
        "spec",
        "tests",
        Server,
    ),
    (
        "command: [x]\ntests: [{name: a, weight: 1001}]",
        "spec.tests[0].weight",
        "at most",
        Server,
    ),
    (
        "command: [x]\nchecker: {type: Fuzzy}",
        "spec.checker.type",
        "one of",
        Server,
    ),
    (
        "command: [x]\nchecker: {type: Float, float: {absoluteTolerance: 0.1}}",
        "spec.checker.float.absoluteTolerance",
        "text",
        Server,
    ),
    (
        "command: [x]\nvolumes: [{name: v, mountPath: /proc/x, nodeDirectory: {name: d}}]",
        "spec.volumes[0].mountPath",
        "must not",
        Server,
    ),
    (
        "command: [x]\nvolumes: [{name: v, mountPath: data, nodeDirectory: {name: d}}]",
        "spec.volumes[0].mountPath",
        "must",
        Server,
    ),
    (
        "command: [x]\noutputs: [{path: a, maxSize: 512Ki}]",
        "spec.outputs[0].maxSize",
        "must be",
        Server,
    ),
    (
        "command: [x]\npriority: 1001",
        "spec.priority",
        "at most",
        Server,
    ),
    (
        "command: [x]\nworkingDir: work",
        "spec.workingDir",
        "must",
        Server,
    ),
    (
        "command: [x]\nstdinFrom: {configMapKeyRef: {name: absent, key: k}}",
        "spec.stdinFrom",
        "does not exist",
        Operator,
    ),
];

/// A whole manifest.
pub(crate) fn manifest(name: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {{name: {name}}}\nspec:\n{spec}"
    )
}

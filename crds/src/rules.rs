//! The CEL rules of the API server, as one table.
//!
//! Each rule has a name, the places of the schema it is attached to, and a message that says the way out. They
//! use only what Kubernetes 1.34 knows. Validation (`validate`) covers all but those about changes, which only
//! the API server sees.

mod immutable;
mod quantities;
mod size;
mod status;

use std::borrow::Cow;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Name in this table and in tests.
    pub name: &'static str,
    /// Schema nodes it is attached to: fields joined by dots, `[]` for the items of a list; empty for the root.
    pub at: Vec<&'static str>,
    /// The CEL expression.
    pub rule: Cow<'static, str>,
    /// What is wrong, and the way out.
    pub message: Cow<'static, str>,
    /// The field that is reported, relative to the node, where it is not the node itself.
    pub field_path: Option<&'static str>,
    /// Evaluated at creation only.
    pub at_creation: bool,
}

impl Rule {
    fn new(
        name: &'static str,
        at: &[&'static str],
        rule: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            name,
            at: at.to_vec(),
            rule: rule.into(),
            message: message.into(),
            field_path: None,
            at_creation: false,
        }
    }

    /// For a rule about fields that never change: each write of the status would evaluate it again, and the API server
    /// lists all fields of an object for each one that a rule names (apiextensions-apiserver, `Structural.Properties`).
    fn at_creation(mut self) -> Self {
        self.rule = format!("oldSelf.hasValue() || ({})", self.rule).into();
        self.at_creation = true;
        self
    }

    const fn on(mut self, field_path: &'static str) -> Self {
        self.field_path = Some(field_path);
        self
    }
}

/// Lists of files.
const FILES: [&str; 2] = ["spec.files", "spec.checker.program.files"];
/// Places where bytes may come from elsewhere.
const SOURCES: [&str; 3] = [
    "spec.stdinFrom",
    "spec.tests[].stdinFrom",
    "spec.tests[].expectedStdoutFrom",
];
/// A component of a path that would make it ambiguous or too long.
const BAD_COMPONENT: &str = "c == '' || c == '.' || c == '..' || size(c) > 255";
/// A control character.
const CONTROL: &str = r"'\\p{Cc}'";

/// Every rule. `fields` are the fields of the spec in the schema, each with whether it is required.
#[must_use]
pub fn rules(fields: &[(String, bool)]) -> Vec<Rule> {
    let mut rules = immutable::rules(fields);
    rules.extend(status::rules());
    rules.extend(sources());
    rules.extend(paths());
    rules.extend(programs());
    rules.extend(size::rules());
    rules.extend(quantities::rules());
    rules
}

/// At most one, or exactly one, of several fields.
fn sources() -> Vec<Rule> {
    let at_most_one = |fields: [&str; 3]| {
        let [a, b, c] = fields.map(|field| format!("(has(self.{field}) ? 1 : 0)"));
        format!("{a} + {b} + {c} <= 1")
    };
    let stdin = ["stdin", "stdinBase64", "stdinFrom"];
    vec![
        Rule::new(
            "file-source",
            &["spec.files[]", "spec.checker.program.files[]"],
            "(has(self.content) ? 1 : 0) + (has(self.contentBase64) ? 1 : 0) + (has(self.configMapKeyRef) ? 1 : 0) == 1",
            "exactly one of content, contentBase64 and configMapKeyRef must be set",
        ),
        Rule::new(
            "input-source",
            &SOURCES,
            "has(self.configMapKeyRef) != has(self.imageFile)",
            "exactly one of configMapKeyRef and imageFile must be set",
        ),
        Rule::new(
            "stdin-source",
            &["spec", "spec.tests[]"],
            at_most_one(stdin),
            "at most one of stdin, stdinBase64 and stdinFrom may be set",
        )
        .at_creation(),
        Rule::new(
            "expected-source",
            &["spec.tests[]"],
            at_most_one([
                "expectedStdout",
                "expectedStdoutBase64",
                "expectedStdoutFrom",
            ]),
            "at most one of expectedStdout, expectedStdoutBase64 and expectedStdoutFrom may be set",
        )
        .at_creation(),
        Rule::new(
            "stdin-without-tests",
            &["spec"],
            "!has(self.tests) || size(self.tests) == 0 || !(has(self.stdin) || has(self.stdinBase64) || has(self.stdinFrom))",
            "stdin, stdinBase64 and stdinFrom must not be set together with tests, each of which has its own",
        )
        .at_creation(),
        Rule::new(
            "volume-source",
            &["spec.volumes[]"],
            "has(self.nodeDirectory) != has(self.image)",
            "exactly one of nodeDirectory and image must be set",
        ),
        Rule::new(
            "output-source",
            &["spec.outputs[]"],
            "has(self.path) != has(self.stream)",
            "exactly one of path and stream must be set",
        ),
    ]
}

/// Paths.
fn paths() -> Vec<Rule> {
    vec![
        Rule::new(
            "workspace-path",
            &[
                "spec.files[].path",
                "spec.checker.program.files[].path",
                "spec.outputs[].path",
            ],
            format!("!self.split('/').exists(c, {BAD_COMPONENT}) && !self.matches({CONTROL})"),
            "must be relative to /work, without empty, `.` or `..` components, components over 255 bytes and control characters",
        ),
        Rule::new(
            "absolute-path",
            &["spec.workingDir", "spec.volumes[].mountPath"],
            format!(
                "self.startsWith('/') && (self == '/' || !self.substring(1).split('/').exists(c, {BAD_COMPONENT})) && !self.matches({CONTROL})"
            ),
            "must be absolute, without empty, `.` or `..` components, components over 255 bytes and control characters",
        ),
        Rule::new(
            "mount-path",
            &["spec.volumes[].mountPath"],
            "self != '/' && !['/work', '/tmp', '/dev', '/proc', '/sys', '/home', '/etc'].exists(p, self == p || self.startsWith(p + '/'))",
            "must not be /, nor /work, /tmp, /dev, /proc, /sys, /home, /etc or below them (hint: /opt, /mnt, /data)",
        ),
        Rule::new(
            "separate-mounts",
            &["spec.volumes"],
            "self.all(v, self.filter(w, v.mountPath == w.mountPath || v.mountPath.startsWith(w.mountPath + '/')).size() == 1)",
            "a volume's mountPath must not be inside another volume's",
        ),
        Rule::new(
            "file-and-directory",
            &FILES,
            "self.map(f, f.path + '/').all(p, !self.exists(f, f.path.startsWith(p)))",
            "a path cannot be both a file and a directory",
        ),
    ]
}

/// Commands, arguments, environment, checker.
fn programs() -> Vec<Rule> {
    let before = "size(self.command) + (has(self.args) ? size(self.args) : 0)";
    vec![
        Rule::new(
            "command-names-a-program",
            &[
                "spec.command",
                "spec.steps[].command",
                "spec.checker.program.command",
                "spec.checker.program.steps[].command",
            ],
            "size(self) == 0 || self[0] != ''",
            "the first item must name a program",
        ),
        Rule::new(
            "argument-count",
            &["spec"],
            format!("!has(self.args) || {before} <= 64"),
            "command and args must have at most 64 items together",
        )
        .at_creation()
        .on(".args"),
        Rule::new(
            "test-argument-count",
            &["spec"],
            format!(
                "!has(self.tests) || self.tests.all(t, !has(t.args) || {before} + size(t.args) <= 64)"
            ),
            "command, args and a test's args must have at most 64 items together",
        )
        .at_creation()
        .on(".tests"),
        Rule::new(
            "variable-size",
            &["spec.env[]"],
            "size(self.name) + size(self.value) <= 4096",
            "name and value must have at most 4096 bytes together",
        ),
        Rule::new(
            "float-checker",
            &["spec.checker"],
            "!has(self.float) || (has(self.type) && self.type == 'Float')",
            "must not be set unless type is Float",
        )
        .on(".float"),
        Rule::new(
            "program-checker",
            &["spec.checker"],
            "has(self.program) == (has(self.type) && self.type == 'Program')",
            "must be set when type is Program, and only then",
        )
        .on(".program"),
        Rule::new(
            "step-workspace",
            &[
                "spec.steps[].limits",
                "spec.checker.program.steps[].limits",
            ],
            "!has(self.workspace)",
            "must not be set here: the workspace has one size for the whole job (hint: set spec.limits.workspace)",
        )
        .on(".workspace"),
    ]
}

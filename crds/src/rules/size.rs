//! The total of all that a user can make long, in characters; validation counts bytes.
//!
//! bytes() over a thousand tests would cost more than the API server allows a rule.

use super::Rule;
use crate::bounds;

pub(super) fn rules() -> Vec<Rule> {
    let total = [
        list("self", "files", &file_size()),
        list("self", "steps", &step_size()),
        strings("self", "command", true),
        strings("self", "args", false),
        list("self", "env", "size(e.name) + size(e.value)"),
        stdin("self"),
        list("self", "tests", &test_size()),
        format!(
            "(has(self.checker) && has(self.checker.program) ? {} + {} + {} : 0)",
            list("self.checker.program", "files", &file_size()),
            list("self.checker.program", "steps", &step_size()),
            strings("self.checker.program", "command", true),
        ),
    ]
    .join(" + ");
    let max = bounds::INLINE_TOTAL;
    let what = format!(
        "all contents, inputs, expected outputs, arguments, variables and references together must have at most {max} bytes"
    );
    let hint = "(hint: move them to ConfigMaps, by configMapKeyRef, or to an image, by imageFile)";
    let names = [
        list(
            "self",
            "tests",
            &format!("size(e.name) + {}", text("e", "group")),
        ),
        list("self", "files", "size(e.path)"),
        format!(
            "(has(self.checker) && has(self.checker.program) ? {} : 0)",
            list("self.checker.program", "files", "size(e.path)"),
        ),
    ]
    .join(" + ");
    let names_max = bounds::NAMES_TOTAL;
    vec![
        Rule::new(
            "names-total",
            &["spec"],
            format!("{names} <= {names_max}"),
            format!(
                "names and groups of tests and paths of files together must have at most {names_max} bytes (hint: shorter names, or files packed into one archive that a step unpacks)"
            ),
        )
        .at_creation(),
        Rule::new(
            "inline-total",
            &["spec"],
            format!("{total} <= {max}"),
            format!("{what} {hint}"),
        )
        .at_creation(),
        Rule::new(
            "outputs-total",
            &["spec.outputs"],
            format!(
                "self.map(o, has(o.maxSize) ? (type(o.maxSize) == int ? double(o.maxSize) : (isQuantity(o.maxSize) ? quantity(o.maxSize).asApproximateFloat() : 0.0)) : {default}.0).sum() <= {max}.0",
                default = crate::job::OUTPUT_MAX_SIZE,
                max = bounds::OUTPUT_TOTAL,
            ),
            "maxSize of all outputs together must be at most 256Ki",
        ),
    ]
}

/// Characters of an optional text.
fn text(owner: &str, field: &str) -> String {
    format!("(has({owner}.{field}) ? size({owner}.{field}) : 0)")
}

/// Characters of a list of texts.
fn strings(owner: &str, field: &str, required: bool) -> String {
    let sum = format!("{owner}.{field}.map(a, size(a)).sum()");
    if required {
        return sum;
    }
    format!("(has({owner}.{field}) ? {sum} : 0)")
}

/// Characters of an optional list of objects, each `e`.
fn list(owner: &str, field: &str, size: &str) -> String {
    format!("(has({owner}.{field}) ? {owner}.{field}.map(e, {size}).sum() : 0)")
}

fn file_size() -> String {
    [
        text("e", "content"),
        text("e", "contentBase64"),
        config_map("e"),
    ]
    .join(" + ")
}

fn step_size() -> String {
    strings("e", "command", true)
}

fn stdin(owner: &str) -> String {
    [
        text(owner, "stdin"),
        text(owner, "stdinBase64"),
        source(owner, "stdinFrom"),
    ]
    .join(" + ")
}

fn test_size() -> String {
    [
        stdin("e"),
        text("e", "expectedStdout"),
        text("e", "expectedStdoutBase64"),
        source("e", "expectedStdoutFrom"),
        strings("e", "args", false),
    ]
    .join(" + ")
}

fn config_map(owner: &str) -> String {
    format!(
        "(has({owner}.configMapKeyRef) ? size({owner}.configMapKeyRef.name) + size({owner}.configMapKeyRef.key) : 0)"
    )
}

fn source(owner: &str, field: &str) -> String {
    let from = format!("{owner}.{field}");
    format!(
        "(has({from}) ? {} + (has({from}.imageFile) ? size({from}.imageFile.image) + size({from}.imageFile.path) : 0) : 0)",
        config_map(&from)
    )
}

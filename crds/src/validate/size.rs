//! The size of a spec: everything a user can make long counts towards one total.
//!
//! Without it the parts, each within its own bound, would add up to more than the API server stores in an object.

use crate::bounds;
use crate::field::{Path, Report};
use crate::spec::{EvalJobSpec, File, InputSource, Step};

/// All inline bytes together.
pub(crate) fn inline_total(report: &mut Report, root: &Path<'_>, spec: &EvalJobSpec) {
    let total = inline_bytes(spec);
    report.check(total <= bounds::INLINE_TOTAL, root, || {
        format!(
            "all contents, inputs, expected outputs, arguments, variables and references together must have at most {} bytes, have {total} (hint: move them to ConfigMaps, by configMapKeyRef, or to an image, by imageFile)",
            bounds::INLINE_TOTAL
        )
    });
}

/// The bytes that count, as encoded in the manifest.
pub(crate) fn inline_bytes(spec: &EvalJobSpec) -> usize {
    let env: usize = spec
        .env
        .iter()
        .map(|variable| variable.name.len() + variable.value.len())
        .sum();
    let stdin = text(spec.stdin.as_ref())
        + text(spec.stdin_base64.as_ref())
        + source(spec.stdin_from.as_ref());
    let tests: usize = spec
        .tests
        .iter()
        .map(|test| {
            text(test.stdin.as_ref())
                + text(test.stdin_base64.as_ref())
                + source(test.stdin_from.as_ref())
                + text(test.expected_stdout.as_ref())
                + text(test.expected_stdout_base64.as_ref())
                + source(test.expected_stdout_from.as_ref())
                + list(&test.args)
        })
        .sum();
    let program = spec
        .checker
        .as_ref()
        .and_then(|checker| checker.program.as_ref())
        .map_or(0, |program| {
            files(&program.files) + steps(&program.steps) + list(&program.command)
        });
    files(&spec.files)
        + steps(&spec.steps)
        + list(&spec.command)
        + list(&spec.args)
        + env
        + stdin
        + tests
        + program
}

/// Names and groups of tests, and paths of files.
pub(crate) fn names_total(report: &mut Report, root: &Path<'_>, spec: &EvalJobSpec) {
    let tests: usize = spec
        .tests
        .iter()
        .map(|test| test.name.len() + text(test.group.as_ref()))
        .sum();
    let program = spec
        .checker
        .as_ref()
        .and_then(|checker| checker.program.as_ref())
        .map_or(0, |program| paths(&program.files));
    let total = tests + paths(&spec.files) + program;
    report.check(total <= bounds::NAMES_TOTAL, root, || {
        format!(
            "names and groups of tests and paths of files together must have at most {} bytes, have {total} (hint: shorter names, or files packed into one archive that a step unpacks)",
            bounds::NAMES_TOTAL
        )
    });
}

fn paths(files: &[File]) -> usize {
    files.iter().map(|file| file.path.len()).sum()
}

fn text(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

fn list(items: &[String]) -> usize {
    items.iter().map(String::len).sum()
}

fn steps(steps: &[Step]) -> usize {
    steps.iter().map(|step| list(&step.command)).sum()
}

fn files(files: &[File]) -> usize {
    files
        .iter()
        .map(|file| {
            text(file.content.as_ref())
                + text(file.content_base64.as_ref())
                + file
                    .config_map_key_ref
                    .as_ref()
                    .map_or(0, |reference| reference.name.len() + reference.key.len())
        })
        .sum()
}

fn source(source: Option<&InputSource>) -> usize {
    let Some(source) = source else { return 0 };
    let config_map = source
        .config_map_key_ref
        .as_ref()
        .map_or(0, |reference| reference.name.len() + reference.key.len());
    let image = source
        .image_file
        .as_ref()
        .map_or(0, |file| file.image.len() + file.path.len());
    config_map + image
}

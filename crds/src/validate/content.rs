//! Bytes a manifest carries or refers to: files, inputs, expected outputs.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::names;
use crate::bounds;
use crate::field::{Path, Report};
use crate::spec::{ConfigMapKeyRef, EvalJobSpec, File, ImageFile, InputSource, Test};

/// As Go's decoder, which kubectl users know from Secrets: padding is required, trailing bits are not judged.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64; line breaks are skipped, so that the output of base64(1) can be pasted.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.contains(['\r', '\n']) {
        let joined: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        return BASE64.decode(joined).ok();
    }
    BASE64.decode(text).ok()
}

/// A tolerance: digits, one point, exponent; finite.
pub(crate) fn tolerance(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_is_fine = exponent.is_none_or(|exponent| {
        let number = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        (1..=3).contains(&number.len()) && digits(number)
    });
    if !digits(whole) || !digits(fraction) || !exponent_is_fine || whole.len() + fraction.len() == 0
    {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The files of a job or of a checker program.
pub(crate) fn files(report: &mut Report, parent: &Path<'_>, files: &[File]) {
    let list = parent.field("files");
    report.items(&list, files.len(), 0, bounds::FILES);
    for (index, file) in files.iter().enumerate() {
        let at = list.index(index);
        super::paths::workspace_path(report, &at.field("path"), &file.path);
        let given = [
            file.content.is_some(),
            file.content_base64.is_some(),
            file.config_map_key_ref.is_some(),
        ];
        report.check(count(given) == 1, &at, || {
            "exactly one of content, contentBase64 and configMapKeyRef must be set".to_owned()
        });
        inline(report, &at, "content", file.content.as_deref());
        inline_base64(report, &at, "contentBase64", file.content_base64.as_deref());
        if let Some(reference) = &file.config_map_key_ref {
            config_map_key(report, &at.field("configMapKeyRef"), reference);
        }
    }
    super::paths::distinct_files(report, &list, files);
}

/// Standard input of the single run.
pub(crate) fn stdin_of_the_run(report: &mut Report, root: &Path<'_>, spec: &EvalJobSpec) {
    let given = [
        ("stdin", spec.stdin.is_some()),
        ("stdinBase64", spec.stdin_base64.is_some()),
        ("stdinFrom", spec.stdin_from.is_some()),
    ];
    one_source(report, root, given);
    if !spec.tests.is_empty() {
        for (name, _) in given.iter().filter(|(_, given)| *given) {
            report.add(
                &root.field(name),
                "must not be set together with tests, each of which has its own",
            );
        }
    }
    inline(report, root, "stdin", spec.stdin.as_deref());
    inline_base64(report, root, "stdinBase64", spec.stdin_base64.as_deref());
    source(report, root, "stdinFrom", spec.stdin_from.as_ref());
}

/// The tests.
pub(crate) fn tests(report: &mut Report, root: &Path<'_>, spec: &EvalJobSpec) {
    let list = root.field("tests");
    report.items(&list, spec.tests.len(), 0, bounds::TESTS);
    super::program::unique_names(report, &list, spec.tests.iter().map(|test| &test.name));
    for (index, test) in spec.tests.iter().enumerate() {
        one_test(report, &list.index(index), spec, test);
    }
}

fn one_test(report: &mut Report, at: &Path<'_>, spec: &EvalJobSpec, test: &Test) {
    super::program::name(report, &at.field("name"), &test.name);
    one_source(
        report,
        at,
        [
            ("stdin", test.stdin.is_some()),
            ("stdinBase64", test.stdin_base64.is_some()),
            ("stdinFrom", test.stdin_from.is_some()),
        ],
    );
    one_source(
        report,
        at,
        [
            ("expectedStdout", test.expected_stdout.is_some()),
            (
                "expectedStdoutBase64",
                test.expected_stdout_base64.is_some(),
            ),
            ("expectedStdoutFrom", test.expected_stdout_from.is_some()),
        ],
    );
    inline(report, at, "stdin", test.stdin.as_deref());
    inline(
        report,
        at,
        "expectedStdout",
        test.expected_stdout.as_deref(),
    );
    inline_base64(report, at, "stdinBase64", test.stdin_base64.as_deref());
    inline_base64(
        report,
        at,
        "expectedStdoutBase64",
        test.expected_stdout_base64.as_deref(),
    );
    source(report, at, "stdinFrom", test.stdin_from.as_ref());
    source(
        report,
        at,
        "expectedStdoutFrom",
        test.expected_stdout_from.as_ref(),
    );
    super::program::arguments(report, &at.field("args"), &test.args, 0, bounds::ARGS);
    let together = spec.command.len() + spec.args.len() + test.args.len();
    report.check(
        test.args.is_empty() || together <= bounds::ARGV,
        &at.field("args"),
        || {
            format!(
                "command, args and the test's args must have at most {} items together, have {together}",
                bounds::ARGV
            )
        },
    );
    if let Some(group) = &test.group {
        super::program::name(report, &at.field("group"), group);
    }
    report.range(&at.field("weight"), test.weight, bounds::WEIGHT);
}

fn count(given: [bool; 3]) -> usize {
    given.into_iter().filter(|given| *given).count()
}

fn one_source(report: &mut Report, at: &Path<'_>, given: [(&str, bool); 3]) {
    report.check(count(given.map(|(_, given)| given)) <= 1, at, || {
        let [first, second, third] = given.map(|(name, _)| name);
        format!("at most one of {first}, {second} and {third} may be set")
    });
}

fn inline(report: &mut Report, parent: &Path<'_>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        report.check(text.len() <= bounds::INLINE, &parent.field(name), || {
            format!(
                "must have at most {} bytes, has {} (hint: a ConfigMap by configMapKeyRef)",
                bounds::INLINE,
                text.len()
            )
        });
    }
}

fn inline_base64(report: &mut Report, parent: &Path<'_>, name: &str, text: Option<&str>) {
    inline(report, parent, name, text);
    if let Some(text) = text {
        report.check(decode_base64(text).is_some(), &parent.field(name), || {
            "must be base64 (RFC 4648, with padding; line breaks are skipped)".to_owned()
        });
    }
}

fn source(report: &mut Report, parent: &Path<'_>, name: &str, source: Option<&InputSource>) {
    let Some(source) = source else { return };
    let at = parent.field(name);
    report.check(
        source.config_map_key_ref.is_some() != source.image_file.is_some(),
        &at,
        || "exactly one of configMapKeyRef and imageFile must be set".to_owned(),
    );
    if let Some(reference) = &source.config_map_key_ref {
        config_map_key(report, &at.field("configMapKeyRef"), reference);
    }
    if let Some(ImageFile { image, path }) = &source.image_file {
        let at = at.field("imageFile");
        super::program::image_reference(report, &at.field("image"), image);
        let relative = path.strip_prefix('/').unwrap_or(path);
        super::paths::workspace_path(report, &at.field("path"), relative);
        report.bytes(&at.field("path"), path, bounds::PATH);
    }
}

fn config_map_key(report: &mut Report, at: &Path<'_>, reference: &ConfigMapKeyRef) {
    let ConfigMapKeyRef { name, key } = reference;
    report.check(
        name.len() <= bounds::OBJECT_NAME && names::is_subdomain(name),
        &at.field("name"),
        || format!("must be the name of a ConfigMap, is {name:?}"),
    );
    report.check(
        key.len() <= bounds::OBJECT_NAME && names::is_config_map_key(key),
        &at.field("key"),
        || format!("must be a key of a ConfigMap, is {key:?}"),
    );
}

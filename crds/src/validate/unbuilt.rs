//! Fields of the API that this version does not build. They are refused, never ignored.
//!
//! The schema has them, so that manifests and objects keep their form when a later version builds them.

use crate::field::{Path, Report};
use crate::spec::{EvalJobSpec, InputSource};

/// Adds an error for each use of such a field.
pub(crate) fn refuse(report: &mut Report, root: &Path<'_>, spec: &EvalJobSpec) {
    unbuilt(report, spec.image.is_some(), &root.field("image"));
    let volumes = root.field("volumes");
    for (index, volume) in spec.volumes.iter().enumerate() {
        let at = volumes.index(index);
        unbuilt(report, volume.image.is_some(), &at.field("image"));
    }
    image_file(report, root, "stdinFrom", spec.stdin_from.as_ref());
    let tests = root.field("tests");
    for (index, test) in spec.tests.iter().enumerate() {
        let at = tests.index(index);
        image_file(report, &at, "stdinFrom", test.stdin_from.as_ref());
        image_file(
            report,
            &at,
            "expectedStdoutFrom",
            test.expected_stdout_from.as_ref(),
        );
    }
}

fn image_file(report: &mut Report, parent: &Path<'_>, name: &str, source: Option<&InputSource>) {
    let used = source.is_some_and(|source| source.image_file.is_some());
    unbuilt(report, used, &parent.field(name).field("imageFile"));
}

fn unbuilt(report: &mut Report, used: bool, at: &Path<'_>) {
    report.check(!used, at, || "is not supported by this version".to_owned());
}

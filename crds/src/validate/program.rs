//! What is executed, and what it finds: command, arguments, environment, steps, checker program, volumes.

use std::collections::BTreeSet;

use super::{content, limits, names, paths};
use crate::bounds;
use crate::field::{Path, Report};
use crate::spec::{Checker, CheckerType, EnvVar, EvalJobSpec, Step, Volume};

/// A name of this API.
pub(crate) fn name(report: &mut Report, at: &Path<'_>, name: &str) {
    report.check(names::is_name(name), at, || {
        format!("must be a name without control characters, is {name:?}")
    });
    report.bytes(at, name, bounds::NAME);
}

/// Every name once; the later one is wrong.
pub(crate) fn unique_names<'a>(
    report: &mut Report,
    list: &Path<'_>,
    names: impl Iterator<Item = &'a String>,
) {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        report.check(seen.insert(name), &list.index(index).field("name"), || {
            format!("must be unique, {name:?} is there already")
        });
    }
}

/// A list of arguments.
pub(crate) fn arguments(
    report: &mut Report,
    list: &Path<'_>,
    arguments: &[String],
    min: usize,
    max: usize,
) {
    report.items(list, arguments.len(), min, max);
    for (index, argument) in arguments.iter().enumerate() {
        let at = list.index(index);
        report.bytes(&at, argument, bounds::ARGUMENT);
        report.check(!argument.contains('\0'), &at, || {
            "must not contain NUL".to_owned()
        });
    }
}

/// A list of arguments whose first item is a program.
fn program(report: &mut Report, list: &Path<'_>, command: &[String], max: usize) {
    arguments(report, list, command, 1, max);
    if command.first().is_some_and(String::is_empty) {
        report.add(&list.index(0), "must name a program, is empty");
    }
}

/// Command, arguments and directory of the judged program.
pub(crate) fn command(report: &mut Report, root: &Path<'_>, spec: &EvalJobSpec) {
    program(report, &root.field("command"), &spec.command, bounds::ARGV);
    let args = root.field("args");
    arguments(report, &args, &spec.args, 0, bounds::ARGS);
    let together = spec.command.len() + spec.args.len();
    report.check(
        spec.args.is_empty() || together <= bounds::ARGV,
        &args,
        || {
            format!(
                "command and args must have at most {} items together, have {together}",
                bounds::ARGV
            )
        },
    );
    if let Some(directory) = &spec.working_dir {
        paths::absolute_path(report, &root.field("workingDir"), directory);
    }
    if let Some(image) = &spec.image {
        image_reference(report, &root.field("image"), image);
    }
}

/// An OCI reference, as far as text can tell.
pub(crate) fn image_reference(report: &mut Report, at: &Path<'_>, image: &str) {
    report.bytes(at, image, bounds::IMAGE);
    let plausible =
        !image.is_empty() && image.chars().all(|c| !c.is_whitespace() && !c.is_control());
    report.check(plausible, at, || {
        format!("must be a reference of an OCI image, is {image:?}")
    });
}

/// The environment.
pub(crate) fn env(report: &mut Report, root: &Path<'_>, env: &[EnvVar]) {
    let list = root.field("env");
    report.items(&list, env.len(), 0, bounds::ENV);
    unique_names(report, &list, env.iter().map(|variable| &variable.name));
    for (index, EnvVar { name, value }) in env.iter().enumerate() {
        let at = list.index(index);
        report.check(
            !name.is_empty() && !name.contains(['=', '\0']),
            &at.field("name"),
            || format!("must be a name without `=` and NUL, is {name:?}"),
        );
        report.check(!value.contains('\0'), &at.field("value"), || {
            "must not contain NUL".to_owned()
        });
        let together = name.len() + value.len();
        report.check(together <= bounds::ARGUMENT, &at, || {
            format!(
                "name and value must have at most {} bytes together, have {together}",
                bounds::ARGUMENT
            )
        });
    }
}

/// Preparation steps.
pub(crate) fn steps(report: &mut Report, parent: &Path<'_>, steps: &[Step]) {
    let list = parent.field("steps");
    report.items(&list, steps.len(), 0, bounds::STEPS);
    unique_names(report, &list, steps.iter().map(|step| &step.name));
    for (index, step) in steps.iter().enumerate() {
        let at = list.index(index);
        name(report, &at.field("name"), &step.name);
        program(report, &at.field("command"), &step.command, bounds::ARGV);
        if let Some(limits) = &step.limits {
            limits::step_limits(report, &at.field("limits"), limits);
        }
    }
}

/// The checker.
pub(crate) fn checker(report: &mut Report, root: &Path<'_>, checker: Option<&Checker>) {
    let Some(checker) = checker else { return };
    let at = root.field("checker");
    let type_ = checker.type_.unwrap_or(CheckerType::Tokens);
    report.check(
        checker.float.is_none() || type_ == CheckerType::Float,
        &at.field("float"),
        || "must not be set unless type is Float".to_owned(),
    );
    report.check(
        checker.program.is_some() == (type_ == CheckerType::Program),
        &at.field("program"),
        || "must be set when type is Program, and only then".to_owned(),
    );
    if let Some(float) = &checker.float {
        let at = at.field("float");
        for (name, value) in [
            ("absoluteTolerance", &float.absolute_tolerance),
            ("relativeTolerance", &float.relative_tolerance),
        ] {
            let Some(value) = value else { continue };
            report.bytes(&at.field(name), value, bounds::TOLERANCE);
            report.check(content::tolerance(value).is_some(), &at.field(name), || {
                format!(
                    "must be a decimal number as text, such as \"0.001\" or \"1e-6\", is {value:?}"
                )
            });
        }
    }
    if let Some(judge) = &checker.program {
        let at = at.field("program");
        content::files(report, &at, &judge.files);
        steps(report, &at, &judge.steps);
        program(
            report,
            &at.field("command"),
            &judge.command,
            bounds::CHECKER_COMMAND,
        );
        if let Some(limits) = &judge.limits {
            limits::limits(report, &at.field("limits"), limits);
        }
    }
}

/// Volumes.
pub(crate) fn volumes(report: &mut Report, root: &Path<'_>, volumes: &[Volume]) {
    let list = root.field("volumes");
    report.items(&list, volumes.len(), 0, bounds::VOLUMES);
    unique_names(report, &list, volumes.iter().map(|volume| &volume.name));
    for (index, volume) in volumes.iter().enumerate() {
        let at = list.index(index);
        name(report, &at.field("name"), &volume.name);
        paths::mount_path(report, &at.field("mountPath"), &volume.mount_path);
        report.check(
            volume.node_directory.is_some() != volume.image.is_some(),
            &at,
            || "exactly one of nodeDirectory and image must be set".to_owned(),
        );
        if let Some(directory) = &volume.node_directory {
            report.check(
                directory.name.len() <= bounds::NAME && names::is_word(&directory.name),
                &at.field("nodeDirectory").field("name"),
                || {
                    format!(
                        "must be a name the administrator gave (letters, digits, `.`, `_`, `-`), is {:?}",
                        directory.name
                    )
                },
            );
        }
        if let Some(image) = &volume.image {
            image_reference(
                report,
                &at.field("image").field("reference"),
                &image.reference,
            );
        }
    }
    paths::separate_mounts(report, &list, volumes);
}

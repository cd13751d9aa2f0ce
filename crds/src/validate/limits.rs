//! Ranges of limits and quantities.

use crate::bounds;
use crate::field::{Path, Report};
use crate::quantity::Quantity;
use crate::spec::Limits;

/// The limits of a run.
pub(crate) fn limits(report: &mut Report, at: &Path<'_>, limits: &Limits) {
    for (name, value) in [
        ("cpuTimeMilliseconds", limits.cpu_time_milliseconds),
        ("wallTimeMilliseconds", limits.wall_time_milliseconds),
    ] {
        report.range(&at.field(name), value, bounds::TIME_MILLISECONDS);
    }
    for (name, value, range) in [
        ("cpus", limits.cpus, bounds::CPUS),
        ("processes", limits.processes, bounds::PROCESSES),
        ("openFiles", limits.open_files, bounds::OPEN_FILES),
    ] {
        report.range(&at.field(name), value, range);
    }
    for (name, value, range) in [
        ("memory", &limits.memory, bounds::MEMORY),
        ("fileSize", &limits.file_size, bounds::FILE_SIZE),
        ("workspace", &limits.workspace, bounds::WORKSPACE),
        ("stack", &limits.stack, bounds::STACK),
        ("output", &limits.output, bounds::OUTPUT),
    ] {
        quantity(report, &at.field(name), value.as_ref(), range);
    }
}

/// The limits of a step, which has no workspace of its own.
pub(crate) fn step_limits(report: &mut Report, at: &Path<'_>, step: &Limits) {
    limits(report, at, step);
    report.check(step.workspace.is_none(), &at.field("workspace"), || {
        "must not be set here: the workspace has one size for the whole job (hint: set spec.limits.workspace)".to_owned()
    });
}

/// A size within its range; its bytes when it is one.
pub(crate) fn quantity(
    report: &mut Report,
    at: &Path<'_>,
    value: Option<&Quantity>,
    (min, max): (u64, u64),
) -> Option<u64> {
    let written = value?;
    match written.bytes() {
        Ok(bytes) if (min..=max).contains(&bytes) => Some(bytes),
        Ok(bytes) => {
            report.add(at, format!("must be {min} to {max} bytes, is {bytes}"));
            None
        }
        Err(error) => {
            report.add(at, format!("{error}, is {written}"));
            None
        }
    }
}

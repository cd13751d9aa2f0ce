//! Says what is wrong with a spec, every error with its field path.
//!
//! Covers all that the schema and the CEL rules cover, counts bytes where they count characters, and refuses the
//! fields that this version does not build, so that nothing a user writes is ignored. Operator, agent and
//! `evaljob-agent run` share it. Pure; needs no references read.

mod content;
mod limits;
mod names;
mod paths;
mod program;
mod size;
mod unbuilt;

use crate::bounds;
use crate::field::{FieldError, Path, Report};
use crate::spec::{EvalJobSpec, Output};

pub(crate) use content::{decode_base64, tolerance};

/// Everything that is wrong with `spec`, in the order of its fields; empty when it can be run.
#[must_use]
pub fn validate(spec: &EvalJobSpec) -> Vec<FieldError> {
    let mut report = Report::default();
    let root = Path::Root("spec");
    content::files(&mut report, &root, &spec.files);
    program::volumes(&mut report, &root, &spec.volumes);
    program::steps(&mut report, &root, &spec.steps);
    program::command(&mut report, &root, spec);
    program::env(&mut report, &root, &spec.env);
    content::stdin_of_the_run(&mut report, &root, spec);
    content::tests(&mut report, &root, spec);
    program::checker(&mut report, &root, spec.checker.as_ref());
    if let Some(policy) = &spec.test_policy {
        let at = root.field("testPolicy");
        report.range(
            &at.field("parallelism"),
            policy.parallelism,
            bounds::PARALLELISM,
        );
    }
    if let Some(limits) = &spec.limits {
        limits::limits(&mut report, &root.field("limits"), limits);
    }
    if let Some(sandbox) = &spec.sandbox {
        let at = root.field("sandbox");
        report.range(
            &at.field("minimumLandlockABI"),
            sandbox.minimum_landlock_abi,
            bounds::LANDLOCK_ABI,
        );
    }
    outputs(&mut report, &root, &spec.outputs);
    scheduling(&mut report, &root, spec);
    size::inline_total(&mut report, &root, spec);
    size::names_total(&mut report, &root, spec);
    unbuilt::refuse(&mut report, &root, spec);
    report.errors
}

/// When and where a job runs, and how long it is kept.
fn scheduling(report: &mut Report, root: &Path<'_>, spec: &EvalJobSpec) {
    report.range(&root.field("priority"), spec.priority, bounds::PRIORITY);
    let selector = root.field("nodeSelector");
    report.items(
        &selector,
        spec.node_selector.len(),
        0,
        bounds::NODE_SELECTOR,
    );
    for (key, value) in &spec.node_selector {
        let at = selector.key(key);
        report.check(names::is_label_name(key), &at, || {
            "must be the name of a label".to_owned()
        });
        report.check(names::is_label_value(value), &at, || {
            format!("must be the value of a label, is {value:?}")
        });
    }
    report.range(
        &root.field("infraRetryLimit"),
        spec.infra_retry_limit,
        bounds::INFRA_RETRIES,
    );
    for (name, seconds) in [
        ("maxQueueSeconds", spec.max_queue_seconds),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
    ] {
        report.range(&root.field(name), seconds, bounds::DEADLINE_SECONDS);
    }
    report.range(
        &root.field("ttlSecondsAfterFinished"),
        spec.ttl_seconds_after_finished,
        bounds::TTL_SECONDS,
    );
}

fn outputs(report: &mut Report, root: &Path<'_>, outputs: &[Output]) {
    let list = root.field("outputs");
    report.items(&list, outputs.len(), 0, bounds::OUTPUTS);
    let mut total = 0_u64;
    for (index, output) in outputs.iter().enumerate() {
        let at = list.index(index);
        let given = usize::from(output.path.is_some()) + usize::from(output.stream.is_some());
        report.check(given == 1, &at, || {
            "exactly one of path and stream must be set".to_owned()
        });
        if let Some(path) = &output.path {
            paths::workspace_path(report, &at.field("path"), path);
        }
        let size = limits::quantity(
            report,
            &at.field("maxSize"),
            output.max_size.as_ref(),
            bounds::MAX_SIZE,
        );
        total = total.saturating_add(size.unwrap_or(crate::job::OUTPUT_MAX_SIZE));
    }
    report.check(total <= bounds::OUTPUT_TOTAL, &list, || {
        format!(
            "maxSize of all outputs together must be at most {} bytes, is {total}",
            bounds::OUTPUT_TOTAL
        )
    });
}

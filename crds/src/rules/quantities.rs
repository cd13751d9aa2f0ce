//! The form and the range of sizes, which may be integers or text.

use super::Rule;
use crate::bounds;

/// Every place where limits may stand.
const LIMITS: [&str; 4] = [
    "spec.limits",
    "spec.steps[].limits",
    "spec.checker.program.limits",
    "spec.checker.program.steps[].limits",
];

pub(super) fn rules() -> Vec<Rule> {
    let limits = [
        ("memory-range", "memory", bounds::MEMORY),
        ("file-size-range", "fileSize", bounds::FILE_SIZE),
        ("workspace-range", "workspace", bounds::WORKSPACE),
        ("stack-range", "stack", bounds::STACK),
        ("output-range", "output", bounds::OUTPUT),
    ];
    let mut rules = vec![quantity_form()];
    rules.extend(
        limits
            .into_iter()
            .map(|(name, field, bounds)| range(name, places(field), bounds)),
    );
    rules.push(range(
        "max-size-range",
        vec!["spec.outputs[].maxSize"],
        bounds::MAX_SIZE,
    ));
    rules
}

/// The schema nodes of a limit.
fn places(field: &str) -> Vec<&'static str> {
    QUANTITIES
        .iter()
        .copied()
        .filter(|place| {
            place
                .strip_suffix(field)
                .and_then(|owner| owner.strip_suffix('.'))
                .is_some_and(|owner| LIMITS.contains(&owner))
        })
        .collect()
}

/// Every quantity of the spec.
const QUANTITIES: [&str; 21] = [
    "spec.limits.memory",
    "spec.limits.fileSize",
    "spec.limits.workspace",
    "spec.limits.stack",
    "spec.limits.output",
    "spec.steps[].limits.memory",
    "spec.steps[].limits.fileSize",
    "spec.steps[].limits.workspace",
    "spec.steps[].limits.stack",
    "spec.steps[].limits.output",
    "spec.checker.program.limits.memory",
    "spec.checker.program.limits.fileSize",
    "spec.checker.program.limits.workspace",
    "spec.checker.program.limits.stack",
    "spec.checker.program.limits.output",
    "spec.checker.program.steps[].limits.memory",
    "spec.checker.program.steps[].limits.fileSize",
    "spec.checker.program.steps[].limits.workspace",
    "spec.checker.program.steps[].limits.stack",
    "spec.checker.program.steps[].limits.output",
    "spec.outputs[].maxSize",
];

fn quantity_form() -> Rule {
    Rule::new(
        "quantity-form",
        &QUANTITIES,
        r"type(self) == int ? self >= 0 : self.matches('^([0-9]+|[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P))$')",
        "must be a whole number of bytes: an integer, or text such as 256Mi, 1.5Gi or 2G (suffixes Ki Mi Gi Ti Pi k M G T P)",
    )
}

fn range(name: &'static str, at: Vec<&'static str>, (min, max): (u64, u64)) -> Rule {
    Rule {
        at,
        ..Rule::new(
            name,
            &[],
            format!(
                "type(self) == int ? self >= {min} && self <= {max} : !isQuantity(self) || (quantity(self).compareTo(quantity('{min}')) >= 0 && quantity(self).compareTo(quantity('{max}')) <= 0)"
            ),
            format!("must be {min} to {max} bytes"),
        )
    }
}

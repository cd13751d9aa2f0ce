//! The spec does not change after creation, with four exceptions.
//!
//! The rule is made from the fields of the schema, so a new field is covered by being there.

use super::Rule;

/// Fields that have rules of their own, or none.
const MUTABLE: [&str; 4] = [
    "suspend",
    "cancel",
    "ttlSecondsAfterFinished",
    "nodeSelector",
];

/// Lists that the API server compares as maps, but whose order is part of what is judged.
const ORDERED: [&str; 2] = ["steps", "tests"];

pub(super) fn rules(fields: &[(String, bool)]) -> Vec<Rule> {
    let each = fields
        .iter()
        .filter(|(name, _)| !MUTABLE.contains(&name.as_str()))
        .map(|(name, required)| unchanged("", name, *required))
        .collect::<Vec<_>>()
        .join(" && ");
    let orders = ORDERED
        .map(|name| format!("(!has(self.{name}) || {})", same_order("", name)))
        .join(" && ");
    // Nearly every update writes a status and leaves the spec alone: the whole is compared first, which is far cheaper.
    let rule = format!("self == oldSelf && {orders} || {each}");
    let message = "is immutable but for suspend, cancel, ttlSecondsAfterFinished, and nodeSelector while suspended and never dispatched (hint: delete the job or create another one)";
    vec![
        Rule::new("spec-immutable", &["spec"], rule, message),
        Rule::new(
            "node-selector-immutable",
            &[""],
            format!(
                "{} || (has(oldSelf.spec.suspend) && oldSelf.spec.suspend && !(has(oldSelf.status) && has(oldSelf.status.attempt)))",
                unchanged(".spec", "nodeSelector", false)
            ),
            "may change only while the job is suspended and was never dispatched",
        )
        .on(".spec.nodeSelector"),
        Rule::new(
            "cancel-one-way",
            &["spec"],
            "!(has(oldSelf.cancel) && oldSelf.cancel) || (has(self.cancel) && self.cancel)",
            "cannot be set back once it is true",
        )
        .on(".cancel"),
    ]
}

/// Neither added, removed, changed nor, where it matters, put in another order.
fn unchanged(at: &str, name: &str, required: bool) -> String {
    let (new, old) = (format!("self{at}.{name}"), format!("oldSelf{at}.{name}"));
    let mut equal = format!("{new} == {old}");
    if ORDERED.contains(&name) {
        equal = format!("{equal} && {}", same_order(at, name));
    }
    if required {
        return format!("({equal})");
    }
    // Each field is named as seldom as can be where neither has it.
    format!("(has({new}) ? has({old}) && ({equal}) : !has({old}))")
}

fn same_order(at: &str, name: &str) -> String {
    format!("self{at}.{name}.map(i, i.name) == oldSelf{at}.{name}.map(i, i.name)")
}

//! The spec does not change after creation, with four exceptions.
//!
//! The rule is made from the fields of the schema, so a new field is covered by being there.

use super::Rule;

/// Fields that may change; what of them may not is said apart.
const MUTABLE: [&str; 4] = [
    "suspend",
    "cancel",
    "ttlSecondsAfterFinished",
    "nodeSelector",
];

/// Lists that the API server compares as maps, but whose order is part of what is judged; below spec, with what they are
/// in where that may be absent.
const ORDERED: [&[&str]; 3] = [
    &["steps"],
    &["tests"],
    &["checker", "checker.program", "checker.program.steps"],
];

/// The API server takes the spec of a write of the status, and the status of a write of the spec, from what is stored
/// (Kubernetes documentation, Custom Resources, Status subresource): where the status differs, the spec cannot. Nearly
/// every write is one of a status; that it differs is seen at once, while to compare two specs costs the API server more
/// than all else it evaluates. The schema's default makes sure that there is a status.
const STATUS_WRITE: &str = "self.status != oldSelf.status";

pub(super) fn rules(fields: &[(String, bool)]) -> Vec<Rule> {
    let each = fields
        .iter()
        .filter(|(name, _)| !MUTABLE.contains(&name.as_str()))
        .map(|(name, required)| unchanged(name, *required))
        .collect::<Vec<_>>()
        .join(" && ");
    let orders = ORDERED.map(same_order).join(" && ");
    let cancel_stays =
        "(has(self.spec.cancel) || !has(oldSelf.spec.cancel) || !oldSelf.spec.cancel)";
    let selector = format!(
        "({} || has(oldSelf.spec.suspend) && oldSelf.spec.suspend && !has(oldSelf.status.attempt))",
        unchanged("nodeSelector", false)
    );
    vec![
        Rule::new(
            "spec-immutable",
            &[""],
            format!(
                "{STATUS_WRITE} || (self.spec == oldSelf.spec || {each} && {cancel_stays} && {selector}) && {orders}"
            ),
            "is immutable but for suspend, cancel (never taken back), ttlSecondsAfterFinished, and nodeSelector while suspended and never dispatched (hint: delete the job or create another one)",
        )
        .on(".spec"),
        Rule::new(
            "cancel-one-way",
            &["spec.cancel"],
            "self || !oldSelf",
            "cannot be set back once it is true",
        ),
    ]
}

/// Neither added, removed nor changed.
fn unchanged(name: &str, required: bool) -> String {
    let (new, old) = (format!("self.spec.{name}"), format!("oldSelf.spec.{name}"));
    let equal = format!("{new} == {old}");
    if required {
        return format!("({equal})");
    }
    format!("(has({new}) ? has({old}) && ({equal}) : !has({old}))")
}

/// Of lists that are equal as maps.
fn same_order(path: &[&str]) -> String {
    let absent: String = path
        .iter()
        .map(|place| format!("!has(self.spec.{place}) || "))
        .collect();
    let list = path.last().copied().unwrap_or_default();
    format!("({absent}self.spec.{list}.map(i, i.name) == oldSelf.spec.{list}.map(i, i.name))")
}

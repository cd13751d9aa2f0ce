//! What no writer of the status may do, whoever it is.
//!
//! A write that leaves the status out is one of the schema's default, so these rules see it, too.

use super::Rule;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::new(
            "status-final",
            &["status"],
            "!has(oldSelf.verdict) || self == oldSelf",
            "is final: a status with a verdict never changes",
        ),
        Rule::new(
            "verdict-finished",
            &["status"],
            "has(self.verdict) ? has(self.conditions) && self.conditions.exists(c, c.type == 'Finished' && c.status == 'True' && c.reason == self.verdict) : !has(self.conditions) || !self.conditions.exists(c, c.type == 'Finished' && c.status == 'True')",
            "a verdict and the condition Finished=True, with the verdict as its reason, come together",
        )
        .on(".verdict"),
        Rule::new(
            "attempt-never-falls",
            &["status"],
            "!has(oldSelf.attempt) || (has(self.attempt) && self.attempt >= oldSelf.attempt)",
            "never falls",
        )
        .on(".attempt"),
    ]
}

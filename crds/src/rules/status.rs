//! What no writer of the status may do, whoever it is.
//!
//! At the root: a rule placed on `status` is not evaluated when a write leaves the status out.

use super::Rule;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::new(
            "status-final",
            &[""],
            "!(has(oldSelf.status) && has(oldSelf.status.verdict)) || (has(self.status) && self.status == oldSelf.status)",
            "is final: a status with a verdict never changes",
        )
        .on(".status"),
        Rule::new(
            "verdict-finished",
            &[""],
            "!has(self.status) || (has(self.status.verdict) ? has(self.status.conditions) && self.status.conditions.exists(c, c.type == 'Finished' && c.status == 'True' && c.reason == self.status.verdict) : !has(self.status.conditions) || !self.status.conditions.exists(c, c.type == 'Finished' && c.status == 'True'))",
            "a verdict and the condition Finished=True, with the verdict as its reason, come together",
        )
        .on(".status.verdict"),
        Rule::new(
            "attempt-never-falls",
            &[""],
            "!(has(oldSelf.status) && has(oldSelf.status.attempt)) || (has(self.status) && has(self.status.attempt) && self.status.attempt >= oldSelf.status.attempt)",
            "never falls",
        )
        .on(".status.attempt"),
    ]
}

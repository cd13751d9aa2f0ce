//! What is reported for a run: the judge's status, or the agent's own words where no judge saw it.
//!
//! In: a status, or the reason why there is none. Out: the bytes that travel, the verdict for counting, and whether
//! the failure is the machine's. Times and node are added by the operator. Pure.

use evaljob_crds::{EvalJobStatus, FieldError, Verdict};

/// Longest message of a status, in bytes (api.md).
const MESSAGE: usize = 1024;

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The verdict, for counting and logs.
    pub verdict: Verdict,
    /// `EvalJobStatus` as JSON.
    pub status: Vec<u8>,
    /// Given back by an agent that shuts down.
    pub returned: bool,
}

impl Outcome {
    /// What a judge said.
    pub fn judged(status: &EvalJobStatus) -> Self {
        let verdict = status.verdict().filter(|_| status.is_final());
        match (verdict, serde_json::to_vec(status)) {
            (Some(verdict), Ok(status)) => Self {
                verdict,
                status,
                returned: false,
            },
            // A fault of this program, not of the job: another attempt may meet another version.
            _ => Self::infrastructure("the run ended without a verdict"),
        }
    }

    /// The spec cannot be run as written.
    pub fn invalid(errors: &[FieldError]) -> Self {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Self::own(Verdict::InvalidSpec, &lines.join("; "))
    }

    /// Ended before it was started.
    pub fn unstarted(verdict: Verdict) -> Self {
        let message = match verdict {
            Verdict::DeadlineExceeded => "the deadline was over before it was started",
            _ => "cancelled before it was started",
        };
        Self::own(verdict, message)
    }

    /// The machine failed.
    pub fn infrastructure(message: &str) -> Self {
        Self::own(Verdict::InfrastructureError, message)
    }

    /// The agent ends before the run has.
    pub fn returned() -> Self {
        let message = "the node's agent was shut down before the run had ended";
        Self {
            returned: true,
            ..Self::infrastructure(message)
        }
    }

    /// Whether the attempt failed for a reason that is not the program's.
    pub fn is_infrastructure(&self) -> bool {
        self.verdict == Verdict::InfrastructureError
    }

    fn own(verdict: Verdict, message: &str) -> Self {
        let status = EvalJobStatus {
            verdict: Some(verdict.into()),
            message: Some(message[..message.floor_char_boundary(MESSAGE)].to_owned()),
            ..EvalJobStatus::default()
        };
        Self {
            verdict,
            status: serde_json::to_vec(&status).unwrap_or_default(),
            returned: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(outcome: &Outcome) -> EvalJobStatus {
        serde_json::from_slice(&outcome.status).unwrap()
    }

    #[test]
    fn an_invalid_spec_is_told_with_every_field_within_the_bound_of_a_message() {
        let error = |path: &str| FieldError {
            path: path.to_owned(),
            message: "must not be ü".to_owned(),
        };
        let outcome = Outcome::invalid(&[error("spec.a"), error("spec.b")]);
        let status = status(&outcome);
        assert_eq!(status.verdict(), Some(Verdict::InvalidSpec));
        assert_eq!(
            status.message.unwrap(),
            "spec.a: must not be ü; spec.b: must not be ü"
        );
        assert!(!outcome.is_infrastructure());
        let many: Vec<_> = (0..1000).map(|_| error("spec.tests")).collect();
        let message = self::status(&Outcome::invalid(&many)).message.unwrap();
        assert!((1020..=1024).contains(&message.len()), "{}", message.len());
    }

    #[test]
    fn a_judges_status_without_a_verdict_is_the_machines_failure() {
        let judged = EvalJobStatus {
            verdict: Some(Verdict::Accepted.into()),
            ..EvalJobStatus::default()
        };
        assert_eq!(Outcome::judged(&judged).verdict, Verdict::Accepted);
        assert!(Outcome::judged(&EvalJobStatus::default()).is_infrastructure());
    }
}

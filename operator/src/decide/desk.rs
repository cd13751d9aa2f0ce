//! Where a job's writing stands: one write under way, at most one behind it. Pure.

use std::sync::Arc;
use std::time::Duration;

use evaljob_crds::EvalJobStatus;

use super::job::Recorded;
use super::writing::WriteKind;

/// A status to be written.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) kind: WriteKind,
    pub(super) status: Arc<EvalJobStatus>,
    /// What can be left out was left out.
    pub(super) trimmed: bool,
    /// It is the least that can be said.
    pub(super) minimal: bool,
}

impl Draft {
    /// The same with the numbers that the stored status has by now, where those are higher: a write of an operator
    /// that died came late. Nothing was sent under such a number, so what is to be said still holds.
    pub(super) fn raised(&self, recorded: &Recorded) -> Option<Self> {
        let attempt = i32::try_from(recorded.attempt).ok()?;
        let failures = i32::try_from(recorded.infra_failures).ok()?;
        if self.status.attempt.unwrap_or(0) >= attempt {
            return None;
        }
        let mut status = EvalJobStatus::clone(&self.status);
        status.attempt = Some(attempt);
        status.infrastructure_failures = status.infrastructure_failures.max(Some(failures));
        Some(Self {
            status: Arc::new(status),
            ..self.clone()
        })
    }
}

/// Where a job's writing stands.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) stage: Option<Stage>,
    /// Comes after the stage's.
    pub(super) next: Option<Draft>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Sent, not answered.
    Writing { id: u64, draft: Draft, tries: u32 },
    /// Refused; the job is being read.
    Reading {
        id: u64,
        draft: Draft,
        words: String,
        tries: u32,
    },
    /// Waits for the next try; with words: of the read.
    Resting {
        until: Duration,
        draft: Draft,
        words: Option<String>,
        tries: u32,
    },
}

impl Desk {
    /// When the next try is due.
    pub(super) fn due(&self) -> Option<Duration> {
        match &self.stage {
            Some(Stage::Resting { until, .. }) => Some(*until),
            _ => None,
        }
    }

    /// Whether a verdict is on its way.
    pub(super) fn writes_verdict(&self) -> bool {
        matches!(&self.stage, Some(Stage::Writing { draft, .. }) if draft.kind == WriteKind::Final)
    }

    pub(super) fn take_writing(&mut self, id: u64) -> Option<(Draft, u32)> {
        match self.stage.take() {
            Some(Stage::Writing {
                id: current,
                draft,
                tries,
            }) if current == id => Some((draft, tries)),
            other => {
                self.stage = other;
                None
            }
        }
    }

    pub(super) fn take_reading(&mut self, id: u64) -> Option<(Draft, String, u32)> {
        match self.stage.take() {
            Some(Stage::Reading {
                id: current,
                draft,
                words,
                tries,
            }) if current == id => Some((draft, words, tries)),
            other => {
                self.stage = other;
                None
            }
        }
    }
}

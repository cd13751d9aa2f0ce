//! The anonymous memory of a run, of which the kernel keeps no peak.
//!
//! In: looks at the run's cgroup, soon after go and then ever more seldom, so that a short run is seen and a long one
//! is not disturbed; one more when a limit ends the run. Out: the highest that was seen. A figure and no limit: what
//! comes and goes between two looks is not seen, and what cannot be read is not told.

use std::time::{Duration, Instant};

use crate::cgroup::RunCgroup;

/// From go to the first look; each next pause is twice the last one.
const FIRST: Duration = Duration::from_millis(2);
/// The longest pause.
const LONGEST: Duration = Duration::from_millis(64);

/// What has been seen.
#[derive(Debug, Default)]
pub(crate) struct Anonymous {
    highest: Option<u64>,
    /// When to look again, and the pause before it; not before go.
    next: Option<(Instant, Duration)>,
}

impl Anonymous {
    /// The run has begun.
    pub(crate) fn begin(&mut self) {
        self.next = Some((Instant::now() + FIRST, FIRST));
    }

    /// How long until the next look.
    pub(crate) fn pause(&self) -> Duration {
        self.next.map_or(Duration::MAX, |(next, _)| {
            next.saturating_duration_since(Instant::now())
        })
    }

    /// Looks, if the run has begun.
    pub(crate) fn look(&mut self, cgroup: &RunCgroup<'_>) {
        let Some((_, pause)) = self.next else {
            return;
        };
        self.highest = self.highest.max(cgroup.anonymous_memory().ok());
        let pause = (2 * pause).min(LONGEST);
        self.next = Some((Instant::now() + pause, pause));
    }

    /// The highest of all looks, in bytes.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.highest
    }
}

//! How long to wait before dialling again.
//!
//! In: that a dial failed, and a random number. Out: a time that doubles from one failure to the next up to a cap,
//! with half of it left to chance, so that agents that lost the same operator do not come back at once. Pure.

use std::time::Duration;

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    base: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `base`.
    pub(super) fn new(base: Duration) -> Self {
        Self { base, failures: 0 }
    }

    /// A dial succeeded.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait, at most `cap` and at least half of what it would be without chance.
    pub(super) fn next(&mut self, cap: Duration, random: u64) -> Duration {
        let doubled = self.base.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let half = doubled.min(cap) / 2;
        let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(random % nanos.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_secs(3);

    #[test]
    fn waits_double_up_to_the_cap_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100));
        let floors: Vec<u128> = (0..8).map(|_| backoff.next(CAP, 0).as_millis()).collect();
        assert_eq!(floors, [50, 100, 200, 400, 800, 1500, 1500, 1500]);
        backoff.reset();
        assert_eq!(backoff.next(CAP, 0), Duration::from_millis(50));
    }

    #[test]
    fn half_of_a_wait_is_chance() {
        for random in [0, 1, 49_999_999, 50_000_000, u64::MAX] {
            let wait = Backoff::new(Duration::from_millis(100)).next(CAP, random);
            assert!(wait >= Duration::from_millis(50), "{wait:?}");
            assert!(wait < Duration::from_millis(100), "{wait:?}");
        }
        let low = Backoff::new(Duration::from_millis(100)).next(CAP, 0);
        let high = Backoff::new(Duration::from_millis(100)).next(CAP, 49_999_999);
        assert!(high > low);
    }

    #[test]
    fn any_number_of_failures_is_survived() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        for _ in 0..100 {
            assert!(backoff.next(CAP, u64::MAX) <= CAP);
        }
    }
}

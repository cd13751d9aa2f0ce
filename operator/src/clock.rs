//! Time: one monotonic clock for every duration, and the API server's clock for every time stamp.
//!
//! In: the `Date` header of the API server's answers. Out: [`Now`], which decisions take as an argument. A node
//! whose own clock is wrong by minutes therefore neither deletes results early nor lets jobs wait too long. The
//! header has whole seconds: the estimate is late by at most one, and gets better with each answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// What the monotonic clock shows when a process starts. A job may be older than the process, and its waits count from
/// its creation: that moment must have a place on the clock, or each restart would give the job its whole time again.
pub const BEFORE_START: Duration = Duration::from_secs(10 * 366 * 86_400);

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time, [`BEFORE_START`] at the start of this process; all waits are measured on it.
    pub mono: Duration,
    /// The API server's clock, as well as it is known; all time stamps are of it.
    pub wall: Timestamp,
}

impl Now {
    /// The time stamp of a moment `age` ago.
    #[must_use]
    pub fn before(&self, age: Duration) -> Timestamp {
        before(self.wall, age)
    }

    /// When the API server's clock reaches `moment`, on the monotonic clock; zero for one before the clock's zero.
    #[must_use]
    pub fn mono_at(&self, moment: Timestamp) -> Duration {
        let ahead = moment.duration_since(self.wall);
        let reached = SignedDuration::try_from(self.mono)
            .unwrap_or(SignedDuration::MAX)
            .saturating_add(ahead);
        Duration::try_from(reached).unwrap_or(Duration::ZERO)
    }
}

/// `moment` less a duration, kept within what a time stamp can hold.
#[must_use]
pub fn before(moment: Timestamp, age: Duration) -> Timestamp {
    let micros = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(moment.as_microsecond().saturating_sub(micros)).unwrap_or(moment)
}

/// The process's clock. Clones share the estimate.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
    /// Unix time in milliseconds at `start` by the machine's own clock.
    own_origin: i64,
    /// The same by the API server's clock; [`UNSEEN`] until its first answer.
    server_origin: Arc<AtomicI64>,
}

/// No answer of the API server was seen yet.
const UNSEEN: i64 = i64::MIN;
/// A server clock that falls back by more than this has been set, and is believed at once.
const STEP_BACK_MILLIS: i64 = 1_500;

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that starts now, at the machine's own time until an answer of the API server is seen.
    #[must_use]
    pub fn new() -> Self {
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            own_origin: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX),
            server_origin: Arc::new(AtomicI64::new(UNSEEN)),
        }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Now {
        let elapsed = self.start.elapsed();
        let origin = match self.server_origin.load(Ordering::Relaxed) {
            UNSEEN => self.own_origin,
            origin => origin,
        };
        let micros = origin
            .saturating_mul(1_000)
            .saturating_add(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX));
        Now {
            mono: BEFORE_START + elapsed,
            wall: Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// Takes in a `Date` header (RFC 9110) of an answer that has just arrived.
    pub fn observe(&self, date: &str) {
        let Some(seconds) = http_date(date) else {
            return;
        };
        let elapsed = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        let seen = seconds.saturating_mul(1_000).saturating_sub(elapsed);
        let known = self.server_origin.load(Ordering::Relaxed);
        self.server_origin
            .store(estimate(known, seen), Ordering::Relaxed);
    }
}

/// The better of two estimates of the clock's origin. A header is cut to whole seconds and travels, so it is
/// never ahead of the server's clock: the largest value is the nearest.
fn estimate(known: i64, seen: i64) -> i64 {
    if seen > known || known.saturating_sub(seen) > STEP_BACK_MILLIS {
        seen
    } else {
        known
    }
}

/// Seconds since 1970 of an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT`, the only form servers send.
fn http_date(text: &str) -> Option<i64> {
    k8s_openapi::jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
        .map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_takes_the_nearest_header_and_follows_a_clock_that_was_set() {
        let rows = [
            ("the first answer is taken", UNSEEN, 5_000, 5_000),
            ("a later second is nearer", 5_000, 5_900, 5_900),
            (
                "an earlier one is only older by its cut",
                5_900,
                5_100,
                5_900,
            ),
            ("a clock set back is followed", 5_900, 1_000, 1_000),
        ];
        for (row, known, seen, expected) in rows {
            assert_eq!(estimate(known, seen), expected, "{row}");
        }
    }

    #[test]
    fn a_machine_two_minutes_off_stamps_with_the_servers_time() {
        let clock = Clock::new();
        let wrong = clock.now().wall;
        assert!(wrong > Timestamp::UNIX_EPOCH, "own time before any answer");
        clock.observe("Sun, 06 Nov 1994 08:49:37 GMT");
        let drift = clock.now().wall.as_second() - 784_111_777;
        assert!((0..=5).contains(&drift), "{drift}");
        clock.observe("no date at all");
        assert!(clock.now().wall.as_second() - 784_111_777 <= 5);
    }

    #[test]
    fn a_moment_long_before_the_process_has_its_place_on_the_monotonic_clock() {
        let now = Clock::new().now();
        let week = Duration::from_secs(7 * 86_400);
        assert_eq!(now.mono_at(now.before(week)) + week, now.mono);
    }

    #[test]
    fn a_moment_is_found_on_the_monotonic_clock() {
        let now = Now {
            mono: Duration::from_secs(100),
            wall: Timestamp::from_second(1_000).unwrap(),
        };
        assert_eq!(
            now.mono_at(Timestamp::from_second(1_005).unwrap()),
            Duration::from_secs(105)
        );
        assert_eq!(
            now.mono_at(Timestamp::from_second(990).unwrap()),
            Duration::from_secs(90)
        );
        assert_eq!(
            now.mono_at(Timestamp::from_second(1).unwrap()),
            Duration::ZERO
        );
        assert_eq!(now.before(Duration::from_secs(3)).as_second(), 997);
    }
}

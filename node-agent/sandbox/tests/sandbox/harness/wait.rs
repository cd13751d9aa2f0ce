//! Waiting for a condition, with a deadline and a name; never for a time.

use std::time::{Duration, Instant};

/// Longest wait for something that must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `holds` gives a value.
pub(crate) fn until<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = holds() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        // The pause between two looks; the condition alone decides.
        std::thread::sleep(Duration::from_millis(2));
    }
}

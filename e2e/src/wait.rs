//! Waiting for a condition, never for a time.
//!
//! In: a description, a deadline and a probe. Out: the probe's value, or an error that says what was
//! waited for and what was seen last. It never asserts how long something took: a deadline only
//! bounds a test that would hang.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What a probe saw.
#[derive(Debug)]
pub enum Seen<T> {
    /// The condition holds.
    Yes(T),
    /// It does not hold yet; the text says what holds instead.
    NotYet(String),
}

impl<T> Seen<T> {
    /// `Yes` for a value, else `NotYet` with what was there.
    pub fn some(value: Option<T>, instead: impl Display) -> Self {
        value.map_or_else(|| Self::NotYet(instead.to_string()), Self::Yes)
    }
}

/// Probes until the condition holds.
///
/// # Errors
/// The deadline passed (the message holds `what` and what was seen last), or the probe failed.
pub async fn until<T, F>(what: &str, deadline: Duration, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Seen<T>>>,
{
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let seen = match probe().await? {
            Seen::Yes(value) => return Ok(value),
            Seen::NotYet(seen) => seen,
        };
        if start.elapsed() > deadline {
            bail!(
                "waited {} s for {what}; last seen: {seen}",
                deadline.as_secs()
            );
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_millis(100));
    }
}

//! What tests of the agent's link need: an operator that does what a test says, a machine without a sandbox, and an
//! agent between them, in this process.

pub(crate) mod agent;
pub(crate) mod machine;
pub(crate) mod operator;
pub(crate) mod proxy;

use std::time::Duration;

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a future that must complete.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

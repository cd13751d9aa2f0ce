//! `evaljob-agent serve` against an operator that does what each test says: real TLS, real streams.
//!
//! All files but `process` have a machine without a sandbox, in this process. `process` starts the binary with the
//! real one; it needs root, as the agent does, and fails where it is missing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod credentials;
mod health;
mod leaders;
mod process;
mod runs;
mod shutdown;
mod support;

//! The shells of the operator against real clients and a mocked API server; one file a shell.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is not as it should be"
)]

mod dialled;
mod lease;
mod loader;
mod mock;
mod status_writer;
mod streams;
mod ttl;

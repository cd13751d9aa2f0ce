//! The core of the operator, driven without a cluster: a model of the world, scenes in it, and random deaths.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is not as it should be"
)]

mod cordons;
mod deaths;
mod scenes;
mod schema;
mod stops;
mod world;

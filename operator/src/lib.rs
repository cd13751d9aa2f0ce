//! The operator of EvalJob: watches jobs, sends them to node agents, stores one status each.
//!
//! ```text
//! API server ──watch──▶ controller ─┐                        ┌─▶ status_writer ──patch──▶ API server
//!   its schema ───▶ schema ──────┤                        │
//!        Lease ◀──────▶ lease ──────┤  events      steps     ├─▶ agents ──gRPC──▶ node agents
//! node agents ──gRPC──▶ agents ─────┴─▶ engine(decide) ──────┼─▶ loader (specs, ConfigMaps)
//!                                                            └─▶ ttl (deletes what has lived long enough)
//! ```
//!
//! `decide`, `placement`, `fair_share`, `status` and the pure parts of the others decide; the rest carries out.

pub mod agents;
pub mod client;
pub mod clock;
pub mod controller;
pub mod decide;
pub mod engine;
pub mod fair_share;
pub mod gate;
pub mod lease;
pub mod loader;
pub mod metrics;
pub mod names;
pub mod operator;
pub mod options;
pub mod placement;
pub mod schema;
pub mod selftest;
pub mod status;
pub mod status_writer;
pub mod tls;
pub mod ttl;
pub mod warnings;

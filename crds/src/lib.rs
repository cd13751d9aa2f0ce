//! The EvalJob API.

pub mod job;

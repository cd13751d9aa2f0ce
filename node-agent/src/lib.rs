//! Node agent of EvalJob: judges jobs in the sandbox.
//!
//! In: a validated job and a sandbox slot. Out: a status. Decisions (checkers, verdicts, score,
//! report) are pure functions; `judge` drives a slot through one job. Nothing here talks to Kubernetes.

pub mod checker;
pub mod doctor;
pub mod executor;
pub mod identity;
pub mod judge;
pub mod kernel_names;
pub mod lanes;
pub mod link;
pub mod plans;
pub mod report;
pub mod results;
pub mod run;
pub mod score;
pub mod serve;
pub mod stream;
pub mod verdict;
pub mod visible;

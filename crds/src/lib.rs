//! The EvalJob API: the types every part shares, and what can be said about them without running anything.
//!
//! In: manifests. Out: [`EvalJob`] and its parts, the CustomResourceDefinition, validation with field paths, the
//! job with every default applied ([`job::Job`]), and the messages between operator and agents ([`wire`]). No
//! I/O, no clock, no Kubernetes client.

pub mod bounds;
mod deadline;
mod field;
pub mod inputs;
pub mod job;
pub mod manifest;
pub mod patterns;
pub mod quantity;
pub mod rules;
mod schema;
pub mod spec;
pub mod status;
mod validate;
pub mod wire;

pub use deadline::{active_deadline, infra_retry_limit, max_queue};
pub use field::FieldError;
pub use inputs::{Inputs, references};

pub use schema::{Missing, all_rules, crd, crd_yaml, missing, schema, schema_with};
pub use spec::{EvalJob, EvalJobSpec};
pub use status::{
    Condition, ConditionStatus, ConditionType, EvalJobStatus, Reason, Verdict, VerdictClass,
};
pub use validate::validate;

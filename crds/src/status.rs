//! What became of a job: the status, its verdicts, its conditions and their reasons.
//!
//! Written by the operator alone, once for a short job. Fields are plain strings in the schema (no enum, no
//! pattern), so that an older CRD never refuses a newer agent; the names in use are the enums and constants
//! below. Lists are atomic but for conditions.

mod enforcement;
mod names;
mod results;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use enforcement::{Denial, Enforcement, LandlockEnforcement, SeccompEnforcement};
pub use names::{
    ConditionStatus, ConditionType, Reason, SKIPPED, UnknownName, Verdict, VerdictClass,
};
pub use results::{CollectedOutput, RunResult, Stream, Summary, Usage};

/// What became of the job. A status with a verdict never changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvalJobStatus {
    /// How the job ended; absent until it has. The program's: Accepted, Completed, WrongAnswer, CompileError,
    /// RuntimeError, TimeLimitExceeded, IdleLimitExceeded, MemoryLimitExceeded, OutputLimitExceeded,
    /// DiskLimitExceeded, ProcessLimitExceeded, SandboxViolation. Not the program's: InvalidSpec, JudgeError,
    /// InfrastructureError, DeadlineExceeded, Cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub verdict: Option<String>,

    /// What happened, in one line; what a person reads first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,

    /// The tests in figures; absent without tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,

    /// The maximum of each figure over the tests, or the single run's; steps do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,

    /// Results of the steps that were started, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub steps: Vec<RunResult>,

    /// Result of the single run; only without tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunResult>,

    /// Tests that were not accepted, in order, the first 16; summary.pattern tells about all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tests: Vec<RunResult>,

    /// What was collected, in the order of spec.outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub outputs: Vec<CollectedOutput>,

    /// What the sandbox denied so that the run ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub denials: Vec<Denial>,

    /// What was enforced, as read back from the kernel before the program started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enforcement: Option<Enforcement>,

    /// The image that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageStatus>,

    /// Node of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub node_name: Option<String>,

    /// Version of the agent that the verdict is from; absent where the operator ended the job itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub agent_version: Option<String>,

    /// Number of the last attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,

    /// Attempts that failed for a reason that is not the program's; compared with spec.infraRetryLimit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure_failures: Option<i32>,

    /// When the job was queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_time: Option<MicroTime>,

    /// When the last attempt was sent to its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatched_time: Option<MicroTime>,

    /// When the last attempt started on its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<MicroTime>,

    /// When the job ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<MicroTime>,

    /// Admitted, Sandboxed, Finished and Succeeded. Finished always ends True, with the verdict as its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}

/// The image that was used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus {
    /// Reference as asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reference: Option<String>,

    /// Digest of the manifest it led to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub digest: Option<String>,
}

/// One aspect of the job's state, with the meaning Kubernetes gives to conditions. It has no observedGeneration,
/// because the judged spec cannot change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Admitted, Sandboxed, Finished or Succeeded.
    #[serde(rename = "type")]
    #[schemars(length(max = 64))]
    pub type_: String,

    /// True, False or Unknown.
    #[schemars(length(max = 16))]
    pub status: String,

    /// Why, in one CamelCase word; never empty.
    #[schemars(length(max = 128))]
    pub reason: String,

    /// Why, in a sentence.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub message: String,

    /// When status last changed.
    pub last_transition_time: Time,
}

impl EvalJobStatus {
    /// The verdict, if the status has one this build knows.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict.as_deref()?.parse().ok()
    }

    /// Whether the status is final. Any verdict makes it so, known to this build or not.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.verdict.is_some()
    }

    /// The condition of that type.
    #[must_use]
    pub fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.type_ == type_.as_str())
    }
}

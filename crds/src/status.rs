//! What became of a job: the status, its verdicts, its conditions and their reasons.
//!
//! Written by the operator alone, once for a short job. Fields are plain strings in the schema (no enum, no
//! pattern), so that an older CRD never refuses a newer agent; the names in use are the enums and constants
//! below. Lists are atomic but for conditions.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The tests in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Tests of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i32>,

    /// Tests that were accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<i32>,

    /// Tests that were run and not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,

    /// Tests that were not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<i32>,

    /// Passed of total, such as 17/40.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub passed_text: Option<String>,

    /// Weight of the accepted tests, of 100, rounded down; a group counts only if all its tests pass. Absent when
    /// the end is not the program's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i32>,

    /// One letter per test, in order: A accepted, C completed, W wrong answer, R runtime error, T time, I idle, M
    /// memory, O output, D disk, P processes, V violation, s skipped, j judge error, x infrastructure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub pattern: Option<String>,
}

/// What runs used. A figure the kernel does not tell is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// User and system time of all processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_time_milliseconds: Option<i64>,

    /// Monotonic time from the start of the program to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_time_milliseconds: Option<i64>,

    /// Highest memory, as a quantity in Ki.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub memory_peak: Option<String>,

    /// Anonymous memory, as a quantity in Ki.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub memory_anon: Option<String>,

    /// Time the run was held back by its CPU limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_milliseconds: Option<i64>,

    /// Involuntary context switches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub involuntary_switches: Option<i64>,
}

/// Result of a step, a test or the single run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// Name of the step or test; absent for the single run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,

    /// Group of the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub group: Option<String>,

    /// How it ended, by the names of status.verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub verdict: Option<String>,

    /// What happened, in one line; for a wrong answer the first difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,

    /// First line of the checker program's standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub checker_message: Option<String>,

    /// Exit status; absent when a signal ended the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,

    /// Name of the signal that ended the program, such as SIGSEGV.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub signal: Option<String>,

    /// What it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,

    /// Its standard output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Stream>,

    /// Its standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Stream>,
}

/// What a program wrote: beginning, end, size and digest. Newline, tab and printable text stand as they are, any
/// other byte as `\xNN`, any other code point as `\u{N}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    /// The first 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16_384))]
    pub text: Option<String>,

    /// The last 4 KiB, where truncated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16_384))]
    pub tail: Option<String>,

    /// Bytes the program wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,

    /// Whether text does not show all that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,

    /// SHA-256 of all bytes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub sha256: Option<String>,
}

/// One collected file or stream: its content, or the reason why there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectedOutput {
    /// Path as in the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub path: Option<String>,

    /// Stream as in the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub stream: Option<String>,

    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,

    /// SHA-256 of the content, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub sha256: Option<String>,

    /// Exact content, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 524_288))]
    pub content_base64: Option<String>,

    /// Why there is no content: NotFound, NotRegular or TooLarge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
}

/// What the sandbox denied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// Layer that denied it, such as Seccomp.
    #[schemars(length(max = 64))]
    pub layer: String,

    /// The system call where it is known, else unknown.
    #[schemars(length(max = 256))]
    pub what: String,
}

/// What was enforced, as read back from the kernel before the program started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enforcement {
    /// Landlock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landlock: Option<LandlockEnforcement>,

    /// Seccomp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompEnforcement>,

    /// Whether no program can gain rights by execve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privs: Option<bool>,

    /// Capabilities in any of the five sets; none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub capabilities: Option<String>,

    /// SECBIT flags, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub securebits: Option<String>,

    /// Namespaces of the run's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 32)))]
    pub namespaces: Vec<String>,

    /// The run's uid on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,

    /// Version of the cgroup hierarchy: v1 or v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub cgroup: Option<String>,

    /// Core dumps: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub core_dump: Option<String>,

    /// Who read it back: parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub verified_by: Option<String>,
}

/// Landlock as enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LandlockEnforcement {
    /// ABI of the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abi: Option<i32>,

    /// Handled file-system rights, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub fs: Option<String>,

    /// Handled network rights, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub net: Option<String>,

    /// Scopes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub scoped: Option<String>,
}

/// Seccomp as enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeccompEnforcement {
    /// Profile above the floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub profile: Option<String>,

    /// Filters in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<i32>,
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

/// Declares an enum whose variants are written in manifests as they are spelt here.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name as manifests spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|name| name.as_str() == text)
                    .ok_or_else(|| UnknownName(text.to_owned()))
            }
        }
    };
}

/// A name that this build does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name this version knows")]
pub struct UnknownName(pub String);

names! {
    /// How a job, a step or a test ended.
    Verdict {
        /// All tests passed (a test: its output was accepted).
        Accepted,
        /// No tests, exit status 0.
        Completed,
        /// An output differs from the expected one.
        WrongAnswer,
        /// A step failed.
        CompileError,
        /// Non-zero exit status, a signal, or a command that cannot be started.
        RuntimeError,
        /// CPU time over its limit, or wall time over its limit while computing.
        TimeLimitExceeded,
        /// Wall time over its limit while mostly waiting.
        IdleLimitExceeded,
        /// The kernel killed a process of the run for memory.
        MemoryLimitExceeded,
        /// Standard output and error over their limit.
        OutputLimitExceeded,
        /// A file over its limit, or no room left in the workspace.
        DiskLimitExceeded,
        /// Failure with the process limit hit.
        ProcessLimitExceeded,
        /// The main process died of a forbidden system call.
        SandboxViolation,
        /// The job cannot be run as written.
        InvalidSpec,
        /// The checker or the tests are broken.
        JudgeError,
        /// The system failed, more often than it may be retried.
        InfrastructureError,
        /// maxQueueSeconds or activeDeadlineSeconds is over.
        DeadlineExceeded,
        /// The user set cancel.
        Cancelled,
    }
}

names! {
    /// Types of conditions.
    ConditionType {
        /// Whether the job may be queued: False with InvalidSpec, Suspended, NoCapableNode or QueueTimeout.
        Admitted,
        /// Whether every layer was enforced: True with FullyEnforced, False with the layer's name.
        Sandboxed,
        /// Whether it is over: False with Queued, Preparing, Running or Retrying, True with the verdict.
        Finished,
        /// True or False by the program's verdict; Unknown when the end is not the program's.
        Succeeded,
    }
}

names! {
    /// Reasons of conditions, beside verdicts and names of layers.
    Reason {
        /// Waits for a slot.
        Queued,
        /// Fetches what the job needs.
        Preparing,
        /// Runs.
        Running,
        /// Will run again after a failure that was not the program's.
        Retrying,
        /// May be queued.
        Admitted,
        /// spec.suspend is true.
        Suspended,
        /// No node can run it.
        NoCapableNode,
        /// maxQueueSeconds is over.
        QueueTimeout,
        /// The spec cannot be run as written.
        InvalidSpec,
        /// Every layer was read back as planned.
        FullyEnforced,
    }
}

names! {
    /// Status of a condition.
    ConditionStatus {
        /// It holds.
        True,
        /// It does not.
        False,
        /// It cannot be said.
        Unknown,
    }
}

/// Whose an end is. Only infrastructure is ever retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerdictClass {
    /// Accepted or Completed.
    Success,
    /// The program failed.
    Program,
    /// Spec, tests, checker, infrastructure, deadline or the user: nothing is said about the program.
    NotProgram,
}

impl Verdict {
    /// Whose this end is.
    #[must_use]
    pub const fn class(self) -> VerdictClass {
        match self {
            Self::Accepted | Self::Completed => VerdictClass::Success,
            Self::WrongAnswer
            | Self::CompileError
            | Self::RuntimeError
            | Self::TimeLimitExceeded
            | Self::IdleLimitExceeded
            | Self::MemoryLimitExceeded
            | Self::OutputLimitExceeded
            | Self::DiskLimitExceeded
            | Self::ProcessLimitExceeded
            | Self::SandboxViolation => VerdictClass::Program,
            Self::InvalidSpec
            | Self::JudgeError
            | Self::InfrastructureError
            | Self::DeadlineExceeded
            | Self::Cancelled => VerdictClass::NotProgram,
        }
    }

    /// Status of the condition `Succeeded` after this end.
    #[must_use]
    pub const fn succeeded(self) -> ConditionStatus {
        match self.class() {
            VerdictClass::Success => ConditionStatus::True,
            VerdictClass::Program => ConditionStatus::False,
            VerdictClass::NotProgram => ConditionStatus::Unknown,
        }
    }

    /// Letter in `summary.pattern`; `None` for an end that a test cannot have. A skipped test is [`SKIPPED`].
    #[must_use]
    pub const fn letter(self) -> Option<char> {
        Some(match self {
            Self::Accepted => 'A',
            Self::Completed => 'C',
            Self::WrongAnswer => 'W',
            Self::RuntimeError => 'R',
            Self::TimeLimitExceeded => 'T',
            Self::IdleLimitExceeded => 'I',
            Self::MemoryLimitExceeded => 'M',
            Self::OutputLimitExceeded => 'O',
            Self::DiskLimitExceeded => 'D',
            Self::ProcessLimitExceeded => 'P',
            Self::SandboxViolation => 'V',
            Self::JudgeError => 'j',
            Self::InfrastructureError => 'x',
            Self::CompileError | Self::InvalidSpec | Self::DeadlineExceeded | Self::Cancelled => {
                return None;
            }
        })
    }
}

/// Letter of a test that was not run.
pub const SKIPPED: char = 's';

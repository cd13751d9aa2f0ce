//! What a run gave: figures, usage, streams and collected outputs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// User and system time of all processes, living and dead, from the start of the program on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_time_milliseconds: Option<i64>,

    /// Monotonic time from the start of the program to the end of its main process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_time_milliseconds: Option<i64>,

    /// Highest memory of all kinds, files in /work, /tmp and /dev/shm included, as a quantity in Ki.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub memory_peak: Option<String>,

    /// Highest anonymous memory that was seen, files apart, as a quantity in Ki; absent where the run was over within 2 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub memory_anon: Option<String>,

    /// Time in which threads had to wait because they wanted more CPUs than limits.cpus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_milliseconds: Option<i64>,

    /// Involuntary context switches of the main process and the children it waited for; absent where a limit ended it.
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

//! What a run may use, what it is kept from, and what is kept of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::quantity::Quantity;

/// Limits of one run. Where two defaults stand, the second is that of steps and checker programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// User and system time of all processes of the run, living and dead. 1 to 86400000. Default: 10000; steps and
    /// checker programs: 60000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::TIME_MILLISECONDS.0, max = bounds::TIME_MILLISECONDS.1))]
    pub cpu_time_milliseconds: Option<i64>,

    /// Time from the start of the program on a monotonic clock. 1 to 86400000. Default: twice the CPU time and 1000
    /// more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::TIME_MILLISECONDS.0, max = bounds::TIME_MILLISECONDS.1))]
    pub wall_time_milliseconds: Option<i64>,

    /// CPUs the run sees and can use, and slots it holds. 1 to 16. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::CPUS.0, max = bounds::CPUS.1))]
    pub cpus: Option<i32>,

    /// All memory of the run: shared, kernel's, and files in /work, /tmp and /dev/shm, which live in memory. There
    /// is no swap. 4Mi to 1Ti. Default: 256Mi; steps and checker programs: 1Gi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,

    /// Processes and threads together. 1 to 32768. Default: 64; steps and checker programs: 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::PROCESSES.0, max = bounds::PROCESSES.1))]
    pub processes: Option<i32>,

    /// Open files of one process. 4 to 1048576. Default: 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::OPEN_FILES.0, max = bounds::OPEN_FILES.1))]
    pub open_files: Option<i32>,

    /// Size of one file. 0 to 1Ti. Default: 64Mi; steps and checker programs: 256Mi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<Quantity>,

    /// One size for the job: /work, /tmp, /dev/shm and HOME together; what steps leave, and what each test may add,
    /// are each bounded by it. Only the job's own limits may set it. 4Ki to 1Ti. Default: 64Mi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Quantity>,

    /// Stack of the main thread. 64Ki to 1Ti. Default: 8Mi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Quantity>,

    /// Standard output and error together; counted, not stored. 0 to 1Ti. Default: 16Mi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Quantity>,
}

/// Network that runs see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// None: no device but a loopback that is down. Loopback: a loopback device of the run's own. Default: None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<NetworkMode>,
}

/// Kinds of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum NetworkMode {
    /// Nothing works.
    None,
    /// The run can talk to itself.
    Loopback,
}

/// What the sandbox enforces beyond its floor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    /// Strict: threads, but no child processes and no sockets. For tests and the single run; steps and checker
    /// programs always run under Default. Default: Default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp_profile: Option<SeccompProfile>,

    /// Lowest version of Landlock that is acceptable; it can only raise the cluster's own minimum. 2 to 64.
    /// Default: 2.
    #[serde(rename = "minimumLandlockABI", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::LANDLOCK_ABI.0, max = bounds::LANDLOCK_ABI.1))]
    pub minimum_landlock_abi: Option<i32>,
}

/// Sets of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum SeccompProfile {
    /// Threads, but no child processes and no sockets.
    Strict,
    /// What ordinary programs need.
    Default,
}

/// One thing to collect. Exactly one of path and stream is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Path of a regular file relative to /work: no empty, `.` or `..` component.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::PATH))]
    pub path: Option<String>,

    /// Stdout or Stderr of the run; with tests, of the test that decided the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<OutputStream>,

    /// Largest size that is collected; more is reported as TooLarge. 0 to 256Ki. Default: 32Ki.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<Quantity>,
}

/// A stream of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

//! A job with every default applied, every reference read and every value in its final type.
//!
//! [`Job`] is what judging works on; an `EvalJobSpec` is what a user writes. The conversion
//! ([`build`]) is the one place where defaults live, and it can only succeed on a spec that
//! `validate` accepts, so nothing behind it has to check again. Sizes are bytes, times milliseconds.

mod build;
mod defaults;
mod needs;

use std::time::Duration;

pub use build::build;
pub use defaults::{INFRA_RETRY_LIMIT, MAX_QUEUE, OUTPUT_MAX_SIZE};
pub(crate) use defaults::{run_limits, step_limits};
pub use needs::Needs;

/// A validated, defaulted job with its input bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Files placed in /work before the first step, in the order of the manifest.
    pub files: Vec<File>,
    /// Read-only trees, each at its own mount path.
    pub volumes: Vec<Volume>,
    /// Steps in order; each runs once, in /work.
    pub steps: Vec<Step>,
    /// `command` and `args` of the spec; a test's own `args` are appended to it.
    pub argv: Vec<String>,
    /// The environment the manifest asks for (ours, such as PATH, is added by the agent).
    pub env: Vec<(String, String)>,
    /// Absolute directory in which steps, run and tests start.
    pub working_dir: String,
    /// What is judged.
    pub work: Work,
    /// Limits of each test, or of the single run.
    pub limits: Limits,
    /// Network the runs see.
    pub network: Network,
    /// System-call profile of tests and the single run (steps and checkers: always `Default`).
    pub profile: Profile,
    /// Lowest Landlock ABI the job accepts.
    pub minimum_landlock_abi: u32,
    /// What to collect after the last run.
    pub outputs: Vec<Output>,
}

/// Either one run, or tests with a checker.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// One run; exit status 0 is `Completed`.
    Run {
        /// Standard input, empty when the manifest gives none.
        stdin: Vec<u8>,
    },
    /// Tests in order.
    Tests {
        /// The tests, at least one.
        tests: Vec<Test>,
        /// How an output is compared with the expected one.
        checker: Checker,
        /// What happens after a test that is not accepted.
        on_failure: OnFailure,
        /// Tests that may run side by side.
        parallelism: u32,
    },
}

/// One file of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path relative to /work, without empty, `.` or `..` components.
    pub path: String,
    /// Exact content.
    pub content: Vec<u8>,
    /// Whether the owner may execute it.
    pub executable: bool,
}

/// A read-only tree that a job sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Name, unique in the job.
    pub name: String,
    /// Absolute path in the job's root.
    pub mount_path: String,
    /// Whether programs in it may be executed.
    pub executable: bool,
    /// Name of the node directory it comes from (agent flag `--node-directory NAME=DIR`).
    pub node_directory: String,
}

/// One preparation step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Name, unique in the job.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Its limits (own defaults, not derived from the job's).
    pub limits: Limits,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Name, unique in the job.
    pub name: String,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Expected standard output; `None`: the test passes when the program exits with 0.
    pub expected: Option<Vec<u8>>,
    /// Arguments appended to the job's.
    pub args: Vec<String>,
    /// Group, if any.
    pub group: Option<String>,
    /// Weight, 0..=1000.
    pub weight: u32,
}

/// How outputs are compared. White space is ASCII only (space, \t \n \v \f \r).
#[derive(Debug, Clone, PartialEq)]
pub enum Checker {
    /// Byte for byte.
    Exact,
    /// Sequences of bytes that are not white space.
    Tokens,
    /// Lines; trailing white space of a line and trailing empty lines are forgiven.
    Lines,
    /// `Lines` as a multiset.
    Unordered,
    /// `Tokens`, decimal numbers compared within tolerances.
    Float {
        /// Largest absolute difference.
        absolute: f64,
        /// Largest difference relative to the expected value.
        relative: f64,
    },
    /// A program of the job's author decides.
    Program(Box<CheckerProgram>),
}

/// A program that judges outputs. It and its steps always run under [`Profile::Default`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckerProgram {
    /// Files of its own /work.
    pub files: Vec<File>,
    /// Its preparation, once a job.
    pub steps: Vec<Step>,
    /// Program and first arguments; the paths of input, output and answer are appended.
    pub argv: Vec<String>,
    /// Limits of each of its runs (the defaults are those of steps).
    pub limits: Limits,
}

/// What happens after a test that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The rest is skipped.
    StopAll,
    /// The rest of its group is skipped; a test without a group is a group of its own.
    StopGroup,
    /// Every test runs.
    Continue,
}

/// Limits of one run, every value set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// User and system time of all processes of the run, living and dead.
    pub cpu_time: Duration,
    /// Monotonic time from execve.
    pub wall_time: Duration,
    /// CPUs the run sees and can use.
    pub cpus: u32,
    /// All memory of the run, files in its writable places included; bytes.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Open files of a process.
    pub open_files: u32,
    /// Size of one file; bytes.
    pub file_size: u64,
    /// Bytes in /work, /tmp, /dev/shm and HOME together.
    pub workspace: u64,
    /// Main thread's stack; bytes.
    pub stack: u64,
    /// Standard output and error together; bytes.
    pub output: u64,
}

/// Network of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// An empty network namespace, the loopback device down.
    None,
    /// A loopback device of each run's own, and no other.
    Loopback,
}

/// System-call profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Threads, child processes, sockets within the run's own network namespace.
    Default,
    /// Threads, but no child processes and no sockets.
    Strict,
}

/// One thing to collect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A regular file below /work.
    Path {
        /// Path relative to /work.
        path: String,
        /// Largest size that is returned; bytes.
        max_size: u64,
    },
    /// A stream of the run.
    Stream {
        /// Which one.
        stream: Stream,
        /// Largest size that is returned; bytes.
        max_size: u64,
    },
}

/// Standard output or error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

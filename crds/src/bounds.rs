//! Every number that bounds a manifest, once.
//!
//! The schema (`spec.rs`) and the validation (`validate`) both read them, so they cannot differ. Sizes are bytes in
//! validation; the schema applies the same numbers to characters, which is the weaker test.

/// Files of a job, or of a checker program.
pub const FILES: usize = 64;
/// Volumes of a job.
pub const VOLUMES: usize = 8;
/// Steps of a job, or of a checker program.
pub const STEPS: usize = 8;
/// Tests of a job.
pub const TESTS: usize = 1024;
/// Variables of the environment.
pub const ENV: usize = 128;
/// Things to collect.
pub const OUTPUTS: usize = 8;
/// Labels in a node selector.
pub const NODE_SELECTOR: usize = 16;
/// Items of `command`, `args` and a test's `args` together.
pub const ARGV: usize = 64;
/// Items of a list of arguments that something else precedes.
pub const ARGS: usize = ARGV - 1;
/// Items of a checker program's command; three paths are appended to it.
pub const CHECKER_COMMAND: usize = ARGV - 3;
/// One argument, or one variable with its name.
pub const ARGUMENT: usize = 4096;
/// Names of volumes, steps, tests, groups and node directories.
pub const NAME: usize = 63;
/// A path.
pub const PATH: usize = 1024;
/// A component of a path.
pub const COMPONENT: usize = 255;
/// Content of a file, standard input or expected output, as encoded.
pub const INLINE: usize = 256 << 10;
/// All inline bytes of a spec together.
pub const INLINE_TOTAL: usize = 512 << 10;
/// Names and groups of tests and paths of files together. The API server writes names and paths a second time, into
/// metadata.managedFields, so that a job with all of them as long as they may be would outgrow its object.
pub const NAMES_TOTAL: usize = 64 << 10;
/// All inputs of a job, decoded, after references are read.
pub const INPUT_TOTAL: usize = 32 << 20;
/// An OCI reference.
pub const IMAGE: usize = 512;
/// Name of an object of the API server, and a key of a ConfigMap.
pub const OBJECT_NAME: usize = 253;
/// A label's name with its prefix.
pub const LABEL_NAME: usize = 253 + 1 + 63;
/// A label's value.
pub const LABEL_VALUE: usize = 63;
/// A tolerance as text.
pub const TOLERANCE: usize = 32;
/// All collected outputs together.
pub const OUTPUT_TOTAL: u64 = 256 << 10;
/// A quantity as text.
pub const QUANTITY: usize = 24;

/// Lowest and highest priority.
pub const PRIORITY: (i32, i32) = (-1000, 1000);
/// Weight of a test.
pub const WEIGHT: (i32, i32) = (0, 1000);
/// Tests side by side.
pub const PARALLELISM: (i32, i32) = (1, 16);
/// Landlock's ABI; the lower end is what every node has.
pub const LANDLOCK_ABI: (i32, i32) = (2, 64);
/// Repetitions after infrastructure failures.
pub const INFRA_RETRIES: (i32, i32) = (0, 10);
/// Seconds in the queue, and of the deadline.
pub const DEADLINE_SECONDS: (i64, i64) = (1, 7 * 86_400);
/// Seconds a finished job is kept.
pub const TTL_SECONDS: (i64, i64) = (0, 365 * 86_400);
/// CPU and wall time of one run in milliseconds.
pub const TIME_MILLISECONDS: (i64, i64) = (1, 86_400_000);
/// CPUs of one run.
pub const CPUS: (i32, i32) = (1, 16);
/// Processes and threads of one run.
pub const PROCESSES: (i32, i32) = (1, 32_768);
/// Open files of one process.
pub const OPEN_FILES: (i32, i32) = (4, 1_048_576);

const TIB: u64 = 1 << 40;
/// Memory of one run.
pub const MEMORY: (u64, u64) = (4 << 20, TIB);
/// Size of one file.
pub const FILE_SIZE: (u64, u64) = (0, TIB);
/// Bytes in the writable places of a run.
pub const WORKSPACE: (u64, u64) = (4 << 10, TIB);
/// Stack of the main thread.
pub const STACK: (u64, u64) = (64 << 10, TIB);
/// Bytes a run may write to its streams.
pub const OUTPUT: (u64, u64) = (0, TIB);
/// Size of one collected output.
pub const MAX_SIZE: (u64, u64) = (0, OUTPUT_TOTAL);

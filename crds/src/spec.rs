//! What a user asks for: the `EvalJob` kind and its spec, field by field.
//!
//! In: YAML or JSON of an EvalJob. Out: Rust types, and through them the CRD's schema: doc comments are the
//! descriptions that `kubectl explain` shows, so they speak to users and hold the default values. Defaults are
//! not applied here and not in the schema (one field that is set must not set its siblings): `job::build` does
//! it. Rules between fields are in `rules.rs`.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::patterns;
use crate::quantity::Quantity;
use crate::status::EvalJobStatus;

/// One run of one untrusted program, with its inputs, its limits and the way its output is judged. The spec
/// cannot be changed after creation but for suspend, cancel, ttlSecondsAfterFinished, and nodeSelector while
/// suspended and never dispatched.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "evaljob.dev",
    version = "v1alpha1",
    kind = "EvalJob",
    plural = "evaljobs",
    singular = "evaljob",
    shortname = "ej",
    category = "eval",
    namespaced,
    schema = "disabled",
    status = "EvalJobStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "One run of one untrusted program, locked down, limited and judged.",
    selectable = ".status.verdict",
    selectable = ".status.nodeName"
)]
#[serde(rename_all = "camelCase")]
pub struct EvalJobSpec {
    /// OCI image whose tree is the root file system of every run, as in registry.example/gcc:14. Default: the
    /// image the agent was told to use; `evaljob-agent run` without one uses the machine's system directories,
    /// read-only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::IMAGE), regex(pattern = patterns::IMAGE))]
    pub image: Option<String>,

    /// When the image is fetched: Always, IfNotPresent or Never. Default: IfNotPresent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// Files placed in /work before the first step, owned by the run; at most 64, each path once. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::FILES), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub files: Vec<File>,

    /// Read-only trees the runs see, each at its own mount path; at most 8, each name once. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::VOLUMES), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub volumes: Vec<Volume>,

    /// Preparation, such as compiling: each step runs once, in order, in /work, and what it leaves there is what
    /// tests start from. A failing step ends the job as CompileError. At most 8, each name once. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::STEPS), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,

    /// Program and first arguments. The program is looked up on the PATH of the root file system, never on the
    /// node's. Required; 1 to 64 items of at most 4 KiB.
    #[schemars(length(min = 1, max = bounds::ARGV), inner(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL)))]
    pub command: Vec<String>,

    /// Arguments appended to command; command, args and a test's args have at most 64 items together. Default:
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::ARGS), inner(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL)))]
    pub args: Vec<String>,

    /// Environment of steps, tests and the single run; nothing of the agent's own environment is inherited. Given
    /// unless set here: PATH, HOME, USER, LANG=C.UTF-8, TMPDIR. At most 128, each name once. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::ENV), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,

    /// Directory in which steps, tests and the single run start; absolute. Default: /work.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::PATH))]
    pub working_dir: Option<String>,

    /// Standard input of the single run, as text; only without tests. Default: end of file at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE))]
    pub stdin: Option<String>,

    /// Standard input of the single run, in base64; only without tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE), regex(pattern = patterns::BASE64))]
    pub stdin_base64: Option<String>,

    /// Standard input of the single run, read from elsewhere; only without tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin_from: Option<InputSource>,

    /// Tests in order, each in a fresh copy of /work as the steps left it; at most 1024, each name once. Default:
    /// none: the program runs once and ends Completed when it exits with 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::TESTS), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tests: Vec<Test>,

    /// How the output of a test is compared with the expected one. Default: type Tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checker: Option<Checker>,

    /// What happens after a failing test, and how many tests run side by side. Default: onFailure StopAll,
    /// parallelism 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_policy: Option<TestPolicy>,

    /// Limits of each test, or of the single run. Each field has its own default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,

    /// Network that runs see. Default: mode None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,

    /// What the sandbox enforces beyond its floor. Default: seccompProfile Default, and the cluster's minimum of
    /// Landlock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,

    /// What is collected after every process of the job is dead: exact bytes of regular files below /work or of a
    /// stream; at most 8, 256 KiB together. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::OUTPUTS))]
    pub outputs: Vec<Output>,

    /// Order within the namespace: higher goes first. -1000 to 1000. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::PRIORITY.0, max = bounds::PRIORITY.1))]
    pub priority: Option<i32>,

    /// Labels that a node must have; at most 16. Default: none, any node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(
        extend("maxProperties" = bounds::NODE_SELECTOR),
        inner(length(max = bounds::LABEL_VALUE), regex(pattern = patterns::LABEL_VALUE))
    )]
    pub node_selector: BTreeMap<String, String>,

    /// How often the job is tried again after a failure that is not the program's, such as a lost node; a verdict
    /// of the program is never retried. 0 to 10. Default: 3, so at most four attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::INFRA_RETRIES.0, max = bounds::INFRA_RETRIES.1))]
    pub infra_retry_limit: Option<i32>,

    /// Seconds the job may wait for a node, from creation or resumption; then it ends as DeadlineExceeded. 1 to
    /// 604800. Default: 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::DEADLINE_SECONDS.0, max = bounds::DEADLINE_SECONDS.1))]
    pub max_queue_seconds: Option<i64>,

    /// Seconds from creation or resumption until the job ends as DeadlineExceeded, waiting and retries included.
    /// 1 to 604800. Default: the sum of the limits, capped by the cluster's maximum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::DEADLINE_SECONDS.0, max = bounds::DEADLINE_SECONDS.1))]
    pub active_deadline_seconds: Option<i64>,

    /// Seconds after its end until the job is deleted; it may be changed at any time. 0 to 31536000. Default: the
    /// operator's, 86400 unless configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::TTL_SECONDS.0, max = bounds::TTL_SECONDS.1))]
    pub ttl_seconds_after_finished: Option<i64>,

    /// true: the job is not queued, and a running one is stopped and starts anew when this becomes false. Default:
    /// false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// true: the job ends as Cancelled. It cannot be set back. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<bool>,
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum ImagePullPolicy {
    /// The registry is asked each time.
    Always,
    /// Only when the node does not hold it.
    IfNotPresent,
    /// Never; the job fails where the node does not hold it.
    Never,
}

/// A file of the workspace. Exactly one of content, contentBase64 and configMapKeyRef is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Path relative to /work: no empty, `.` or `..` component, no control character; at most 1024 bytes, 255 for
    /// a component.
    #[schemars(length(min = 1, max = bounds::PATH))]
    pub path: String,

    /// Content as text; at most 256 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE))]
    pub content: Option<String>,

    /// Content in base64; at most 256 KiB as encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE), regex(pattern = patterns::BASE64))]
    pub content_base64: Option<String>,

    /// Content from a ConfigMap of the job's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,

    /// Whether the file may be executed. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<bool>,
}

/// One value of a ConfigMap in the job's namespace, which must be immutable and carry the label
/// `evaljob.dev/input: "true"`.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = bounds::OBJECT_NAME), regex(pattern = patterns::SUBDOMAIN))]
    pub name: String,

    /// Key in its data or binaryData.
    #[schemars(length(min = 1, max = bounds::OBJECT_NAME), regex(pattern = patterns::CONFIG_MAP_KEY))]
    pub key: String,
}

/// One file of an OCI image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageFile {
    /// OCI reference of the image.
    #[schemars(length(min = 1, max = bounds::IMAGE), regex(pattern = patterns::IMAGE))]
    pub image: String,

    /// Path in the image, relative to its root or absolute: no empty, `.` or `..` component.
    #[schemars(length(min = 1, max = bounds::PATH), regex(pattern = patterns::IMAGE_PATH))]
    pub path: String,
}

/// Where bytes are read from. Exactly one of configMapKeyRef and imageFile is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputSource {
    /// One value of a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,

    /// One file of an OCI image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_file: Option<ImageFile>,
}

/// A read-only tree that runs see. Exactly one of nodeDirectory and image is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Name, unique in the job.
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::NAME))]
    pub name: String,

    /// Where runs see it: an absolute path without empty, `.` or `..` components, not /, not /work /tmp /dev /proc
    /// /sys /home /etc or below them, not inside another volume's. It need not exist in the image.
    #[schemars(length(min = 1, max = bounds::PATH))]
    pub mount_path: String,

    /// Whether programs in it may be executed. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<bool>,

    /// A directory of the node that its administrator named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_directory: Option<NodeDirectory>,

    /// The tree of an OCI image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageVolume>,
}

/// A directory of the node that its administrator named (agent flag --node-directory NAME=DIR).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeDirectory {
    /// The name, never a path.
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::WORD))]
    pub name: String,
}

/// The tree of an OCI image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageVolume {
    /// OCI reference of the image.
    #[schemars(length(min = 1, max = bounds::IMAGE), regex(pattern = patterns::IMAGE))]
    pub reference: String,
}

/// One preparation step. It always runs under seccomp profile Default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Name, unique among the steps.
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::NAME))]
    pub name: String,

    /// Program and arguments; 1 to 64 items of at most 4 KiB.
    #[schemars(length(min = 1, max = bounds::ARGV), inner(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL)))]
    pub command: Vec<String>,

    /// Limits of this step; the defaults are those of steps, not derived from the limits of the tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// One variable of the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Name: no `=`, no NUL.
    #[schemars(length(min = 1, max = bounds::ARGUMENT), regex(pattern = patterns::VARIABLE))]
    pub name: String,

    /// Value: no NUL. Name and value have at most 4 KiB together.
    #[schemars(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL))]
    pub value: String,
}

/// One test. At most one of stdin, stdinBase64, stdinFrom and at most one of expectedStdout,
/// expectedStdoutBase64, expectedStdoutFrom is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// Name, unique among the tests.
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::NAME))]
    pub name: String,

    /// Standard input as text; at most 256 KiB. Default: end of file at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE))]
    pub stdin: Option<String>,

    /// Standard input in base64; at most 256 KiB as encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE), regex(pattern = patterns::BASE64))]
    pub stdin_base64: Option<String>,

    /// Standard input, read from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin_from: Option<InputSource>,

    /// Expected standard output as text; at most 256 KiB. Default: none, and the test passes when the program exits
    /// with 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE))]
    pub expected_stdout: Option<String>,

    /// Expected standard output in base64; at most 256 KiB as encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE), regex(pattern = patterns::BASE64))]
    pub expected_stdout_base64: Option<String>,

    /// Expected standard output, read from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_stdout_from: Option<InputSource>,

    /// Arguments appended to those of the job. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::ARGS), inner(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL)))]
    pub args: Vec<String>,

    /// Group: its tests count only if all of them pass. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::NAME))]
    pub group: Option<String>,

    /// Share in the score, 0 to 1000. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::WEIGHT.0, max = bounds::WEIGHT.1))]
    pub weight: Option<i32>,
}

/// How the output of a test is compared with the expected one. White space is ASCII only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checker {
    /// Exact: bytes. Tokens: sequences of characters that are not white space. Lines: trailing white space of a
    /// line and trailing empty lines are forgiven. Unordered: Lines in any order. Float: Tokens, numbers within
    /// tolerances. Program: a program of yours decides. Default: Tokens.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<CheckerType>,

    /// Tolerances; only with type Float.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float: Option<FloatTolerance>,

    /// The deciding program; required with type Program, and only there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<CheckerProgram>,
}

/// Kinds of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum CheckerType {
    /// Byte for byte.
    Exact,
    /// Sequences of bytes that are not white space.
    Tokens,
    /// Lines, forgiving at their ends and at the end.
    Lines,
    /// Lines in any order.
    Unordered,
    /// Tokens, numbers within tolerances.
    Float,
    /// A program decides.
    Program,
}

/// How far two numbers may differ: by the absolute tolerance or by the relative one times the expected value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FloatTolerance {
    /// Largest absolute difference: a decimal number as text, such as "0.001" or "1e-6". Default: 0, or 1e-6 when
    /// both tolerances are absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::TOLERANCE), regex(pattern = patterns::TOLERANCE))]
    pub absolute_tolerance: Option<String>,

    /// Largest difference relative to the expected value: a decimal number as text. Default: 0, or 1e-6 when both
    /// tolerances are absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::TOLERANCE), regex(pattern = patterns::TOLERANCE))]
    pub relative_tolerance: Option<String>,
}

/// A program that judges. Three paths are appended to its command: /judge/input, /judge/output, /judge/answer. Exit
/// status 0 accepts, 1 rejects, anything else is JudgeError.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckerProgram {
    /// Its own files, placed in its own /work; the judged program never sees them. At most 64. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::FILES), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub files: Vec<File>,

    /// Its own preparation, once. At most 8. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::STEPS), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,

    /// Program and first arguments; 1 to 61 items of at most 4 KiB.
    #[schemars(length(min = 1, max = bounds::CHECKER_COMMAND), inner(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL)))]
    pub command: Vec<String>,

    /// Its limits; the defaults are those of steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// What happens after a failing test, and how many tests run side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestPolicy {
    /// StopAll: later tests are skipped. StopGroup: later tests of its group are skipped. Continue: all tests run.
    /// Default: StopAll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,

    /// Tests that may run side by side, each on slots of its own; 1 to 16. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::PARALLELISM.0, max = bounds::PARALLELISM.1))]
    pub parallelism: Option<i32>,
}

/// What happens after a failing test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum OnFailure {
    /// Later tests are skipped.
    StopAll,
    /// Later tests of its group are skipped.
    StopGroup,
    /// All tests run.
    Continue,
}

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

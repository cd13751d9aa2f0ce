//! What a user asks for: the `EvalJob` kind and its spec, field by field.
//!
//! In: YAML or JSON of an EvalJob. Out: Rust types, and through them the CRD's schema: doc comments are the
//! descriptions that `kubectl explain` shows, so they speak to users and hold the default values. Defaults are
//! not applied here and not in the schema (one field that is set must not set its siblings): `job::build` does
//! it. Rules between fields are in `rules.rs`.

mod inputs;
mod judging;
mod limits;

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::patterns;
use crate::status::EvalJobStatus;

pub use inputs::{
    ConfigMapKeyRef, File, ImageFile, ImagePullPolicy, ImageVolume, InputSource, NodeDirectory,
    Volume,
};
pub use judging::{
    Checker, CheckerProgram, CheckerType, EnvVar, FloatTolerance, OnFailure, Step, Test, TestPolicy,
};
pub use limits::{Limits, Network, NetworkMode, Output, OutputStream, Sandbox, SeccompProfile};

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

    /// Directory in which tests and the single run start; absolute. Steps start in /work and may make it. Default: /work.
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

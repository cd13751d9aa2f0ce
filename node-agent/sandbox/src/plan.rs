//! What a caller asks of the sandbox: the machine, a job on a slot, a run of that job.
//!
//! Plain data that crosses the socket between agent and worker (bounded frames, checked again by the
//! worker). Sizes are bytes. Content travels beside the frames in sealed memfds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the spawner is told once, at its start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HostPlan {
    /// Directory whose tree is the root file system of runs; `None`: the machine's system directories.
    pub rootfs: Option<String>,
    /// Directories that jobs may mount by name.
    pub node_directories: Vec<NodeDirectory>,
    /// Accept a machine whose controllers are on cgroup v1.
    pub allow_cgroup_v1: bool,
    /// Slots, each with a uid, a worker process and cgroups of its own.
    pub slots: u32,
}

/// A directory of the node under the name jobs use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeDirectory {
    /// Name used in `volumes[].nodeDirectory.name`.
    pub name: String,
    /// Absolute path on the node.
    pub path: String,
}

/// What is the same for every run of a job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct JobPlan {
    /// Files of /work before the first step, or of each run when there are no steps.
    pub files: Vec<FilePlan>,
    /// Read-only trees.
    pub volumes: Vec<VolumePlan>,
    /// Bytes that /work, /tmp, /dev/shm and HOME may hold together.
    pub workspace: u64,
    /// Bytes that the job may use at any time: its largest run times its parallelism, and the workspace when there
    /// are steps. Bounds the job's cgroup on v2; counted in admission everywhere.
    pub memory: u64,
    /// Whether runs of kind [`RunKind::Step`] come first.
    pub steps: bool,
    /// Whether its runs check others: they find input, output and answer of the other run below [`JUDGE`].
    pub checker: bool,
    /// Where it runs on several slots at once: what they share.
    pub crew: Option<Crew>,
    /// What network its runs have.
    pub network: Network,
    /// Whether it is the node's own test ([`crate::Slot::probe`]): its runs then have that program.
    pub probe: bool,
}

/// The network of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// None; the loopback device of its network namespace is down, and Landlock refuses TCP.
    #[default]
    None,
    /// A loopback device of its own.
    Loopback,
}

/// Where a checker finds its three files.
pub const JUDGE: &str = "/judge";
/// Their names: standard input, standard output, the expected output.
pub const JUDGE_FILES: [&str; 3] = ["input", "output", "answer"];

/// The slots of one job.
///
/// The first begins alone and runs the steps; the others begin with what those left. All runs then have the ids of the
/// first slot, because the files are its.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Crew {
    /// Unique among the jobs of this spawner: names the cgroup that all slots of the job share.
    pub id: u64,
    /// The slot whose ids the runs have.
    pub lead: u32,
    /// Numbers of slots whose CPUs runs on this slot may use, best first.
    pub cpus: Vec<u32>,
    /// The steps have run on the lead: their tree comes beside this plan.
    pub joins: bool,
}

impl JobPlan {
    /// Whether the job needs a tree, and so a worker, of its own.
    pub(crate) fn has_own_tree(&self) -> bool {
        self.steps || self.checker || self.probe || !self.volumes.is_empty()
    }
}

/// One file: `length` bytes at `offset` of the memfd that comes with the job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FilePlan {
    /// Path below /work; components are checked by the worker again.
    pub path: String,
    /// Mode 0700 instead of 0600.
    pub executable: bool,
    /// Where the content starts.
    pub offset: u64,
    /// Its length.
    pub length: u64,
}

/// A node directory mounted read-only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VolumePlan {
    /// Name of a [`NodeDirectory`].
    pub node_directory: String,
    /// Absolute path in the run's root.
    pub mount_path: String,
    /// Whether programs in it may be executed (mount flag and Landlock right).
    pub executable: bool,
}

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunPlan {
    /// How it relates to the job's workspace.
    pub kind: RunKind,
    /// Program and arguments; `argv[0]` is looked up on the PATH of `env` inside the rootfs.
    pub argv: Vec<String>,
    /// The whole environment, as `NAME=value`.
    pub env: Vec<String>,
    /// Directory in which it starts; absolute.
    pub working_dir: String,
    /// Limits.
    pub limits: RunLimits,
    /// Seccomp profile.
    pub profile: SeccompProfile,
    /// Lowest Landlock ABI that is acceptable.
    pub minimum_landlock_abi: u32,
}

/// How a run relates to the job's workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunKind {
    /// Works on the job's own tree; later steps and all tests see what it leaves in /work.
    Step,
    /// Works on a fresh copy of /work: an overlay over the steps' tree, or the job's files alone.
    Test,
}

/// Limits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLimits {
    /// CPU time of all processes together.
    pub cpu_time: Duration,
    /// Monotonic time from execve.
    pub wall_time: Duration,
    /// CPUs.
    pub cpus: u32,
    /// Memory of the run's cgroup.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
    /// RLIMIT_NOFILE.
    pub open_files: u32,
    /// RLIMIT_FSIZE.
    pub file_size: u64,
    /// RLIMIT_STACK.
    pub stack: u64,
    /// Bytes on stdout and stderr together.
    pub output: u64,
}

/// The filter installed last, on top of the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeccompProfile {
    /// Threads, children, sockets of the run's own network namespace.
    Default,
    /// Threads only.
    Strict,
}

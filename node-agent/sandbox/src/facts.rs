//! What happened in a run, as recorded when it happened. Verdicts are computed from these facts elsewhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything known about a finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// How the main process ended.
    pub ending: Ending,
    /// The limit (or order) for which the agent or the kernel ended the run; the first one counts.
    pub breach: Option<Breach>,
    /// User and system time of all processes, from go to the end; from the cgroup.
    pub cpu_time: Duration,
    /// Monotonic time from go to the end of the main process.
    pub wall_time: Duration,
    /// Highest memory of the run's cgroup in bytes, where the kernel tells.
    pub memory_peak: Option<u64>,
    /// Highest anonymous memory that was seen, in bytes; absent where the run was over before the first look.
    pub memory_anonymous: Option<u64>,
    /// Processes of the run that the kernel's OOM killer ended.
    pub oom_kills: u64,
    /// Forks refused at the process limit.
    pub pids_hits: u64,
    /// No free block or no free inode was left in the workspace when the main process had ended.
    pub disk_full: bool,
    /// Time the run was throttled by its CPU bandwidth, where the kernel tells.
    pub throttled: Option<Duration>,
    /// Involuntary context switches of the main process and the children it waited for.
    pub involuntary_switches: Option<u64>,
    /// Bytes the run wrote to stdout.
    pub stdout_bytes: u64,
    /// Bytes the run wrote to stderr.
    pub stderr_bytes: u64,
    /// What the parent read back from the kernel before it said go; absent where no process came that far.
    pub enforcement: Option<Enforcement>,
    /// Where its time went.
    pub phases: Phases,
}

/// Where the time of a run went, by the worker's clock. A part that did not come about is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Phases {
    /// From the agent's order to the clone of init: pipes, network namespace, the cgroup's figures before the run.
    pub prepare: Duration,
    /// Until the job is sealed: namespaces, mounts, the ordered lockdown.
    pub build: Duration,
    /// Until go: everything read back from the kernel and compared.
    pub read_back: Duration,
    /// Until the end of the main process, execve included.
    pub program: Duration,
    /// Until nothing of the run is left and its figures are read.
    pub end: Duration,
}

/// How the main process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It exited with this status, as its init saw it.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// The command could not be started: errno of execve (or of the search on PATH) and the path tried.
    NotStarted {
        /// errno
        errno: i32,
        /// The path that was tried last.
        path: String,
    },
    /// Its end was not seen (init was killed together with it).
    Killed,
}

/// Why a run was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Breach {
    /// CPU time of the run reached the limit.
    CpuTime,
    /// Wall time reached the limit.
    WallTime,
    /// An OOM kill inside the run.
    Memory,
    /// stdout and stderr together exceeded the limit.
    Output,
    /// The caller's interrupt.
    Interrupted,
}

/// The enforcement that was read back (shape of `status.enforcement`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// Landlock ABI of the kernel.
    pub landlock_abi: u32,
    /// Handled file-system rights.
    pub landlock_fs: u64,
    /// Handled network rights.
    pub landlock_net: u64,
    /// Scopes.
    pub landlock_scoped: u64,
    /// Profile installed on top of the floor.
    pub seccomp_profile: crate::plan::SeccompProfile,
    /// Filters in force.
    pub seccomp_filters: u32,
    /// `SECBIT_*` in force.
    pub securebits: u32,
    /// Host uid of the run.
    pub uid: u32,
    /// cgroup version of the controllers.
    pub cgroup: CgroupVersion,
    /// Whether the kernel holds the filters as they were compiled.
    pub filters: FiltersRead,
}

/// What comparing the filters of a run with the compiled ones, instruction by instruction, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FiltersRead {
    /// Only the node's own test compares them.
    NotAsked,
    /// They are the same.
    Same,
    /// The kernel holds others.
    Other,
    /// The errno for which the kernel did not show them.
    Unreadable(i32),
}

impl FiltersRead {
    /// Whether nothing speaks against the filters: they are the same, or this machine shows them to nobody (EIO: a kernel
    /// without CONFIG_CHECKPOINT_RESTORE; EACCES: the reader is under a filter; EPERM: Yama). Source: ptrace(2).
    #[must_use]
    pub const fn holds(self) -> bool {
        matches!(
            self,
            Self::Same | Self::Unreadable(libc::EIO | libc::EACCES | libc::EPERM)
        )
    }
}

/// cgroup version of the controllers in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CgroupVersion {
    /// Controllers on per-controller hierarchies.
    V1,
    /// The unified hierarchy.
    V2,
}

#[cfg(test)]
mod tests {
    use super::FiltersRead::{self, NotAsked, Other, Same, Unreadable};

    #[test]
    fn filters_hold_where_they_are_the_same_or_nobody_may_see_them() {
        let rows: [(FiltersRead, bool); 8] = [
            (Same, true),
            (Other, false),
            (NotAsked, false),
            (Unreadable(libc::EIO), true),
            (Unreadable(libc::EACCES), true),
            (Unreadable(libc::EPERM), true),
            (Unreadable(libc::ESRCH), false),
            (Unreadable(libc::EFAULT), false),
        ];
        for (read, holds) in rows {
            assert_eq!(read.holds(), holds, "{read:?}");
        }
    }
}

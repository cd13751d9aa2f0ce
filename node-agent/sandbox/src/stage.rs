//! Where a child can fail between fork and execve, and the fixed-size record by which it says so.
//!
//! Init and job share one close-on-exec pipe to the worker; when init has closed it, it has the socket of its report. A
//! record is twelve bytes: stage, errno, detail. The worker turns it into a typed error; nothing is formatted in the child.

use rustix::io::Errno;

use crate::error::{Layer, SandboxError};
use crate::mutation;

/// A place in the sequence from clone to execve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Stage {
    /// init: enters the cgroup of the run.
    Cgroup = 1,
    /// init: joins the prepared network namespace.
    Network,
    /// init: overlay of the image and its top-level directories.
    Image,
    /// init: a volume (detail: its index).
    Volume,
    /// init: the tmpfs and its binds.
    Workspace,
    /// init: a file of the job (detail: its index).
    File,
    /// init: the files of a checker.
    Judge,
    /// init: /proc.
    Proc,
    /// init: detaches what was needed only for mounting.
    Detach,
    /// init: host name, and the descriptor of the workspace.
    Handover,
    /// init: clone3 of the job.
    JobClone,
    /// init: id maps.
    IdMap,
    /// init: drops its own rights (detail 2: and waits).
    InitLockdown,
    /// job: scheduling and OOM score.
    Placement,
    /// job: standard streams.
    Streams,
    /// job: chdir to the working directory.
    WorkingDirectory,
    /// job: step 0.
    Identity,
    /// job: step 1 (detail: index of the rule).
    Landlock,
    /// job: step 2.
    SeccompFloor,
    /// job: step 3 (detail: index of the limit).
    Rlimits,
    /// job: step 4.
    Capabilities,
    /// job: step 5.
    Descriptors,
    /// job: step 6, the profile's filter.
    Seal,
    /// job: not a failure; everything is applied and it waits for go.
    Sealed,
    /// job: execve (detail: index of the path tried).
    Exec,
}

pub(crate) const STAGES: [Stage; 25] = [
    Stage::Cgroup,
    Stage::Network,
    Stage::Image,
    Stage::Volume,
    Stage::Workspace,
    Stage::File,
    Stage::Judge,
    Stage::Proc,
    Stage::Detach,
    Stage::Handover,
    Stage::JobClone,
    Stage::IdMap,
    Stage::InitLockdown,
    Stage::Placement,
    Stage::Streams,
    Stage::WorkingDirectory,
    Stage::Identity,
    Stage::Landlock,
    Stage::SeccompFloor,
    Stage::Rlimits,
    Stage::Capabilities,
    Stage::Descriptors,
    Stage::Seal,
    Stage::Sealed,
    Stage::Exec,
];

impl Stage {
    fn layer(self) -> Layer {
        match self {
            Self::Cgroup => Layer::Cgroup,
            Self::Network => Layer::Network,
            Self::Image | Self::Volume | Self::Proc | Self::Detach => Layer::Rootfs,
            Self::Workspace | Self::File | Self::Judge | Self::WorkingDirectory => Layer::Workspace,
            Self::Handover | Self::JobClone | Self::IdMap => Layer::Namespaces,
            Self::InitLockdown | Self::Placement | Self::Streams | Self::Identity => {
                Layer::Identity
            }
            Self::Landlock => Layer::Landlock,
            Self::SeccompFloor | Self::Seal => Layer::Seccomp,
            Self::Rlimits => Layer::Rlimits,
            Self::Capabilities => Layer::Capabilities,
            Self::Descriptors => Layer::Descriptors,
            Self::Sealed | Self::Exec => Layer::Spawner,
        }
    }
}

/// What went wrong in a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
    pub(crate) detail: u32,
}

/// Length of a record.
pub(crate) const RECORD: usize = 12;

impl Failure {
    pub(crate) fn new(stage: Stage, errno: Errno, detail: u32) -> Self {
        Self {
            stage,
            errno: errno.raw_os_error(),
            detail,
        }
    }

    /// The message that says "sealed, waiting for go".
    pub(crate) const SEALED: Self = Self {
        stage: Stage::Sealed,
        errno: 0,
        detail: 0,
    };

    /// The record of this failure.
    pub(crate) fn encode(self) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        let (stage, rest) = record.split_at_mut(4);
        let (errno, detail) = rest.split_at_mut(4);
        stage.copy_from_slice(&(self.stage as u32).to_ne_bytes());
        errno.copy_from_slice(&self.errno.to_ne_bytes());
        detail.copy_from_slice(&self.detail.to_ne_bytes());
        record
    }

    /// The failure of a record; `None` for an unknown stage or what no errno can be.
    pub(crate) fn decode(record: [u8; RECORD]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = record;
        let stage = u32::from_ne_bytes([a, b, c, d]);
        let failure = Self {
            stage: *STAGES.iter().find(|known| **known as u32 == stage)?,
            errno: i32::from_ne_bytes([e, f, g, h]),
            detail: u32::from_ne_bytes([i, j, k, l]),
        };
        (failure == Self::SEALED || (1..4096).contains(&failure.errno)).then_some(failure)
    }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        Self::new(
            failure.stage.layer(),
            format!(
                "{:?} failed: {} (detail {})",
                failure.stage,
                Errno::from_raw_os_error(failure.errno),
                failure.detail
            ),
        )
    }
}

/// Init ended, nobody had killed it, and it said nothing: by this signal, where it was one.
pub(crate) fn unreported(signal: Option<i32>) -> SandboxError {
    match signal {
        Some(libc::SIGSYS) => SandboxError::new(
            Layer::Seccomp,
            "init was ended by its own filter before its report",
        )
        .hint("look for the system call in the kernel log, a line with type=1326"),
        Some(libc::SIGKILL) => SandboxError::new(
            Layer::Spawner,
            "init was killed from outside before its report",
        )
        .hint("look for a memory limit above the agent in the kernel log"),
        Some(signal) => SandboxError::new(
            Layer::Spawner,
            format!("init was ended by signal {signal} before its report"),
        ),
        None => SandboxError::new(Layer::Spawner, "init ended without a report"),
    }
}

/// Adds the stage to a failed call; used in the child, so it must not allocate.
pub(crate) trait At<T> {
    fn at(self, stage: Stage, detail: u32) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, stage: Stage, detail: u32) -> Result<T, Failure> {
        let value = self.map_err(|errno| Failure::new(stage, errno, detail))?;
        mutation::passed(stage, detail);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_survives_the_record() {
        for stage in STAGES {
            let failure = Failure::new(stage, Errno::ACCESS, 7);
            assert_eq!(Failure::decode(failure.encode()), Some(failure));
        }
        assert_eq!(Failure::decode([0xff; RECORD]), None);
    }

    #[test]
    fn an_init_that_said_nothing_is_told_by_what_ended_it() {
        let told = |signal| unreported(signal).to_string();
        assert!(told(Some(libc::SIGSYS)).starts_with("Seccomp: init was ended by its own filter"));
        assert!(told(Some(libc::SIGKILL)).contains("hint: look for a memory limit"));
        assert!(told(Some(libc::SIGSEGV)).contains("signal 11"));
        assert_eq!(told(None), "Spawner: init ended without a report");
    }
}

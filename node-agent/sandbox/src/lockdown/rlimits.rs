//! Step 3: resource limits, hard equal to soft.
//!
//! Memory is the cgroup's affair (RLIMIT_AS and RLIMIT_DATA break language run-times that reserve more than they
//! touch). RLIMIT_NPROC and RLIMIT_CPU stand a little above the limits that the cgroup and the worker enforce,
//! so that those act first and are recorded. Source: getrlimit(2).

use rustix::process::{Resource, Rlimit};

use crate::error::{Layer, SandboxError};
use crate::plan::RunLimits;
use crate::readback::Observed;
use crate::stage::{At, Failure, Stage};

/// The limits in the order they are set, with the name /proc/PID/limits gives them.
#[derive(Debug)]
pub(crate) struct Rlimits {
    values: [(Resource, &'static str, u64); 12],
}

impl Rlimits {
    pub(crate) fn prepare(limits: &RunLimits) -> Self {
        let cpu_seconds = limits.cpu_time.as_secs() + 3;
        Self {
            values: [
                // 1, not 0: with 0 a `|` core_pattern still starts its handler on the host.
                (Resource::Core, "Max core file size", 1),
                (Resource::Cpu, "Max cpu time", cpu_seconds),
                (Resource::Fsize, "Max file size", limits.file_size),
                (Resource::Nofile, "Max open files", limits.open_files.into()),
                (
                    Resource::Nproc,
                    "Max processes",
                    u64::from(limits.processes) + 16,
                ),
                (Resource::Stack, "Max stack size", limits.stack),
                (Resource::Memlock, "Max locked memory", 64 << 10),
                (Resource::Msgqueue, "Max msgqueue size", 0),
                (Resource::Sigpending, "Max pending signals", 1024),
                (Resource::Rtprio, "Max realtime priority", 0),
                (Resource::Nice, "Max nice priority", 0),
                (Resource::Locks, "Max file locks", 64),
            ],
        }
    }

    pub(crate) fn apply(&self) -> Result<(), Failure> {
        for (index, (resource, _, value)) in (0u32..).zip(&self.values) {
            let limit = Rlimit {
                current: Some(*value),
                maximum: Some(*value),
            };
            rustix::process::setrlimit(*resource, limit).at(Stage::Rlimits, index)?;
        }
        Ok(())
    }

    pub(crate) fn verify(&self, seen: &Observed) -> Result<(), SandboxError> {
        for (_, name, value) in &self.values {
            let found = seen.limit(name);
            let wanted = value.to_string();
            if found != Some((wanted.as_str(), wanted.as_str())) {
                return Err(SandboxError::new(
                    Layer::Rlimits,
                    format!("{name} should be {wanted} and reads back as {found:?}"),
                ));
            }
        }
        Ok(())
    }
}

//! Step 5: only stdin, stdout, stderr and the two pipes that close at execve stay open.
//!
//! By close_range(2), never by a walk of /proc/self/fd, which depends on /proc and misses what is opened beside.

use crate::error::{Layer, SandboxError};
use crate::readback::Observed;
use crate::stage::{At, Failure, Stage};
use crate::sys;

/// The error pipe of a job.
pub(crate) const ERROR: i32 = 3;
/// Its go pipe.
pub(crate) const GO: i32 = 4;

/// The descriptors of a sealed job.
#[derive(Debug)]
pub(crate) struct Fds;

impl Fds {
    pub(crate) fn prepare() -> Self {
        Self
    }

    pub(crate) fn apply(&self) -> Result<(), Failure> {
        sys::close_from(GO.unsigned_abs() + 1).at(Stage::Descriptors, 0)
    }

    pub(crate) fn verify(&self, seen: &Observed) -> Result<(), SandboxError> {
        if seen.fds != [0, 1, 2, ERROR, GO] {
            return Err(SandboxError::new(
                Layer::Descriptors,
                format!("open descriptors should be 0 to 4 and are {:?}", seen.fds),
            ));
        }
        for fd in [ERROR, GO] {
            if !seen.closes_at_exec(fd) {
                return Err(SandboxError::new(
                    Layer::Descriptors,
                    format!("descriptor {fd} would stay open after execve"),
                ));
            }
        }
        Ok(())
    }
}

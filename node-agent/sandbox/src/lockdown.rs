//! The ordered lockdown of the job, after its root is in place and before execve. This list and nothing else.
//!
//! Each step is one file with three parts: `prepare` (parent: may allocate, fail, explain), `apply` (child: raw
//! calls on prepared buffers), `verify` (parent: compares what the kernel shows with the plan). The order matters:
//!
//! | | step | why here |
//! |---|---|---|
//! | 0 | identity | ids and securebits need capabilities; Landlock and seccomp need no_new_privs |
//! | 1 | Landlock | after every mount, which it would refuse; before the filter that hides it |
//! | 2 | seccomp floor | guards what follows; allows exactly the calls that steps 3 to 6 need |
//! | 3 | rlimits | after Landlock has opened its paths (a low NOFILE would break that) |
//! | 4 | capabilities | the last step that needed one was 0; bounding set before the others |
//! | 5 | close fds | all but the error and the go pipe, which close themselves at execve |
//! | 6 | seal | the profile's filter need not allow any call of the steps above |

pub(crate) mod capabilities;
pub(crate) mod fds;
pub(crate) mod identity;
pub(crate) mod landlock;
pub(crate) mod rlimits;
pub(crate) mod seal;
pub(crate) mod seccomp;

#[cfg(test)]
mod tests;

use crate::error::SandboxError;
use crate::mutation::{Part, keeps};
use crate::plan::RunPlan;
use crate::readback::Observed;
use crate::stage::Failure;

/// Every step, prepared.
#[derive(Debug)]
pub(crate) struct Lockdown<'a> {
    pub(crate) identity: identity::Identity,
    pub(crate) landlock: landlock::Landlock<'a>,
    pub(crate) floor: seccomp::Floor<'a>,
    pub(crate) rlimits: rlimits::Rlimits,
    pub(crate) capabilities: capabilities::Capabilities,
    pub(crate) fds: fds::Fds,
    pub(crate) seal: seal::Seal<'a>,
}

impl<'a> Lockdown<'a> {
    /// Prepares all steps of one run.
    pub(crate) fn prepare(
        run: &RunPlan,
        host_uid: u32,
        landlock: landlock::Landlock<'a>,
        filters: &'a seccomp::Filters,
        capabilities: capabilities::Capabilities,
    ) -> Self {
        Self {
            identity: identity::Identity::prepare(host_uid),
            landlock,
            floor: filters.floor(),
            rlimits: rlimits::Rlimits::prepare(&run.limits),
            capabilities,
            fds: fds::Fds::prepare(),
            seal: seal::Seal::prepare(filters.profile(run.profile), filters.inherited()),
        }
    }

    /// Applies them in order, in the child. `between` runs after step 0, while paths are still free: it enters the
    /// working directory with the job's own ids.
    pub(crate) fn apply(
        &self,
        between: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.identity.apply()?;
        between()?;
        if keeps(Part::Landlock) {
            self.landlock.apply()?;
        }
        if keeps(Part::Floor) {
            self.floor.apply()?;
        }
        if keeps(Part::Rlimits) {
            self.rlimits.apply()?;
        }
        self.capabilities.apply()?;
        if keeps(Part::Descriptors) {
            self.fds.apply()?;
        }
        if keeps(Part::Profile) {
            self.seal.apply()?;
        }
        Ok(())
    }

    /// Compares the sealed child with the plan, in the parent.
    pub(crate) fn verify(&self, seen: &Observed) -> Result<(), SandboxError> {
        self.identity.verify(seen)?;
        self.landlock.verify(seen)?;
        self.floor.verify(seen)?;
        self.rlimits.verify(seen)?;
        self.capabilities.verify(seen)?;
        self.fds.verify(seen)?;
        self.seal.verify(seen)
    }
}

//! Step 2: the seccomp floor, the same for every profile; and the compiled filters of both filter steps.
//!
//! A second filter, the profile, follows in step 6. Of two filters the stricter action wins, so no profile can
//! open what the floor refuses. Source: seccomp(2), Documentation/userspace-api/seccomp_filter.rst.

use crate::error::{Layer, SandboxError};
use crate::plan::SeccompProfile;
use crate::readback::Observed;
use crate::seccomp::{Arch, Filter};
use crate::stage::{At, Failure, Stage};
use crate::sys;

/// All filters, compiled once when the spawner starts.
#[derive(Debug)]
pub(crate) struct Filters {
    floor: Filter,
    default: Filter,
    strict: Filter,
    init: Filter,
    inherited: u32,
}

impl Filters {
    /// Compiles them. `inherited` is the number of filters the spawner itself is under.
    pub(crate) fn compile(inherited: u32) -> Self {
        let arch = Arch::native();
        Self {
            floor: crate::seccomp::floor(arch),
            default: crate::seccomp::profile(SeccompProfile::Default, arch),
            strict: crate::seccomp::profile(SeccompProfile::Strict, arch),
            init: crate::seccomp::init(arch),
            inherited,
        }
    }

    pub(crate) fn floor(&self) -> Floor<'_> {
        Floor {
            filter: &self.floor,
        }
    }

    pub(crate) fn profile(&self, profile: SeccompProfile) -> &Filter {
        match profile {
            SeccompProfile::Default => &self.default,
            SeccompProfile::Strict => &self.strict,
        }
    }

    /// The filter of pid 1.
    pub(crate) fn init(&self) -> &Filter {
        &self.init
    }

    pub(crate) fn inherited(&self) -> u32 {
        self.inherited
    }
}

/// The first of the two filters of a job.
#[derive(Debug)]
pub(crate) struct Floor<'a> {
    pub(crate) filter: &'a Filter,
}

impl Floor<'_> {
    pub(crate) fn apply(&self) -> Result<(), Failure> {
        sys::seccomp_filter(self.filter.program()).at(Stage::SeccompFloor, 0)
    }

    /// The number of filters is compared once, by the seal.
    pub(crate) fn verify(&self, seen: &Observed) -> Result<(), SandboxError> {
        seen.status_is("Seccomp", "2", Layer::Seccomp)
    }
}

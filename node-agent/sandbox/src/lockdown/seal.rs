//! Step 6: the profile's filter, the last thing before the parent reads everything back and says go.

use crate::error::{Layer, SandboxError};
use crate::mutation::{Part, keeps};
use crate::readback::Observed;
use crate::seccomp::Filter;
use crate::stage::{At, Failure, Stage};
use crate::sys;

/// Filters that a sealed job has on top of the inherited ones: floor and profile.
pub(crate) const FILTERS: u32 = 2;

/// The second of the two filters of a job.
#[derive(Debug)]
pub(crate) struct Seal<'a> {
    pub(crate) filter: &'a Filter,
    inherited: u32,
}

/// What a test installs instead: it allows everything.
const OTHER: [libc::sock_filter; 1] = [libc::sock_filter {
    code: 0x06, // BPF_RET | BPF_K
    jt: 0,
    jf: 0,
    k: libc::SECCOMP_RET_ALLOW,
}];

impl<'a> Seal<'a> {
    pub(crate) fn prepare(filter: &'a Filter, inherited: u32) -> Self {
        Self { filter, inherited }
    }

    pub(crate) fn apply(&self) -> Result<(), Failure> {
        let program = if keeps(Part::ProfileAsCompiled) {
            self.filter.program()
        } else {
            &OTHER
        };
        sys::seccomp_filter(program).at(Stage::Seal, 0)
    }

    pub(crate) fn verify(&self, seen: &Observed) -> Result<(), SandboxError> {
        let wanted = (self.inherited + FILTERS).to_string();
        seen.status_is("Seccomp_filters", &wanted, Layer::Seccomp)
    }
}

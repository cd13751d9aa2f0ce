//! Step 6: the profile's filter, the last thing before the parent reads everything back and says go.

use crate::error::{Layer, SandboxError};
use crate::readback::Observed;
use crate::seccomp::Filter;
use crate::stage::{At, Failure, Stage};
use crate::sys;

/// Filters that a sealed job has on top of the inherited ones: floor and profile.
pub(crate) const FILTERS: u32 = 2;

/// The second of the two filters of a job.
#[derive(Debug)]
pub(crate) struct Seal<'a> {
    filter: &'a Filter,
    inherited: u32,
}

impl<'a> Seal<'a> {
    pub(crate) fn prepare(filter: &'a Filter, inherited: u32) -> Self {
        Self { filter, inherited }
    }

    pub(crate) fn apply(&self) -> Result<(), Failure> {
        sys::seccomp_filter(self.filter.program()).at(Stage::Seal, 0)
    }

    pub(crate) fn verify(&self, seen: &Observed) -> Result<(), SandboxError> {
        let wanted = (self.inherited + FILTERS).to_string();
        seen.status_is("Seccomp_filters", &wanted, Layer::Seccomp)
    }
}

//! Step 4: no capability in any of the five sets.
//!
//! The job's user namespace gave it all of them over itself. Bounding first: dropping from it needs CAP_SETPCAP,
//! which capset then takes. Source: capabilities(7).

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::error::{Layer, SandboxError};
use crate::mutation::{Part, keeps};
use crate::readback::Observed;
use crate::stage::{At, Failure, Stage};

/// The sets as /proc/PID/status names them.
const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// No capabilities.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capabilities {
    /// Number of capabilities this kernel knows (/proc/sys/kernel/cap_last_cap + 1).
    known: u32,
}

impl Capabilities {
    pub(crate) fn prepare(known: u32) -> Self {
        Self { known }
    }

    pub(crate) fn apply(self) -> Result<(), Failure> {
        if keeps(Part::BoundingSet) {
            for capability in 0..self.known {
                drop_bounding(capability).at(Stage::Capabilities, capability)?;
            }
        }
        rustix::thread::clear_ambient_capability_set().at(Stage::Capabilities, u32::MAX)?;
        if keeps(Part::Capabilities) {
            clear().at(Stage::Capabilities, u32::MAX)?;
        }
        Ok(())
    }

    pub(crate) fn verify(self, seen: &Observed) -> Result<(), SandboxError> {
        for set in SETS {
            seen.status_is(set, "0000000000000000", Layer::Capabilities)?;
        }
        Ok(())
    }
}

fn drop_bounding(capability: u32) -> Result<(), Errno> {
    let bit = 1u64.checked_shl(capability).ok_or(Errno::INVAL)?;
    rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(bit))
}

/// Empties the effective, permitted and inheritable sets of this thread; init does the same.
pub(crate) fn clear() -> Result<(), Errno> {
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )
}

/// Empties the four sets of this thread that need no right for it; for the agent.
pub(crate) fn clear_all() -> Result<(), Errno> {
    rustix::thread::clear_ambient_capability_set()?;
    clear()
}

/// Drops all but `keep` from the bounding set, as far as CAP_SETPCAP is there to do it.
pub(crate) fn shrink_bounding(keep: CapabilitySet) -> Result<(), Errno> {
    for number in 0..u64::BITS {
        if keep.bits() & 1 << number != 0 {
            continue;
        }
        match drop_bounding(number) {
            // Without the right nothing goes; the last numbers have no capability.
            Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

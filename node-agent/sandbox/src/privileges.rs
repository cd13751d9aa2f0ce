//! The six capabilities of spawner and workers: what they keep, and what of it is there.
//!
//! Whoever starts the spawner may have more (root of a machine has all of them); the rest is given up before anything
//! else happens. The container tests show that each is needed: without it a run fails. Source: capabilities(7).

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::error::{Layer, SandboxError};
use crate::lockdown::capabilities;

/// By name.
const NEEDED: [(&str, CapabilitySet); 6] = [
    // Namespaces, mounts and cgroups of a run.
    ("SYS_ADMIN", CapabilitySet::SYS_ADMIN),
    // The id maps of a run, and what is made under its ids.
    ("SETUID", CapabilitySet::SETUID),
    ("SETGID", CapabilitySet::SETGID),
    // An overlay over what the steps left in /work: its mount, its copies and renames, its changes of mode.
    ("DAC_OVERRIDE", CapabilitySet::DAC_OVERRIDE),
    ("CHOWN", CapabilitySet::CHOWN),
    ("FOWNER", CapabilitySet::FOWNER),
];

/// Names of the capabilities without which nothing runs, as `securityContext.capabilities.add` takes them.
#[must_use]
pub fn needed_capabilities() -> [&'static str; 6] {
    NEEDED.map(|(name, _)| name)
}

fn needed() -> CapabilitySet {
    NEEDED.iter().map(|(_, capability)| *capability).collect()
}

/// Gives up every capability of this thread beyond the six.
///
/// The bounding set shrinks only where CAP_SETPCAP is held; without it the container's own bound stays, which is to
/// be the same six.
///
/// # Errors
/// errno; a right that is missing is none.
pub(crate) fn keep_needed() -> Result<(), Errno> {
    let needed = needed();
    capabilities::shrink_bounding(needed)?;
    rustix::thread::clear_ambient_capability_set()?;
    let kept = rustix::thread::capabilities(None)?.permitted & needed;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )
}

/// Names of those that this thread does not have.
///
/// # Errors
/// errno of capget(2).
pub(crate) fn lacking() -> Result<Vec<String>, Errno> {
    let held = rustix::thread::capabilities(None)?.effective;
    let missing = NEEDED.iter().filter(|(_, one)| !held.contains(*one));
    Ok(missing.map(|(name, _)| (*name).to_owned()).collect())
}

/// That `who` lacks these.
pub(crate) fn lack(who: &str, names: &[String]) -> SandboxError {
    let cause = format!("{who} lacks {}", names.join(", "));
    SandboxError::new(Layer::Capabilities, cause)
        .hint("start the agent as root, with these in securityContext.capabilities.add")
}

/// What failed here, with the capabilities that `who`, this process, lacks: the kernel says EPERM and no more.
pub(crate) fn explained(who: &str, error: SandboxError) -> SandboxError {
    match lacking() {
        Ok(names) if !names.is_empty() => {
            let mut lack = lack(who, &names);
            lack.cause = format!("{}: {}: {}", lack.cause, error.layer, error.cause);
            lack
        }
        _ => error,
    }
}

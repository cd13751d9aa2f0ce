//! Step 0: who the job is, and that it can never become more.
//!
//! Sources: credentials(7), capabilities(7) ("The securebits flags"), prctl(2) PR_SET_NO_NEW_PRIVS.

use rustix::process::{DumpableBehavior, Signal};
use rustix::thread::CapabilitiesSecureBits;
use rustix::thread::{Gid, Uid};

use crate::error::{Layer, SandboxError};
use crate::mutation::{Part, keeps};
use crate::readback::Observed;
use crate::stage::{At, Failure, Stage};

/// Uid and gid of the job inside its user namespace.
pub(crate) const JOB_ID: u32 = 1000;

/// NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE on, KEEP_CAPS off, all four locked.
pub(crate) const SECUREBITS: u32 = 0xef;

/// Ids, session, securebits, no_new_privs.
#[derive(Debug)]
pub(crate) struct Identity {
    host_uid: u32,
}

impl Identity {
    pub(crate) fn prepare(host_uid: u32) -> Self {
        Self { host_uid }
    }

    pub(crate) fn apply(&self) -> Result<(), Failure> {
        steps().at(Stage::Identity, 0)
    }

    pub(crate) fn verify(&self, seen: &Observed) -> Result<(), SandboxError> {
        let id = self.host_uid;
        for field in ["Uid", "Gid"] {
            let wanted = format!("{id}\t{id}\t{id}\t{id}");
            seen.status_is(field, &wanted, Layer::Identity)?;
        }
        seen.status_is("Groups", "", Layer::Identity)?;
        seen.status_is("NoNewPrivs", "1", Layer::Identity)
    }
}

fn steps() -> rustix::io::Result<()> {
    let id = JOB_ID;
    if keeps(Part::Session) {
        rustix::process::setsid()?;
    }
    if keeps(Part::Groups) {
        rustix::thread::set_thread_groups(&[])?;
    }
    let gid = Gid::from_raw(id);
    if keeps(Part::Ids) {
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    }
    // Before the uid changes: setting securebits needs CAP_SETPCAP in the job's user namespace.
    if keeps(Part::Securebits) {
        rustix::thread::set_capabilities_secure_bits(CapabilitiesSecureBits::from_bits_retain(
            SECUREBITS,
        ))?;
    }
    let uid = Uid::from_raw(id);
    if keeps(Part::Ids) {
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    }
    // After it: changing ids clears the death signal.
    if keeps(Part::DeathSignal) {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    let init = rustix::process::getppid().map(rustix::process::Pid::as_raw_pid);
    if init != Some(1) {
        return Err(rustix::io::Errno::SRCH); // init died before the signal was set
    }
    // Changing ids cleared it too; without it the parent could not read /proc/PID/fd with the job's ids.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    if keeps(Part::NoNewPrivs) {
        rustix::thread::set_no_new_privs(true)?;
    }
    Ok(())
}

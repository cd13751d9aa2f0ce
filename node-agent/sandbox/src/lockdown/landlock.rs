//! Step 1: Landlock. Everything the kernel can handle is handled; what a job needs is granted back by path.
//!
//! No rule lies on `/`. The image is read and executed, never written; REFER and the MAKE_ rights exist only below
//! the job's own trees; TCP is handled without any rule, unless the run has a loopback device of its own, and both
//! scopes are on, where the ABI has them. A missing
//! path or a refused rule ends the run. The ruleset is built in the child, because rules bind to the inodes of its
//! fresh mounts. Nothing under /proc shows a Landlock domain, so `verify` can compare the plan only; that it holds
//! is shown by the doctor's trial run. Source: Documentation/userspace-api/landlock.rst.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};

use crate::error::{Layer, SandboxError};
use crate::mutation::{Part, keeps};
use crate::plan::Network;
use crate::readback::Observed;
use crate::stage::{At, Failure, Stage};
use crate::sys;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_BLOCK: u64 = 1 << 11;
const IOCTL_DEV: u64 = 1 << 15;

/// File-system rights by the ABI that brought them: (ABI, all rights known from it on).
const FS_LADDER: [(u32, u64); 4] = [(1, 0x1fff), (2, 0x3fff), (3, 0x7fff), (5, 0xffff)];
/// TCP bind and connect.
const NET_LADDER: [(u32, u64); 1] = [(4, 0x3)];
/// Abstract unix sockets and signals.
const SCOPE_LADDER: [(u32, u64); 1] = [(6, 0x3)];

/// The lowest ABI the sandbox runs with (REFER, without which a rename between directories fails).
pub(crate) const MINIMUM_ABI: u32 = 2;

/// What a path is for; the rights follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Programs and libraries.
    Execute,
    /// One program.
    Program,
    /// Data and directories.
    Read,
    /// One of the five device files.
    Device,
    /// A writable tree of the job from which it may execute.
    Own,
    /// A writable tree of the job without execution.
    OwnData,
}

impl Access {
    fn rights(self) -> u64 {
        let own = !(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV);
        match self {
            Self::Execute => EXECUTE | READ_FILE | READ_DIR,
            Self::Program => EXECUTE | READ_FILE,
            Self::Read => READ_FILE | READ_DIR,
            Self::Device => READ_FILE | WRITE_FILE,
            Self::Own => own,
            Self::OwnData => own & !EXECUTE,
        }
    }
}

/// What a path of the agent's own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// A file, or a directory and all below it.
    Read,
    /// A directory whose content it makes and removes, and never executes.
    Change,
}

/// TCP: to listen on a port.
pub(crate) const BIND_TCP: u64 = 1;
/// TCP: to connect to a port.
pub(crate) const CONNECT_TCP: u64 = 1 << 1;

/// A path with what it is for.
pub(crate) type Rule = (CString, Access);

/// The rights this kernel's ABI can handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handled {
    pub(crate) abi: u32,
    pub(crate) ruleset: sys::LandlockRuleset,
}

impl Handled {
    /// All that ABI `abi` knows.
    pub(crate) fn by_abi(abi: u32) -> Self {
        let known = |ladder: &[(u32, u64)]| {
            let reached = ladder.iter().rev().find(|(from, _)| *from <= abi);
            reached.map_or(0, |(_, rights)| *rights)
        };
        Self {
            abi,
            ruleset: sys::LandlockRuleset {
                fs: known(&FS_LADDER),
                net: known(&NET_LADDER),
                scoped: known(&SCOPE_LADDER),
            },
        }
    }

    /// For a run with this network. With a loopback device of its own TCP is not handled: its network namespace bounds
    /// it, and a rule would have to name each port.
    pub(crate) fn with(mut self, network: Network) -> Self {
        if network == Network::Loopback {
            self.ruleset.net = 0;
        }
        self
    }

    /// An empty ruleset: whatever is handled is refused.
    pub(crate) fn create(self) -> rustix::io::Result<OwnedFd> {
        sys::landlock_create(&self.ruleset, self.size())
    }

    /// The rights of the agent on a path; those of directories mean nothing to the kernel on a file.
    pub(crate) fn own(self, access: Own, directory: bool) -> u64 {
        let rights = match (access, directory) {
            (_, false) => READ_FILE,
            (Own::Read, true) => Access::Read.rights(),
            (Own::Change, true) => Access::OwnData.rights(),
        };
        rights & self.ruleset.fs
    }

    /// Bytes of the attribute structure that this ABI accepts.
    fn size(self) -> usize {
        match self.abi {
            0..=3 => 8,
            4..=5 => 16,
            _ => 24,
        }
    }
}

/// The ruleset of one run.
#[derive(Debug)]
pub(crate) struct Landlock<'a> {
    handled: Handled,
    rules: &'a [Rule],
}

impl<'a> Landlock<'a> {
    /// The ruleset of a run in a tree with these rules.
    ///
    /// # Errors
    /// When the run asks for a higher ABI than the kernel has.
    pub(crate) fn prepare(
        handled: Handled,
        minimum: u32,
        rules: &'a [Rule],
    ) -> Result<Self, SandboxError> {
        let wanted = minimum.max(MINIMUM_ABI);
        if handled.abi < wanted {
            return Err(SandboxError::new(
                Layer::Landlock,
                format!("the kernel has ABI {}, the job needs {wanted}", handled.abi),
            )
            .hint("lower sandbox.minimumLandlockABI or choose nodes with a newer kernel"));
        }
        Ok(Self { handled, rules })
    }

    /// The rights that are refused where no rule grants them.
    pub(crate) fn handled(&self) -> sys::LandlockRuleset {
        self.handled.ruleset
    }

    pub(crate) fn apply(&self) -> Result<(), Failure> {
        let mut handled = self.handled;
        if !keeps(Part::LandlockNetwork) {
            handled.ruleset.net = 0;
        }
        if !keeps(Part::LandlockScopes) {
            handled.ruleset.scoped = 0;
        }
        let ruleset = handled.create().at(Stage::Landlock, u32::MAX)?;
        for (index, (path, access)) in (0u32..).zip(self.rules) {
            self.allow(ruleset.as_fd(), path, *access)
                .at(Stage::Landlock, index)?;
        }
        sys::landlock_restrict(ruleset.as_fd()).at(Stage::Landlock, u32::MAX)
    }

    fn allow(
        &self,
        ruleset: std::os::fd::BorrowedFd<'_>,
        path: &CStr,
        access: Access,
    ) -> rustix::io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let beneath = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        sys::landlock_add_path(
            ruleset,
            beneath.as_fd(),
            access.rights() & self.handled.ruleset.fs,
        )
    }

    pub(crate) fn verify(&self, _seen: &Observed) -> Result<(), SandboxError> {
        if self.handled.ruleset.fs == 0 {
            return Err(SandboxError::new(Layer::Landlock, "no right is handled"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_abi_handles_what_it_brought_and_passes_a_structure_it_knows() {
        let rows = [
            (1, 0x1fff, 0, 0, 8),
            (2, 0x3fff, 0, 0, 8),
            (3, 0x7fff, 0, 0, 8),
            (4, 0x7fff, 3, 0, 16),
            (5, 0xffff, 3, 0, 16),
            (6, 0xffff, 3, 3, 24),
            (7, 0xffff, 3, 3, 24),
            (12, 0xffff, 3, 3, 24),
        ];
        for (abi, fs, net, scoped, size) in rows {
            let handled = Handled::by_abi(abi);
            assert_eq!(
                handled.ruleset,
                sys::LandlockRuleset { fs, net, scoped },
                "ABI {abi}"
            );
            assert_eq!(handled.size(), size, "ABI {abi}");
        }
    }

    #[test]
    fn a_job_that_asks_for_more_than_the_kernel_has_is_refused() {
        let error = Landlock::prepare(Handled::by_abi(3), 4, &[]).unwrap_err();
        assert_eq!(error.layer, Layer::Landlock);
        let error = Landlock::prepare(Handled::by_abi(1), 0, &[]).unwrap_err();
        assert!(error.cause.contains("needs 2"), "{error}");
        Landlock::prepare(Handled::by_abi(4), 4, &[]).unwrap();
    }

    #[test]
    fn only_own_trees_can_be_changed_and_none_holds_devices() {
        let change = !(EXECUTE | READ_FILE | READ_DIR | WRITE_FILE);
        for access in [
            Access::Execute,
            Access::Program,
            Access::Read,
            Access::Device,
        ] {
            assert_eq!(access.rights() & change, 0, "{access:?}");
        }
        for access in [Access::Own, Access::OwnData] {
            assert_eq!(access.rights() & (MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV), 0);
        }
        assert_eq!(Access::OwnData.rights() & EXECUTE, 0);
    }
}

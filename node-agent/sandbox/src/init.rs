//! Init, pid 1 of a run: builds the root, starts the job, gives up every right, waits, reports once.
//!
//! Runs after clone3 on what the worker prepared: raw calls, no allocation. Its exit ends every process of the run,
//! because it is pid 1 of their namespace. It reports the job's wait status on a socket that the job never has.
//! Sources: pid_namespaces(7), user_namespaces(7), waitid(2).

use std::ffi::CStr;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::event::EventfdFlags;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{DumpableBehavior, Signal};
use rustix::thread::{CpuSet, LinkNameSpaceType, move_into_link_name_space};

use crate::cgroup::Entry;
use crate::job::Job;
use crate::lockdown::capabilities;
use crate::mutation::{self, Part, keeps};
use crate::rootfs::RunRoot;
use crate::seccomp::Filter;
use crate::stage::{At, Failure, Stage};
use crate::sys::{self, Death, Forked};

/// Everything init works on.
#[derive(Debug)]
pub(crate) struct Init<'a> {
    /// The way into the run's cgroup.
    pub(crate) cgroup: Entry<'a>,
    /// A network namespace made ahead.
    pub(crate) network: BorrowedFd<'a>,
    /// The mounts.
    pub(crate) root: RunRoot<'a>,
    /// The line written to uid_map and gid_map of the job.
    pub(crate) id_map: &'a [u8],
    /// Filter of init itself.
    pub(crate) filter: &'a Filter,
    /// Where it may wait.
    pub(crate) cpus: &'a CpuSet,
    /// Where failures of init and job go.
    pub(crate) error: BorrowedFd<'a>,
    /// Where /work and the report go.
    pub(crate) report: BorrowedFd<'a>,
    /// What it starts.
    pub(crate) job: Job<'a>,
}

/// Length of the report.
pub(crate) const REPORT: usize = 20;

/// The report as bytes.
pub(crate) fn encode(death: Death) -> [u8; REPORT] {
    let mut bytes = [0; REPORT];
    let (code, rest) = bytes.split_at_mut(4);
    let (status, rest) = rest.split_at_mut(4);
    let (switches, full) = rest.split_at_mut(8);
    code.copy_from_slice(&death.code.to_ne_bytes());
    status.copy_from_slice(&death.status.to_ne_bytes());
    switches.copy_from_slice(&death.involuntary_switches.to_ne_bytes());
    full.copy_from_slice(&death.pid.to_ne_bytes());
    bytes
}

/// The report of these bytes.
pub(crate) fn decode(bytes: [u8; REPORT]) -> Death {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = bytes;
    Death {
        code: i32::from_ne_bytes([a, b, c, d]),
        status: i32::from_ne_bytes([e, f, g, h]),
        involuntary_switches: i64::from_ne_bytes([i, j, k, l, m, n, o, p]),
        pid: i32::from_ne_bytes([q, r, s, t]),
    }
}

impl Init<'_> {
    /// The life of init. Never returns.
    pub(crate) fn run(&self) -> ! {
        if let Err(failure) = self.live() {
            let record = failure.encode();
            // Late in its lockdown the report socket is all that init has left.
            if rustix::io::write(self.error, &record).is_err() {
                let _ = rustix::io::write(report_fd(), &record);
            }
            sys::exit(1);
        }
        sys::exit(0)
    }

    fn live(&self) -> Result<(), Failure> {
        // A worker that dies before this is noticed all the same: nobody says go, and the job ends.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .at(Stage::Handover, 0)?;
        self.cgroup.enter().at(Stage::Cgroup, 0)?; // what is allocated from here on is the run's
        rustix::process::umask(Mode::empty());
        if keeps(Part::NetworkNamespace) {
            move_into_link_name_space(self.network, Some(LinkNameSpaceType::Network))
                .at(Stage::Network, 0)?;
        }
        let [work, tmp] = self.root.mount()?;
        rustix::system::sethostname(b"job").at(Stage::Handover, 1)?;
        send_directories(self.report, [work.as_fd(), tmp.as_fd()]).at(Stage::Handover, 2)?;
        let mapped = rustix::event::eventfd(0, EventfdFlags::CLOEXEC).at(Stage::Handover, 3)?;
        let own_user = keeps(Part::UserNamespace);
        let user = if own_user { libc::CLONE_NEWUSER } else { 0 };
        let flags = u64::from(user.unsigned_abs()) | CLONE_CLEAR_SIGHAND;
        let job = match sys::clone3(flags, false, None).at(Stage::JobClone, 0)? {
            Forked::Child => self.job.run(mapped.as_fd(), self.error),
            Forked::Parent { pid, .. } => pid,
        };
        // The job is always pid 2 of a fresh pid namespace; anything else means that it is not fresh.
        if job != 2 {
            return Err(Failure::new(Stage::JobClone, Errno::SRCH, 1));
        }
        if own_user {
            write_file(c"/proc/2/gid_map", self.id_map).at(Stage::IdMap, 0)?;
            write_file(c"/proc/2/uid_map", self.id_map).at(Stage::IdMap, 1)?;
        }
        rustix::io::write(&mapped, &1u64.to_ne_bytes()).at(Stage::IdMap, 2)?;
        // lock_down closes them by number; an owner that closed them again would be aborted.
        std::mem::forget((mapped, work, tmp));
        self.lock_down().at(Stage::InitLockdown, 0)?;
        let death = loop {
            match sys::wait_any() {
                Ok(death) if death.pid == job => break death,
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(Failure::new(Stage::InitLockdown, errno, 2)),
            }
        };
        // SAFETY of the number: lock_down put the report socket there.
        let _ = rustix::io::write(report_fd(), &encode(death));
        Ok(())
    }

    /// Gives up everything but waiting and writing one report on descriptor 0.
    fn lock_down(&self) -> Result<(), Errno> {
        // Taking another fsuid did it already; this does not depend on how its parent works.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        rustix::thread::sched_setaffinity(None, self.cpus)?;
        if keeps(Part::InitCapabilities) {
            capabilities::clear()?;
        }
        if keeps(Part::InitNoNewPrivs) {
            rustix::thread::set_no_new_privs(true)?;
        }
        duplicate(self.report, 0)?;
        if keeps(Part::InitDescriptors) {
            sys::close_from(1)?;
        }
        // A kill reaches the run's processes by way of init, which must not wait behind all of them for a CPU. Where it is
        // refused the run only ends some milliseconds later.
        let _ = sys::short_slice();
        mutation::passed(Stage::InitLockdown, 1); // the filter would end it
        if keeps(Part::InitFilter) {
            sys::seccomp_filter(self.filter.program())?;
        }
        Ok(())
    }
}

/// CLONE_CLEAR_SIGHAND of linux/sched.h.
pub(crate) const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

#[expect(
    unsafe_code,
    reason = "names a descriptor by number, as close_range left it"
)]
fn report_fd() -> BorrowedFd<'static> {
    // SAFETY: lock_down duplicated the report socket onto 0, and nothing closes it before init exits.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// dup2(2) onto a fixed number, without close-on-exec.
#[expect(unsafe_code, reason = "dup2 replaces whatever has the number")]
pub(crate) fn duplicate(fd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    // SAFETY: this process runs no Rust code that owns descriptor `number`: it ends in execve or _exit. The
    // temporary owner is forgotten below, so nothing is closed.
    let mut target = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
    if fd.as_raw_fd() == number {
        return rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty());
    }
    rustix::io::dup2(fd, &mut target)
}

pub(crate) fn write_file(path: &CStr, content: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    if rustix::io::write(&file, content)? == content.len() {
        Ok(())
    } else {
        Err(Errno::IO)
    }
}

fn send_directories(socket: BorrowedFd<'_>, fds: [BorrowedFd<'_>; 2]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::NOBUFS);
    }
    let message = [IoSlice::new(b"W")];
    rustix::net::sendmsg(socket, &message, &mut control, SendFlags::NOSIGNAL).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_the_socket() {
        let death = Death {
            pid: 2,
            code: 1,
            status: 137,
            involuntary_switches: 9,
        };
        assert_eq!(decode(encode(death)), death);
    }
}

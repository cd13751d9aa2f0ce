//! The helper of one kind: makes network namespaces and puts them into the socket, one for each that is asked for.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::Signal;
use rustix::thread::{CpuSet, UnshareFlags};

use super::MOST_FDS;
use super::traces;
use crate::sys::{self, Death, Forked};

/// Makes a namespace and sends it; runs in the helper.
pub(super) type Make = fn(&OwnedFd, BorrowedFd<'_>) -> Result<(), Errno>;

/// The life of a helper: ends when the last worker's end is closed.
pub(super) fn serve(
    socket: &OwnedFd,
    proc: BorrowedFd<'_>,
    make: Make,
    ahead: u32,
) -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    for _ in 0..ahead {
        make(socket, proc)?;
    }
    let everywhere = rustix::thread::sched_getaffinity(None)?;
    loop {
        let mut avoid = [0; 2];
        match rustix::net::recv(socket, &mut avoid, RecvFlags::empty()) {
            Ok((0, _)) => return Ok(()),
            Ok(_) => {
                keep_off(everywhere, usize::from(u16::from_ne_bytes(avoid)))?;
                make(socket, proc)?;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Leaves a CPU to others, where there is another.
fn keep_off(mut cpus: CpuSet, cpu: usize) -> Result<(), Errno> {
    if cpu < CpuSet::MAX_CPU && cpus.count() > 1 {
        cpus.unset(cpu);
    }
    rustix::thread::sched_setaffinity(None, &cpus)
}

/// One that is kept as long as it is as new; what tells so comes with it.
pub(super) fn make_empty(socket: &OwnedFd, proc: BorrowedFd<'_>) -> Result<(), Errno> {
    unshare_network()?;
    send_own(socket, proc, &traces::FIGURES)
}

/// One whose loopback device is up.
pub(super) fn make_with_loopback(socket: &OwnedFd, proc: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
    let flags = u64::from(flags.unsigned_abs());
    match sys::clone3(flags, false, None)? {
        Forked::Child => {
            let made = sys::bring_up_loopback().and_then(|()| send_own(socket, proc, &[]));
            sys::exit(made.map_or_else(Errno::raw_os_error, |()| 0))
        }
        Forked::Parent { .. } => match sys::wait_any()? {
            Death { status: 0, .. } => Ok(()),
            death => Err(Errno::from_raw_os_error(death.status)),
        },
    }
}

/// Sends the network namespace this process is in, with what is read there.
fn send_own(socket: &OwnedFd, proc: BorrowedFd<'_>, figures: &[&str]) -> Result<(), Errno> {
    let mut open = Vec::with_capacity(MOST_FDS);
    for name in std::iter::once(&"ns/net").chain(figures) {
        let path = format!("self/{name}");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        match rustix::fs::openat(proc, path, flags, Mode::empty()) {
            Ok(fd) => open.push(fd),
            // A kernel without IPv6.
            Err(Errno::NOENT) if traces::may_be_absent(name) => {}
            Err(errno) => return Err(errno),
        }
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<_> = open.iter().map(AsFd::as_fd).collect();
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::NOBUFS);
    }
    let message = [IoSlice::new(b"N")];
    rustix::net::sendmsg(socket, &message, &mut control, SendFlags::NOSIGNAL).map(drop)
}

#[expect(
    unsafe_code,
    reason = "unshare can break shared-descriptor invariants; NEWNET shares none"
)]
fn unshare_network() -> Result<(), Errno> {
    // SAFETY: CLONE_NEWNET changes neither the descriptor table nor the memory of this single-threaded process.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
}

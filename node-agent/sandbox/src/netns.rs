//! Network namespaces made ahead: a helper process of each kind keeps a stock of them, a run uses one once.
//!
//! Making one costs more than the rest of the namespaces together; therefore it happens beside the runs, several ahead, and
//! on another CPU than that on which a run is being started. The stock lies in the socket that all workers share with a
//! helper: one request, one descriptor, and any serves any worker, so that nothing is left of a worker that dies.
//!
//! Those for no network are owned by the initial user namespace, where no job has a right; their loopback device stays
//! down. Those with a loopback device are made by a child in a user namespace of its own, which is thrown away with
//! it: only there can the device be brought up without a right over the node's network, and the job, in another user
//! namespace, has none over this one. Sources: network_namespaces(7), user_namespaces(7), netdevice(7).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::{Pid, Signal};
use rustix::thread::{CpuSet, UnshareFlags};

use crate::error::{Context, Layer, SandboxError};
use crate::plan::Network;
use crate::sys::{self, Death, Forked};

/// Namespaces without network ahead of the runs, for each slot: a burst of short runs does not wait for them.
const AHEAD: u32 = 4;
/// Most of one kind, so that all of them fit into a socket.
const MOST: u32 = 64;

/// The workers' ends of the helpers' sockets.
#[derive(Debug)]
pub(crate) struct Networks {
    none: Supply,
    loopback: Supply,
}

/// Namespaces of one kind.
#[derive(Debug)]
struct Supply {
    socket: OwnedFd,
}

impl Networks {
    /// Starts the helpers, children of this process that it must end. `proc` is the machine's /proc.
    pub(crate) fn start(
        proc: BorrowedFd<'_>,
        slots: u32,
    ) -> Result<(Self, [Pid; 2]), SandboxError> {
        let ahead = slots.saturating_mul(AHEAD).min(MOST);
        let (none, of_none) = Supply::start(proc, make_empty, ahead)?;
        let (loopback, of_loopback) = Supply::start(proc, make_with_loopback, 1)?;
        Ok((Self { none, loopback }, [of_none, of_loopback]))
    }

    /// A worker's own handles on the shared sockets.
    pub(crate) fn share(&self) -> Result<Self, SandboxError> {
        Ok(Self {
            none: self.none.share()?,
            loopback: self.loopback.share()?,
        })
    }

    /// Takes one, in whose place another is made, on another CPU than that on which the run starts.
    pub(crate) fn take(&self, kind: Network, cpu: usize) -> Result<OwnedFd, SandboxError> {
        match kind {
            Network::None => self.none.take(cpu),
            Network::Loopback => self.loopback.take(cpu),
        }
    }
}

/// Makes a namespace and sends it; runs in the helper.
type Make = fn(&OwnedFd, BorrowedFd<'_>) -> Result<(), Errno>;

impl Supply {
    fn start(proc: BorrowedFd<'_>, make: Make, ahead: u32) -> Result<(Self, Pid), SandboxError> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .or_layer(Layer::Network, || "make the helper's socket".into())?;
        match sys::fork().or_layer(Layer::Network, || "fork the helper".into())? {
            Forked::Child => {
                drop(ours);
                sys::exit(i32::from(serve(&theirs, proc, make, ahead).is_err()));
            }
            Forked::Parent { pid, .. } => {
                let helper = Pid::from_raw(pid)
                    .ok_or_else(|| SandboxError::new(Layer::Network, "the helper has no pid"))?;
                Ok((Self { socket: ours }, helper))
            }
        }
    }

    fn share(&self) -> Result<Self, SandboxError> {
        let socket = self
            .socket
            .try_clone()
            .or_layer(Layer::Network, || "share the helper's socket".into())?;
        Ok(Self { socket })
    }

    fn take(&self, cpu: usize) -> Result<OwnedFd, SandboxError> {
        let avoid = u16::try_from(cpu).unwrap_or(u16::MAX).to_ne_bytes();
        rustix::net::send(&self.socket, &avoid, SendFlags::NOSIGNAL)
            .or_layer(Layer::Network, || "ask for a network namespace".into())?;
        receive(&self.socket).or_layer(Layer::Network, || "get a network namespace".into())
    }
}

fn receive(socket: &OwnedFd) -> Result<OwnedFd, Errno> {
    let mut byte = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    loop {
        let mut into = [IoSliceMut::new(&mut byte)];
        match rustix::net::recvmsg(socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    let rights = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    rights.ok_or(Errno::NODATA)
}

/// The life of a helper: ends when the last worker's end is closed.
fn serve(socket: &OwnedFd, proc: BorrowedFd<'_>, make: Make, ahead: u32) -> Result<(), Errno> {
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

fn make_empty(socket: &OwnedFd, proc: BorrowedFd<'_>) -> Result<(), Errno> {
    unshare_network()?;
    send_own(socket, proc)
}

fn make_with_loopback(socket: &OwnedFd, proc: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
    let flags = u64::from(flags.unsigned_abs());
    match sys::clone3(flags, false, None)? {
        Forked::Child => {
            let made = sys::bring_up_loopback().and_then(|()| send_own(socket, proc));
            sys::exit(made.map_or_else(Errno::raw_os_error, |()| 0))
        }
        Forked::Parent { .. } => match sys::wait_any()? {
            Death { status: 0, .. } => Ok(()),
            death => Err(Errno::from_raw_os_error(death.status)),
        },
    }
}

/// Sends the network namespace this process is in.
fn send_own(socket: &OwnedFd, proc: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::openat(proc, "self/ns/net", flags, Mode::empty())?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [namespace.as_fd()];
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

/// Leaves the mount namespace of whoever started us.
#[expect(
    unsafe_code,
    reason = "unshare can break shared-descriptor invariants; NEWNS shares none here"
)]
pub(crate) fn unshare_mounts() -> Result<(), Errno> {
    // SAFETY: CLONE_NEWNS implies CLONE_FS only; this process has one thread.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }
}

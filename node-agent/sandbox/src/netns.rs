//! Network namespaces made ahead: a helper process makes empty ones, a run uses one once.
//!
//! Making one costs more than the rest of the namespaces together, so it happens beside the runs. Each is owned by
//! the initial user namespace, where no job has a right; its loopback device stays down. All workers share the
//! helper's socket: one request byte, one descriptor back, and any answer serves any worker.
//! Source: network_namespaces(7).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;

use crate::error::{Context, Layer, SandboxError};
use crate::sys::{self, Forked};

/// The workers' end of the helper's socket.
#[derive(Debug)]
pub(crate) struct Networks {
    socket: OwnedFd,
    asked: bool,
}

impl Networks {
    /// Starts the helper. `proc` is the machine's /proc.
    pub(crate) fn start(proc: BorrowedFd<'_>) -> Result<Self, SandboxError> {
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
                sys::exit(i32::from(serve(&theirs, proc).is_err()));
            }
            Forked::Parent { .. } => Ok(Self {
                socket: ours,
                asked: false,
            }),
        }
    }

    /// A worker's own handle on the shared socket.
    pub(crate) fn share(&self) -> Result<Self, SandboxError> {
        let socket = self
            .socket
            .try_clone()
            .or_layer(Layer::Network, || "share the helper's socket".into())?;
        Ok(Self {
            socket,
            asked: false,
        })
    }

    /// Asks for the next namespace, so that it is ready when it is taken.
    pub(crate) fn ask(&mut self) -> Result<(), SandboxError> {
        if !self.asked {
            rustix::net::send(&self.socket, b"n", SendFlags::NOSIGNAL)
                .or_layer(Layer::Network, || "ask for a network namespace".into())?;
            self.asked = true;
        }
        Ok(())
    }

    /// Takes one and asks for another.
    pub(crate) fn take(&mut self) -> Result<OwnedFd, SandboxError> {
        self.ask()?;
        self.asked = false;
        let taken =
            receive(&self.socket).or_layer(Layer::Network, || "get a network namespace".into());
        self.ask()?;
        taken
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

/// The life of the helper: ends when the last worker's end is closed.
fn serve(socket: &OwnedFd, proc: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    loop {
        let mut byte = [0; 1];
        match rustix::net::recv(socket, &mut byte, RecvFlags::empty()) {
            Ok((0, _)) => return Ok(()),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        }
        unshare_network()?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let namespace = rustix::fs::openat(proc, "self/ns/net", flags, Mode::empty())?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [namespace.as_fd()];
        if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(Errno::NOBUFS);
        }
        rustix::net::sendmsg(
            socket,
            &[IoSlice::new(b"N")],
            &mut control,
            SendFlags::NOSIGNAL,
        )?;
    }
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

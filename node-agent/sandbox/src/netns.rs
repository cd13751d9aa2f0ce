//! Network namespaces made ahead: a helper process of each kind keeps a stock of them.
//!
//! Making and unmaking one costs more than everything else of a run. Therefore it happens beside the runs, on another
//! CPU than that on which a run is being started, and one without network serves further runs of its slot, too, as long as
//! the kernel's own figures say that it is as new ([`traces`]); otherwise it is thrown away. One with a loopback device is
//! used once. The stock lies in the socket that all workers share with a helper: one request, one namespace, and any
//! serves any worker, so that nothing is left of a worker that dies.
//!
//! Those for no network are owned by the initial user namespace, where no job has a right; their loopback device stays
//! down. Those with a loopback device are made by a child in a user namespace of its own, which is thrown away with
//! it: only there can the device be brought up without a right over the node's network, and the job, in another user
//! namespace, has none over this one. Sources: network_namespaces(7), user_namespaces(7), netdevice(7).

mod helper;
mod traces;

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags,
    SocketType,
};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;

use crate::error::{Context, Layer, SandboxError};
use crate::mutation::{Part, keeps};
use crate::plan;
use crate::sys::{self, Forked};

use helper::{Make, make_empty, make_with_loopback};
use traces::{FIGURES, Traces};

/// Namespaces without network ahead of the runs, for each slot: one whose runs leave traces does not wait for them.
const AHEAD: u32 = 2;
/// Most of one kind, so that all of them fit into a socket.
const MOST: u32 = 64;
/// Descriptors that come with a namespace, at most: itself and its figures.
const MOST_FDS: usize = 1 + FIGURES.len();

/// A network namespace for a run.
#[derive(Debug)]
pub(crate) struct Network {
    namespace: OwnedFd,
    /// How to tell whether it is as new; not for one that is used once.
    traces: Option<Traces>,
}

impl AsFd for Network {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }
}

/// A worker's network namespaces: its ends of the helpers' sockets, and two without network that take turns.
#[derive(Debug)]
pub(crate) struct Networks {
    none: Supply,
    loopback: Supply,
    /// That of the last run, which is dead.
    used: Option<Network>,
    /// As new.
    kept: Option<Network>,
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
        let networks = Self {
            none,
            loopback,
            used: None,
            kept: None,
        };
        Ok((networks, [of_none, of_loopback]))
    }

    /// A worker's own handles on the shared sockets.
    pub(crate) fn share(&self) -> Result<Self, SandboxError> {
        Ok(Self {
            none: self.none.share()?,
            loopback: self.loopback.share()?,
            used: None,
            kept: None,
        })
    }

    /// The one that was kept, or one from the stock, in whose place another is made, on another CPU than that on which
    /// the run starts.
    pub(crate) fn take(
        &mut self,
        kind: plan::Network,
        cpu: usize,
    ) -> Result<Network, SandboxError> {
        match (kind, self.kept.take()) {
            (plan::Network::None, Some(kept)) => Ok(kept),
            (plan::Network::None, None) => self.none.take(cpu),
            (plan::Network::Loopback, kept) => {
                self.kept = kept;
                self.loopback.take(cpu)
            }
        }
    }

    /// Takes back that of a run, which is dead, unless it is used once.
    pub(crate) fn give_back(&mut self, network: Network) {
        if network.traces.is_some() {
            self.used = Some(network);
        }
    }

    /// Looks whether anything is left of the last run in the namespace that it had, and keeps it if not. It takes longer
    /// than taking one does, so its time is when a worker has nothing to do: while a program runs.
    pub(crate) fn look(&mut self) {
        let as_new = |network: &Network| {
            let traces = network.traces.as_ref();
            traces.is_some_and(|traces| traces.are_none() || !keeps(Part::NetworkNew))
        };
        if let Some(used) = self.used.take().filter(as_new) {
            self.kept = Some(used);
        }
    }
}

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
                let served = helper::serve(&theirs, proc, make, ahead);
                sys::exit(i32::from(served.is_err()));
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

    fn take(&self, cpu: usize) -> Result<Network, SandboxError> {
        let avoid = u16::try_from(cpu).unwrap_or(u16::MAX).to_ne_bytes();
        rustix::net::send(&self.socket, &avoid, SendFlags::NOSIGNAL)
            .or_layer(Layer::Network, || "ask for a network namespace".into())?;
        receive(&self.socket).or_layer(Layer::Network, || "get a network namespace".into())
    }
}

fn receive(socket: &OwnedFd) -> Result<Network, Errno> {
    let mut byte = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    loop {
        let mut into = [IoSliceMut::new(&mut byte)];
        match rustix::net::recvmsg(socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    let mut fds = control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .ok_or(Errno::NODATA)?;
    let namespace = fds.next().ok_or(Errno::NODATA)?;
    let traces = Traces::beginning(fds.collect())?;
    Ok(Network { namespace, traces })
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

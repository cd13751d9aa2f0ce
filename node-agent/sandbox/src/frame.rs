//! The frames between agent, spawner and workers: one SEQPACKET message each, at most 64 KiB, descriptors beside.
//!
//! Encoding is postcard. A frame that is longer, malformed or carries more descriptors than expected is refused;
//! content (files, stdin) never travels in frames. Source: unix(7), cmsg(3).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::SandboxError;
use crate::facts::{Breach, CgroupVersion, RunFacts};
use crate::plan::{HostPlan, JobPlan, RunPlan};

/// Largest frame. Bounded so that neither side can make the other allocate without end.
pub(crate) const MAX_FRAME: usize = 64 << 10;
/// Most descriptors of a frame: the outputs of a job.
pub(crate) const MAX_FDS: usize = 16;

/// Agent to spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToSpawner {
    /// First and only once.
    Start { plan: HostPlan, agent_pid: i32 },
    /// Fork the worker of a slot; answered with its socket.
    Worker { slot: u32 },
}

/// Spawner to agent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromSpawner {
    Ready(HostFacts),
    /// With the worker's socket.
    Worker,
    Failed(SandboxError),
}

/// What the spawner found on this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HostFacts {
    /// Landlock ABI of the kernel.
    pub landlock_abi: u32,
    /// Where the controllers are.
    pub cgroup: CgroupVersion,
    /// Bytes that all runs together may use at most: the nearest memory limit above us.
    pub memory_budget: u64,
    /// The machine's core_pattern starts with `|` or `@`: a crash would reach a program of the host.
    pub piped_core_pattern: bool,
    /// Cgroups of dead predecessors that could not be removed, and why; for the log.
    pub leftovers: Vec<String>,
    /// Pid of the spawner, for figures about it.
    pub spawner_pid: i32,
}

/// Agent to worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// With a memfd that holds the content of the files.
    Begin(JobPlan),
    Run(Box<RunPlan>),
    /// End the run in progress for this reason.
    Kill(Breach),
    /// Open outputs of the last run: path below /work, largest size.
    Collect(Vec<(String, u64)>),
    /// The job is over; drop everything of it.
    End,
}

/// Worker to agent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    Begun,
    /// With the agent's ends of stdin, stdout and stderr.
    Running,
    Done(Box<RunFacts>),
    /// With one descriptor per `File`.
    Collected(Vec<Found>),
    Ended,
    Failed(SandboxError),
}

/// One output as the worker found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Found {
    File { size: u64 },
    Nothing,
    NotRegular,
    TooLarge { size: u64 },
}

/// A frame could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the peer closed the socket")]
    Closed,
    #[error("socket: {0}")]
    Socket(Errno),
    #[error("a frame of {0} bytes exceeds {MAX_FRAME}")]
    TooLong(usize),
    #[error("malformed frame")]
    Malformed,
    #[error("{0} descriptors exceed {MAX_FDS}")]
    Descriptors(usize),
}

/// Sends one frame. Blocks while the socket's buffer is full.
pub(crate) fn send<T: Serialize>(
    socket: impl AsFd,
    frame: &T,
    fds: &[BorrowedFd<'_>],
) -> Result<(), FrameError> {
    let bytes = postcard::to_allocvec(frame).map_err(|_| FrameError::Malformed)?;
    if bytes.len() > MAX_FRAME {
        return Err(FrameError::TooLong(bytes.len()));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(FrameError::Descriptors(fds.len()));
    }
    loop {
        match rustix::net::sendmsg(
            &socket,
            &[IoSlice::new(&bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        ) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::PIPE | Errno::CONNRESET) => return Err(FrameError::Closed),
            Err(errno) => return Err(FrameError::Socket(errno)),
        }
    }
}

/// A received frame and its descriptors.
#[derive(Debug)]
pub(crate) struct Received<T> {
    pub(crate) frame: T,
    pub(crate) fds: Vec<OwnedFd>,
}

/// Receives one frame; blocks.
pub(crate) fn receive<T: DeserializeOwned>(socket: impl AsFd) -> Result<Received<T>, FrameError> {
    let mut bytes = vec![0; MAX_FRAME + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        match rustix::net::recvmsg(
            &socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Ok(message) => break message,
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Err(FrameError::Closed),
            Err(errno) => return Err(FrameError::Socket(errno)),
        }
    };
    let mut fds = Vec::new();
    for item in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = item {
            fds.extend(rights);
        }
    }
    if message.bytes == 0 {
        return Err(FrameError::Closed);
    }
    if message
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
    {
        return Err(FrameError::TooLong(message.bytes));
    }
    let frame = postcard::from_bytes(bytes.get(..message.bytes).unwrap_or_default())
        .map_err(|_| FrameError::Malformed)?;
    Ok(Received { frame, fds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::os::fd::AsFd;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap()
    }

    #[test]
    fn a_frame_arrives_with_its_descriptors() {
        let (a, b) = pair();
        let (x, y) = pair();
        send(&a, &FromWorker::Running, &[x.as_fd(), y.as_fd()]).unwrap();
        let received = receive::<FromWorker>(&b).unwrap();
        assert!(matches!(received.frame, FromWorker::Running));
        assert_eq!(received.fds.len(), 2);
    }

    #[test]
    fn more_descriptors_than_a_frame_may_carry_are_refused() {
        let (a, _b) = pair();
        let many = vec![a.as_fd(); MAX_FDS + 1];
        let error = send(&a, &FromWorker::Running, &many).unwrap_err();
        assert!(matches!(error, FrameError::Descriptors(17)));
    }

    #[test]
    fn garbage_half_and_oversized_frames_are_refused() {
        let (a, b) = pair();
        rustix::net::send(&a, &[0xff; 16], SendFlags::empty()).unwrap();
        assert!(matches!(receive::<FromWorker>(&b), Err(FrameError::Malformed)));
        let half = postcard::to_allocvec(&ToWorker::Collect(vec![("a".into(), 7)])).unwrap();
        rustix::net::send(&a, &half[..half.len() - 1], SendFlags::empty()).unwrap();
        assert!(matches!(receive::<ToWorker>(&b), Err(FrameError::Malformed)));
        let long = ToWorker::Collect(vec![("x".repeat(MAX_FRAME), 1)]);
        assert!(matches!(send(&a, &long, &[]), Err(FrameError::TooLong(_))));
        drop(a);
        assert!(matches!(receive::<ToWorker>(&b), Err(FrameError::Closed)));
    }
}

//! The frames between agent, spawner and workers: one SEQPACKET message each, descriptors beside.
//!
//! Encoding is postcard behind one byte that tells where it is: in the message, or, beyond 64 KiB, in a sealed memfd
//! that comes as the first descriptor (the largest legal command line and environment take 768 KiB). A frame that is
//! longer, malformed or carries more descriptors than expected is refused; content (files, stdin) never travels in
//! frames. Source: unix(7), cmsg(3), memfd_create(2).

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Layer, SandboxError};
use crate::facts::{Breach, CgroupVersion, RunFacts};
use crate::memfile::{self, Sealed};
use crate::plan::{HostPlan, JobPlan, RunPlan};
use crate::privileges;

/// Largest frame. Bounded so that neither side can make the other allocate without end.
pub(crate) const MAX_FRAME: usize = 1 << 20;
/// Largest frame that travels in the message itself, which the kernel copies as a whole.
const MAX_INLINE: usize = 64 << 10;
/// First byte of a message whose frame follows.
const INLINE: u8 = 0;
/// First byte of a message whose frame is in its first descriptor.
const BESIDE: u8 = 1;
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
    /// There is a root file system for jobs without an image.
    pub default_rootfs: bool,
    /// The machine's core_pattern starts with `|` or `@`: a crash would reach a program of the host.
    pub piped_core_pattern: bool,
    /// Cgroups of dead predecessors that could not be removed, and why; for the log.
    pub leftovers: Vec<String>,
    /// Capabilities that the spawner needs and lacks, without their prefix: then some runs would fail as if it were
    /// the program's fault, so nothing is to be run.
    pub lacking: Vec<String>,
    /// Pid of the spawner, for figures about it.
    pub spawner_pid: i32,
}

impl HostFacts {
    /// Refuses jobs without an image where there is no root file system for them.
    ///
    /// # Errors
    /// With the way out.
    pub fn root_for_all(&self) -> Result<(), SandboxError> {
        if self.default_rootfs {
            return Ok(());
        }
        let cause = "there is no root file system for jobs without an image";
        Err(SandboxError::new(Layer::Rootfs, cause)
            .hint("--rootfs takes a directory with the files of an image, /toolbox in the image that has one"))
    }

    /// Refuses a machine whose spawner lacks a capability: there some runs would fail as if the program were at fault.
    ///
    /// # Errors
    /// The capabilities by name.
    pub fn capable(&self) -> Result<(), SandboxError> {
        if self.lacking.is_empty() {
            return Ok(());
        }
        Err(privileges::lack("the spawner", &self.lacking))
    }
}

/// Agent to worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// With a memfd that holds the content of the files, and the steps' tree of another slot if the plan shares one.
    Begin(JobPlan),
    /// With the three files of a checker, sealed, or with none.
    Run(Box<RunPlan>),
    /// Hand out the steps' tree, for the other slots of the job.
    Share,
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
    /// With the steps' tree.
    Shared,
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
    #[error("memfd: {0}")]
    Memfd(io::Error),
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
    if fds.len() > MAX_FDS {
        return Err(FrameError::Descriptors(fds.len()));
    }
    let beside = if bytes.len() > MAX_INLINE {
        Some(sealed(&bytes).map_err(FrameError::Memfd)?)
    } else {
        None
    };
    let (place, body) = match beside {
        Some(_) => ([BESIDE], &[][..]),
        None => ([INLINE], bytes.as_slice()),
    };
    let all: Vec<_> = beside
        .iter()
        .map(AsFd::as_fd)
        .chain(fds.iter().copied())
        .collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !all.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&all)) {
        return Err(FrameError::Descriptors(fds.len()));
    }
    loop {
        match rustix::net::sendmsg(
            &socket,
            &[IoSlice::new(&place), IoSlice::new(body)],
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
    let mut bytes = vec![0; MAX_INLINE + 2];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 1))];
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
    let bytes = match bytes.get(..message.bytes).and_then(<[u8]>::split_first) {
        Some((&INLINE, body)) => body.to_vec(),
        Some((&BESIDE, [])) if !fds.is_empty() => read_beside(fds.remove(0))?,
        _ => return Err(FrameError::Malformed),
    };
    let frame = postcard::from_bytes(&bytes).map_err(|_| FrameError::Malformed)?;
    Ok(Received { frame, fds })
}

/// The frame in a memfd; whatever else the descriptor is, it is not read.
fn read_beside(fd: OwnedFd) -> Result<Vec<u8>, FrameError> {
    if !memfile::is_sealed(&fd) {
        return Err(FrameError::Malformed);
    }
    let mut bytes = Vec::new();
    let file = File::from(fd);
    // From the start, wherever the sender's offset stands.
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).map_err(FrameError::Socket)?;
    let limit = MAX_FRAME as u64 + 1;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(FrameError::Memfd)?;
    if bytes.len() > MAX_FRAME {
        return Err(FrameError::TooLong(bytes.len()));
    }
    Ok(bytes)
}

/// A memfd that nobody can change any more.
pub(crate) fn sealed(content: &[u8]) -> io::Result<OwnedFd> {
    Ok(Sealed::new(content)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::MemfdFlags;
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
    fn a_long_frame_travels_beside_the_message() {
        let (a, b) = pair();
        for length in [MAX_INLINE - 10, MAX_INLINE, MAX_FRAME - 10] {
            let long = "x".repeat(length);
            send(
                &a,
                &ToWorker::Collect(vec![(long.clone(), 1)]),
                &[b.as_fd()],
            )
            .unwrap();
            let received = receive::<ToWorker>(&b).unwrap();
            assert!(matches!(received.frame, ToWorker::Collect(paths) if paths[0].0 == long));
            assert_eq!(received.fds.len(), 1, "{length}");
        }
    }

    #[test]
    fn garbage_half_and_oversized_frames_are_refused() {
        let (a, b) = pair();
        for garbage in [&[0xff; 16][..], &[INLINE], &[BESIDE], &[BESIDE, 0]] {
            rustix::net::send(&a, garbage, SendFlags::empty()).unwrap();
            assert!(matches!(
                receive::<FromWorker>(&b),
                Err(FrameError::Malformed)
            ));
        }
        let mut half = vec![INLINE];
        half.extend(postcard::to_allocvec(&ToWorker::Collect(vec![("a".into(), 7)])).unwrap());
        rustix::net::send(&a, &half[..half.len() - 1], SendFlags::empty()).unwrap();
        assert!(matches!(
            receive::<ToWorker>(&b),
            Err(FrameError::Malformed)
        ));
        let long = ToWorker::Collect(vec![("x".repeat(MAX_FRAME), 1)]);
        assert!(matches!(send(&a, &long, &[]), Err(FrameError::TooLong(_))));
        rustix::net::send(&a, &vec![INLINE; MAX_INLINE + 3], SendFlags::empty()).unwrap();
        assert!(matches!(
            receive::<ToWorker>(&b),
            Err(FrameError::TooLong(_))
        ));
        drop(a);
        assert!(matches!(receive::<ToWorker>(&b), Err(FrameError::Closed)));
    }

    /// Sends `fd` as if it held a frame.
    fn beside(socket: &OwnedFd, fd: BorrowedFd<'_>) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [fd];
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        let message = [IoSlice::new(&[BESIDE])];
        rustix::net::sendmsg(socket, &message, &mut control, SendFlags::empty()).unwrap();
    }

    #[test]
    fn a_frame_beside_the_message_must_be_sealed_and_bounded() {
        let (a, b) = pair();
        let open = rustix::fs::memfd_create("open", MemfdFlags::ALLOW_SEALING).unwrap();
        let pipe = rustix::pipe::pipe().unwrap();
        for fd in [open.as_fd(), pipe.0.as_fd(), a.as_fd()] {
            beside(&a, fd);
            assert!(matches!(
                receive::<ToWorker>(&b),
                Err(FrameError::Malformed)
            ));
        }
        beside(&a, sealed(&vec![0; MAX_FRAME + 1]).unwrap().as_fd());
        assert!(matches!(
            receive::<ToWorker>(&b),
            Err(FrameError::TooLong(_))
        ));
    }
}

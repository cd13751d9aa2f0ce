//! Starts spawners for an agent that has given up its rights.
//!
//! The same binary, executed again before the agent locks itself in. It keeps the six capabilities, has no
//! environment and waits on one socket; all it does is to fork a spawner when asked, so that a machine that failed can
//! be prepared anew. What it gets are bare orders with one descriptor, never a byte that a job made. It ends with the
//! agent. Sources: unix(7), pidfd_open(2).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, WaitOptions};
use serde::{Deserialize, Serialize};

use crate::client::Spawner;
use crate::end::End;
use crate::error::{Context, Layer, SandboxError};
use crate::frame;
use crate::plan::HostPlan;
use crate::privileges;
use crate::sys::{self, Forked};

/// First argument by which the binary knows that it is to be the launcher.
pub(crate) const LAUNCHER: &str = "evaljob-launcher";

/// Agent to launcher: fork a spawner on the socket that comes with it.
#[derive(Debug, Serialize, Deserialize)]
struct Launch;

/// Launcher to agent.
#[derive(Debug, Serialize, Deserialize)]
enum Launched {
    /// With the spawner's pidfd.
    Running,
    Failed(SandboxError),
}

/// The running launcher. Dropping it ends it, and what it started ends with the [`Spawner`]s.
#[derive(Debug)]
pub struct Launcher {
    link: Arc<Mutex<Option<OwnedFd>>>,
    child: Child,
    end: End,
}

impl Launcher {
    /// Starts it, with the rights that this process still has.
    ///
    /// # Errors
    /// When the process cannot be made.
    pub fn start() -> Result<Self, SandboxError> {
        let (ours, theirs) = pair()?;
        let mut child = again(LAUNCHER, theirs)?;
        let pidfd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let end = match pidfd.or_layer(Layer::Spawner, || "hold on to the launcher".into()) {
            Ok(pidfd) => End::of(pidfd),
            Err(error) => {
                drop(ours); // end of file: it ends
                let _ = child.wait();
                return Err(error);
            }
        };
        Ok(Self {
            link: Arc::new(Mutex::new(Some(ours))),
            child,
            end,
        })
    }

    /// Word of its end: from then on no spawner can be started, and this process cannot get its rights back.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn watch(&self) -> io::Result<End> {
        self.end.again()
    }

    /// Starts a spawner and waits until the machine is prepared.
    ///
    /// # Errors
    /// The layer that this machine cannot enforce, with cause and way out.
    pub fn spawn(&self, plan: HostPlan) -> Result<Spawner, SandboxError> {
        let (ours, theirs) = pair()?;
        let pidfd = {
            let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
            let link = link.as_ref().ok_or_else(gone)?;
            frame::send(link, &Launch, &[theirs.as_fd()])?;
            let received = frame::receive::<Launched>(link)?;
            match (received.frame, received.fds.into_iter().next()) {
                (Launched::Running, Some(pidfd)) => pidfd,
                (Launched::Failed(error), _) => return Err(error),
                (Launched::Running, None) => return Err(gone()),
            }
        };
        drop(theirs);
        Spawner::launched(ours, End::of(pidfd), plan)
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = None; // end of file
        let _ = self.child.wait();
    }
}

fn gone() -> SandboxError {
    SandboxError::new(Layer::Spawner, "the launcher is gone")
        .hint("restart the agent: it cannot get its rights back")
}

/// A pair of sockets for frames.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .or_layer(Layer::Spawner, || "make a socket for the spawner".into())
}

/// This binary again as `name`, with `socket` as its standard input and nothing of our environment.
pub(crate) fn again(name: &str, socket: OwnedFd) -> Result<Child, SandboxError> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(name).env_clear();
    #[cfg(feature = "mutation")]
    crate::mutation::inherit(&mut command);
    command
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .spawn()
        .or_layer(Layer::Spawner, || format!("start {name}"))
}

/// The life of the launcher; standard input leads to the agent. Returns the exit status.
pub(crate) fn run() -> i32 {
    sys::reset_signals();
    let Ok(agent) = take_input() else {
        return 70;
    };
    if privileges::keep_needed().is_err() {
        return 71;
    }
    let mut spawners: Vec<Pid> = Vec::new();
    while let Ok(received) = frame::receive::<Launch>(&agent) {
        spawners.retain(|pid| {
            let waited = rustix::process::waitpid(Some(*pid), WaitOptions::NOHANG);
            matches!(waited, Ok(None))
        });
        let Some(socket) = received.fds.into_iter().next() else {
            return 72;
        };
        let sent = match launch(socket, &agent) {
            Ok((pid, pidfd)) => {
                spawners.push(pid);
                frame::send(&agent, &Launched::Running, &[pidfd.as_fd()])
            }
            Err(error) => frame::send(&agent, &Launched::Failed(error), &[]),
        };
        if sent.is_err() {
            break;
        }
    }
    // Spawners have their own sockets; with the agent gone they take everything down, and are waited for.
    for pid in spawners {
        while let Err(Errno::INTR) = rustix::process::waitpid(Some(pid), WaitOptions::empty()) {}
    }
    0
}

/// Moves the socket from standard input, where a spawner has /dev/null instead.
fn take_input() -> io::Result<OwnedFd> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let null = rustix::fs::open("/dev/null", flags, Mode::empty())?;
    sys::replace_input(null.as_fd())?;
    Ok(socket)
}

fn launch(socket: OwnedFd, agent: &OwnedFd) -> Result<(Pid, OwnedFd), SandboxError> {
    let me = rustix::process::getpid();
    match sys::fork().or_layer(Layer::Spawner, || "fork a spawner".into())? {
        Forked::Child => {
            // Or the launcher's end would go unseen by the agent while a spawner lives.
            sys::close_in_child(agent);
            sys::exit(crate::spawner::run(socket, Some(me)))
        }
        Forked::Parent { pid, .. } => {
            drop(socket);
            let known = || "hold on to a spawner".into();
            let pid = Pid::from_raw(pid)
                .ok_or(Errno::SRCH)
                .or_layer(Layer::Spawner, known)?;
            // It is not waited for before the next order, so its number is not another's.
            let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty());
            Ok((pid, pidfd.or_layer(Layer::Spawner, known)?))
        }
    }
}

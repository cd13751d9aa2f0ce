//! The agent's side: starts the spawner and ends it. No privileges are needed here.

mod slot;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};

use crate::end::End;
use crate::error::{Layer, SandboxError};
use crate::frame::{self, FromSpawner, HostFacts, ToSpawner};
use crate::launcher::{self, LAUNCHER};
use crate::plan::HostPlan;

pub use slot::{Collected, Interrupt, RunIo, Slot};

/// First argument by which the binary knows that it is to be the spawner.
const SPAWNER: &str = "evaljob-spawner";

/// Becomes the spawner, the launcher or the probe, and never returns, where this process was started as one. The first
/// call of `main`.
pub fn maybe_become_spawner() {
    #[cfg(feature = "mutation")]
    crate::mutation::learn();
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    if arguments.len() > 0 {
        return;
    }
    if name == LAUNCHER {
        crate::sys::exit(launcher::run());
    }
    if name == crate::probe::PATH {
        crate::sys::exit(crate::probe::run());
    }
    if name == SPAWNER {
        let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else {
            crate::sys::exit(70);
        };
        crate::sys::exit(crate::spawner::run(socket, None));
    }
}

/// The running spawner. Dropping it ends every run and removes every cgroup.
#[derive(Debug)]
pub struct Spawner {
    facts: HostFacts,
    link: Arc<Mutex<Option<OwnedFd>>>,
    process: Process,
}

impl Spawner {
    /// Starts the spawner, with the rights that this process has, and waits until the machine is prepared. A process
    /// that gives them up starts spawners by a [`crate::Launcher`].
    ///
    /// # Errors
    /// The layer that this machine cannot enforce, with cause and way out.
    pub fn start(plan: HostPlan) -> Result<Self, SandboxError> {
        let (ours, theirs) = launcher::pair()?;
        let child = launcher::again(SPAWNER, theirs)?;
        Self::prepared(ours, Process::Child(child), plan)
    }

    /// A spawner that the launcher started at the other end of `socket`.
    pub(crate) fn launched(
        socket: OwnedFd,
        end: End,
        plan: HostPlan,
    ) -> Result<Self, SandboxError> {
        Self::prepared(socket, Process::Launched(end), plan)
    }

    fn prepared(link: OwnedFd, process: Process, plan: HostPlan) -> Result<Self, SandboxError> {
        let agent_pid = rustix::process::getpid().as_raw_pid();
        let found = frame::send(&link, &ToSpawner::Start { plan, agent_pid }, &[])
            .and_then(|()| frame::receive::<FromSpawner>(&link));
        let refused = match found.map(|received| received.frame) {
            Ok(FromSpawner::Ready(facts)) => {
                return Ok(Self {
                    facts,
                    link: Arc::new(Mutex::new(Some(link))),
                    process,
                });
            }
            Ok(FromSpawner::Failed(error)) => error,
            Ok(FromSpawner::Worker) => SandboxError::new(Layer::Spawner, "an answer out of turn"),
            Err(error) => error.into(),
        };
        drop(link);
        process.wait();
        Err(refused)
    }

    /// Word of its end, where a launcher started it; its own children are known by what they fail at.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn watch(&self) -> io::Result<Option<End>> {
        match &self.process {
            Process::Launched(end) => end.again().map(Some),
            Process::Child(_) | Process::Ended => Ok(None),
        }
    }

    /// What the spawner found on this machine.
    #[must_use]
    pub fn facts(&self) -> &HostFacts {
        &self.facts
    }

    /// The handle of slot `number`; its worker is forked when the first job begins.
    #[must_use]
    pub fn slot(&self, number: u32) -> Slot {
        Slot {
            number,
            link: Arc::clone(&self.link),
            worker: None,
            own_tree: false,
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        *link = None; // end of file: it takes everything down
        let process = std::mem::replace(&mut self.process, Process::Ended);
        drop(link);
        process.wait();
    }
}

/// How the end of a spawner is waited for.
#[derive(Debug)]
enum Process {
    /// It is our child.
    Child(Child),
    /// It is the launcher's child.
    Launched(End),
    /// It was waited for.
    Ended,
}

impl Process {
    fn wait(self) {
        match self {
            Self::Child(mut child) => drop(child.wait()),
            Self::Launched(end) => end.wait(),
            Self::Ended => {}
        }
    }
}

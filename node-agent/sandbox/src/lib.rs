//! Runs one untrusted program at a time on each of a few slots, locked down, limited and measured.
//!
//! The crate an auditor reads. It knows nothing of Kubernetes, of a network or of an async runtime, and all
//! `unsafe` code of the project is in it.
//!
//! ```text
//! caller (agent)            Spawner, Slot: this process, unprivileged after start (`confine`)
//!   │ SEQPACKET, fds by SCM_RIGHTS
//! launcher                  forks a spawner when the agent asks, for an agent that has no rights left
//! spawner                   prepares the tree once, forks one worker per slot
//!   └ worker (per slot)     single thread, one event loop; holds the capabilities
//!       └ init (pid 1)      mounts of one run; reaps; reports
//!           └ job           own user namespace; ordered lockdown; execve
//! ```

mod anonymous;
pub mod cgroup;
mod client;
mod confine;
mod end;
mod error;
pub mod facts;
mod frame;
#[cfg(test)]
mod fuzz;
mod image;
mod init;
mod job;
mod launcher;
mod lockdown;
mod memfile;
#[cfg(feature = "mutation")]
pub mod mutation;
#[cfg(not(feature = "mutation"))]
mod mutation;
mod netns;
pub mod plan;
mod privileges;
mod probe;
mod readback;
mod rootfs;
mod run;
pub mod seccomp;
mod spawner;
mod stage;
mod streams;
mod sys;
mod tree;
mod watch;
mod worker;

pub use cgroup::cpus;
pub use client::{Collected, Interrupt, RunIo, Slot, Spawner, maybe_become_spawner};
pub use confine::{Confined, Confinement, confine};
pub use end::End;
pub use error::{Layer, SandboxError};
pub use frame::HostFacts;
pub use launcher::Launcher;
pub use memfile::{Memfile, Sealed};
pub use privileges::needed_capabilities;
pub use probe::Finding;

//! Word of the end of a process that is not to end: the launcher, the spawner.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

/// The end of one process, as its pidfd tells it.
#[derive(Debug)]
pub struct End(OwnedFd);

impl End {
    /// That of the process of this pidfd.
    pub(crate) fn of(pidfd: OwnedFd) -> Self {
        Self(pidfd)
    }

    /// The same for somebody else.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Self(self.0.as_fd().try_clone_to_owned()?))
    }

    /// Waits for it.
    pub(crate) fn wait(&self) {
        let mut ended = [PollFd::new(&self.0, PollFlags::IN)];
        while let Err(Errno::INTR) = rustix::event::poll(&mut ended, None) {}
    }

    /// Calls `call` from a thread of its own once it has come, also where it was wanted.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn then(self, call: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let watch = thread::Builder::new().name("watch".to_owned());
        let watching = watch.spawn(move || {
            self.wait();
            call();
        });
        watching.map(drop)
    }
}

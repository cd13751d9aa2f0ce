//! The job, from its birth in a user namespace of its own to execve. Runs on prepared buffers; never returns.
//!
//! Streams and working directory first, then the ordered lockdown, then one record "sealed", then it waits for go.
//! Whatever fails is reported as (stage, errno, detail) and ends the process. Source: execve(2), sched_setaffinity(2).

use std::ffi::CString;
use std::os::fd::BorrowedFd;

use rustix::fs::Mode;
use rustix::io::{DupFlags, Errno};
use rustix::thread::CpuSet;

use crate::init::{duplicate, write_file};
use crate::lockdown::{Lockdown, fds};
use crate::mutation;
use crate::stage::{At, Failure, Stage};
use crate::sys::{self, StringArray};

/// Everything a job works on before it is the user's program.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) stdin: BorrowedFd<'a>,
    pub(crate) stdout: BorrowedFd<'a>,
    pub(crate) stderr: BorrowedFd<'a>,
    pub(crate) go: BorrowedFd<'a>,
    /// CPUs it sees.
    pub(crate) cpus: CpuSet,
    /// Make it the OOM killer's first choice (cgroup v1, where the worker shares its memory cgroup).
    pub(crate) oom_first: bool,
    pub(crate) working_dir: CString,
    pub(crate) lockdown: &'a Lockdown<'a>,
    /// Paths to try, in order.
    pub(crate) candidates: &'a [CString],
    pub(crate) argv: StringArray,
    pub(crate) env: StringArray,
}

impl Job<'_> {
    pub(crate) fn run(&self, mapped: BorrowedFd<'_>, error: BorrowedFd<'_>) -> ! {
        let failure = match self.prepare(mapped, error) {
            Ok(()) => self.execute(),
            Err(failure) => failure,
        };
        let _ = rustix::io::write(error_pipe(), &failure.encode());
        // Before the streams were in place the pipe has its old number only.
        let _ = rustix::io::write(error, &failure.encode());
        sys::exit(127)
    }

    fn prepare(&self, mapped: BorrowedFd<'_>, error: BorrowedFd<'_>) -> Result<(), Failure> {
        let mut count = [0; 8];
        rustix::io::read(mapped, &mut count).at(Stage::IdMap, 3)?;
        rustix::thread::sched_setaffinity(None, &self.cpus).at(Stage::Placement, 0)?;
        if self.oom_first {
            write_file(c"/proc/self/oom_score_adj", b"1000").at(Stage::Placement, 1)?;
        }
        self.streams(error).at(Stage::Streams, 0)?;
        self.lockdown.apply(|| {
            rustix::process::chdir(self.working_dir.as_c_str()).at(Stage::WorkingDirectory, 0)
        })?;
        rustix::io::write(error_pipe(), &Failure::SEALED.encode()).at(Stage::Sealed, 0)?;
        let mut go = [0; 1];
        match rustix::io::read(go_pipe(), &mut go) {
            Ok(1) => Ok(()),
            Ok(_) => Err(Failure::new(Stage::Sealed, Errno::CANCELED, 1)),
            Err(errno) => Err(Failure::new(Stage::Sealed, errno, 1)),
        }
    }

    fn streams(&self, error: BorrowedFd<'_>) -> Result<(), Errno> {
        duplicate(self.stdin, 0)?;
        duplicate(self.stdout, 1)?;
        duplicate(self.stderr, 2)?;
        for (fd, number) in [(error, fds::ERROR), (self.go, fds::GO)] {
            duplicate_cloexec(fd, number)?;
        }
        sys::default_sigpipe()?;
        rustix::process::umask(Mode::from_raw_mode(0o022));
        Ok(())
    }

    /// Tries each path as execvp(3) would; returns why none could be started.
    fn execute(&self) -> Failure {
        mutation::passed(Stage::Exec, 0);
        let mut worst = Failure::new(Stage::Exec, Errno::NOENT, 0);
        for (index, path) in (0u32..).zip(self.candidates) {
            let errno = sys::execve(path, &self.argv, &self.env);
            let skip = matches!(errno, Errno::NOENT | Errno::NOTDIR) && self.candidates.len() > 1;
            if errno == Errno::ACCESS {
                worst = Failure::new(Stage::Exec, errno, index);
            } else if !skip {
                return Failure::new(Stage::Exec, errno, index);
            }
        }
        worst
    }
}

#[expect(
    unsafe_code,
    reason = "names a descriptor by number, as streams() placed it"
)]
fn error_pipe() -> BorrowedFd<'static> {
    // SAFETY: used after streams() put the error pipe there; before that the write fails with EBADF.
    unsafe { BorrowedFd::borrow_raw(fds::ERROR) }
}

#[expect(
    unsafe_code,
    reason = "names a descriptor by number, as streams() placed it"
)]
fn go_pipe() -> BorrowedFd<'static> {
    // SAFETY: used only after streams() put the go pipe there.
    unsafe { BorrowedFd::borrow_raw(fds::GO) }
}

#[expect(unsafe_code, reason = "dup3 replaces whatever has the number")]
fn duplicate_cloexec(fd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    use std::os::fd::{FromRawFd, OwnedFd};
    // SAFETY: this process runs no Rust code that owns descriptor `number`; the temporary owner is never dropped.
    let mut target = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
    rustix::io::dup3(fd, &mut target, DupFlags::CLOEXEC)
}

//! The seccomp filters of a process as the kernel keeps them, instruction by instruction.
//!
//! In: a process that waits. Out: whether it has the compiled filters. Only the node's own test asks: it takes a stop of the
//! process, CAP_SYS_ADMIN, a reader under no filter and a kernel with CONFIG_CHECKPOINT_RESTORE.
//! Source: ptrace(2), PTRACE_SEIZE and PTRACE_SECCOMP_GET_FILTER.
#![expect(unsafe_code, reason = "ptrace(2) has no safe wrapper")]

use std::ptr;

use libc::{c_long, c_uint, c_void, sock_filter};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

use crate::facts::FiltersRead;
use crate::seccomp::Filter;

/// linux/ptrace.h
const PTRACE_SECCOMP_GET_FILTER: c_uint = 0x420c;
/// An argument that is not used, in the width of all of them.
const NOTHING: usize = 0;

/// Compares the filters of process `pid` with those it was given, in the order they were installed.
pub(crate) fn compare(pid: i32, given: &[&Filter]) -> FiltersRead {
    let found = match read(pid) {
        Ok(found) => found,
        Err(errno) => return FiltersRead::Unreadable(errno.raw_os_error()),
    };
    let same = found.len() == given.len()
        && found.iter().zip(given).all(|(found, given)| {
            let bytes: Vec<u8> = found.iter().flat_map(crate::seccomp::bytes).collect();
            bytes == given.bytes()
        });
    if same {
        FiltersRead::Same
    } else {
        FiltersRead::Other
    }
}

fn read(pid: i32) -> Result<Vec<Vec<sock_filter>>, Errno> {
    let stopped = Stopped::stop(Pid::from_raw(pid).ok_or(Errno::SRCH)?)?;
    let mut filters = Vec::new();
    loop {
        match stopped.filter(filters.len()) {
            Ok(filter) => filters.push(filter),
            Err(Errno::NOENT) => return Ok(filters),
            Err(errno) => return Err(errno),
        }
    }
}

/// A process that this one has stopped; it goes on when this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn stop(pid: Pid) -> Result<Self, Errno> {
        // SAFETY: PTRACE_SEIZE takes flags as its last argument, and touches no memory of ours.
        traced(unsafe { libc::ptrace(libc::PTRACE_SEIZE, number(pid), NOTHING, NOTHING) })?;
        let stopped = Self(pid);
        // SAFETY: as above; PTRACE_INTERRUPT has no argument.
        traced(unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, number(pid), NOTHING, NOTHING) })?;
        loop {
            match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
                Ok(Some((_, status))) if status.stopped() => return Ok(stopped),
                Ok(_) => return Err(Errno::SRCH),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// The filter with this number, the first that was installed being 0.
    fn filter(&self, at: usize) -> Result<Vec<sock_filter>, Errno> {
        let ask = |into: *mut sock_filter| {
            // SAFETY: without a buffer the kernel only tells the length; `into` has room for that many instructions, and the
            // process is stopped, so the length is the same.
            traced(unsafe {
                libc::ptrace(
                    PTRACE_SECCOMP_GET_FILTER,
                    number(self.0),
                    at,
                    into.cast::<c_void>(),
                )
            })
        };
        let empty = sock_filter {
            code: 0,
            jt: 0,
            jf: 0,
            k: 0,
        };
        let mut filter = vec![empty; ask(ptr::null_mut())?];
        ask(filter.as_mut_ptr())?;
        Ok(filter)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // SAFETY: PTRACE_DETACH takes a signal, here none. It fails only for a process that is dead.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, number(self.0), NOTHING, NOTHING) };
    }
}

/// A pid as ptrace(2) takes it.
fn number(pid: Pid) -> libc::pid_t {
    pid.as_raw_nonzero().get()
}

/// What a call returned: a number, or -1 and errno.
fn traced(value: c_long) -> Result<usize, Errno> {
    usize::try_from(value).map_err(|_| {
        let errno = std::io::Error::last_os_error().raw_os_error();
        Errno::from_raw_os_error(errno.unwrap_or(libc::EIO))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::SeccompProfile;
    use crate::seccomp::{Arch, floor, profile};
    use crate::sys::{self, Forked};

    /// A process with these filters, which waits until it is killed.
    struct Filtered(Pid);

    impl Filtered {
        fn start(filters: &[&Filter]) -> Self {
            let (ours, theirs) = rustix::pipe::pipe().unwrap();
            match sys::fork().unwrap() {
                Forked::Child => {
                    let _ = rustix::thread::set_no_new_privs(true);
                    for filter in filters {
                        if sys::seccomp_filter(filter.program()).is_err() {
                            sys::exit(1);
                        }
                    }
                    let _ = rustix::io::write(&theirs, b"x");
                    loop {
                        let _ = rustix::event::poll(&mut [], None);
                    }
                }
                Forked::Parent { pid, .. } => {
                    drop(theirs);
                    assert_eq!(rustix::io::read(&ours, &mut [0_u8; 1]), Ok(1));
                    Self(Pid::from_raw(pid).unwrap())
                }
            }
        }
    }

    impl Drop for Filtered {
        fn drop(&mut self) {
            let _ = rustix::process::kill_process(self.0, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(self.0), WaitOptions::empty());
        }
    }

    #[test]
    fn what_the_kernel_holds_is_told_from_any_other_filter() {
        let arch = Arch::native();
        let (floor, default) = (floor(arch), profile(SeccompProfile::Default, arch));
        let strict = profile(SeccompProfile::Strict, arch);
        let process = Filtered::start(&[&floor, &default]);
        let pid = number(process.0);
        let rows: [(&str, &[&Filter], FiltersRead); 6] = [
            ("as given", &[&floor, &default], FiltersRead::Same),
            (
                "as given, once more",
                &[&floor, &default],
                FiltersRead::Same,
            ),
            ("another profile", &[&floor, &strict], FiltersRead::Other),
            ("another order", &[&default, &floor], FiltersRead::Other),
            (
                "one is missing",
                &[&floor, &default, &strict],
                FiltersRead::Other,
            ),
            ("one more", &[&floor], FiltersRead::Other),
        ];
        for (row, given, expected) in rows {
            assert_eq!(compare(pid, given), expected, "{row}");
        }
    }

    #[test]
    fn a_process_that_is_not_there_cannot_be_read() {
        // Above the highest number a pid can have.
        assert_eq!(compare(1 << 23, &[]), FiltersRead::Unreadable(libc::ESRCH));
    }
}

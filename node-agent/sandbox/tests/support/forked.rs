//! Runs each case of a test binary in a forked process of its own.
//!
//! The kernel state under test (cgroup, mounts, children) belongs to a process: a case may move itself and die
//! without touching the next one. The binary must have no threads, so its target says `harness = false`. A case
//! fails by panicking. Arguments are parts of case names; `--list` prints them.
#![expect(
    unsafe_code,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test harness; clone3 has no wrapper; a descriptor is not negative, a process id fits"
)]

use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::ExitCode;

use rustix::process::{Pid, WaitOptions, WaitStatus};

/// A name that is a sentence, and the case.
pub(crate) type Case = (&'static str, fn());

/// A case that takes longer hangs.
const CASE_SECONDS: u32 = 300;

/// Forks; the child runs `body` and exits 0, or 101 if it panicked.
pub(crate) fn fork(body: impl FnOnce()) -> Pid {
    fork_into(None, body)
}

/// [`fork`], born into a v2 cgroup.
pub(crate) fn fork_into(cgroup: Option<BorrowedFd<'_>>, body: impl FnOnce()) -> Pid {
    // struct clone_args: flags, 3 pointers, exit signal, stack, its size, tls, 2 of set_tid, cgroup.
    let mut arguments = [0_u64; 11];
    arguments[4] = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        arguments[0] = 0x2_0000_0000; // CLONE_INTO_CGROUP
        arguments[10] = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without flags that share memory this is fork; the process has one thread, so no lock is held by a thread
    // that the child does not have.
    let forked = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            arguments.as_ptr(),
            size_of_val(&arguments),
        )
    };
    match forked {
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // SAFETY: ends the child without the exit handlers of the parent.
            unsafe { libc::_exit(if done.is_ok() { 0 } else { 101 }) }
        }
        -1 => panic!("clone3: {}", std::io::Error::last_os_error()),
        pid => Pid::from_raw(pid as i32).expect("a process id"),
    }
}

/// Waits for a child.
pub(crate) fn wait(pid: Pid) -> WaitStatus {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return status,
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => panic!("waitpid: {errno}"),
        }
    }
}

/// Runs the cases that the arguments select; `clean` after each, whatever became of it.
pub(crate) fn main(cases: &[Case], clean: impl Fn(Pid)) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let chosen = cases
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(*part)));
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in chosen {
        if arguments.iter().any(|argument| argument == "--list") {
            println!("{name}: test");
            continue;
        }
        let child = fork(|| {
            // SAFETY: asks for SIGALRM, which ends this process; nothing handles it.
            unsafe { libc::alarm(CASE_SECONDS) };
            case();
        });
        let status = wait(child);
        clean(child);
        if status.exit_status() == Some(0) {
            passed += 1;
            println!("test {name} ... ok");
        } else {
            failed += 1;
            println!("test {name} ... FAILED ({status:?})");
        }
    }
    println!("\ntest result: {passed} passed; {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

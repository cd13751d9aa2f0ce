#![expect(
    unsafe_code,
    reason = "filters are loaded, and calls made under them, in children made by fork"
)]
//! The filters in force: each is loaded in a child, whose calls get the kernel's own answers.
//!
//! Needs CONFIG_SECCOMP_FILTER and nothing else. A child tells the row that failed by its exit status.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::*;

use super::Filters;
use crate::seccomp::table::{Class, TABLE};
use crate::seccomp::{Arch, Filter};

/// A call, its first arguments (the others are 0), and what it returns: 0 for any success, else an errno.
type Row = (&'static str, c_long, [i64; 4], i32);

#[test]
fn the_floor_leaves_the_lockdown_its_calls_and_refuses_what_tools_try() {
    let rows: &[Row] = &[
        ("getpid", SYS_getpid, [0; 4], 0),
        ("prlimit64", SYS_prlimit64, [0, 7, 0, 0], 0),
        ("prctl", SYS_prctl, [PR_SET_DUMPABLE.into(), 0, 0, 0], 0),
        ("capset", SYS_capset, [0; 4], EFAULT),
        ("close_range", SYS_close_range, [9999, 9999, 0, 0], 0),
        ("fcntl", SYS_fcntl, [0, F_GETFD.into(), 0, 0], 0),
        ("execve", SYS_execve, [0; 4], EFAULT),
        ("setxattr", SYS_setxattr, [0; 4], EFAULT),
        ("ptrace", SYS_ptrace, [0; 4], EPERM),
        ("unshare", SYS_unshare, [0; 4], EPERM),
        ("chroot", SYS_chroot, [0; 4], EPERM),
        ("perf_event_open", SYS_perf_event_open, [0; 4], EPERM),
        ("a number above the table", 999, [0; 4], ENOSYS),
        ("no number", -1, [0; 4], ENOSYS),
    ];
    passes(&[&native().floor], rows);
}

#[test]
fn the_floor_kills_what_no_job_needs() {
    for row in TABLE {
        let (Class::Kill, Some(nr)) = (row.class, Arch::native().number(row)) else {
            continue;
        };
        assert_eq!(
            killed_by(&[&native().floor], nr.into()),
            SIGSYS,
            "{}",
            row.name
        );
    }
}

#[test]
fn a_profile_on_top_of_the_floor_does_not_soften_it() {
    for profile in [&native().default, &native().strict] {
        assert_eq!(killed_by(&[&native().floor, profile], SYS_mount), SIGSYS);
        assert_eq!(killed_by(&[&native().floor, profile], SYS_bpf), SIGSYS);
    }
}

#[test]
fn default_answers_by_arguments() {
    let stream = SOCK_STREAM | SOCK_CLOEXEC;
    let raw = SOCK_RAW | SOCK_CLOEXEC;
    let rows: &[Row] = &[
        ("clone3", SYS_clone3, [0; 4], ENOSYS),
        ("io_uring_setup", 425, [0; 4], ENOSYS),
        ("landlock_create_ruleset", 444, [0; 4], ENOSYS),
        ("a number above the table", 999, [0; 4], ENOSYS),
        ("no number", -1, [0; 4], ENOSYS),
        ("unix", SYS_socket, [AF_UNIX.into(), stream.into(), 0, 0], 0),
        (
            "netlink",
            SYS_socket,
            [AF_NETLINK.into(), raw.into(), 0, 0],
            EAFNOSUPPORT,
        ),
        ("raw", SYS_socket, [AF_INET.into(), raw.into(), 1, 0], EPERM),
        ("isatty", SYS_ioctl, [-1, 0x5401, 0, 0], EBADF),
        ("TIOCSTI", SYS_ioctl, [-1, 0x5412, 0, 0], EPERM),
        (
            "TIOCSTI, high bit",
            SYS_ioctl,
            [-1, 0x5412 | 1 << 32, 0, 0],
            EPERM,
        ),
        ("F_GETFL", SYS_fcntl, [0, F_GETFL.into(), 0, 0], 0),
        ("F_SETLEASE", SYS_fcntl, [0, F_SETLEASE.into(), 0, 0], EPERM),
        ("ask personality", SYS_personality, [-1, 0, 0, 0], 0),
        (
            "set personality",
            SYS_personality,
            [0x40_0000, 0, 0, 0],
            EPERM,
        ),
        ("fsetxattr", SYS_fsetxattr, [-1, 0, 0, 0], EOPNOTSUPP),
        ("setresuid", SYS_setresuid, [-1, -1, -1, 0], 0),
        ("memfd", SYS_memfd_create, [0; 4], EFAULT),
        (
            "huge memfd",
            SYS_memfd_create,
            [0, MFD_HUGETLB.into(), 0, 0],
            EPERM,
        ),
        ("fifo", SYS_mknodat, [-1, 0, S_IFIFO.into(), 0], EFAULT),
        ("device", SYS_mknodat, [-1, 0, S_IFCHR.into(), 0x103], EPERM),
        (
            "user namespace",
            SYS_clone,
            [(CLONE_NEWUSER | SIGCHLD).into(), 0, 0, 0],
            EPERM,
        ),
        ("sync", SYS_sync, [0; 4], EPERM),
        ("capset", SYS_capset, [0; 4], EPERM),
        ("seccomp", SYS_seccomp, [0; 4], EPERM),
        ("unshare", SYS_unshare, [0; 4], EPERM),
        ("ptrace", SYS_ptrace, [0; 4], EPERM),
    ];
    passes(&[&native().floor, &native().default], rows);
}

#[test]
fn strict_has_no_children_and_no_sockets() {
    let stream: i64 = SOCK_STREAM.into();
    let rows: &[Row] = &[
        ("child", SYS_clone, [SIGCHLD.into(), 0, 0, 0], EPERM),
        ("clone3", SYS_clone3, [0; 4], ENOSYS),
        ("unix", SYS_socket, [AF_UNIX.into(), stream, 0, 0], EPERM),
        (
            "socketpair",
            SYS_socketpair,
            [AF_UNIX.into(), stream, 0, 0],
            EFAULT,
        ),
        ("own limits", SYS_prlimit64, [0, 7, 0, 0], 0),
        ("limits of another", SYS_prlimit64, [1, 7, 0, 0], EPERM),
        ("execve", SYS_execve, [0; 4], EFAULT),
        ("execveat", SYS_execveat, [-1, 0, 0, 0], EPERM),
        ("setsid", SYS_setsid, [0; 4], EPERM),
        ("a number above the table", 999, [0; 4], ENOSYS),
    ];
    passes(&[&native().floor, &native().strict], rows);
}

#[test]
fn strict_has_threads() {
    let status = in_child(&[&native().floor, &native().strict], || {
        let answer = std::thread::spawn(|| 42).join();
        i32::from(answer.ok() != Some(42))
    });
    assert!(WIFEXITED(status), "wait status {status:#x}");
    assert_eq!(WEXITSTATUS(status), 0);
}

#[test]
fn default_has_children() {
    let status = in_child(&[&native().floor, &native().default], || {
        // SAFETY: this process has one thread; the child calls _exit and nothing else.
        let child = unsafe { fork() };
        if child == 0 {
            // SAFETY: no memory is involved.
            unsafe { _exit(0) }
        }
        // SAFETY: a null status pointer is allowed.
        let waited = unsafe { waitpid(child, std::ptr::null_mut(), 0) };
        i32::from(child < 0 || waited != child)
    });
    assert!(WIFEXITED(status), "wait status {status:#x}");
    assert_eq!(WEXITSTATUS(status), 0);
}

#[test]
fn a_program_starts_under_each_profile() {
    for profile in [&native().default, &native().strict] {
        let mut command = Command::new("/bin/true");
        // SAFETY: `load` makes three system calls on memory that was there before the fork.
        unsafe { command.pre_exec(|| load(&[&native().floor, profile])) };
        assert!(command.status().unwrap().success());
    }
}

#[test]
fn init_waits_reports_and_nothing_else() {
    let rows: &[Row] = &[
        (
            "waitid",
            SYS_waitid,
            [P_ALL.into(), 0, 0, WEXITED.into()],
            ECHILD,
        ),
        ("wait4", SYS_wait4, [-1, 0, 0, 0], ECHILD),
        ("write", SYS_write, [-1, 0, 0, 0], EBADF),
        ("sendmsg", SYS_sendmsg, [-1, 0, 0, 0], EBADF),
        ("close", SYS_close, [-1, 0, 0, 0], EBADF),
    ];
    passes(&[&native().init], rows);
    for nr in [
        SYS_getpid, SYS_openat, SYS_clone, SYS_execve, SYS_mmap, 999, -1,
    ] {
        assert_eq!(killed_by(&[&native().init], nr), SIGSYS, "number {nr}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_other_abis_of_the_machine_are_killed() {
    for filter in [&native().floor, &native().default, &native().strict] {
        assert_eq!(killed_by(&[filter], SYS_getpid | 0x4000_0000), SIGSYS);
        let status = in_child(&[filter], || {
            // SAFETY: getpid of the i386 ABI (20) touches no memory and no register but eax.
            unsafe { std::arch::asm!("int 0x80", inout("eax") 20 => _, options(nostack)) };
            0
        });
        // A kernel without the i386 ABI has no such gate: the instruction itself faults.
        let signal = WTERMSIG(status);
        assert!(
            WIFSIGNALED(status) && [SIGSYS, SIGSEGV].contains(&signal),
            "{status:#x}"
        );
    }
}

fn native() -> &'static Filters {
    Filters::of(Arch::native())
}

/// Every row returns what it says.
fn passes(filters: &[&Filter], rows: &[Row]) {
    let status = in_child(filters, || {
        let differs = rows
            .iter()
            .position(|(_, nr, args, wanted)| call(*nr, args) != *wanted);
        differs.map_or(0, |row| i32::try_from(row).unwrap_or(99) + 1)
    });
    assert!(WIFEXITED(status), "wait status {status:#x}");
    let failed = usize::try_from(WEXITSTATUS(status)).unwrap();
    assert_ne!(failed, CANNOT_LOAD, "the filters cannot be loaded");
    assert_eq!(
        failed,
        0,
        "the first row that differs: {:?}",
        rows[failed - 1]
    );
}

/// The signal that ends the process which makes this call.
fn killed_by(filters: &[&Filter], nr: c_long) -> i32 {
    let status = in_child(filters, || call(nr, &[0; 4]));
    assert!(WIFSIGNALED(status), "number {nr}: wait status {status:#x}");
    WTERMSIG(status)
}

/// Exit status of a child that did not come as far as its body.
const CANNOT_LOAD: usize = 100;

/// The wait status of a child that runs `body` under these filters.
fn in_child(filters: &[&Filter], body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child makes system calls on memory that was there before; `strict_has_threads` also
    // starts a thread, which glibc allows after fork.
    let child = unsafe { fork() };
    if child == 0 {
        let code = match load(filters) {
            Ok(()) => body(),
            Err(_) => 100,
        };
        // SAFETY: no memory is involved.
        unsafe { _exit(code) }
    }
    assert!(child > 0, "fork: {}", io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: `status` is a valid place for the wait status.
    let waited = unsafe { waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child, "waitpid: {}", io::Error::last_os_error());
    status
}

/// Loads filters in this order; a process that dies of them leaves no core file.
fn load(filters: &[&Filter]) -> io::Result<()> {
    for (option, value) in [(PR_SET_DUMPABLE, 0), (PR_SET_NO_NEW_PRIVS, 1)] {
        // SAFETY: both options take integers.
        if unsafe { prctl(option, value, 0, 0, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    for filter in filters {
        let program = sock_fprog {
            len: filter
                .program()
                .len()
                .try_into()
                .map_err(io::Error::other)?,
            filter: filter.program().as_ptr().cast_mut(),
        };
        // SAFETY: `program` describes a live slice, which the kernel copies and does not write.
        let loaded =
            unsafe { syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        if loaded != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// 0 or the errno of a call.
fn call(nr: c_long, args: &[i64; 4]) -> i32 {
    // SAFETY: the rows pass integers and null pointers only, which the kernel checks.
    let result = unsafe { syscall(nr, args[0], args[1], args[2], args[3], 0, 0) };
    if result >= 0 {
        return 0;
    }
    io::Error::last_os_error().raw_os_error().unwrap_or(-1)
}

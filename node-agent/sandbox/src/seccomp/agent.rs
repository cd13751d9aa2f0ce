//! The filter of the agent itself: what its threads call, once the launcher runs.
//!
//! In: an architecture. Out: a filter for a process that talks to the operator, serves pages, drives workers over
//! sockets and keeps a cache of files. It starts no program, makes no namespace, no process and no device, and looks
//! into no other one. What is not listed is EPERM; what the table does not know, ENOSYS. Arguments are bounded by the
//! rules that the jobs' default profile has. Sources: what std, tokio and the C library call (strace).

use super::assembler::Target;
use super::rules::{self, Rule};
use super::table::{Class, Grant};
use super::{ALLOW, Arch, Filter, compile, compile_rule, errno};

/// Threads, memory, time, signals within the process.
const SELF: &[&str] = &[
    "brk",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "clone",
    "exit",
    "exit_group",
    "futex",
    "gettid",
    "getpid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "set_robust_list",
    "set_tid_address",
    "rseq",
    "membarrier",
    "sched_yield",
    "sched_getaffinity",
    "prctl",
    "prlimit64",
    "getrlimit",
    "getrusage",
    "sysinfo",
    "uname",
    "getrandom",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "tgkill",
    "restart_syscall",
    "wait4",
    "waitid",
    "arch_prctl",
];
/// Descriptors of any kind.
const DESCRIPTORS: &[&str] = &[
    "read",
    "readv",
    "pread64",
    "write",
    "writev",
    "pwrite64",
    "close",
    "fcntl",
    "ioctl",
    "dup",
    "lseek",
    "poll",
    "ppoll",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "eventfd2",
    "pipe2",
    "memfd_create",
    "fstat",
    "sendfile",
    "copy_file_range",
    "splice",
];
/// Sockets: the operator, names, pages, workers.
const SOCKETS: &[&str] = &[
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept4",
    "getsockname",
    "getpeername",
    "setsockopt",
    "getsockopt",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "shutdown",
];
/// Files. Landlock says which.
const FILES: &[&str] = &[
    "open",
    "openat",
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "symlinkat",
    "linkat",
    "fchmod",
    "fchmodat",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "flock",
    "utimensat",
    "umask",
];

/// Calls whose rule is narrower than the jobs' default one.
static NARROWER: [(&str, &Rule); 2] = [
    ("clone", &rules::CLONE_THREADS),
    ("prlimit64", &rules::PRLIMIT_SELF),
];

/// The filter of every thread of the agent.
#[must_use]
pub fn agent(arch: Arch) -> Filter {
    let names: Vec<&str> = [SELF, DESCRIPTORS, SOCKETS, FILES].concat();
    compile(arch, errno(libc::ENOSYS), |assembler, row| {
        if matches!(row.class, Class::Absent) {
            // clone3 hides its flags: the C library then uses clone.
            return Target::Return(errno(libc::ENOSYS));
        }
        if !names.contains(&row.name) {
            return Target::Return(errno(libc::EPERM));
        }
        let narrower = NARROWER.iter().find(|(name, _)| *name == row.name);
        match (narrower, &row.class) {
            (Some((_, rule)), _) => compile_rule(assembler, rule),
            (
                None,
                Class::Allow {
                    default: Grant::If(rule),
                    ..
                },
            ) => compile_rule(assembler, rule),
            (
                None,
                Class::Allow {
                    default: Grant::Always,
                    ..
                },
            ) => Target::Return(ALLOW),
            // The table forbids it to jobs: then nobody has a use for it.
            (None, _) => Target::Return(errno(libc::EPERM)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::table::TABLE;
    use super::*;

    #[test]
    fn every_call_of_the_agent_is_one_that_jobs_may_make_and_none_starts_a_program() {
        for name in [SELF, DESCRIPTORS, SOCKETS, FILES].concat() {
            let row = TABLE.iter().find(|row| row.name == name).expect(name);
            assert!(
                matches!(
                    row.class,
                    Class::Allow {
                        default: Grant::Always | Grant::If(_),
                        ..
                    }
                ),
                "{name}"
            );
            for fatal in [
                "exec", "fork", "ptrace", "setuid", "mount", "unshare", "kill",
            ] {
                assert!(name == "tgkill" || !name.contains(fatal), "{name}");
            }
        }
    }
}

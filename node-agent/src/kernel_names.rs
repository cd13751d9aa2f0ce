//! Names of signals and errno values, as programmers and manuals call them.
//!
//! In: the kernel's numbers (the same on x86_64 and aarch64). Out: text for a status. Numbers
//! without a name here stay numbers. Source: signal(7), errno(3), execve(2).

use std::borrow::Cow;

const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// Segmentation fault.
pub const SIGSEGV: i32 = 11;
/// A file grew beyond RLIMIT_FSIZE.
pub const SIGXFSZ: i32 = 25;
/// A system call that a filter answers with death.
pub const SIGSYS: i32 = 31;

/// First real-time signal that the C library leaves to programs.
const SIGRTMIN: i32 = 34;
const SIGRTMAX: i32 = 64;

/// `SIGSEGV` for 11.
pub fn signal(number: i32) -> Cow<'static, str> {
    let named = usize::try_from(number - 1)
        .ok()
        .and_then(|index| SIGNALS.get(index));
    match named {
        Some(name) => Cow::Borrowed(name),
        None if (SIGRTMIN..=SIGRTMAX).contains(&number) => {
            Cow::Owned(format!("SIGRTMIN+{}", number - SIGRTMIN))
        }
        None => Cow::Owned(format!("signal {number}")),
    }
}

/// `ENOENT (no such file or directory)` for 2: what execve and the search for a command answer.
pub fn errno(number: i32) -> Cow<'static, str> {
    let name = match number {
        1 => "EPERM (not permitted)",
        2 => "ENOENT (no such file or directory)",
        5 => "EIO (input/output error)",
        7 => "E2BIG (arguments and environment too long)",
        8 => "ENOEXEC (not an executable format)",
        11 => "EAGAIN (no process left)",
        12 => "ENOMEM (out of memory)",
        13 => "EACCES (permission denied)",
        14 => "EFAULT (bad address)",
        20 => "ENOTDIR (not a directory)",
        21 => "EISDIR (is a directory)",
        22 => "EINVAL (invalid argument)",
        23 => "ENFILE (too many open files in the system)",
        24 => "EMFILE (too many open files)",
        26 => "ETXTBSY (executable is open for writing)",
        28 => "ENOSPC (no space left)",
        36 => "ENAMETOOLONG (name too long)",
        40 => "ELOOP (too many symbolic links)",
        80 => "ELIBBAD (bad interpreter)",
        _ => return Cow::Owned(format!("errno {number}")),
    };
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_the_names_of_the_manual() {
        let rows = [
            (1, "SIGHUP"),
            (6, "SIGABRT"),
            (9, "SIGKILL"),
            (SIGSEGV, "SIGSEGV"),
            (13, "SIGPIPE"),
            (15, "SIGTERM"),
            (17, "SIGCHLD"),
            (24, "SIGXCPU"),
            (SIGXFSZ, "SIGXFSZ"),
            (SIGSYS, "SIGSYS"),
            (34, "SIGRTMIN+0"),
            (64, "SIGRTMIN+30"),
            (32, "signal 32"),
            (0, "signal 0"),
            (-1, "signal -1"),
            (65, "signal 65"),
        ];
        for (number, name) in rows {
            assert_eq!(signal(number), name);
        }
    }

    #[test]
    fn an_unknown_errno_stays_a_number() {
        assert_eq!(errno(2), "ENOENT (no such file or directory)");
        assert_eq!(errno(999), "errno 999");
    }
}

//! The raw system calls that no safe library offers, one function each; most of the crate's `unsafe` is here.
//!
//! Everything in this file may be called between fork and execve: no allocation, no lock, no formatting. Errors
//! are errno values. Sources: the man page of each call.

#![expect(
    unsafe_code,
    reason = "raw system calls; every block names its invariant"
)]

use std::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

type Result<T> = std::result::Result<T, Errno>;

/// Turns the return value of `libc::syscall` into a result. `errno` is thread-local and needs no lock.
fn checked(value: c_long) -> Result<c_long> {
    if value >= 0 {
        return Ok(value);
    }
    let errno = std::io::Error::last_os_error().raw_os_error();
    Err(errno.map_or(Errno::INVAL, Errno::from_raw_os_error))
}

/// Which side of a fork this is.
#[derive(Debug)]
pub(crate) enum Forked {
    /// The child.
    Child,
    /// The parent, with the child's pid and, where asked for, its pidfd.
    Parent { pid: i32, pidfd: Option<OwnedFd> },
}

/// clone3(2) without a stack: the child goes on with a copy of this process, as after fork.
///
/// The child must end in execve or [`exit`] and may call only what this module and rustix offer for descriptors
/// and C strings. CLONE_VM, CLONE_FILES and threads are not supported.
pub(crate) fn clone3(flags: u64, pidfd: bool, cgroup: Option<BorrowedFd<'_>>) -> Result<Forked> {
    #[repr(C)]
    struct Arguments([u64; 11]);
    let mut pidfd_out: c_int = -1;
    let mut flags = flags;
    if pidfd {
        flags |= libc::CLONE_PIDFD as u64;
    }
    let mut into = 0;
    if let Some(fd) = cgroup {
        flags |= 0x2_0000_0000; // CLONE_INTO_CGROUP
        into = u64::from(fd.as_raw_fd().unsigned_abs());
    }
    // struct clone_args: flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup
    let arguments = Arguments([
        flags,
        (&raw mut pidfd_out).expose_provenance() as u64,
        0,
        0,
        libc::SIGCHLD.unsigned_abs().into(),
        0,
        0,
        0,
        0,
        0,
        into,
    ]);
    // SAFETY: without CLONE_VM the child has its own copy of memory and goes on with the same stack contents; the
    // structure outlives the call and its length is passed; this process has one thread (the spawner's rule).
    let value = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<Arguments>(),
        )
    };
    match checked(value)? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent {
            pid: i32::try_from(pid).map_err(|_| Errno::OVERFLOW)?,
            pidfd: pidfd.then(|| {
                // SAFETY: the kernel wrote a new descriptor that nobody else owns.
                unsafe { OwnedFd::from_raw_fd(pidfd_out) }
            }),
        }),
    }
}

/// fork(2) by the C library, so that the child may allocate. Only for processes with one thread.
pub(crate) fn fork() -> Result<Forked> {
    // SAFETY: the caller has one thread, so the child inherits no lock that another thread holds.
    match checked(c_long::from(unsafe { libc::fork() }))? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent {
            pid: i32::try_from(pid).map_err(|_| Errno::OVERFLOW)?,
            pidfd: None,
        }),
    }
}

/// _exit(2): ends the process at once, without destructors or exit handlers.
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: always safe; nothing runs after it.
    unsafe { libc::_exit(status) }
}

/// A NULL-terminated array of C strings in the form execve wants; made before the fork.
#[derive(Debug)]
pub(crate) struct StringArray {
    _strings: Vec<std::ffi::CString>,
    pointers: Vec<*const c_char>,
}

impl StringArray {
    pub(crate) fn new(strings: Vec<std::ffi::CString>) -> Self {
        let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self {
            _strings: strings,
            pointers,
        }
    }
}

/// execve(2); returns only on failure.
pub(crate) fn execve(path: &CStr, argv: &StringArray, env: &StringArray) -> Errno {
    // SAFETY: both arrays end with NULL and point to strings that StringArray owns.
    let value =
        unsafe { libc::execve(path.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr()) };
    checked(c_long::from(value)).err().unwrap_or(Errno::NOSYS)
}

/// Runs `body` with the file-system ids `id`: what it makes belongs to `id`.
///
/// Changing them takes away the signal by which a process dies with its parent (prctl(2), PR_SET_PDEATHSIG), so it is
/// set again each time. For processes that are to die so.
///
/// # Errors
/// [`Errno::PERM`] when the ids were refused; [`Errno::SRCH`] when the parent died meanwhile.
pub(crate) fn with_fs_ids<T>(id: u32, body: impl FnOnce() -> T) -> Result<T> {
    let parent = rustix::process::getppid();
    let kill = Some(rustix::process::Signal::KILL);
    set_fs_ids(id)?;
    rustix::process::set_parent_process_death_signal(kill)?; // `body` may take long
    let done = body();
    set_fs_ids(0)?;
    rustix::process::set_parent_process_death_signal(kill)?;
    if rustix::process::getppid() != parent {
        return Err(Errno::SRCH);
    }
    Ok(done)
}

/// setfsuid(2) and setfsgid(2) together. Checks that they took effect.
fn set_fs_ids(id: u32) -> Result<()> {
    for call in [libc::SYS_setfsgid, libc::SYS_setfsuid] {
        // SAFETY: takes an integer.
        unsafe { libc::syscall(call, id) };
        // SAFETY: takes an integer; -1 is never valid, so the call only tells the present value.
        let now = unsafe { libc::syscall(call, u32::MAX) };
        if now != c_long::from(id) {
            return Err(Errno::PERM);
        }
    }
    Ok(())
}

/// close_range(2) from `first` to the end.
pub(crate) fn close_from(first: u32) -> Result<()> {
    // SAFETY: closes descriptors of this process only; whoever owns them in Rust is never run again (before
    // execve or exit).
    checked(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) }).map(drop)
}

/// Closes a forked child's copy of a descriptor that the parent owns.
pub(crate) fn close_in_child(fd: &OwnedFd) {
    // SAFETY: the caller is a fresh fork that ends in _exit and never touches the owner again.
    unsafe { rustix::io::close(fd.as_raw_fd()) }
}

/// dup2(2) onto standard input.
pub(crate) fn replace_input(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes two numbers; whatever standard input was, nobody owns it as a value.
    checked(c_long::from(unsafe { libc::dup2(fd.as_raw_fd(), 0) })).map(drop)
}

/// mount_setattr(2) on a mount given by path below `dir` (empty: `dir` itself).
pub(crate) fn mount_setattr(dir: BorrowedFd<'_>, path: &CStr, set: u64) -> Result<()> {
    let attributes: [u64; 4] = [set, 0, 0, 0]; // struct mount_attr: attr_set attr_clr propagation userns_fd
    let flags = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: the string and the structure outlive the call; the size of the structure is passed.
    let value = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir.as_raw_fd(),
            path.as_ptr(),
            flags,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    };
    checked(value).map(drop)
}

/// Loads a filter with seccomp(2); it can never be removed.
pub(crate) fn seccomp_filter(program: &[libc::sock_filter]) -> Result<()> {
    let descriptor = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::INVAL)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which outlives the call, and does not write to it.
    let value = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const descriptor,
        )
    };
    checked(value).map(drop)
}

/// `struct landlock_ruleset_attr` up to ABI 6.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LandlockRuleset {
    pub(crate) fs: u64,
    pub(crate) net: u64,
    pub(crate) scoped: u64,
}

/// The ABI that landlock_create_ruleset(2) reports.
pub(crate) fn landlock_abi() -> Result<u32> {
    let version: c_ulong = 1; // LANDLOCK_CREATE_RULESET_VERSION
    // SAFETY: a query; the pointer may be null by the man page.
    let value = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<c_void>(),
            0usize,
            version,
        )
    };
    u32::try_from(checked(value)?).map_err(|_| Errno::OVERFLOW)
}

/// landlock_create_ruleset(2); `size` is the length of the structure that the kernel's ABI knows.
pub(crate) fn landlock_create(attributes: &LandlockRuleset, size: usize) -> Result<OwnedFd> {
    // SAFETY: the structure outlives the call and is at least `size` long (callers pass 8, 16 or 24).
    let value = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const *attributes,
            size.min(size_of::<LandlockRuleset>()),
            0,
        )
    };
    let fd = c_int::try_from(checked(value)?).map_err(|_| Errno::OVERFLOW)?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// landlock_add_rule(2), LANDLOCK_RULE_PATH_BENEATH.
pub(crate) fn landlock_add_path(
    ruleset: BorrowedFd<'_>,
    path: BorrowedFd<'_>,
    access: u64,
) -> Result<()> {
    #[repr(C, packed)]
    struct PathBeneath {
        access: u64,
        parent: c_int,
    }
    let rule = PathBeneath {
        access,
        parent: path.as_raw_fd(),
    };
    // SAFETY: the structure outlives the call.
    let value = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            1, // LANDLOCK_RULE_PATH_BENEATH
            &raw const rule,
            0,
        )
    };
    checked(value).map(drop)
}

/// landlock_add_rule(2), LANDLOCK_RULE_NET_PORT.
pub(crate) fn landlock_add_port(ruleset: BorrowedFd<'_>, port: u16, access: u64) -> Result<()> {
    let rule: [u64; 2] = [access, port.into()]; // struct landlock_net_port_attr: allowed_access port
    // SAFETY: the structure outlives the call.
    let value = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            2, // LANDLOCK_RULE_NET_PORT
            rule.as_ptr(),
            0,
        )
    };
    checked(value).map(drop)
}

/// landlock_restrict_self(2).
pub(crate) fn landlock_restrict(ruleset: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes a descriptor and flags.
    checked(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) })
        .map(drop)
}

/// sched_setattr(2): asks for a CPU for a tenth of a millisecond at a time, and gets one sooner for it (Linux 6.12; older
/// kernels ignore the slice).
pub(crate) fn short_slice() -> Result<()> {
    const NANOSECONDS: u64 = 100_000;
    // struct sched_attr: size and policy (0: the usual one), flags, nice and priority, runtime, deadline, period.
    let attributes: [u64; 6] = [48, 0, 0, NANOSECONDS, 0, 0];
    // SAFETY: the structure outlives the call, and its first field is its size.
    checked(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, attributes.as_ptr(), 0) }).map(drop)
}

/// Resets the disposition of SIGPIPE, the one signal that the worker ignores.
pub(crate) fn default_sigpipe() -> Result<()> {
    // SAFETY: SIG_DFL is a valid disposition; no handler is installed.
    let previous = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    if previous == libc::SIG_ERR {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// Resets every signal but SIGPIPE, which is ignored, and empties the mask; for the start of the spawner.
///
/// By the system call: the C library refuses to touch the two signals it keeps for itself, and whoever started the
/// agent may have left them ignored.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        let handler = if signal == libc::SIGPIPE {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        };
        // struct sigaction of the kernel: handler, flags, restorer, mask of 64 signals.
        let action: [usize; 4] = [handler, 0, 0, 0];
        // SAFETY: the structure outlives the call; no handler is installed. SIGKILL and SIGSTOP are refused with an
        // error, which changes nothing.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                action.as_ptr(),
                std::ptr::null_mut::<c_void>(),
                size_of::<u64>(),
            )
        };
    }
    // SAFETY: an all-zero set is the empty set.
    let empty: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set outlives the call; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut()) };
}

/// Brings up the loopback device of this process's network namespace. Source: netdevice(7).
pub(crate) fn bring_up_loopback() -> Result<()> {
    const UP: libc::c_short = 1; // IFF_UP, which libc has as an int
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )?;
    // SAFETY: all-zero is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request.ifr_ifru.ifru_flags = UP;
    // SAFETY: the request outlives the call, and holds a name that ends with a zero.
    let value = unsafe {
        libc::syscall(
            libc::SYS_ioctl,
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS,
            &raw const request,
        )
    };
    checked(value).map(drop)
}

/// What init learns of a dead child.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Death {
    pub(crate) pid: i32,
    /// CLD_EXITED, CLD_KILLED or CLD_DUMPED.
    pub(crate) code: i32,
    /// Exit status or signal.
    pub(crate) status: i32,
    /// Involuntary context switches of it and of the children it waited for.
    pub(crate) involuntary_switches: i64,
}

/// waitid(2) for any child, with rusage; blocks.
pub(crate) fn wait_any() -> Result<Death> {
    // SAFETY: all-zero is a valid value of both structures.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both structures outlive the call.
    let value = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_ALL,
            0,
            &raw mut info,
            libc::WEXITED,
            &raw mut usage,
        )
    };
    checked(value)?;
    Ok(Death {
        // SAFETY: waitid succeeded, so the SIGCHLD members are filled.
        pid: unsafe { info.si_pid() },
        code: info.si_code,
        // SAFETY: as above.
        status: unsafe { info.si_status() },
        involuntary_switches: usage.ru_nivcsw,
    })
}

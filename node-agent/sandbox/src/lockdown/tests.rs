//! A step alone, in a child made by fork: what the namespaces and ids of a whole run would refuse without it, too.
#![expect(unsafe_code, reason = "fork, and raw calls in the child")]

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::landlock::{Handled, Landlock};
use crate::sys::{self, Forked};

/// What became of an attempt: 0, or errno, which is below 128 for those expected here.
fn errno(result: rustix::io::Result<()>) -> i32 {
    result.err().map_or(0, Errno::raw_os_error)
}

/// Runs `body` in a child; it may only make system calls. Returns its exit status.
fn in_child(body: impl FnOnce() -> i32) -> i32 {
    match sys::fork().expect("fork") {
        Forked::Child => sys::exit(body()),
        Forked::Parent { pid, .. } => {
            let mut status = 0;
            // SAFETY: the status outlives the call; the child is ours and waited for once.
            let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
            assert_eq!(waited, pid);
            assert!(libc::WIFEXITED(status), "wait status {status:#x}");
            libc::WEXITSTATUS(status)
        }
    }
}

#[test]
fn the_scopes_of_landlock_keep_abstract_sockets_and_signals_inside() {
    let abi = sys::landlock_abi().expect("Landlock");
    assert!(
        abi >= 6,
        "the kernel's Landlock has ABI {abi}, scopes came with 6"
    );
    let name = format!("evaljob-scope-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let _listener = UnixListener::bind_addr(&address).expect("a name of our own");
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).expect("a short name");
    let connect = || {
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &address)
    };
    let signal = || {
        let parent = rustix::process::getppid().ok_or(Errno::SRCH)?;
        rustix::process::test_kill_process(parent)
    };
    let landlock = Landlock::prepare(Handled::by_abi(abi), abi, &[]).expect("the kernel's own ABI");
    let apply = || {
        let applied = rustix::thread::set_no_new_privs(true).is_ok() && landlock.apply().is_ok();
        if applied { 0 } else { 99 }
    };
    let attempts: [(&str, &dyn Fn() -> rustix::io::Result<()>); 2] =
        [("an abstract socket", &connect), ("a signal", &signal)];
    for (name, attempt) in attempts {
        assert_eq!(
            in_child(|| errno(attempt())),
            0,
            "{name}: without Landlock it works"
        );
        let wanted = Errno::PERM.raw_os_error();
        assert_eq!(in_child(|| apply().max(errno(attempt()))), wanted, "{name}");
    }
}

//! The profile `Strict`: threads, but no children and no sockets. What both profiles refuse is in the corpus.
//!
//! Never a call that sets a clock, loads code into the kernel or ends the machine, not even where it is denied: the
//! controls run as root.

use libc::*;

use crate::harness::Case;
use crate::harness::attempts::Arg::{N, S, Z};
use crate::harness::attempts::End::{Fails, Killed, Works};
use crate::harness::attempts::{Call, call, make};
use crate::harness::program::Program;

pub(crate) const CASES: &[Case] = &[
    (
        "Strict refuses children and sockets that Default allows",
        || {
            make(STRICT, Program::strict);
            make(NOT_STRICT, |program| program);
        },
    ),
    ("Strict has threads and runs an interpreter", || {
        let threads = Program::compiled("many", &["8", "threads"]).strict();
        threads.run().passed().printed("8\n");
        let python = "import threading; thread = threading.Thread(target=print, args=('thread',)); thread.start()";
        Program::python(python)
            .strict()
            .run()
            .passed()
            .printed("thread\n");
    }),
];

#[rustfmt::skip]
const STRICT: &[Call] = &[
    #[cfg(target_arch = "x86_64")] // elsewhere there is only clone
    call("fork", SYS_fork, &[], Fails(EPERM), Works),
    call("fork by clone", SYS_clone, &[N(17)], Fails(EPERM), Works),
    call("socket", SYS_socket, &[N(1), N(1), N(0)], Fails(EPERM), Works),
    call("shmget", SYS_shmget, &[N(0), N(4096), N(0o1600)], Fails(EPERM), Works),
    call("limits of another process", SYS_prlimit64, &[N(1), N(7), N(0), Z(16)], Fails(EPERM), Works),
    call("mount under Strict", SYS_mount, &[S("tmpfs"), S("/mnt"), S("tmpfs"), N(0), N(0)], Killed(SIGSYS), Works),
    call("a pair of unix sockets", SYS_socketpair, &[N(1), N(1), N(0), Z(8)], Works, Works),
];

#[rustfmt::skip]
const NOT_STRICT: &[Call] = &[
    #[cfg(target_arch = "x86_64")] // elsewhere there is only clone
    call("fork", SYS_fork, &[], Works, Works),
    call("fork by clone", SYS_clone, &[N(17)], Works, Works),
    call("socket", SYS_socket, &[N(1), N(1), N(0)], Works, Works),
    call("shmget", SYS_shmget, &[N(0), N(4096), N(0o1600)], Works, Works),
];

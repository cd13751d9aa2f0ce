//! System calls: what the floor kills, what the profile refuses, what does not exist, and that nothing softens it.
//!
//! Never a call that sets a clock, loads code into the kernel or ends the machine, not even where it is denied: the
//! controls run as root. The whole table is compared by the unit tests of `seccomp`; here it is in force in a run.

use libc::*;

use crate::harness::Case;
use crate::harness::attempts::Arg::{N, S, W, Z};
use crate::harness::attempts::End::{Fails, Killed, Works};
use crate::harness::attempts::{Call, End, call, make};
use crate::harness::control;
use crate::harness::program::Program;

pub(crate) const CASES: &[Case] = &[
    ("a call that no honest job makes kills the process", || {
        make(FLOOR, |program| program)
    }),
    ("a call that honest tools try is refused", || {
        make(REFUSED, |program| program)
    }),
    (
        "a call that acts on the node or on other jobs is refused",
        || make(DENIED, |program| program),
    ),
    ("calls that no filter can judge do not exist", || {
        make(ABSENT, |program| program)
    }),
    ("extended attributes look unsupported", || {
        make(XATTR, |program| program)
    }),
    ("arguments are judged by their low 32 bits", || {
        make(ARGUMENTS, |program| program)
    }),
    ("calls of a foreign ABI kill the process", foreign_abis),
    (
        "neither a handler nor a mask for SIGSYS helps",
        sigsys_cannot_be_caught,
    ),
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

const SIGSYS_KILLS: End = Killed(SIGSYS);

#[rustfmt::skip]
const FLOOR: &[Call] = &[
    call("mount", SYS_mount, &[S("tmpfs"), S("/mnt"), S("tmpfs"), N(0), N(0)], SIGSYS_KILLS, Works),
    call("umount2", SYS_umount2, &[S("/nothing"), N(0)], SIGSYS_KILLS, Fails(ENOENT)),
    call("pivot_root", SYS_pivot_root, &[S("/nothing"), S("/nothing")], SIGSYS_KILLS, Fails(ENOENT)),
    call("setns", SYS_setns, &[N(-1), N(0)], SIGSYS_KILLS, Fails(EBADF)),
    call("open_tree", SYS_open_tree, &[N(-100), S("/"), N(0)], SIGSYS_KILLS, Works),
    call("move_mount", SYS_move_mount, &[N(-1), S(""), N(-1), S(""), N(0)], SIGSYS_KILLS, Fails(ENOENT)),
    call("fsopen", SYS_fsopen, &[S("tmpfs"), N(0)], SIGSYS_KILLS, Works),
    call("fsmount", SYS_fsmount, &[N(-1), N(0), N(0)], SIGSYS_KILLS, Fails(EBADF)),
    call("fspick", SYS_fspick, &[N(-100), S("/nothing"), N(0)], SIGSYS_KILLS, Fails(ENOENT)),
    call("mount_setattr", SYS_mount_setattr, &[N(-100), S("/nothing"), N(0), Z(32), N(32)], SIGSYS_KILLS, Works),
    // An array map of one element.
    call("bpf", SYS_bpf, &[N(0), W(&[2, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0]), N(48)], SIGSYS_KILLS, Works),
    call("userfaultfd", SYS_userfaultfd, &[N(0)], SIGSYS_KILLS, Works),
    // Into the keyring of the calling thread, which dies with it.
    call("add_key", SYS_add_key, &[S("user"), S("name"), S("x"), N(1), N(-1)], SIGSYS_KILLS, Works),
    call("keyctl", SYS_keyctl, &[N(0), N(-1), N(1)], SIGSYS_KILLS, Works),
    call("request_key", SYS_request_key, &[S("user"), S("nothing"), N(0), N(0)], SIGSYS_KILLS, Fails(ENOKEY)),
    call("open_by_handle_at", SYS_open_by_handle_at, &[N(-100), N(0), N(0)], SIGSYS_KILLS, Fails(EFAULT)),
];

#[rustfmt::skip]
const REFUSED: &[Call] = &[
    call("unshare", SYS_unshare, &[N(0x1000_0000)], Fails(EPERM), Works),
    call("clone of a user namespace", SYS_clone, &[N(0x1000_0000 | 17)], Fails(EPERM), Works),
    call("chroot", SYS_chroot, &[S("/")], Fails(EPERM), Works),
    call("ptrace", SYS_ptrace, &[N(0)], Fails(EPERM), Works),
    call("process_vm_readv", SYS_process_vm_readv, &[N(1)], Fails(EPERM), Works),
    call("kcmp", SYS_kcmp, &[N(1), N(1), N(1)], Fails(EPERM), Works),
    call("pidfd_getfd", SYS_pidfd_getfd, &[N(-1), N(0), N(0)], Fails(EPERM), Fails(EBADF)),
    call("perf_event_open", SYS_perf_event_open, &[N(0)], Fails(EPERM), Fails(EFAULT)),
    call("syslog", SYS_syslog, &[N(10)], Fails(EPERM), Works),
    call("quotactl", SYS_quotactl, &[N(0)], Fails(EPERM), Fails(ENODEV)),
];

#[rustfmt::skip]
const DENIED: &[Call] = &[
    call("sethostname", SYS_sethostname, &[S("x"), N(1)], Fails(EPERM), Works),
    call("setgroups", SYS_setgroups, &[N(0), N(0)], Fails(EPERM), Works),
    call("capset", SYS_capset, &[W(&[0x2008_0522, 0]), Z(24)], Fails(EPERM), Works),
    call("seccomp", SYS_seccomp, &[N(2), N(0), W(&[0x7fff_0000])], Fails(EPERM), Works),
    call("mq_open", SYS_mq_open, &[S("name"), N(0o102), N(0o600), N(0)], Fails(EPERM), Works),
    call("msgget", SYS_msgget, &[N(1), N(0o1600)], Fails(EPERM), Works),
    call("io_setup", SYS_io_setup, &[N(1), Z(8)], Fails(EPERM), Works),
    call("get_mempolicy", SYS_get_mempolicy, &[Z(8)], Fails(EPERM), Works),
    call("fanotify_init", SYS_fanotify_init, &[N(0), N(0)], Fails(EPERM), Works),
    call("name_to_handle_at", SYS_name_to_handle_at, &[N(-100), S("/"), W(&[128, 0]), Z(4)], Fails(EPERM), Works),
    call("vmsplice", SYS_vmsplice, &[N(1), Z(16), N(0)], Fails(EPERM), Works),
    call("modify_ldt", SYS_modify_ldt, &[N(0), Z(8), N(8)], Fails(EPERM), Works),
    call("mincore", SYS_mincore, &[N(0), N(0), N(0)], Fails(EPERM), Works),
    call("get_robust_list", SYS_get_robust_list, &[N(0), Z(8), Z(8)], Fails(EPERM), Works),
    call("process_madvise", SYS_process_madvise, &[N(-1), N(0), N(0), N(0), N(0)], Fails(EPERM), Fails(EBADF)),
];

#[rustfmt::skip]
const ABSENT: &[Call] = &[
    call("clone3", SYS_clone3, &[N(0), N(0)], Fails(ENOSYS), Fails(EINVAL)),
    call("io_uring_setup", SYS_io_uring_setup, &[N(1), Z(256)], Fails(ENOSYS), Works),
    call("io_uring_enter", SYS_io_uring_enter, &[N(-1)], Fails(ENOSYS), Fails(EBADF)),
    call("landlock_create_ruleset", SYS_landlock_create_ruleset, &[N(0), N(0), N(1)], Fails(ENOSYS), Works),
    call("a number that the table does not know", 4000, &[], Fails(ENOSYS), Fails(ENOSYS)),
];

#[rustfmt::skip]
const XATTR: &[Call] = &[
    call("setxattr", SYS_setxattr, &[S("."), S("user.x"), S("y"), N(1), N(0)], Fails(EOPNOTSUPP), Works),
    call("removexattr", SYS_removexattr, &[S("."), S("user.none")], Fails(EOPNOTSUPP), Fails(ENODATA)),
    call("listxattr", SYS_listxattr, &[S("."), N(0), N(0)], Works, Works),
];

/// Without a terminal TIOCSTI is ENOTTY; what matters is that the filter sees it first.
#[rustfmt::skip]
const ARGUMENTS: &[Call] = &[
    call("TIOCSTI", SYS_ioctl, &[N(0), N(0x5412), N(0)], Fails(EPERM), Fails(ENOTTY)),
    call("TIOCSTI with a high bit", SYS_ioctl, &[N(0), N(0x1_0000_5412), N(0)], Fails(EPERM), Fails(ENOTTY)),
    call("FIONREAD", SYS_ioctl, &[N(0), N(0x541b), Z(4)], Works, Works),
    call("a lease", SYS_fcntl, &[N(0), N(1024), N(0)], Fails(EPERM), Fails(EINVAL)),
    call("a pipe's size", SYS_fcntl, &[N(0), N(1031), N(65536)], Fails(EPERM), Works),
    call("READ_IMPLIES_EXEC", SYS_personality, &[N(0x40_0000)], Fails(EPERM), Works),
    call("asking for the personality", SYS_personality, &[N(0xffff_ffff)], Works, Works),
    call("huge pages of a memfd", SYS_memfd_create, &[S("x"), N(4)], Fails(EPERM), Works),
    call("a memfd", SYS_memfd_create, &[S("x"), N(1)], Works, Works),
    call("another dumpable flag", SYS_prctl, &[N(4), N(1)], Fails(EPERM), Works),
    call("a subreaper", SYS_prctl, &[N(36), N(1)], Fails(EPERM), Works),
    call("a thread's name", SYS_prctl, &[N(15), S("x")], Works, Works),
];

#[rustfmt::skip]
const STRICT: &[Call] = &[
    call("fork", SYS_fork, &[], Fails(EPERM), Works),
    call("fork by clone", SYS_clone, &[N(17)], Fails(EPERM), Works),
    call("socket", SYS_socket, &[N(1), N(1), N(0)], Fails(EPERM), Works),
    call("shmget", SYS_shmget, &[N(0), N(4096), N(0o1600)], Fails(EPERM), Works),
    call("limits of another process", SYS_prlimit64, &[N(1), N(7), N(0), Z(16)], Fails(EPERM), Works),
    call("mount under Strict", SYS_mount, &[S("tmpfs"), S("/mnt"), S("tmpfs"), N(0), N(0)], SIGSYS_KILLS, Works),
    call("a pair of unix sockets", SYS_socketpair, &[N(1), N(1), N(0), Z(8)], Works, Works),
];

#[rustfmt::skip]
const NOT_STRICT: &[Call] = &[
    call("fork", SYS_fork, &[], Works, Works),
    call("fork by clone", SYS_clone, &[N(17)], Works, Works),
    call("socket", SYS_socket, &[N(1), N(1), N(0)], Works, Works),
    call("shmget", SYS_shmget, &[N(0), N(4096), N(0o1600)], Works, Works),
];

fn foreign_abis() {
    Program::compiled("int80", &[]).run().signaled(SIGSYS);
    let output = control::compiled("int80", &[]);
    assert!(output.status.success(), "{}", control::describe(&output));
    // getpid of x32; this kernel may lack the ABI, then it answers ENOSYS to whom no filter kills.
    make(
        &[call(
            "x32",
            0x4000_0000 | SYS_getpid,
            &[],
            SIGSYS_KILLS,
            Fails(ENOSYS),
        )],
        |program| program,
    );
}

fn sigsys_cannot_be_caught() {
    for way in ["handle", "block"] {
        Program::compiled("deaf", &[way]).run().signaled(SIGSYS);
        let output = control::compiled("deaf", &[way]);
        assert_eq!(output.stdout, b"alive\n", "{}", control::describe(&output));
    }
}

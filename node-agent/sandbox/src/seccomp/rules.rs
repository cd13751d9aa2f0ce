//! Rules over the arguments of system calls, as data: which values pass, and the answer to the others.
//!
//! In: nothing. Out: one `Rule` for each call that `table` allows only in part. A rule looks at the low 32
//! bits of an argument and never at the high ones: the kernel itself cuts every argument named here to 32
//! bits or fewer, and a comparison of 64 lets through what it then cuts off (CVE-2019-10063). No rule looks
//! behind a pointer. Constants are the kernel's; those used here have the same value on both
//! architectures. Sets are ascending. Source: the man page of each call, linux/*.h, asm-generic/*.h.

/// Cases tried in order; the first whose tests all hold decides.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) cases: &'static [Case],
    pub(super) otherwise: Answer,
}

#[derive(Debug)]
pub(super) struct Case {
    pub(super) when: &'static [Test],
    pub(super) then: Answer,
}

/// A test of one argument: its low 32 bits under a mask.
#[derive(Debug)]
pub(super) struct Test {
    /// 0 to 5.
    pub(super) argument: u8,
    pub(super) mask: u32,
    pub(super) is: Is,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Is {
    OneOf(&'static [u32]),
    NoneOf(&'static [u32]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Allow,
    Errno(i32),
}

/// Allowed when all these tests hold, else EPERM.
const fn only(cases: &'static [Case]) -> Rule {
    Rule {
        cases,
        otherwise: Answer::Errno(libc::EPERM),
    }
}

/// EPERM when all tests of a case hold, else allowed.
const fn all_but(cases: &'static [Case]) -> Rule {
    Rule {
        cases,
        otherwise: Answer::Allow,
    }
}

const fn allow(when: &'static [Test]) -> Case {
    Case {
        when,
        then: Answer::Allow,
    }
}

const fn deny(errno: i32, when: &'static [Test]) -> Case {
    Case {
        when,
        then: Answer::Errno(errno),
    }
}

const fn argument(argument: u8, is: Is) -> Test {
    Test {
        argument,
        mask: u32::MAX,
        is,
    }
}

const fn masked(argument: u8, mask: u32, is: Is) -> Test {
    Test { argument, mask, is }
}

/// What is asked of a terminal, a pipe or a descriptor; nothing that puts input on a terminal (TIOCSTI,
/// TIOCLINUX: CVE-2017-5226, CVE-2023-28100) or reaches a device.
pub(super) static IOCTL: Rule = only(&[allow(&[argument(
    1,
    Is::OneOf(&[
        0x5401,      // TCGETS: isatty
        0x540f,      // TIOCGPGRP
        0x5413,      // TIOCGWINSZ
        0x541b,      // FIONREAD
        0x5421,      // FIONBIO
        0x5450,      // FIONCLEX
        0x5451,      // FIOCLEX
        0x5452,      // FIOASYNC
        0x802c_542a, // TCGETS2: isatty of glibc 2.42
    ]),
)])]);

/// All but leases, directory notification, signals of one's choice to others, and pipe buffers charged to
/// the uid. Listed are the commands that pass, since the kernel still adds some (F_SETDELEG).
pub(super) static FCNTL: Rule = only(&[allow(&[argument(
    1,
    Is::OneOf(&[
        0,    // F_DUPFD
        1,    // F_GETFD
        2,    // F_SETFD
        3,    // F_GETFL
        4,    // F_SETFL
        5,    // F_GETLK
        6,    // F_SETLK
        7,    // F_SETLKW
        9,    // F_GETOWN
        11,   // F_GETSIG
        16,   // F_GETOWN_EX
        36,   // F_OFD_GETLK
        37,   // F_OFD_SETLK
        38,   // F_OFD_SETLKW
        1025, // F_GETLEASE
        1027, // F_DUPFD_QUERY
        1028, // F_CREATED_QUERY
        1030, // F_DUPFD_CLOEXEC
        1032, // F_GETPIPE_SZ
        1033, // F_ADD_SEALS
        1034, // F_GET_SEALS
        1035, // F_GET_RW_HINT
        1036, // F_SET_RW_HINT
        1037, // F_GET_FILE_RW_HINT
        1038, // F_SET_FILE_RW_HINT
    ]),
)])]);

/// What runtimes set, and what only reads.
pub(super) static PRCTL: Rule = only(&[allow(&[argument(
    0,
    Is::OneOf(&[
        1,           // PR_SET_PDEATHSIG
        2,           // PR_GET_PDEATHSIG
        3,           // PR_GET_DUMPABLE
        7,           // PR_GET_KEEPCAPS
        15,          // PR_SET_NAME
        16,          // PR_GET_NAME
        21,          // PR_GET_SECCOMP
        23,          // PR_CAPBSET_READ
        25,          // PR_GET_TSC
        27,          // PR_GET_SECUREBITS
        29,          // PR_SET_TIMERSLACK
        30,          // PR_GET_TIMERSLACK
        34,          // PR_MCE_KILL_GET
        37,          // PR_GET_CHILD_SUBREAPER
        38,          // PR_SET_NO_NEW_PRIVS
        39,          // PR_GET_NO_NEW_PRIVS
        40,          // PR_GET_TID_ADDRESS
        41,          // PR_SET_THP_DISABLE
        42,          // PR_GET_THP_DISABLE
        51,          // PR_SVE_GET_VL
        52,          // PR_GET_SPECULATION_CTRL
        56,          // PR_GET_TAGGED_ADDR_CTRL
        61,          // PR_PAC_GET_ENABLED_KEYS
        64,          // PR_SME_GET_VL
        66,          // PR_GET_MDWE
        68,          // PR_GET_MEMORY_MERGE
        0x4155_5856, // PR_GET_AUXV
        0x5356_4d41, // PR_SET_VMA: names of mappings
    ]),
)])]);

/// Asking for the personality; every other value changes it (READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE).
pub(super) static PERSONALITY: Rule = only(&[allow(&[argument(0, Is::OneOf(&[u32::MAX]))])]);

/// CLONE_NEW*, as far as clone(2) takes them; the missing CLONE_NEWTIME (0x80) is read as a part of the
/// exit signal there.
const NAMESPACES: u32 = 0x7e02_0000;
const CLONE_THREAD: u32 = 0x0001_0000;

/// Threads and children, no namespaces.
pub(super) static CLONE: Rule = only(&[allow(&[masked(0, NAMESPACES, Is::OneOf(&[0]))])]);

/// Threads only.
pub(super) static CLONE_THREADS: Rule = only(&[allow(&[masked(
    0,
    NAMESPACES | CLONE_THREAD,
    Is::OneOf(&[CLONE_THREAD]),
)])]);

/// Limits of the calling process, not of another one that has its uid.
pub(super) static PRLIMIT_SELF: Rule = only(&[allow(&[argument(0, Is::OneOf(&[0]))])]);

/// AF_UNIX, AF_INET, AF_INET6.
const FAMILIES: &[u32] = &[1, 2, 10];
/// A socket type without SOCK_NONBLOCK and SOCK_CLOEXEC, which the kernel takes in the same argument.
const SOCKET_TYPE: u32 = 0xf;
/// SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET.
const UNIX_TYPES: &[u32] = &[1, 2, 5];

/// Unix sockets, TCP, UDP. Not raw, ICMP, MPTCP, SCTP, SMC, netlink, packet, vsock, AF_ALG.
pub(super) static SOCKET: Rule = only(&[
    deny(libc::EAFNOSUPPORT, &[argument(0, Is::NoneOf(FAMILIES))]),
    allow(&[
        argument(0, Is::OneOf(&[1])),
        masked(1, SOCKET_TYPE, Is::OneOf(UNIX_TYPES)),
        argument(2, Is::OneOf(&[0])),
    ]),
    allow(&[
        argument(0, Is::NoneOf(&[1])),
        masked(1, SOCKET_TYPE, Is::OneOf(&[1])),
        argument(2, Is::OneOf(&[0, 6])), // IPPROTO_TCP
    ]),
    allow(&[
        argument(0, Is::NoneOf(&[1])),
        masked(1, SOCKET_TYPE, Is::OneOf(&[2])),
        argument(2, Is::OneOf(&[0, 17])), // IPPROTO_UDP
    ]),
]);

/// Pairs of unix sockets: the self-pipes of event loops.
pub(super) static SOCKETPAIR: Rule = only(&[
    deny(libc::EAFNOSUPPORT, &[argument(0, Is::NoneOf(&[1]))]),
    allow(&[
        masked(1, SOCKET_TYPE, Is::OneOf(UNIX_TYPES)),
        argument(2, Is::OneOf(&[0])),
    ]),
]);

/// No programs for the kernel to run on packets, no upper-layer protocol (TLS in the kernel) on a socket, no groups of
/// multicast: the kernel speaks for them some time after whoever joined them is gone, to a network that may be another's
/// by then. The errno is that of a machine without a network that could carry them.
pub(super) static SETSOCKOPT: Rule = all_but(&[
    deny(
        libc::EPERM,
        &[
            argument(1, Is::OneOf(&[1])), // SOL_SOCKET
            argument(
                2,
                Is::OneOf(&[
                    26, // SO_ATTACH_FILTER
                    50, // SO_ATTACH_BPF
                    51, // SO_ATTACH_REUSEPORT_CBPF
                    52, // SO_ATTACH_REUSEPORT_EBPF
                ]),
            ),
        ],
    ),
    deny(
        libc::EPERM,
        &[
            argument(1, Is::OneOf(&[6])),  // IPPROTO_TCP
            argument(2, Is::OneOf(&[31])), // TCP_ULP
        ],
    ),
    deny(
        libc::ENODEV,
        &[
            argument(1, Is::OneOf(&[0])), // IPPROTO_IP
            argument(
                2,
                Is::OneOf(&[
                    35, // IP_ADD_MEMBERSHIP
                    39, // IP_ADD_SOURCE_MEMBERSHIP
                    41, // IP_MSFILTER
                    42, // MCAST_JOIN_GROUP
                    46, // MCAST_JOIN_SOURCE_GROUP
                    48, // MCAST_MSFILTER
                ]),
            ),
        ],
    ),
    deny(
        libc::ENODEV,
        &[
            argument(1, Is::OneOf(&[41])), // IPPROTO_IPV6
            argument(
                2,
                Is::OneOf(&[
                    20, // IPV6_ADD_MEMBERSHIP
                    27, // IPV6_JOIN_ANYCAST
                    42, // MCAST_JOIN_GROUP
                    46, // MCAST_JOIN_SOURCE_GROUP
                    48, // MCAST_MSFILTER
                ]),
            ),
        ],
    ),
]);

/// Connects while it sends, past Landlock's rule for connect.
const MSG_FASTOPEN: u32 = 0x2000_0000;

pub(super) static SENDTO: Rule = only(&[allow(&[masked(3, MSG_FASTOPEN, Is::OneOf(&[0]))])]);
pub(super) static SENDMSG: Rule = only(&[allow(&[masked(2, MSG_FASTOPEN, Is::OneOf(&[0]))])]);
pub(super) static SENDMMSG: Rule = only(&[allow(&[masked(3, MSG_FASTOPEN, Is::OneOf(&[0]))])]);

/// send(2): without an address. The length counts, since the kernel reads no address when it is 0.
pub(super) static SENDTO_PEER: Rule = only(&[allow(&[
    masked(3, MSG_FASTOPEN, Is::OneOf(&[0])),
    argument(5, Is::OneOf(&[0])),
])]);

/// Type bits of a file mode.
const FILE_TYPE: u32 = 0xf000;
/// Regular file (also as 0) and FIFO.
const MADE_BY_MKNOD: &[u32] = &[0, 0x1000, 0x8000];

pub(super) static MKNOD: Rule = only(&[allow(&[masked(1, FILE_TYPE, Is::OneOf(MADE_BY_MKNOD))])]);
pub(super) static MKNODAT: Rule = only(&[allow(&[masked(2, FILE_TYPE, Is::OneOf(MADE_BY_MKNOD))])]);

/// MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL, MFD_EXEC; no huge pages.
pub(super) static MEMFD_CREATE: Rule = only(&[allow(&[masked(1, !0x1b, Is::OneOf(&[0]))])]);

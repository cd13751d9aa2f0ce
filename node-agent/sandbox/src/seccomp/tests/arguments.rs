//! Each argument rule with values that pass and values that do not, named by libc's constants.
//!
//! Every row is also run with rubbish in the high half of each argument, which the kernel cuts off
//! (CVE-2019-10063), and on both architectures.

use libc::*;

use super::interpreter::{Data, run};
use super::{ARCHES, Filters};
use crate::seccomp::table::{Class, Grant, TABLE};
use crate::seccomp::{ALLOW, errno};

const REFUSED: u32 = errno(EPERM);
const NO_FAMILY: u32 = errno(EAFNOSUPPORT);
const NO_DEVICE: u32 = errno(ENODEV);

/// One call, the answer of Strict, the answer of Default.
struct Case {
    call: &'static str,
    args: [u64; 6],
    strict: u32,
    default: u32,
}

/// Both profiles give this answer.
macro_rules! both {
    ($call:ident($($argument:expr),*) => $answer:expr) => {
        Case { call: stringify!($call), args: padded(&[$(bits($argument)),*]), strict: $answer, default: $answer }
    };
}

/// Strict refuses the call whatever its arguments are.
macro_rules! default {
    ($call:ident($($argument:expr),*) => $answer:expr) => {
        Case { strict: REFUSED, ..both!($call($($argument),*) => $answer) }
    };
}

/// The answer of each profile.
macro_rules! split {
    ($call:ident($($argument:expr),*) => $strict:expr, $default:expr) => {
        Case { strict: $strict, ..both!($call($($argument),*) => $default) }
    };
}

fn bits(argument: impl Into<i128>) -> u64 {
    u64::try_from(argument.into() & i128::from(u64::MAX)).unwrap()
}

/// Arguments that a row does not name are rubbish, so that a rule which looks at them is noticed.
fn padded(args: &[u64]) -> [u64; 6] {
    let mut all = [0x7a7a_7a7a; 6];
    all[..args.len()].copy_from_slice(args);
    all
}

#[test]
fn terminals_and_descriptors_are_asked_but_not_driven() {
    check(&[
        both!(ioctl(0, TCGETS) => ALLOW),
        both!(ioctl(0, TCGETS2) => ALLOW),
        both!(ioctl(0, TIOCGPGRP) => ALLOW),
        both!(ioctl(0, TIOCGWINSZ) => ALLOW),
        both!(ioctl(0, FIONREAD) => ALLOW),
        both!(ioctl(0, FIONBIO) => ALLOW),
        both!(ioctl(0, FIOASYNC) => ALLOW),
        both!(ioctl(0, FIOCLEX) => ALLOW),
        both!(ioctl(0, FIONCLEX) => ALLOW),
        both!(ioctl(0, TIOCSTI) => REFUSED),
        both!(ioctl(0, TIOCLINUX) => REFUSED),
        both!(ioctl(0, TIOCSETD) => REFUSED),
        both!(ioctl(0, TIOCSCTTY) => REFUSED),
        both!(ioctl(0, TCSETS) => REFUSED),
        both!(ioctl(0, FICLONE) => REFUSED),
        both!(ioctl(0, SIOCGIFCONF) => REFUSED),
        both!(ioctl(0, 0) => REFUSED),
        both!(ioctl(0, TIOCSTI | 1 << 32) => REFUSED),
    ]);
}

#[test]
fn fcntl_locks_and_duplicates_but_takes_no_lease() {
    check(&[
        both!(fcntl(0, F_DUPFD) => ALLOW),
        both!(fcntl(0, F_GETFD) => ALLOW),
        both!(fcntl(0, F_SETFD) => ALLOW),
        both!(fcntl(0, F_GETFL) => ALLOW),
        both!(fcntl(0, F_SETFL) => ALLOW),
        both!(fcntl(0, F_GETLK) => ALLOW),
        both!(fcntl(0, F_SETLK) => ALLOW),
        both!(fcntl(0, F_SETLKW) => ALLOW),
        both!(fcntl(0, F_GETOWN) => ALLOW),
        both!(fcntl(0, 11) => ALLOW), // F_GETSIG
        both!(fcntl(0, 16) => ALLOW), // F_GETOWN_EX
        both!(fcntl(0, F_OFD_GETLK) => ALLOW),
        both!(fcntl(0, F_OFD_SETLK) => ALLOW),
        both!(fcntl(0, F_OFD_SETLKW) => ALLOW),
        both!(fcntl(0, F_GETLEASE) => ALLOW),
        both!(fcntl(0, 1027) => ALLOW), // F_DUPFD_QUERY
        both!(fcntl(0, 1028) => ALLOW), // F_CREATED_QUERY
        both!(fcntl(0, F_DUPFD_CLOEXEC) => ALLOW),
        both!(fcntl(0, F_GETPIPE_SZ) => ALLOW),
        both!(fcntl(0, F_ADD_SEALS) => ALLOW),
        both!(fcntl(0, F_GET_SEALS) => ALLOW),
        both!(fcntl(0, 1035) => ALLOW), // F_GET_RW_HINT
        both!(fcntl(0, 1036) => ALLOW), // F_SET_RW_HINT
        both!(fcntl(0, 1037) => ALLOW), // F_GET_FILE_RW_HINT
        both!(fcntl(0, 1038) => ALLOW), // F_SET_FILE_RW_HINT
        both!(fcntl(0, F_SETLEASE) => REFUSED),
        both!(fcntl(0, 1040) => REFUSED), // F_SETDELEG
        both!(fcntl(0, F_NOTIFY) => REFUSED),
        both!(fcntl(0, F_SETPIPE_SZ) => REFUSED),
        both!(fcntl(0, F_SETOWN) => REFUSED),
        both!(fcntl(0, 15) => REFUSED), // F_SETOWN_EX
        both!(fcntl(0, 10) => REFUSED), // F_SETSIG
        both!(fcntl(0, 12) => REFUSED), // F_GETLK64
        both!(fcntl(0, 17) => REFUSED), // F_GETOWNER_UIDS
        both!(fcntl(0, -1) => REFUSED),
    ]);
}

#[test]
fn prctl_names_and_reads_but_changes_no_protection() {
    check(&[
        both!(prctl(PR_SET_PDEATHSIG) => ALLOW),
        both!(prctl(PR_GET_PDEATHSIG) => ALLOW),
        both!(prctl(PR_GET_DUMPABLE) => ALLOW),
        both!(prctl(PR_GET_KEEPCAPS) => ALLOW),
        both!(prctl(PR_SET_NAME) => ALLOW),
        both!(prctl(PR_GET_NAME) => ALLOW),
        both!(prctl(PR_GET_SECCOMP) => ALLOW),
        both!(prctl(PR_CAPBSET_READ) => ALLOW),
        both!(prctl(PR_GET_TSC) => ALLOW),
        both!(prctl(PR_GET_SECUREBITS) => ALLOW),
        both!(prctl(PR_SET_TIMERSLACK) => ALLOW),
        both!(prctl(PR_GET_TIMERSLACK) => ALLOW),
        both!(prctl(PR_MCE_KILL_GET) => ALLOW),
        both!(prctl(PR_GET_CHILD_SUBREAPER) => ALLOW),
        both!(prctl(PR_SET_NO_NEW_PRIVS) => ALLOW),
        both!(prctl(PR_GET_NO_NEW_PRIVS) => ALLOW),
        both!(prctl(PR_GET_TID_ADDRESS) => ALLOW),
        both!(prctl(PR_SET_THP_DISABLE) => ALLOW),
        both!(prctl(PR_GET_THP_DISABLE) => ALLOW),
        both!(prctl(51) => ALLOW), // PR_SVE_GET_VL
        both!(prctl(52) => ALLOW), // PR_GET_SPECULATION_CTRL
        both!(prctl(56) => ALLOW), // PR_GET_TAGGED_ADDR_CTRL
        both!(prctl(61) => ALLOW), // PR_PAC_GET_ENABLED_KEYS
        both!(prctl(64) => ALLOW), // PR_SME_GET_VL
        both!(prctl(PR_GET_MDWE) => ALLOW),
        both!(prctl(PR_GET_MEMORY_MERGE) => ALLOW),
        both!(prctl(0x4155_5856) => ALLOW), // PR_GET_AUXV
        both!(prctl(PR_SET_VMA) => ALLOW),
        both!(prctl(PR_SET_DUMPABLE) => REFUSED),
        both!(prctl(PR_SET_MM) => REFUSED),
        both!(prctl(PR_SET_SECCOMP) => REFUSED),
        both!(prctl(PR_SET_SECUREBITS) => REFUSED),
        both!(prctl(PR_SET_KEEPCAPS) => REFUSED),
        both!(prctl(PR_CAPBSET_DROP) => REFUSED),
        both!(prctl(PR_CAP_AMBIENT) => REFUSED),
        both!(prctl(PR_SET_CHILD_SUBREAPER) => REFUSED),
        both!(prctl(PR_SET_PTRACER) => REFUSED),
        both!(prctl(PR_SET_SPECULATION_CTRL) => REFUSED),
        both!(prctl(PR_SCHED_CORE) => REFUSED),
        both!(prctl(59) => REFUSED), // PR_SET_SYSCALL_USER_DISPATCH
        both!(prctl(PR_SET_MDWE) => REFUSED),
        both!(prctl(67) => REFUSED), // PR_SET_MEMORY_MERGE
        both!(prctl(0) => REFUSED),
    ]);
}

#[test]
fn the_personality_is_read_only() {
    check(&[
        both!(personality(0xffff_ffff_u32) => ALLOW),
        both!(personality(-1) => ALLOW),
        both!(personality(0) => REFUSED),
        both!(personality(READ_IMPLIES_EXEC) => REFUSED),
        both!(personality(ADDR_NO_RANDOMIZE) => REFUSED),
    ]);
}

#[test]
fn clone_makes_threads_under_strict_and_no_namespaces_ever() {
    let thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM | CLONE_THREAD;
    let spawn = CLONE_VM | CLONE_VFORK | SIGCHLD;
    check(&[
        both!(clone(thread | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID) => ALLOW),
        split!(clone(SIGCHLD) => REFUSED, ALLOW),
        split!(clone(spawn) => REFUSED, ALLOW),
        split!(clone(CLONE_PIDFD | SIGCHLD) => REFUSED, ALLOW),
        split!(clone(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD) => REFUSED, ALLOW),
        both!(clone(CLONE_NEWNS | SIGCHLD) => REFUSED),
        both!(clone(CLONE_NEWCGROUP | SIGCHLD) => REFUSED),
        both!(clone(CLONE_NEWUTS | SIGCHLD) => REFUSED),
        both!(clone(CLONE_NEWIPC | SIGCHLD) => REFUSED),
        both!(clone(CLONE_NEWUSER | SIGCHLD) => REFUSED),
        both!(clone(CLONE_NEWPID | SIGCHLD) => REFUSED),
        both!(clone(CLONE_NEWNET | SIGCHLD) => REFUSED),
        both!(clone(thread | CLONE_NEWUSER) => REFUSED),
    ]);
}

#[test]
fn strict_lets_a_process_change_its_own_limits_only() {
    check(&[
        both!(prlimit64(0) => ALLOW),
        split!(prlimit64(1) => REFUSED, ALLOW),
        split!(prlimit64(-1) => REFUSED, ALLOW),
    ]);
}

#[test]
fn sockets_are_unix_tcp_and_udp() {
    let flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    check(&[
        default!(socket(AF_UNIX, SOCK_STREAM, 0) => ALLOW),
        default!(socket(AF_UNIX, SOCK_DGRAM, 0) => ALLOW),
        default!(socket(AF_UNIX, SOCK_SEQPACKET | flags, 0) => ALLOW),
        default!(socket(AF_UNIX, SOCK_RAW, 0) => REFUSED),
        default!(socket(AF_UNIX, SOCK_STREAM, 1) => REFUSED),
        default!(socket(AF_UNIX, SOCK_STREAM, IPPROTO_TCP) => REFUSED),
        default!(socket(AF_UNIX, SOCK_DGRAM, IPPROTO_UDP) => REFUSED),
        default!(socket(AF_INET, SOCK_STREAM, 0) => ALLOW),
        default!(socket(AF_INET, SOCK_STREAM | flags, IPPROTO_TCP) => ALLOW),
        default!(socket(AF_INET6, SOCK_STREAM | flags, 0) => ALLOW),
        default!(socket(AF_INET, SOCK_DGRAM, 0) => ALLOW),
        default!(socket(AF_INET6, SOCK_DGRAM | flags, IPPROTO_UDP) => ALLOW),
        default!(socket(AF_INET, SOCK_RAW, IPPROTO_RAW) => REFUSED),
        default!(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP) => REFUSED),
        default!(socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, 0) => REFUSED),
        default!(socket(AF_INET, SOCK_SEQPACKET, 0) => REFUSED),
        default!(socket(AF_INET, 10, 0) => REFUSED), // SOCK_PACKET
        default!(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) => REFUSED),
        default!(socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) => REFUSED),
        default!(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP) => REFUSED),
        default!(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) => REFUSED),
        default!(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP) => REFUSED),
        default!(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE) => REFUSED),
        default!(socket(AF_NETLINK, SOCK_RAW, 0) => NO_FAMILY),
        default!(socket(AF_PACKET, SOCK_DGRAM, 0) => NO_FAMILY),
        default!(socket(AF_VSOCK, SOCK_STREAM, 0) => NO_FAMILY),
        default!(socket(AF_ALG, SOCK_SEQPACKET, 0) => NO_FAMILY),
        default!(socket(AF_BLUETOOTH, SOCK_RAW, 0) => NO_FAMILY),
        default!(socket(43, SOCK_STREAM, 0) => NO_FAMILY), // AF_SMC
        default!(socket(AF_UNSPEC, SOCK_STREAM, 0) => NO_FAMILY),
        default!(socket(-1, SOCK_STREAM, 0) => NO_FAMILY),
    ]);
}

#[test]
fn pairs_of_sockets_are_unix() {
    check(&[
        both!(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) => ALLOW),
        both!(socketpair(AF_UNIX, SOCK_DGRAM, 0) => ALLOW),
        both!(socketpair(AF_UNIX, SOCK_SEQPACKET, 0) => ALLOW),
        both!(socketpair(AF_UNIX, SOCK_RAW | SOCK_CLOEXEC, 0) => REFUSED),
        both!(socketpair(AF_UNIX, SOCK_STREAM, 1) => REFUSED),
        both!(socketpair(AF_INET, SOCK_STREAM, 0) => NO_FAMILY),
        both!(socketpair(AF_TIPC, SOCK_STREAM, 0) => NO_FAMILY),
    ]);
}

#[test]
fn sockets_carry_no_programs_and_no_other_protocol() {
    check(&[
        default!(setsockopt(3, SOL_SOCKET, SO_REUSEADDR) => ALLOW),
        default!(setsockopt(3, SOL_SOCKET, SO_SNDBUF) => ALLOW),
        default!(setsockopt(3, IPPROTO_TCP, TCP_NODELAY) => ALLOW),
        default!(setsockopt(3, IPPROTO_IPV6, IPV6_V6ONLY) => ALLOW),
        default!(setsockopt(3, IPPROTO_IP, SO_ATTACH_FILTER) => ALLOW), // 26 means something else there
        default!(setsockopt(3, SOL_SOCKET, TCP_ULP) => ALLOW),          // likewise 31
        default!(setsockopt(3, SOL_SOCKET, SO_ATTACH_FILTER) => REFUSED),
        default!(setsockopt(3, SOL_SOCKET, SO_ATTACH_BPF) => REFUSED),
        default!(setsockopt(3, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF) => REFUSED),
        default!(setsockopt(3, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF) => REFUSED),
        default!(setsockopt(3, IPPROTO_TCP, TCP_ULP) => REFUSED),
        default!(setsockopt(3, IPPROTO_IP, IP_MULTICAST_TTL) => ALLOW),
        default!(setsockopt(3, IPPROTO_IP, IPV6_ADD_MEMBERSHIP) => ALLOW), // 20 means something else there
        default!(setsockopt(3, IPPROTO_IPV6, IP_ADD_MEMBERSHIP) => ALLOW), // likewise 35
        default!(setsockopt(3, IPPROTO_IP, IP_ADD_MEMBERSHIP) => NO_DEVICE),
        default!(setsockopt(3, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP) => NO_DEVICE),
        default!(setsockopt(3, IPPROTO_IP, 41) => NO_DEVICE), // IP_MSFILTER
        default!(setsockopt(3, IPPROTO_IP, MCAST_JOIN_GROUP) => NO_DEVICE),
        default!(setsockopt(3, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP) => NO_DEVICE),
        default!(setsockopt(3, IPPROTO_IP, MCAST_MSFILTER) => NO_DEVICE),
        default!(setsockopt(3, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP) => NO_DEVICE),
        default!(setsockopt(3, IPPROTO_IPV6, 27) => NO_DEVICE), // IPV6_JOIN_ANYCAST
        default!(setsockopt(3, IPPROTO_IPV6, MCAST_JOIN_GROUP) => NO_DEVICE),
        default!(setsockopt(3, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP) => NO_DEVICE),
        default!(setsockopt(3, IPPROTO_IPV6, MCAST_MSFILTER) => NO_DEVICE),
    ]);
}

#[test]
fn sending_never_connects_and_strict_sends_to_the_peer_only() {
    let quiet = MSG_NOSIGNAL | MSG_DONTWAIT;
    check(&[
        both!(sendto(3, 0, 1, quiet, 0, 0) => ALLOW),
        split!(sendto(3, 0, 1, quiet, 0x1000, 16) => REFUSED, ALLOW),
        split!(sendto(3, 0, 1, 0, 0, 110) => REFUSED, ALLOW),
        both!(sendto(3, 0, 1, MSG_FASTOPEN, 0, 0) => REFUSED),
        both!(sendto(3, 0, 1, MSG_FASTOPEN | quiet, 0x1000, 16) => REFUSED),
        default!(sendmsg(3, 0x1000, quiet) => ALLOW),
        default!(sendmsg(3, 0x1000, MSG_FASTOPEN | quiet) => REFUSED),
        default!(sendmmsg(3, 0x1000, 2, quiet) => ALLOW),
        default!(sendmmsg(3, 0x1000, 2, MSG_FASTOPEN) => REFUSED),
    ]);
}

#[test]
fn mknod_makes_files_and_fifos() {
    check(&[
        default!(mknod(0x1000, S_IFIFO | 0o600) => ALLOW),
        default!(mknod(0x1000, S_IFREG | 0o600) => ALLOW),
        default!(mknod(0x1000, 0o600) => ALLOW),
        default!(mknod(0x1000, S_IFCHR | 0o600) => REFUSED),
        default!(mknod(0x1000, S_IFBLK | 0o600) => REFUSED),
        default!(mknod(0x1000, S_IFSOCK | 0o600) => REFUSED),
        default!(mknodat(AT_FDCWD, 0x1000, S_IFIFO | 0o600) => ALLOW),
        default!(mknodat(AT_FDCWD, 0x1000, S_IFREG) => ALLOW),
        default!(mknodat(AT_FDCWD, 0x1000, 0o600) => ALLOW),
        default!(mknodat(AT_FDCWD, 0x1000, S_IFCHR | 0o600) => REFUSED),
        default!(mknodat(AT_FDCWD, 0x1000, S_IFBLK | 0o600) => REFUSED),
        default!(mknodat(AT_FDCWD, 0x1000, S_IFSOCK | 0o600) => REFUSED),
    ]);
}

#[test]
fn memory_files_have_ordinary_pages() {
    check(&[
        default!(memfd_create(0x1000, 0) => ALLOW),
        default!(memfd_create(0x1000, MFD_CLOEXEC | MFD_ALLOW_SEALING) => ALLOW),
        default!(memfd_create(0x1000, MFD_CLOEXEC | MFD_EXEC) => ALLOW),
        default!(memfd_create(0x1000, MFD_NOEXEC_SEAL) => ALLOW),
        default!(memfd_create(0x1000, MFD_HUGETLB) => REFUSED),
        default!(memfd_create(0x1000, MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB) => REFUSED),
        default!(memfd_create(0x1000, 0x20) => REFUSED),
    ]);
}

/// The tests above together: no rule without a value that passes and one that does not.
#[test]
fn calls_with_a_rule_are_those_tested_here() {
    let with_rule: Vec<&str> = TABLE
        .iter()
        .filter(|row| {
            matches!(
                row.class,
                Class::Allow {
                    strict: Grant::If(_),
                    ..
                } | Class::Allow {
                    default: Grant::If(_),
                    ..
                }
            )
        })
        .map(|row| row.name)
        .collect();
    assert_eq!(
        with_rule,
        [
            "ioctl",
            "socket",
            "sendto",
            "sendmsg",
            "socketpair",
            "setsockopt",
            "clone",
            "fcntl",
            "mknod",
            "personality",
            "prctl",
            "mknodat",
            "prlimit64",
            "sendmmsg",
            "memfd_create",
        ]
    );
}

fn check(cases: &[Case]) {
    for arch in ARCHES {
        let filters = Filters::of(arch);
        for Case {
            call,
            args,
            strict,
            default,
        } in cases
        {
            let row = TABLE.iter().find(|row| row.name == *call).unwrap();
            let Some(nr) = arch.number(row) else { continue };
            for high in [0, u64::from(u32::MAX) << 32, 1 << 32] {
                let args = args.map(|argument| argument & 0xffff_ffff | high);
                let data = Data {
                    nr,
                    arch: arch.audit(),
                    args,
                };
                for (name, filter, wanted) in [
                    ("Strict", &filters.strict, strict),
                    ("Default", &filters.default, default),
                ] {
                    let value = run(filter.program(), &data).value;
                    assert_eq!(value, *wanted, "{arch:?} {name} {call} {args:x?}");
                }
            }
        }
    }
}

//! Sockets: families, types and protocols by allow-list, and the ways past Landlock's rule for connecting.

use libc::*;

use crate::harness::Case;
use crate::harness::attempts::Arg::{N, Z};
use crate::harness::attempts::End::{Fails, Works};
use crate::harness::attempts::{Attempt, Call, call, make, try_all};

pub(crate) const CASES: &[Case] = &[
    ("only unix sockets, TCP and UDP can be made", || {
        make(SOCKETS, |program| program)
    }),
    (
        "a connection cannot be made while sending, nor a filter or a protocol put on a socket",
        || {
            try_all(("", ""), OPTIONS);
        },
    ),
];

const CLOEXEC: i64 = 0x8_0000;
const NONBLOCK: i64 = 0x800;

/// A family that this kernel lacks fails alike without the sandbox; the unit tests of `seccomp` tell the two apart.
#[rustfmt::skip]
const SOCKETS: &[Call] = &[
    call("netlink", SYS_socket, &[N(16), N(3 | CLOEXEC), N(0)], Fails(EAFNOSUPPORT), Works),
    call("packet", SYS_socket, &[N(17), N(2), N(0)], Fails(EAFNOSUPPORT), Works),
    call("packet, raw", SYS_socket, &[N(17), N(3 | CLOEXEC), N(0)], Fails(EAFNOSUPPORT), Works),
    call("vsock", SYS_socket, &[N(40), N(1), N(0)], Fails(EAFNOSUPPORT), Works),
    call("xdp", SYS_socket, &[N(44), N(3), N(0)], Fails(EAFNOSUPPORT), Works),
    call("alg", SYS_socket, &[N(38), N(5), N(0)], Fails(EAFNOSUPPORT), Fails(EAFNOSUPPORT)),
    call("a family with a high bit", SYS_socket, &[N(16 | 1 << 32), N(3), N(0)], Fails(EAFNOSUPPORT), Works),
    call("raw", SYS_socket, &[N(2), N(3), N(1)], Fails(EPERM), Works),
    call("raw and close-on-exec", SYS_socket, &[N(2), N(3 | CLOEXEC), N(1)], Fails(EPERM), Works),
    call("raw and non-blocking", SYS_socket, &[N(10), N(3 | NONBLOCK), N(58)], Fails(EPERM), Works),
    call("MPTCP", SYS_socket, &[N(2), N(1), N(262)], Fails(EPERM), Works),
    call("SCTP", SYS_socket, &[N(2), N(1), N(132)], Fails(EPERM), Fails(EPROTONOSUPPORT)),
    call("a pair of another family", SYS_socketpair, &[N(2), N(1), N(0), Z(8)], Fails(EAFNOSUPPORT), Fails(EOPNOTSUPP)),
    call("unix", SYS_socket, &[N(1), N(1 | CLOEXEC), N(0)], Works, Works),
    call("unix, packets", SYS_socket, &[N(1), N(5), N(0)], Works, Works),
    call("a pair", SYS_socketpair, &[N(1), N(1), N(0), Z(8)], Works, Works),
    call("TCP", SYS_socket, &[N(2), N(1 | NONBLOCK), N(6)], Works, Works),
    call("UDP", SYS_socket, &[N(2), N(2), N(17)], Works, Works),
    call("TCP over IPv6", SYS_socket, &[N(10), N(1 | CLOEXEC), N(0)], Works, Works),
];

/// The numbers are MSG_FASTOPEN, SO_ATTACH_FILTER and TCP_ULP.
#[rustfmt::skip]
const OPTIONS: &[Attempt] = &[
    ("fast open", "socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', 9))", Fails(EPERM), Fails(ENETUNREACH)),
    ("fast open by message", "socket.socket().sendmsg([b'x'], [], 0x20000000, ('127.0.0.1', 9))", Fails(EPERM), Fails(ENETUNREACH)),
    ("a filter", "socket.socket().setsockopt(1, 26, bytes(16))", Fails(EPERM), Fails(EINVAL)),
    ("an upper protocol", "socket.socket().setsockopt(6, 31, b'none')", Fails(EPERM), Fails(ENOENT)),
    ("an option", "socket.socket().setsockopt(6, socket.TCP_NODELAY, 1)", Works, Works),
];

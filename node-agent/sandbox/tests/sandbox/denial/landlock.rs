//! Landlock, seen from inside: what has no rule is closed although modes and mounts would allow it.
//!
//! TCP shows that it is Landlock and not the empty network namespace that answers: the errno differs. The scopes
//! guard what the namespaces of a run already keep apart; they are tested alone in `src/lockdown/tests.rs`.

use libc::{EACCES, ENETUNREACH, ENOTTY};

use crate::harness::Case;
use crate::harness::attempts::End::{Fails, Works};
use crate::harness::attempts::{Attempt, try_all};

pub(crate) const CASES: &[Case] = &[
    (
        "paths without a rule are closed, whatever their modes say",
        || try_all(("", ""), PATHS),
    ),
    ("TCP is refused before the network is asked", || {
        try_all(("", ""), TCP)
    }),
    ("what a job needs is open", || try_all(("", ""), OPEN)),
];

#[rustfmt::skip]
const PATHS: &[Attempt] = &[
    ("list the root", "os.listdir('/')", Fails(EACCES), Works),
    ("list /dev", "os.listdir('/dev')", Fails(EACCES), Works),
    ("write an own file of /proc", "open('/proc/self/oom_score_adj', 'w')", Fails(EACCES), Works),
    ("map an own id", "open('/proc/self/uid_map', 'w')", Fails(EACCES), Works),
    ("ask a device", "fcntl.ioctl(open('/dev/zero'), 0x5401, bytes(64))", Fails(EACCES), Fails(ENOTTY)),
];

#[rustfmt::skip]
const TCP: &[Attempt] = &[
    ("bind", "socket.socket().bind(('', 0))", Fails(EACCES), Works),
    ("bind IPv6", "socket.socket(socket.AF_INET6).bind(('::', 0))", Fails(EACCES), Works),
    ("connect", "socket.socket().connect(('127.0.0.1', 1))", Fails(EACCES), Fails(ENETUNREACH)),
    ("connect elsewhere", "socket.socket().connect(('192.0.2.1', 443))", Fails(EACCES), Fails(ENETUNREACH)),
];

/// The same in the sandbox and without it: a sandbox that denies everything would pass every other test.
#[rustfmt::skip]
const OPEN: &[Attempt] = &[
    ("read a program", "open('/usr/bin/env', 'rb').read()", Works, Works),
    ("list /usr", "os.listdir('/usr/bin')", Works, Works),
    ("read the own status", "open('/proc/self/status').read()", Works, Works),
    ("write to /dev/null", "open('/dev/null', 'w').write('x')", Works, Works),
    ("read /dev/urandom", "open('/dev/urandom', 'rb').read(1)", Works, Works),
    ("bind a UDP socket", "socket.socket(type=socket.SOCK_DGRAM).bind(('', 0))", Works, Works),
    ("bind a unix socket", "socket.socket(socket.AF_UNIX).bind('listening')", Works, Works),
    ("make a directory", "os.mkdir('directory')", Works, Works),
    ("rename between directories", "os.rename('listening', 'directory/listening')", Works, Works),
    ("make a link", "os.symlink('nothing', 'link')", Works, Works),
    ("make a FIFO", "os.mkfifo('fifo')", Works, Works),
    ("cut a file", "open('file', 'w').truncate(10)", Works, Works),
    ("remove", "[os.unlink('directory/listening'), os.rmdir('directory')]", Works, Works),
    ("remove the rest", "[os.unlink(name) for name in ('link', 'fifo', 'file')]", Works, Works),
];

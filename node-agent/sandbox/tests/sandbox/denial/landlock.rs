//! Landlock, seen from inside: what a job needs is open. What has no rule is closed although modes and mounts would
//! allow it: F3, P3, P5 and W1 of the corpus.
//!
//! The scopes guard what the namespaces of a run already keep apart; they are tested alone in `src/lockdown/tests.rs`.

use crate::harness::Case;
use crate::harness::attempts::End::Works;
use crate::harness::attempts::{Attempt, try_all};

pub(crate) const CASES: &[Case] = &[("what a job needs is open", || try_all(("", ""), OPEN))];

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

//! Network namespaces without network serve several runs of a slot: none finds anything of another in it.

use std::time::Duration;

use evaljob_sandbox::Slot;
use libc::ENODEV;

use crate::harness::Case;
use crate::harness::attempts::End::{Fails, Works};
use crate::harness::attempts::{Attempt, try_all};
use crate::harness::pool;
use crate::harness::program::{Job, Program};

pub(crate) const CASES: &[Case] = &[
    (
        "nothing that a run leaves in its network namespace is there for the next",
        nothing_stays,
    ),
    // The kernel speaks for a group some time after its last member is gone; no figure tells that it will.
    ("no group of multicast can be joined", || {
        try_all((GROUPS, GROUPS), MULTICAST);
    }),
];

const GROUPS: &str = "
def join(family, level, option, value):
    socket.socket(family, socket.SOCK_DGRAM).setsockopt(level, option, value)
def at(family, host):
    head = struct.pack('=H2x', family) + (b'' if family == socket.AF_INET else bytes(4))
    return (head + socket.inet_pton(family, host)).ljust(128, b'\\0')
index = struct.pack('=i4x', 1)
four, six = socket.AF_INET, socket.AF_INET6
";

#[rustfmt::skip]
const MULTICAST: &[Attempt] = &[
    ("IP_ADD_MEMBERSHIP", "join(four, 0, 35, socket.inet_aton('224.1.2.3') + bytes(4) + struct.pack('=i', 1))", Fails(ENODEV), Works),
    ("MCAST_JOIN_GROUP", "join(four, 0, 42, index + at(four, '224.1.2.3'))", Fails(ENODEV), Works),
    ("MCAST_JOIN_SOURCE_GROUP", "join(four, 0, 46, index + at(four, '224.1.2.3') + at(four, '192.0.2.1'))", Fails(ENODEV), Works),
    ("IPV6_ADD_MEMBERSHIP", "join(six, 41, 20, socket.inet_pton(six, 'ff02::123') + struct.pack('=i', 1))", Fails(ENODEV), Works),
    ("version 6, MCAST_JOIN_GROUP", "join(six, 41, 42, index + at(six, 'ff02::123'))", Fails(ENODEV), Works),
    ("version 6, MCAST_JOIN_SOURCE_GROUP", "join(six, 41, 46, index + at(six, 'ff3e::123') + at(six, '2001:db8::1'))", Fails(ENODEV), Works),
    ("another option", "join(four, 0, 33, struct.pack('=i', 4))", Works, Works),
];

/// All that a run can read of its network namespace but what the kernel keeps for the whole machine, after its number.
const LOOK: &str = "
def look():
    print(os.stat('/proc/self/ns/net').st_ino)
    for at, _, names in sorted(os.walk('/proc/self/net')):
        for name in sorted(names):
            if name in ('protocols', 'softnet_stat', 'ptype', 'netlink', 'rt_acct', 'nf_conntrack') or '/stat' in at or 'netfilter' in at:
                continue
            try:
                text = open(os.path.join(at, name)).read()
            except OSError as error:
                text = str(error.errno)
            print(name, ascii(text.partition('\\n')[0] if name.startswith('sockstat') else text))
";

const PRELUDE: &str = "import array, os, signal, socket, struct\n";

/// What a program does before it kills itself, and whether the namespace serves another run, where that is certain.
type Row = (&'static str, &'static str, Option<bool>);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("a datagram to nowhere",
     "try: socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))\nexcept OSError: pass\n",
     Some(false)),
    // IPV6_FLOWLABEL_MGR: get, create, for itself alone; for 60 seconds after its last use.
    ("a flow label that lingers",
     "six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n\
      six.setsockopt(41, 32, struct.pack('!16sIBB', socket.inet_pton(socket.AF_INET6, '2001:db8::1'), 0x12345, 0, 1) + struct.pack('HHHI', 1, 60, 60, 0))\n",
     Some(false)),
    ("nothing", "", Some(true)),
    ("bound sockets",
     "udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(('0.0.0.0', 4000))\n\
      six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); six.bind(('::', 4001))\n\
      name = socket.socket(socket.AF_UNIX); name.bind('\\0left'); name.listen()\n",
     None),
    ("sockets in flight to each other",
     "kept = []\n\
      for number in range(20):\n    \
          name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); name.bind('\\0left%d' % number)\n    \
          udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(('0.0.0.0', 4000 + number))\n    \
          one, two = socket.socketpair()\n    \
          for here, there in ((one, two), (two, one)):\n        \
              socket.send_fds(here, [b'x'], [here.fileno(), there.fileno(), name.fileno(), udp.fileno()])\n    \
          kept += [one, two, name, udp]\n",
     None),
];

/// The number of its network namespace, and the figures.
fn seen_by(look: &Program, slot: &mut Slot) -> (String, String) {
    let text = look.run_in(slot).passed().text();
    let (number, figures) = text.split_once('\n').expect("several lines");
    (number.to_owned(), figures.to_owned())
}

/// The lines that are not what they were.
fn moved<'a>(before: &str, now: &'a str) -> Vec<&'a str> {
    let known: Vec<_> = before.lines().collect();
    assert_eq!(now.lines().count(), known.len(), "files were added");
    now.lines().filter(|line| !known.contains(line)).collect()
}

fn nothing_stays() {
    let look = Program::python(&format!("{PRELUDE}{LOOK}look()"));
    let mut slot = pool::slot();
    Job::new().begin(&mut slot);
    let (_, before) = seen_by(&look, &mut slot);
    for (name, source, keeps) in ROWS {
        let die = "import sys; sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)\n";
        let attack = Program::python(&format!("{PRELUDE}{source}{LOOK}look()\n{die}"));
        let report = attack.run_in(&mut slot);
        let text = report.text();
        let (used, seen) = text
            .split_once('\n')
            .unwrap_or_else(|| panic!("{name}: {}", report.all()));
        let nothing = Vec::<&str>::new();
        assert_eq!(moved(&before, seen).is_empty(), source.is_empty(), "{name}");
        // Two take turns: while the next run goes on in the other, this one is looked at.
        let (_, after) = seen_by(&look, &mut slot);
        assert_eq!(moved(&before, &after), nothing, "{name}");
        let (number, after) = seen_by(&look, &mut slot);
        assert_eq!(moved(&before, &after), nothing, "{name}");
        if let Some(keeps) = keeps {
            assert_eq!(number == used, *keeps, "{name}: whether it served again");
        }
    }
    // What the kernel does later on behalf of those that are gone.
    std::thread::sleep(Duration::from_secs(2));
    for _ in 0..2 {
        let (_, after) = seen_by(&look, &mut slot);
        assert_eq!(moved(&before, &after), Vec::<&str>::new());
    }
    slot.end().expect("the job ends");
}

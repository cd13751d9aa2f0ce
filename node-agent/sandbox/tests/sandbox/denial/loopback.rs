//! A run with a loopback device of its own: it can talk to itself, and to nobody else.

use evaljob_sandbox::plan::Network;
use evaljob_sandbox::{Interrupt, Spawner};
use libc::{EACCES, ECONNREFUSED, ENETUNREACH, EPERM};

use crate::harness::Case;
use crate::harness::attempts::End::{Fails, Works};
use crate::harness::attempts::{Attempt, PRELUDE};
use crate::harness::beside::beside;
use crate::harness::processes::program_of;
use crate::harness::program::{Job, Program};
use crate::harness::{control, pool};

pub(crate) const CASES: &[Case] = &[
    ("a run can talk to itself by TCP and UDP", talks_to_itself),
    (
        "neither the node nor another run is at the same address",
        nobody_else,
    ),
    (
        "the device cannot be changed, no low port taken, no other network reached",
        || try_on_loopback(CLOSED),
    ),
    (
        "its network belongs to a user namespace that the run is not in",
        owner_is_another,
    ),
    ("each run has a network that nobody used before", used_once),
    (
        "under Strict there is no socket to use it with",
        strict_has_none,
    ),
];

fn on_loopback(job: Job) -> Job {
    let mut job = job;
    job.plan.network = Network::Loopback;
    job
}

/// In the control the device is up as well.
const UP: &str = "fcntl.ioctl(socket.socket(type=socket.SOCK_DGRAM), 0x8914, struct.pack('16sH14x', b'lo', 1))\n";

const TALK: &str = "
for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'), (socket.AF_INET, '127.8.8.8')):
    server = socket.socket(family)
    server.bind((host, 0)); server.listen()
    client = socket.create_connection(server.getsockname()[:2])
    peer = server.accept()[0]
    client.sendall(b'question'); client.shutdown(socket.SHUT_WR)
    print(host, peer.recv(100))
one, two = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
one.bind(('127.0.0.1', 0)); two.sendto(b'datagram', one.getsockname())
print(one.recv(100))
";

fn talks_to_itself() {
    let expected = "127.0.0.1 b'question'\n::1 b'question'\n127.8.8.8 b'question'\nb'datagram'\n";
    let program = Program::python(&format!("{PRELUDE}{TALK}"));
    let report = program.clone().job(on_loopback).run().passed();
    let enforced = report.facts.enforcement.as_ref().expect("it ran");
    assert_eq!(
        enforced.landlock_net, 0,
        "what is not in force is not claimed"
    );
    report.printed(expected);
    // A run without a network fails at the first of them.
    assert_ne!(program.run().text(), expected);
}

fn nobody_else() {
    let listens = format!(
        "{PRELUDE}server = socket.socket(); server.bind(('0.0.0.0', 4000)); server.listen()\n\
         print('ready', flush=True)\nwhile True: print('tick', time.monotonic_ns(), flush=True); time.sleep(0.02)\n"
    );
    let looks = format!(
        "{PRELUDE}attempt('a peer', lambda: socket.socket().connect(('127.0.0.1', 4000)))\n\
         attempt('all', lambda: [socket.socket().connect(('127.0.0.1', port)) for port in (22, 80, 443, 10250)])\n"
    );
    let first = Program::python(&listens).job(on_loopback);
    beside(&first, |slot| {
        let report = Program::python(&looks).job(on_loopback).run_on(slot);
        report
            .passed()
            .printed(&format!("a peer\t{ECONNREFUSED}\nall\t{ECONNREFUSED}\n"));
    });
    // Where the network is shared, somebody listens.
    let both = format!(
        "{PRELUDE}{UP}server = socket.socket(); server.bind(('0.0.0.0', 4000)); server.listen()\n\
         attempt('a peer', lambda: socket.socket().connect(('127.0.0.1', 4000)))\n"
    );
    assert_eq!(control::python(&both), "a peer\t0\n");
}

#[rustfmt::skip]
const CLOSED: &[Attempt] = &[
    ("take the device down", "fcntl.ioctl(socket.socket(type=socket.SOCK_DGRAM), 0x8914, struct.pack('16sH14x', b'lo', 0))", Fails(EPERM), Works),
    ("give it an address", "fcntl.ioctl(socket.socket(type=socket.SOCK_DGRAM), 0x8916, struct.pack('16sHHI8x', b'lo', 2, 0, 0x0200007f))", Fails(EPERM), Works),
    ("a low port", "socket.socket().bind(('127.0.0.1', 80))", Fails(EACCES), Works),
    ("another network", "socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))", Fails(ENETUNREACH), Fails(ENETUNREACH)),
    ("the metadata of a cloud", "socket.socket().connect(('169.254.169.254', 80))", Fails(ENETUNREACH), Fails(ENETUNREACH)),
    ("a high port", "socket.socket().bind(('0.0.0.0', 8080))", Works, Works),
];

fn try_on_loopback(attempts: &[Attempt]) {
    let lines: String = attempts
        .iter()
        .map(|(name, expression, ..)| format!("attempt({name:?}, lambda: {expression})\n"))
        .collect();
    let wanted = |in_sandbox: bool| -> String {
        let line = |(name, _, sandbox, control): &Attempt| {
            let end = if in_sandbox { sandbox } else { control };
            let errno = match end {
                Fails(errno) => *errno,
                _ => 0,
            };
            format!("{name}\t{errno}\n")
        };
        attempts.iter().map(line).collect()
    };
    let program = Program::python(&format!("{PRELUDE}{lines}")).job(on_loopback);
    program.run().passed().printed(&wanted(true));
    let again = "fcntl.ioctl(socket.socket(type=socket.SOCK_DGRAM), 0x8914, struct.pack('16sH14x', b'lo', 1))";
    let lines = lines.replacen("attempt(\"give", &format!("{again}\nattempt(\"give"), 1);
    assert_eq!(
        control::python(&format!("{PRELUDE}{UP}{lines}")),
        wanted(false)
    );
}

/// NS_GET_USERNS tells whose a namespace is; ioctl_ns(2).
const OWNER: &str = "import fcntl, os, sys
job = '/proc/' + sys.argv[1] + '/ns/'
owner = fcntl.ioctl(os.open(job + 'net', os.O_RDONLY), 0xb701)
print(os.fstat(owner).st_ino == os.stat(job + 'user').st_ino, os.fstat(owner).st_ino == os.stat('/proc/self/ns/user').st_ino)";

fn owner_is_another() {
    for (network, expected) in [
        (Network::Loopback, "False False\n"),
        (Network::None, "False True\n"),
    ] {
        let spawner = Spawner::start(pool::host(1)).unwrap_or_else(|error| panic!("{error}"));
        let mut slot = spawner.slot(0);
        let mut program = Program::shell("echo begun; sleep 1000");
        program.job.plan.network = network;
        program.job.begin(&mut slot);
        let interrupt = Interrupt::new().expect("a descriptor");
        let mut said = String::new();
        let ended = program.watch_in(&mut slot, &interrupt, &mut |_| {
            let main = program_of(spawner.facts().spawner_pid);
            let mut python = std::process::Command::new("/usr/bin/python3");
            let output = control::finish(python.args(["-S", "-c", OWNER, &main]), &[]);
            said = String::from_utf8_lossy(&output.stdout).into_owned();
            interrupt.fire();
        });
        ended.expect("it ends by the interrupt");
        assert_eq!(said, expected, "{network:?}");
    }
}

/// The kernel counts datagrams for each network namespace; the second figure shows that it counts here.
fn used_once() {
    let program = Program::python(
        "import socket\n\
         def sent():\n    names, figures = (line.split() for line in open('/proc/self/net/snmp') if line.startswith('Udp:'))\n    \
         return dict(zip(names, figures))['OutDatagrams']\n\
         before = sent()\n\
         socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))\n\
         print(before, sent())",
    )
    .job(on_loopback);
    let mut slot = pool::slot();
    program.job.begin(&mut slot);
    for _ in 0..8 {
        program.run_in(&mut slot).printed("0 1\n");
    }
    slot.end().expect("the job ends");
}

fn strict_has_none() {
    let program = Program::python(&format!(
        "{PRELUDE}attempt('a socket', lambda: socket.socket())\n"
    ))
    .job(on_loopback);
    program
        .clone()
        .strict()
        .run()
        .passed()
        .printed(&format!("a socket\t{EPERM}\n"));
    program.run().passed().printed("a socket\t0\n");
}

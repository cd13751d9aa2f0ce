//! Namespaces, seen from inside: host name, network, cgroups, ids. Processes: N2, E13 of the corpus.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use libc::{ECONNREFUSED, ENETUNREACH};

use crate::harness::Case;
use crate::harness::attempts::PRELUDE;
use crate::harness::program::Program;
use crate::harness::{control, pool};

pub(crate) const CASES: &[Case] = &[
    ("the host name is the run's own", host_name_is_own),
    (
        "the network is empty and its loopback device down",
        network_is_empty,
    ),
    (
        "an abstract socket of the node is out of reach",
        abstract_sockets_are_apart,
    ),
    (
        "an abstract name leads to nobody outside, whatever the reason",
        abstract_names_lead_nowhere,
    ),
    ("a run sees its own cgroup as the root", cgroups_are_hidden),
    ("ids are those of the slot", ids_are_the_slots),
    ("ids of runs on two slots differ", ids_differ),
];

fn host_name_is_own() {
    Program::python("import os; print(os.uname().nodename)")
        .run()
        .passed()
        .printed("job\n");
    assert_ne!(
        control::python("import os; print(os.uname().nodename)"),
        "job\n"
    );
}

fn network_is_empty() {
    let interfaces = "print([line.split(':')[0].strip() for line in open('/proc/self/net/dev') if ':' in line])\n";
    let send = "attempt('loopback', lambda: socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9)))\n\
        attempt('elsewhere', lambda: socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9)))\n";
    let report = Program::python(&format!("{PRELUDE}{interfaces}{send}"))
        .run()
        .passed();
    report.printed(&format!(
        "['lo']\nloopback\t{ENETUNREACH}\nelsewhere\t{ENETUNREACH}\n"
    ));
    // SIOCSIFFLAGS with IFF_UP: where the device is up, the same program reaches it.
    let up = "fcntl.ioctl(socket.socket(type=socket.SOCK_DGRAM), 0x8914, struct.pack('16sH14x', b'lo', 1))\n";
    let control = control::python(&format!("{PRELUDE}{up}{send}"));
    assert_eq!(control, format!("loopback\t0\nelsewhere\t{ENETUNREACH}\n"));
}

fn listen(name: &str) -> UnixListener {
    let address = SocketAddr::from_abstract_name(name).expect("a short name");
    UnixListener::bind_addr(&address).expect("our own namespace")
}

fn connect(name: &str) -> String {
    format!(
        "{PRELUDE}attempt('connect', lambda: socket.socket(socket.AF_UNIX).connect('\\0{name}'))"
    )
}

/// Two walls stand here: the network namespace, and Landlock's scope behind it.
fn abstract_names_lead_nowhere() {
    let name = "evaljob-abstract-name";
    let listener = listen(name);
    let report = Program::python(&connect(name)).run().passed();
    assert_ne!(report.text(), "connect\t0\n", "{}", report.all());
    drop(listener);
}

fn abstract_sockets_are_apart() {
    let name = "evaljob-abstract-socket";
    let listener = listen(name);
    let source = connect(name);
    Program::python(&source)
        .run()
        .passed()
        .printed(&format!("connect\t{ECONNREFUSED}\n"));
    let mut here = std::process::Command::new("/usr/bin/python3");
    let output = control::finish(here.args(["-S", "-c", &source]), &[]);
    assert_eq!(
        output.stdout,
        b"connect\t0\n",
        "{}",
        control::describe(&output)
    );
    drop(listener);
}

fn cgroups_are_hidden() {
    let text = Program::new(&["/bin/cat", "/proc/self/cgroup"])
        .run()
        .passed()
        .text();
    for controller in ["memory", "pids", "cpu", "cpuacct"] {
        let line = text
            .lines()
            .find(|line| line.split(':').nth(1) == Some(controller));
        let line = line.unwrap_or_else(|| panic!("no {controller} in {text}"));
        assert!(line.ends_with(":/"), "{line}");
    }
    let ours = std::fs::read_to_string("/proc/self/cgroup").expect("/proc");
    assert!(
        ours.contains("evaljob-tests-"),
        "the control is in a cgroup of its own: {ours}"
    );
}

fn ids_are_the_slots() {
    let report =
        Program::shell("cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups")
            .run()
            .passed();
    let text = report.text();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [users, groups, ..] = lines.as_slice() else {
        panic!("{text}");
    };
    assert_eq!(users, groups, "one map for both");
    // Inside, the outer ids are shown as seen from the parent namespace, which is the node's.
    let uid = report.facts.enforcement.as_ref().expect("it ran").uid;
    assert_eq!(
        users.as_slice(),
        ["0", &(uid - 1000).to_string(), "65536"],
        "{text}"
    );
    assert!(uid >= 1_000_000, "far above the node's own users");
}

fn ids_differ() {
    let program = Program::shell("cat /proc/self/uid_map");
    let [mut one, mut two] = pool::slots();
    let (first, second) = (program.run_on(&mut one), program.run_on(&mut two));
    assert_ne!(first.passed().text(), second.passed().text());
}

//! Init, the first process of a run: while the program runs, it can do nothing but wait for it.

use std::fs;
use std::process::Command;

use evaljob_sandbox::{Interrupt, Spawner};

use crate::harness::processes::last_child;
use crate::harness::program::Program;
use crate::harness::{Case, control, pool, wait};

pub(crate) const CASES: &[Case] = &[(
    "init has given up everything when the program runs",
    init_is_bare,
)];

const STATUS: [(&str, &str); 6] = [
    ("CapInh", "0000000000000000"),
    ("CapPrm", "0000000000000000"),
    ("CapEff", "0000000000000000"),
    ("CapAmb", "0000000000000000"),
    ("NoNewPrivs", "1"),
    ("Seccomp", "2"),
];

/// A program of root without a capability.
fn powerless(program: &str) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", "--", program]);
    command
}

/// Whether it may not look into this process: so it is where the process is not dumpable.
fn is_closed(pid: &str) -> bool {
    let output = control::finish(
        powerless("/bin/readlink").arg(format!("/proc/{pid}/cwd")),
        &[],
    );
    !output.status.success()
}

fn init_is_bare() {
    let spawner = Spawner::start(pool::host(1)).unwrap_or_else(|error| panic!("{error}"));
    let mut slot = spawner.slot(0);
    let program = Program::shell("echo begun; sleep 1000");
    program.job.begin(&mut slot);
    let worker = last_child(&spawner.facts().spawner_pid.to_string());
    let interrupt = Interrupt::new().expect("a descriptor");
    let mut looked = None;
    let outcome = program.watch_in(&mut slot, &interrupt, &mut |_| {
        let init = last_child(&worker);
        let status = fs::read_to_string(format!("/proc/{init}/status")).expect("/proc");
        let fds = fs::read_dir(format!("/proc/{init}/fd"))
            .expect("/proc")
            .flatten();
        let fds: Vec<_> = fds.map(|entry| entry.file_name()).collect();
        looked = Some((status, fds, is_closed(&init)));
        interrupt.fire();
    });
    outcome.expect("it ends by the interrupt");
    let (status, fds, init_closed) = looked.expect("it printed");
    for (field, value) in STATUS {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"));
        assert_eq!(line, Some(value), "{field} in {status}");
    }
    assert!(
        status
            .lines()
            .any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")),
        "{status}"
    );
    assert_eq!(fds, ["0"], "its report socket");
    assert!(init_closed, "init is not dumpable");
    let mut open = powerless("/bin/sleep")
        .arg("1000")
        .spawn()
        .expect("it starts");
    let comm = format!("/proc/{}/comm", open.id());
    wait::until("it has executed sleep", || {
        (fs::read_to_string(&comm).ok()? == "sleep\n").then_some(())
    });
    assert!(
        !is_closed(&open.id().to_string()),
        "the control: a process as powerless, but dumpable"
    );
    open.kill().expect("it is ours");
    open.wait().expect("it is ours");
}

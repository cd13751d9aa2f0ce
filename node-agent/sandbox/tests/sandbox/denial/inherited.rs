//! What a run must not inherit: descriptors and environment of whoever started it.

use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;

use evaljob_sandbox::Spawner;

use crate::harness::Case;
use crate::harness::program::{ENVIRONMENT, Program};
use crate::harness::{isolated, pool};

/// Role: an agent with groups, and with a thousand open descriptors that do not close at execve.
pub(crate) const CROWDED: &str = "crowded";

pub(crate) const CASES: &[Case] = &[
    ("exactly the three streams are open", || {
        Program::compiled("descriptors", &[])
            .run()
            .passed()
            .printed("0 1 2 ");
        // The last one is the listing's own.
        Program::new(&["/bin/ls", "/proc/self/fd"])
            .run()
            .passed()
            .printed("0\n1\n2\n3\n");
    }),
    (
        "of an agent with a thousand open descriptors and other groups nothing reaches a run",
        || drop(isolated::assert_role(CROWDED)),
    ),
    (
        "the environment is exactly the one given",
        environment_is_exact,
    ),
];

fn environment_is_exact() {
    let lines = |entries: &[&str]| {
        entries
            .iter()
            .map(|entry| format!("{entry}\n"))
            .collect::<String>()
    };
    Program::new(&["/usr/bin/env"])
        .run()
        .passed()
        .printed(&lines(&ENVIRONMENT));
    let odd = [
        "EMPTY=",
        "SPACE=a  b",
        "EQUALS=a=b=c",
        "TWICE=1",
        "TWICE=2",
        "UNICODE=\u{e4}",
    ];
    let program = Program::new(&["/usr/bin/env"]).change(|plan| {
        plan.env = odd.iter().map(ToString::to_string).collect();
    });
    program.run().passed().printed(&lines(&odd));
    let nothing = Program::new(&["/usr/bin/env"]).change(|plan| plan.env.clear());
    nothing.run().passed().printed("");
}

pub(crate) fn be_crowded() {
    let mut open = Vec::new();
    while open.len() < 1000 {
        let fd = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).expect("a descriptor");
        rustix::io::fcntl_setfd(&fd, FdFlags::empty()).expect("its flags");
        open.push(fd);
    }
    // The only thread, so the spawner inherits them.
    let groups = [4, 24, 27].map(rustix::process::Gid::from_raw);
    rustix::thread::set_thread_groups(&groups).expect("we are root");
    let spawner = Spawner::start(pool::host(1)).unwrap_or_else(|error| panic!("{error}"));
    let mut slot = spawner.slot(0);
    Program::new(&["/usr/bin/id", "-G"])
        .run_on(&mut slot)
        .passed()
        .printed("1000\n");
    Program::compiled("descriptors", &[])
        .run_on(&mut slot)
        .passed()
        .printed("0 1 2 ");
    Program::compiled("descriptors", &[])
        .job(|job| job.steps())
        .step()
        .run_on(&mut slot)
        .passed()
        .printed("0 1 2 ");
}

//! What two runs see of each other: two at once on two slots, and one after the other on one slot. Channels between
//! them are in the corpus.

use crate::harness::attempts::PRELUDE;
use crate::harness::beside::{beside, without_marks};
use crate::harness::program::Program;
use crate::harness::{Case, pool};

pub(crate) const CASES: &[Case] = &[
    ("each namespace of a run is its own", namespaces_differ),
    (
        "nothing of a run is there for the next one on its slot",
        next_run_finds_nothing,
    ),
];

/// Comes after the set-up of the first program; `look` prints what it sees.
const LOOP: &str = "
print('ready', flush=True)
while True:
    now = time.monotonic_ns()
    look()
    print('tick', now, flush=True)
    time.sleep(0.02)
";

const NAMES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

fn namespaces_differ() {
    let print = format!("for name in {NAMES:?}: print(os.readlink('/proc/self/ns/' + name))\n");
    let first = format!("{PRELUDE}{print}look = lambda: None\n{LOOP}");
    let mut second = String::new();
    let report = beside(&Program::python(&first), |slot| {
        second = Program::python(&format!("{PRELUDE}{print}"))
            .run_on(slot)
            .passed()
            .text();
    });
    let first = without_marks(&report.text());
    for (name, (one, two)) in NAMES.iter().zip(first.lines().zip(second.lines())) {
        let ours = std::fs::read_link(format!("/proc/self/ns/{name}")).expect("/proc");
        let ours = ours.to_string_lossy();
        assert!(
            one.starts_with(name) && two.starts_with(name),
            "{one} {two}"
        );
        assert!(
            one != two && one != ours && two != ours,
            "{name}: {one}, {two}, ours {ours}"
        );
    }
    assert_eq!(first.lines().count(), NAMES.len());
}

fn next_run_finds_nothing() {
    let leave = format!(
        "{PRELUDE}for place in ['.', '/tmp', '/home', '/dev/shm']: open(place + '/mark', 'w').write('x')\n\
         C.shmget(77, 4096, 0o1600); C.semget(77, 1, 0o1600)\nif os.fork() == 0: os.setsid(); time.sleep(1000)"
    );
    let look = format!(
        "{PRELUDE}print([os.listdir(place) for place in ['.', '/tmp', '/home', '/dev/shm']], C.shmget(77, 0, 0),\
         C.semget(77, 0, 0), [name for name in os.listdir('/proc') if name.isdigit()])"
    );
    let nothing = "[[], [], [], []] -1 -1 ['2']\n";
    let mut slot = pool::slot();
    let (leave, look) = (Program::python(&leave), Program::python(&look));
    leave.job.begin(&mut slot);
    leave.run_in(&mut slot).passed();
    look.run_in(&mut slot).passed().printed(nothing);
    slot.end().expect("the job ends");
    look.run_on(&mut slot).passed().printed(nothing);
}

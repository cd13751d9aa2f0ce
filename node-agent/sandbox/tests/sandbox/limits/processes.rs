//! The number of processes and threads.

use std::time::Duration;

use evaljob_sandbox::facts::Breach;

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::Program;

pub(crate) const CASES: &[Case] = &[
    (
        "as many processes as the limit says, and not one more",
        || exactly("processes"),
    ),
    ("threads count as processes", || exactly("threads")),
    (
        "a fork bomb ends with its run and leaves the slot clean",
        fork_bomb,
    ),
];

fn exactly(kind: &str) {
    let mut slot = pool::slot();
    for limit in [1, 5, 20] {
        let program = |most: &str| {
            Program::compiled("many", &[most, kind]).limit(|limits| limits.processes = limit)
        };
        let report = program("1000")
            .run_on(&mut slot)
            .passed()
            .printed(&format!("{}\n", limit - 1));
        assert_eq!(report.facts.pids_hits, 1, "{}", report.all());
        let below = (limit - 1).to_string();
        let report = program(&below)
            .run_on(&mut slot)
            .passed()
            .printed(&format!("{below}\n"));
        assert_eq!(report.facts.pids_hits, 0, "{}", report.all());
    }
}

fn fork_bomb() {
    let mut slot = pool::slot();
    let source = "import os\nwhile True:\n try: os.fork()\n except OSError: pass";
    let bomb =
        Program::python(source).limit(|limits| limits.wall_time = Duration::from_millis(700));
    let report = bomb.run_on(&mut slot).breached(Breach::WallTime);
    assert!(report.facts.pids_hits > 0, "{}", report.all());
    let after = Program::compiled("many", &["63", "processes"])
        .run_on(&mut slot)
        .passed()
        .printed("63\n");
    assert_eq!(after.facts.pids_hits, 0, "{}", after.all());
}

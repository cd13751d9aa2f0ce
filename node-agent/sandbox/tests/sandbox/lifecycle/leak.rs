//! After hundreds of runs of every kind, processes, descriptors, mounts, cgroups and network namespaces are what they
//! were before.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use evaljob_sandbox::plan::HostPlan;
use evaljob_sandbox::{Slot, Spawner};

use crate::harness::census;
use crate::harness::ground::Ground;
use crate::harness::processes::others;
use crate::harness::program::{Job, Program};
use crate::harness::{Case, isolated, pool, wait};

/// Descriptors of what is made ahead for one slot: two namespaces without network, with five files each that tell whether
/// they are as new, one with a loopback device.
const STOCK: u32 = 13;

/// Role: counts, alone in its world.
pub(crate) const LEAK: &str = "leak";

pub(crate) const CASES: &[Case] = &[("300 runs of every kind leave nothing behind", || {
    drop(isolated::assert_role(LEAK))
})];

/// One job of each kind; twelve runs.
fn every_kind(slot: &mut Slot) {
    let run = |program: Program, slot: &mut Slot| drop(program.run_on(slot));
    run(Program::new(&["/bin/true"]), slot);
    run(
        Program::shell("cat; setsid sleep 1000 & exit 3").stdin("x"),
        slot,
    );
    run(Program::new(&["./nothing"]), slot);
    run(
        Program::new(&["/bin/true"]).change(|plan| plan.working_dir = "/nothing".into()),
        slot,
    );
    run(
        Program::shell("yes").limit(|limits| limits.output = 1000),
        slot,
    );
    run(
        Program::compiled("eat", &["private", "64"]).limit(|limits| limits.memory = 16 << 20),
        slot,
    );
    let short = Duration::from_millis(5);
    run(
        Program::new(&["/bin/sleep", "9"]).limit(|limits| limits.wall_time = short),
        slot,
    );
    run(Program::new(&["/bin/true"]).strict(), slot);
    Job::new()
        .steps()
        .volume("data", "/data", false)
        .file("a/b", "x")
        .begin(slot);
    Program::shell("mkdir d; echo >d/f; echo >o")
        .step()
        .run_in(slot)
        .passed();
    Program::shell("mv d e; rm o").run_in(slot).passed();
    Program::shell("kill -9 $$").run_in(slot);
    slot.collect(&[("e/f".into(), 9), ("o".into(), 9)])
        .expect("outputs");
    slot.end().expect("the job ends");
    let mut broken = Program::new(&["/bin/true"]).job(|job| job.file("short", "x"));
    broken.job.plan.files[0].length = 2;
    broken.job.begin(slot);
    broken
        .try_run_in(slot)
        .expect_err("a failure of the sandbox");
    slot.end().expect("the job ends");
}

pub(crate) fn be_counting() {
    let ground = Ground::enter("leak");
    fs::create_dir_all(isolated::scratch().join("leak")).expect("a directory");
    let mut data = pool::node_directory("leak");
    data.name = "data".into();
    let plan = HostPlan {
        node_directories: vec![data],
        ..pool::host(1)
    };
    let spawner = Spawner::start(plan).unwrap_or_else(|error| panic!("{error}"));
    let mut slot = spawner.slot(0);
    every_kind(&mut slot);
    every_kind(&mut slot);
    let before = census::settled(&ground);
    for _ in 0..25 {
        every_kind(&mut slot);
    }
    wait::until("everything is as before", || {
        let now = census::count(&ground);
        if now != before {
            eprintln!("before {before:?}\nnow    {now:?}");
        }
        (now == before).then_some(())
    });
    // Most of the jobs had workers of their own, which have died.
    wait::until(
        "the stock of network namespaces is as large as ever",
        || (census::in_flight() == STOCK).then_some(()),
    );
    drop(slot);
    drop(spawner);
    // It waited for each of its children: an orphan would have come to us, pid 1.
    assert_eq!(others(), Vec::<String>::new());
    assert_eq!(ground.below(), Vec::<PathBuf>::new());
    ground.leave();
}

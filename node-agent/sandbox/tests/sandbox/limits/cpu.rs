//! CPU time, wall time, and how many CPUs a run gets.
//!
//! CPU time is exact from below (a run is ended when it has used the limit, never before) and bounded from above by
//! twice the limit, for the machine may be busy. How fast anything is, is not tested.

use std::time::Duration;

use evaljob_sandbox::facts::Breach;

use crate::harness::Case;
use crate::harness::attempts::PRELUDE;
use crate::harness::pool;
use crate::harness::program::{MIB, Program, Report};

pub(crate) const CASES: &[Case] = &[
    ("one spinning process is ended at its CPU limit", || {
        spinning(&["1", "0"], 300)
    }),
    ("the CPU time of several processes counts together", || {
        spinning(&["4", "0"], 400)
    }),
    ("a limit below a second holds", || spinning(&["1", "0"], 60)),
    ("the CPU time of dead children counts", dead_children_count),
    (
        "below the limit CPU time is counted and nothing is ended",
        below_the_limit,
    ),
    ("what the set-up used does not count", set_up_does_not_count),
    ("a run that only waits is ended at its wall limit", waiting),
    (
        "a run that spins without reaching its CPU limit is ended at its wall limit",
        wall_before_cpu,
    ),
    ("a run sees as many CPUs as it may use", cpus_seen),
];

/// Tests that need all CPUs of the machine.
pub(crate) const LONE: &[Case] = &[(
    "with cpus 1 several processes on all CPUs use no more than one",
    one_cpu_is_one_cpu,
)];

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn spinning(arguments: &[&str], limit: u64) {
    let limit = milliseconds(limit);
    let program = Program::compiled("spin", arguments).limit(|limits| limits.cpu_time = limit);
    used_up(&program.run().breached(Breach::CpuTime), limit);
}

fn used_up(report: &Report, limit: Duration) {
    let used = report.facts.cpu_time;
    assert!(
        used >= limit && used < 2 * limit,
        "{used:?} of {limit:?}: {}",
        report.all()
    );
}

fn dead_children_count() {
    let limit = milliseconds(300);
    let program = Program::compiled("spin", &[]).change(|plan| {
        plan.argv = ["/bin/sh", "-c", "while :; do ./spin 1 20; done"]
            .map(String::from)
            .to_vec();
        plan.limits.cpu_time = limit;
    });
    used_up(&program.run().breached(Breach::CpuTime), limit);
}

fn below_the_limit() {
    let report = Program::compiled("spin", &["2", "100"])
        .limit(|limits| limits.cpu_time = milliseconds(2000))
        .run();
    let used = report.passed().facts.cpu_time;
    // A tick may be missing for each process.
    assert!(
        used >= milliseconds(180) && used < milliseconds(400),
        "{used:?}"
    );
}

/// Writing the job's files is init's work: 48 MiB of them cost several milliseconds.
fn set_up_does_not_count() {
    let smallest = |bytes: u64| {
        let program = Program::new(&["/bin/true"]).job(|job| {
            let content = vec![1; usize::try_from(bytes).expect("small")];
            job.workspace(64 * MIB).file("large", content)
        });
        let mut slot = pool::slot();
        (0..5)
            .map(|_| program.run_on(&mut slot).passed().facts.cpu_time)
            .min()
            .expect("five runs")
    };
    let (small, large) = (smallest(1), smallest(48 * MIB));
    assert!(
        large < small + milliseconds(4),
        "{large:?} with large files, {small:?} without"
    );
}

fn waiting() {
    let limit = milliseconds(200);
    let report = Program::new(&["/bin/sleep", "1000"])
        .limit(|limits| limits.wall_time = limit)
        .run();
    let facts = report.breached(Breach::WallTime).facts;
    assert!(facts.wall_time >= limit, "{facts:?}");
    assert!(facts.cpu_time < milliseconds(100), "{facts:?}");
    let report = Program::new(&["/bin/sleep", "0.2"])
        .limit(|limits| limits.wall_time = milliseconds(20_000))
        .run();
    assert!(
        report.passed().facts.wall_time >= limit,
        "time is measured below the limit, too"
    );
}

fn wall_before_cpu() {
    let report = Program::compiled("spin", &["1", "0"])
        .limit(|limits| limits.wall_time = milliseconds(300))
        .run();
    assert!(report.breached(Breach::WallTime).facts.cpu_time < milliseconds(600));
}

fn ratio(cpus: u32) -> f64 {
    let program = Program::compiled("spin", &["3", "0"]).limit(|limits| {
        limits.cpus = cpus;
        limits.wall_time = milliseconds(500);
    });
    let facts = program.run().breached(Breach::WallTime).facts;
    facts.cpu_time.as_secs_f64() / facts.wall_time.as_secs_f64()
}

/// The control, the same program with two CPUs, shows whether the machine had two to give; where it never has, the
/// bound still holds and says less.
fn one_cpu_is_one_cpu() {
    let mut controls = (0..4).map(|_| ratio(2));
    let free = controls.any(|ratio| ratio > 1.4);
    let used = ratio(1);
    assert!(
        used < 1.2,
        "{used} CPUs with one allowed (two were free: {free})"
    );
}

fn cpus_seen() {
    let print = format!("{PRELUDE}print(len(os.sched_getaffinity(0)))");
    let machine = std::thread::available_parallelism()
        .expect("the machine's CPUs")
        .get();
    for cpus in [1, 2] {
        let program = Program::python(&print).limit(|limits| limits.cpus = cpus);
        program
            .run()
            .passed()
            .printed(&format!("{}\n", machine.min(cpus as usize)));
    }
}

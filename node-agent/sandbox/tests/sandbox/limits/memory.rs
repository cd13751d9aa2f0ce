//! Memory: every kind counts, all processes together; an OOM kill ends the run and is recorded.

use std::time::Duration;

use evaljob_sandbox::facts::{Breach, Ending};

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::{MIB, Program};

pub(crate) const CASES: &[Case] = &[
    ("memory of every kind counts", every_kind_counts),
    (
        "a run whose child is killed for memory is ended",
        child_of_a_survivor,
    ),
    ("the peak is that of the run", peak_is_the_runs),
    ("files of the job count", files_count),
    (
        "anonymous memory is told apart from files",
        anonymous_is_told_apart,
    ),
];

const KINDS: [&str; 6] = ["private", "shared", "memfd", "file", "sysv", "forked"];

fn eat(kind: &str, mebibytes: &str, limit: u64) -> Program {
    Program::compiled("eat", &[kind, mebibytes])
        .job(|job| job.workspace(512 * MIB))
        .limit(|limits| {
            limits.memory = limit;
            limits.file_size = 512 * MIB;
        })
}

fn every_kind_counts() {
    let mut slot = pool::slot();
    for kind in KINDS {
        let report = eat(kind, "96", 32 * MIB).run_on(&mut slot);
        assert!(report.facts.oom_kills >= 1, "{kind}: {}", report.all());
        // The kernel may have ended the main process before the worker could.
        assert!(
            matches!(report.facts.breach, None | Some(Breach::Memory)),
            "{kind}: {}",
            report.all()
        );
        assert!(
            !matches!(report.facts.ending, Ending::Exited(_)),
            "{kind}: {}",
            report.all()
        );
        assert!(
            report.facts.memory_peak.expect("told") <= 32 * MIB,
            "{kind}: {}",
            report.all()
        );
        assert_eq!(report.text(), "", "{kind}");
        let report = eat(kind, "96", 192 * MIB)
            .run_on(&mut slot)
            .passed()
            .printed("held\n");
        assert_eq!(report.facts.oom_kills, 0, "{kind}: {}", report.all());
        let peak = report.facts.memory_peak.expect("told");
        assert!((96 * MIB..192 * MIB).contains(&peak), "{kind}: {peak}");
    }
}

/// The CPU time, which the worker looks at again and again, stands still here: only the kernel's announcement can wake
/// it before the wall limit.
fn child_of_a_survivor() {
    let wall = Duration::from_secs(30);
    let program = eat("child", "96", 32 * MIB).limit(|limits| {
        limits.wall_time = wall;
        limits.cpu_time = 2 * wall;
    });
    let report = program.run().breached(Breach::Memory);
    assert!(report.facts.oom_kills >= 1, "{}", report.all());
    assert!(report.facts.wall_time < wall / 2, "{}", report.all());
}

fn peak_is_the_runs() {
    let mut slot = pool::slot();
    let high = eat("private", "96", 256 * MIB);
    high.job.begin(&mut slot);
    let first = high
        .run_in(&mut slot)
        .passed()
        .facts
        .memory_peak
        .expect("told");
    let second = Program::new(&["/bin/true"])
        .run_in(&mut slot)
        .passed()
        .facts
        .memory_peak
        .expect("told");
    assert!(
        first >= 96 * MIB && second < 16 * MIB,
        "{first}, then {second}"
    );
}

fn files_count() {
    let content = vec![1; 40 << 20];
    let program = Program::new(&["/bin/true"]).job(|job| job.file("large", &content));
    let report = program
        .clone()
        .limit(|limits| limits.memory = 128 * MIB)
        .run()
        .passed();
    assert!(
        report.facts.memory_peak.expect("told") >= 40 * MIB,
        "{}",
        report.all()
    );
}

/// The kernel counts it in stocks of 64 pages for each CPU, so a MiB for each two of them may be missing.
fn anonymous_is_told_apart() {
    let mut slot = pool::slot();
    let mut figures = |kind: &str| {
        let program = Program::compiled("eat", &[kind, "48", "300"]);
        let facts = program.run_on(&mut slot).passed().printed("held\n").facts;
        let told = (facts.memory_anonymous, facts.memory_peak);
        let (Some(anonymous), Some(peak)) = told else {
            panic!("{kind}: {facts:?}");
        };
        assert!(peak >= 48 * MIB && anonymous <= peak, "{kind}: {facts:?}");
        anonymous
    };
    for kind in ["private", "forked"] {
        let anonymous = figures(kind);
        assert!(anonymous >= 44 * MIB, "{kind}: {anonymous}");
    }
    for kind in ["file", "shared"] {
        let anonymous = figures(kind);
        assert!(anonymous < 8 * MIB, "{kind}: {anonymous}");
    }
    // The last look comes before the kill.
    let memory = "x = bytearray(48 << 20)\nwhile True: pass";
    let program =
        Program::python(memory).limit(|limits| limits.cpu_time = Duration::from_millis(500));
    let facts = program.run_on(&mut slot).breached(Breach::CpuTime).facts;
    assert!(facts.memory_anonymous >= Some(44 * MIB), "{facts:?}");
}

//! After hundreds of runs of every kind, processes, descriptors, mounts, cgroups and network namespaces are what they
//! were before.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evaljob_sandbox::plan::HostPlan;
use evaljob_sandbox::{Slot, Spawner};
use rustix::process::WaitOptions;

use crate::harness::ground::{self, Ground};
use crate::harness::program::{Job, Program};
use crate::harness::{Case, isolated, pool, wait};

/// Role: counts, alone in its world.
pub(crate) const LEAK: &str = "leak";

pub(crate) const CASES: &[Case] = &[("300 runs of every kind leave nothing behind", || {
    isolated::assert_role(LEAK)
})];

/// Everything that could leak, counted over all processes of this world.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    processes: usize,
    descriptors: Vec<usize>,
    mounts: Vec<usize>,
    networks: usize,
    cgroups: usize,
}

fn count(ground: &Ground) -> Count {
    let mut seen = Count {
        processes: 0,
        descriptors: Vec::new(),
        mounts: Vec::new(),
        networks: 0,
        cgroups: 0,
    };
    let mut networks = BTreeSet::new();
    for process in processes() {
        let Ok(entries) = fs::read_dir(process.join("fd")) else {
            continue;
        };
        let targets: Vec<_> = entries
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .collect();
        if targets.is_empty() {
            continue; // a zombie, until the spawner forks again
        }
        let is_network = |path: &&PathBuf| path.to_string_lossy().starts_with("net:");
        networks.extend(targets.iter().filter(is_network).cloned());
        networks.extend(fs::read_link(process.join("ns/net")));
        seen.processes += 1;
        seen.descriptors.push(targets.len());
        let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
        seen.mounts.push(mounts.lines().count());
    }
    seen.descriptors.sort_unstable();
    seen.mounts.sort_unstable();
    seen.networks = networks.len();
    seen.cgroups = ground
        .below()
        .iter()
        .map(|directory| below(directory))
        .sum();
    seen
}

fn below(directory: &Path) -> usize {
    1 + ground::children(directory)
        .iter()
        .map(|child| below(child))
        .sum::<usize>()
}

fn processes() -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .map(|entry| entry.path());
    let is_process = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok())
    };
    entries.filter(is_process).collect()
}

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
    let before = settled(&ground);
    for _ in 0..25 {
        every_kind(&mut slot);
    }
    wait::until("everything is as before", || {
        let now = count(&ground);
        if now != before {
            eprintln!("before {before:?}\nnow    {now:?}");
        }
        (now == before).then_some(())
    });
    drop(slot);
    drop(spawner);
    wait::until("everything is gone", || {
        // Orphans come to us, for we are pid 1.
        while matches!(
            rustix::process::waitpid(None, WaitOptions::NOHANG),
            Ok(Some(_))
        ) {}
        (processes().len() == 1).then_some(())
    });
    assert_eq!(ground.below(), Vec::<PathBuf>::new());
    ground.leave();
}

/// The count when it no longer changes: the last worker may still be on its way out.
fn settled(ground: &Ground) -> Count {
    let mut last = count(ground);
    wait::until("the count stands still", || {
        std::thread::sleep(Duration::from_millis(50));
        let now = count(ground);
        let still = now == last;
        last = now;
        still.then_some(())
    });
    last
}

//! The cgroup of a run, read from outside while the program runs: the limits that a busy machine would not let show.

use std::fs;
use std::path::{Path, PathBuf};

use evaljob_sandbox::{Interrupt, Spawner};

use crate::harness::program::{Job, MIB, Program};
use crate::harness::{Case, pool, processes};

pub(crate) const CASES: &[Case] = &[
    (
        "limits of a test are in its cgroups, in each hierarchy",
        || {
            as_planned(false);
        },
    ),
    (
        "limits of a step are in its cgroups, in each hierarchy",
        || {
            as_planned(true);
        },
    ),
];

/// Controller, file, value for 48 MiB, 9 processes and 2 CPUs; init has a place of its own.
const PLANNED: [(&str, &str, u64); 5] = [
    ("memory", "memory.limit_in_bytes", 48 * MIB),
    ("memory", "memory.swappiness", 0),
    ("pids", "pids.max", 10),
    ("cpu", "cpu.cfs_quota_us", 200_000),
    ("cpu", "cpu.cfs_period_us", 100_000),
];

/// The directory of a process in a hierarchy.
fn directory(membership: &str, controller: &str) -> PathBuf {
    let path = membership.lines().find_map(|line| {
        let (names, path) = line.split_once(':')?.1.split_once(':')?;
        (names == controller).then_some(path)
    });
    let path = path.unwrap_or_else(|| panic!("no {controller} in {membership}"));
    Path::new("/sys/fs/cgroup")
        .join(controller)
        .join(path.trim_start_matches('/'))
}

fn as_planned(step: bool) {
    let spawner = Spawner::start(pool::host(1)).unwrap_or_else(|error| panic!("{error}"));
    let mut slot = spawner.slot(0);
    let mut program = Program::shell("echo begun; sleep 1000").limit(|limits| {
        limits.memory = 48 * MIB;
        limits.processes = 9;
        limits.cpus = 2;
    });
    if step {
        program = program.job(Job::steps).step();
    }
    program.job.begin(&mut slot);
    let interrupt = Interrupt::new().expect("a descriptor");
    let mut membership = String::new();
    let mut found = Vec::new();
    let outcome = program.watch_in(&mut slot, &interrupt, &mut |_| {
        let main = processes::program_of(spawner.facts().spawner_pid);
        membership = fs::read_to_string(format!("/proc/{main}/cgroup")).expect("/proc");
        for (controller, file, _) in PLANNED {
            found.push(fs::read_to_string(
                directory(&membership, controller).join(file),
            ));
        }
        interrupt.fire();
    });
    outcome.expect("it ends by the interrupt");
    for ((controller, file, value), found) in PLANNED.into_iter().zip(found) {
        let found = found.unwrap_or_else(|error| panic!("{controller}/{file}: {error}"));
        assert_eq!(found.trim(), value.to_string(), "{file} in {membership}");
    }
    // Time is read where the run is.
    let own = directory(&membership, "cpuacct");
    assert!(
        own.ends_with(if step { "slot-0/steps" } else { "slot-0/runs" }),
        "{}",
        own.display()
    );
}

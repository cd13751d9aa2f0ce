//! A run stopped at each step of its making, and then the agent, the spawner or the worker killed: nothing is left of
//! that life, and the next one runs jobs.
//!
//! The step is a stop of init or job itself (`mutation::STOP`), seen by its name, so no time decides what is tested.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use evaljob_sandbox::mutation::{STOP, STOPPED, stages};
use evaljob_sandbox::plan::{HostPlan, Network};
use evaljob_sandbox::{Sealed, Spawner};
use libtest_mimic::{Failed, Trial};

use crate::harness::ground::Ground;
use crate::harness::processes::{children, kill, others, reap};
use crate::harness::program::{Job, Program};
use crate::harness::{control, isolated, pool, wait};

/// Role: pid 1 of a world in which every victim dies once at one step.
pub(crate) const WORLD: &str = "stopped-world";
/// Role: the agent whose first run stops.
pub(crate) const AGENT: &str = "stopped-agent";

/// The step, for the world; what it starts itself does not stop there.
const STEP: &str = "EVALJOB_TEST_STEP";
/// Number of the step, for the names of cgroups and directories.
const NUMBER: &str = "EVALJOB_TEST_STEP_NUMBER";
/// What the agent says when a later job ran beside the same spawner.
const AGAIN: &str = "ran again";

/// Each stage, after the detail that leaves most behind. Where a stage has several parts it is there several times.
const STEPS: &[(&str, u32)] = &[
    ("Handover", 0), // the first step of all: not yet in its cgroup
    ("Cgroup", 0),
    ("Network", 0),
    ("Image", 0),
    ("Volume", 0),
    ("Workspace", 0),
    ("Workspace", 3), // with the ids of the job, so without a death signal
    ("File", 0),
    ("Workspace", 6),
    ("Judge", 5),
    ("Proc", 0),
    ("Detach", 0),
    ("Handover", 2),
    ("JobClone", 0),
    ("IdMap", 1),
    ("IdMap", 3),
    ("InitLockdown", 1),
    ("Placement", 0),
    ("Streams", 0),
    ("Identity", 0),
    ("WorkingDirectory", 0),
    ("Landlock", u32::MAX),
    ("SeccompFloor", 0),
    ("Rlimits", 0),
    ("Capabilities", u32::MAX),
    ("Descriptors", 0),
    ("Seal", 0),
    ("Sealed", 0),
    ("Exec", 0),
];

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Agent,
    Spawner,
    Worker,
}

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let complete = Trial::test("no stage is without a stop", || {
        let missing: Vec<_> = stages()
            .into_iter()
            .filter(|stage| !STEPS.iter().any(|(name, _)| name == stage))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failed::from(format!("nothing is stopped at {missing:?}")))
    })
    .with_kind("stopped");
    let steps = (0..).zip(STEPS).map(|(number, (stage, detail)): (u32, _)| {
        let name = format!(
            "without agent, spawner or worker at {stage} {detail} nothing of a run is left"
        );
        Trial::test(name, move || stopped(number, &format!("{stage} {detail}")))
            .with_kind("stopped")
    });
    std::iter::once(complete).chain(steps)
}

fn stopped(number: u32, step: &str) -> Result<(), Failed> {
    let output = isolated::own_world(WORLD)
        .env(STEP, step)
        .env(NUMBER, number.to_string())
        .output()
        .expect("unshare starts");
    if output.status.success() {
        return Ok(());
    }
    Err(Failed::from(control::describe(&output)))
}

fn number() -> String {
    std::env::var(NUMBER).expect("set by the test")
}

fn spawner() -> Spawner {
    let mut data = pool::node_directory(&format!("stopped-{}", number()));
    data.name = "data".into();
    let plan = HostPlan {
        node_directories: vec![data],
        ..pool::host(1)
    };
    Spawner::start(plan).unwrap_or_else(|error| panic!("{error}"))
}

/// A checker with everything a run can have, and so a tree of its own; for the steps that only it has.
fn checker() -> Program {
    Program::new(&["/bin/true"]).job(|_| {
        let mut job = Job::new().file("file", "x").volume("data", "/data", false);
        job.plan.checker = true;
        job.plan.network = Network::Loopback;
        job
    })
}

/// Its first run stops; when that is over it tries another one with the same spawner.
pub(crate) fn be_agent() {
    let step = std::env::var(STEP).expect("set by the test");
    let spawner = spawner();
    let mut slot = spawner.slot(0);
    if step.starts_with("Volume") || step.starts_with("Judge") {
        let files: [_; 3] = std::array::from_fn(|_| Sealed::new(b"x").expect("a file in memory"));
        let program = checker();
        program.job.begin(&mut slot);
        let files = [&files[0], &files[1], &files[2]];
        program.try_check_in(&mut slot, files)
    } else {
        let program = Program::new(&["/bin/true"]).job(|job| job.file("file", "x"));
        program.job.begin(&mut slot);
        program.try_run_in(&mut slot)
    }
    .expect_err("somebody it needs was killed");
    let next = Program::new(&["/bin/true"]);
    if next.job.try_begin(&mut slot).is_ok() {
        next.run_in(&mut slot).passed();
        slot.end().expect("the job ends");
        std::io::stdout()
            .write_all(AGAIN.as_bytes())
            .expect("the role reads it");
    }
}

pub(crate) fn be_world() {
    let ground = Ground::enter(&format!("stopped-{}", number()));
    fs::create_dir_all(isolated::scratch().join(format!("stopped-{}", number())))
        .expect("a directory");
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    let before = mounts();
    for victim in [Victim::Agent, Victim::Spawner, Victim::Worker] {
        die(victim);
        if victim != Victim::Spawner {
            assert_eq!(
                ground.below(),
                Vec::<std::path::PathBuf>::new(),
                "the spawner removes its cgroups when its {victim:?} is dead"
            );
        }
        let next = spawner();
        assert_eq!(next.facts().leftovers, Vec::<String>::new(), "{victim:?}");
        Program::new(&["/bin/true"])
            .run_on(&mut next.slot(0))
            .passed();
        drop(next);
        all_gone(victim);
        assert_eq!(ground.below(), Vec::<std::path::PathBuf>::new());
        assert_eq!(mounts(), before, "{victim:?}");
    }
    ground.leave();
}

/// One life of an agent, up to the stop; then the victim dies.
fn die(victim: Victim) {
    let mut agent = same_world_agent()
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let agent_pid = i32::try_from(agent.id()).expect("a pid");
    wait::until("a process of the run has stopped at the step", || {
        if let Some(status) = agent.try_wait().expect("it is ours") {
            panic!("the agent ended before its run stopped: {status}");
        }
        others().iter().any(|pid| is_stopped(pid)).then_some(())
    });
    let spawner = *children(agent_pid).first().expect("a spawner");
    let worker = children(spawner).into_iter().max().expect("a worker");
    assert!(!children(worker).is_empty(), "the run has an init");
    kill(match victim {
        Victim::Agent => agent_pid,
        Victim::Spawner => spawner,
        Victim::Worker => worker,
    });
    let output = agent.wait_with_output().expect("it is ours");
    all_gone(victim);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.success(), victim != Victim::Agent, "{said}");
    // With only the worker gone the spawner goes on, and so does the slot.
    assert_eq!(
        said == AGAIN,
        victim == Victim::Worker,
        "{victim:?}: {said}"
    );
}

fn same_world_agent() -> Command {
    let mut command = isolated::same_world(AGENT);
    let step = std::env::var(STEP).expect("set by the test");
    command.stdin(Stdio::null()).env(STOP, step);
    command
}

fn is_stopped(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == STOPPED)
}

/// Orphans come to us, for we are pid 1.
fn all_gone(victim: Victim) {
    wait::until(
        &format!("every process is gone with the {victim:?}"),
        || {
            reap();
            others().is_empty().then_some(())
        },
    );
}

//! Processes of the sandbox die: the next job runs all the same, and nothing is left.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use evaljob_sandbox::{Interrupt, Spawner};

use crate::harness::ground::{self, Ground};
use crate::harness::processes::{children, kill, others, reap};
use crate::harness::program::{Job, Program};
use crate::harness::{Case, isolated, pool, wait};

/// Role: pid 1 that kills an agent in the middle of its runs and looks at what is left.
pub(crate) const AGENT_KILLED: &str = "agent-killed";
/// Role: the agent.
pub(crate) const AGENT: &str = "agent";

pub(crate) const CASES: &[Case] = &[
    (
        "a worker that died between jobs is replaced",
        idle_worker_dies,
    ),
    (
        "a worker that died in a run is an error, and the next job runs",
        busy_worker_dies,
    ),
    (
        "an init killed from outside is an error that says so, and the next job runs",
        init_is_killed,
    ),
    (
        "with the spawner everything dies, and a new one starts",
        spawner_dies,
    ),
    (
        "of an agent killed in the middle of its runs nothing is left",
        || drop(isolated::assert_role(AGENT_KILLED)),
    ),
];

fn start() -> Spawner {
    Spawner::start(pool::host(1)).unwrap_or_else(|error| panic!("{error}"))
}

/// The worker: the youngest child of the spawner.
fn worker(spawner: &Spawner) -> i32 {
    children(spawner.facts().spawner_pid)
        .into_iter()
        .max()
        .expect("a worker")
}

fn gone(pid: i32) -> Option<()> {
    // A zombie, too, is gone; its parent reaps it when it forks the next one.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    (stat.is_empty() || stat.rsplit(')').next()?.trim_start().starts_with('Z')).then_some(())
}

fn idle_worker_dies() {
    let spawner = start();
    let mut slot = spawner.slot(0);
    Program::new(&["/bin/true"]).run_on(&mut slot).passed();
    for _ in 0..2 {
        let pid = worker(&spawner);
        kill(pid);
        wait::until("the worker is dead", || gone(pid));
        Program::new(&["/bin/true"]).run_on(&mut slot).passed();
    }
}

fn busy_worker_dies() {
    for steps in [false, true] {
        let spawner = start();
        let mut slot = spawner.slot(0);
        let mut program = Program::shell("sleep 1000 & echo begun; sleep 1000");
        if steps {
            program = program.job(Job::steps).step();
        }
        program.job.begin(&mut slot);
        let pid = worker(&spawner);
        let interrupt = Interrupt::new().expect("a descriptor");
        let outcome = program.watch_in(&mut slot, &interrupt, &mut |_| {
            let inits = children(pid);
            kill(pid);
            inits
                .into_iter()
                .for_each(|init| wait::until("its run is dead", || gone(init)));
        });
        outcome.expect_err("the worker cannot have told how it ended");
        Program::new(&["/bin/true"]).run_on(&mut slot).passed();
    }
}

fn init_is_killed() {
    let spawner = start();
    let mut slot = spawner.slot(0);
    let program = Program::shell("echo begun; sleep 1000");
    program.job.begin(&mut slot);
    let pid = worker(&spawner);
    let interrupt = Interrupt::new().expect("a descriptor");
    let outcome = program.watch_in(&mut slot, &interrupt, &mut |_| {
        children(pid).into_iter().for_each(kill);
    });
    let error = outcome.expect_err("nobody knows how the program ended");
    assert!(
        error.cause.contains("init was killed from outside"),
        "{error}"
    );
    assert!(error.way_out.contains("memory limit"), "{error}");
    slot.end().expect("the worker lives");
    Program::new(&["/bin/true"]).run_on(&mut slot).passed();
}

/// Of its two workers one has a run, the other has never had one.
fn spawner_dies() {
    let spawner = Spawner::start(pool::host(2)).unwrap_or_else(|error| panic!("{error}"));
    let (mut slot, mut idle) = (spawner.slot(0), spawner.slot(1));
    Job::new().begin(&mut idle);
    let pid = spawner.facts().spawner_pid;
    let program = Program::shell("echo begun; sleep 1000");
    program.job.begin(&mut slot);
    let workers = children(pid);
    let interrupt = Interrupt::new().expect("a descriptor");
    let outcome = program.watch_in(&mut slot, &interrupt, &mut |_| kill(pid));
    outcome.expect_err("its worker died with it");
    workers
        .into_iter()
        .for_each(|worker| wait::until("the workers are dead", || gone(worker)));
    let error = program
        .job
        .try_begin(&mut slot)
        .expect_err("nobody can fork a worker");
    assert_eq!(error.layer, evaljob_sandbox::Layer::Spawner, "{error}");
    drop(spawner);
    let spawner = start();
    Program::new(&["/bin/true"])
        .run_on(&mut spawner.slot(0))
        .passed();
    assert_eq!(spawner.facts().leftovers, Vec::<String>::new());
}

/// Runs programs on two slots and says so; never ends by itself.
pub(crate) fn be_agent() {
    let spawner = Spawner::start(pool::host(2)).unwrap_or_else(|error| panic!("{error}"));
    std::thread::scope(|scope| {
        for (number, steps) in [(0, false), (1, true)] {
            let mut slot = spawner.slot(number);
            scope.spawn(move || {
                let mut program = Program::shell("setsid sleep 1000 & echo begun; sleep 1000");
                if steps {
                    program = program.job(Job::steps).step();
                }
                program.job.begin(&mut slot);
                let interrupt = Interrupt::new().expect("a descriptor");
                let _ = program.watch_in(&mut slot, &interrupt, &mut |bytes| {
                    std::io::stdout()
                        .write_all(bytes)
                        .expect("the role reads it");
                });
            });
        }
    });
}

/// In a world of its own: whatever is left of the agent becomes a child of this process.
pub(crate) fn be_agent_killed() {
    let ground = Ground::enter("agent-killed");
    let mut agent = isolated::same_world(AGENT)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(agent.stdout.take().expect("asked for")).lines();
    assert_eq!(
        lines
            .take(2)
            .filter(|line| line.as_deref().is_ok_and(|line| line == "begun"))
            .count(),
        2
    );
    assert!(!ground.below().is_empty(), "it has cgroups");
    assert!(
        others().len() > 8,
        "agent, spawner, helper, workers, inits, programs: {:?}",
        others()
    );
    agent.kill().expect("it is ours");
    agent.wait().expect("it is ours");
    wait::until("every process of it is gone", || {
        reap();
        others().is_empty().then_some(())
    });
    assert_eq!(
        ground.below(),
        Vec::<std::path::PathBuf>::new(),
        "its spawner removes its cgroups"
    );
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    assert!(!mounts.contains("/.p"), "{mounts}");
    ground.leave();
    assert!(
        ground::current()
            .iter()
            .all(|directory| !directory.ends_with("agent-killed"))
    );
}

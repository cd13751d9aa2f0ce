//! The sandbox as a whole, tested on real programs: what a run is denied, its limits, its life, what is refused.
//!
//! Needs root, Linux with Landlock ABI 6 or newer, the cgroup v1 controllers (the machine of `make test`; v2 is
//! tested by `vm/run`), unshare(1), gcc with a static C library, /usr/bin/python3 and, for the container tests, runc.
//! What is missing fails by name, nothing is skipped. The process moves into cgroups of its own and into private
//! mount, pid, network, IPC and UTS namespaces before it starts anything, so that neither a hostile program nor its
//! positive control, which runs without the sandbox, can reach the machine.
#![expect(clippy::panic, clippy::print_stderr, reason = "a test binary")]

mod confined;
mod container;
mod corpus;
mod denial;
mod harness;
mod lifecycle;
mod limits;
#[cfg(feature = "mutation")]
mod mutation;
mod other_kernel;
mod refusal;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use corpus::neighbour;
use denial::inherited;
use harness::{isolated, machine, pool};
use lifecycle::{deaths, leak, soak};

fn main() -> ExitCode {
    evaljob_sandbox::maybe_become_spawner();
    if let Some(role) = isolated::role() {
        return match role.as_str() {
            isolated::FIRST => isolated::be_first(),
            isolated::TESTS => run(),
            container::INSIDE => container::be_inside(),
            other_kernel::COMPILER => other_kernel::be_compiler(),
            other_kernel::INSIDE => other_kernel::be_inside(),
            other => play(other),
        };
    }
    if Arguments::from_args().list {
        return run();
    }
    let missing = machine::missing();
    if !missing.is_empty() {
        eprintln!(
            "these tests need what this machine lacks:\n  {}",
            missing.join("\n  ")
        );
        return ExitCode::FAILURE;
    }
    isolated::be_outside()
}

/// The parts of tests that must be alone in their namespaces. They fail by panicking.
const ROLES: &[(&str, fn())] = &[
    (inherited::CROWDED, inherited::be_crowded),
    (deaths::AGENT, deaths::be_agent),
    (deaths::AGENT_KILLED, deaths::be_agent_killed),
    #[cfg(feature = "mutation")]
    (mutation::stopped::WORLD, mutation::stopped::be_world),
    #[cfg(feature = "mutation")]
    (mutation::stopped::AGENT, mutation::stopped::be_agent),
    (leak::LEAK, leak::be_counting),
    (soak::SOAK, soak::be_soaked),
    (container::AROUND, container::be_around),
    (confined::LOCKED, confined::be_locked),
    (confined::FREE, confined::be_free),
    (neighbour::BESIDE, neighbour::be_beside),
];

fn play(role: &str) -> ExitCode {
    let (_, body) = ROLES
        .iter()
        .find(|(name, _)| *name == role)
        .expect("a role of the list");
    body();
    ExitCode::SUCCESS
}

fn run() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(pool::SLOTS as usize);
    let conclusion = libtest_mimic::run(&arguments, trials());
    pool::close();
    conclusion.exit_code()
}

fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        denial::trials(),
        limits::trials(),
        lifecycle::trials(),
        refusal::trials(),
        container::trials(),
        corpus::trials(),
        #[cfg(feature = "mutation")]
        mutation::trials(),
        confined::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    trials.push(corpus::whole(&trials));
    trials
}

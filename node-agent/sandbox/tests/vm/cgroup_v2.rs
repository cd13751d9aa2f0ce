//! cgroup v2 with real processes: limits, figures, notifications, kill and clean-up.
//!
//! Run by tests/vm/run in a virtual machine, whose kernel has the unified hierarchy to itself; needs root and cgroup2
//! at /sys/fs/cgroup with cpu, memory and pids, and fails and names what is missing. Each case starts in a cgroup of its
//! own, as a container's first process does.
#![expect(clippy::panic, clippy::print_stdout, reason = "a test binary")]

#[path = "../support/forked.rs"]
mod forked;
#[path = "../support/load.rs"]
mod load;
#[path = "../support/remains.rs"]
mod remains;
#[path = "../support/runs.rs"]
mod runs;

#[path = "cgroup_v2/ends.rs"]
mod ends;
#[path = "cgroup_v2/limits.rs"]
mod limits;
#[path = "cgroup_v2/machine.rs"]
mod machine;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use evaljob_sandbox::cgroup::{CgroupError, Cgroups, Layout, PrivateMounts, Sources};
use evaljob_sandbox::facts::CgroupVersion;
use evaljob_sandbox::plan::{RunKind, RunLimits};
use rustix::process::{Pid, getpid};

use remains::{children, close_all, fill, lasting_memory, pids_in, remove_below, state};
use runs::{DEADLINE, MIB, limits, run_calmly, run_once, until};

const ROOT: &str = "/sys/fs/cgroup";

const CASES: &[forked::Case] = &[
    (
        "limits reach the kernel, and the agent is out of the way",
        limits::limits_reach_the_kernel,
    ),
    (
        "a run that eats memory is killed, announced and counted",
        || runs::oom_is_announced(&Ground::enter().cgroups()),
    ),
    (
        "an OOM kill takes the whole run, main process and all",
        limits::oom_takes_the_whole_run,
    ),
    (
        "the process limit holds to the process, and refusals are counted",
        || runs::process_limit_holds(&Ground::enter().cgroups()),
    ),
    (
        "the CPU time of a run is that of its processes, from go on",
        || runs::cpu_time_is_the_runs(&Ground::enter().cgroups()),
    ),
    (
        "waiting for CPU bandwidth is counted",
        limits::throttling_is_counted,
    ),
    ("the peak is that of the run", || {
        runs::peak_is_the_runs(&Ground::enter().cgroups());
    }),
    (
        "the peak is reset at go where the kernel can",
        limits::peak_is_reset,
    ),
    ("anonymous memory is told apart from files", || {
        runs::anonymous_memory_is_told(&Ground::enter().cgroups());
    }),
    ("a run sees its own cgroup as the root", || {
        runs::own_cgroup_is_the_root(&Ground::enter().cgroups());
    }),
    ("a process elsewhere is found out", || {
        runs::process_elsewhere_is_found_out(&Ground::enter().cgroups());
    }),
    (
        "what steps leave is charged to the job, not to a test",
        limits::steps_are_charged_to_the_job,
    ),
    (
        "the limit of the job holds above those of its runs",
        limits::job_limit_holds,
    ),
    (
        "kill ends every process of the run, in whatever session",
        ends::kill_ends_everything,
    ),
    (
        "a process that is left is named when patience ends",
        ends::what_is_left_is_named,
    ),
    (
        "a run that was given up is killed before the next one",
        ends::given_up_run_is_killed,
    ),
    (
        "two slots share the cgroup of a job",
        ends::two_slots_share_a_job,
    ),
    ("a run outside a job is refused", ends::run_outside_a_job),
    (
        "a slot is taken again after its worker died in a run",
        ends::slot_is_taken_again,
    ),
    (
        "a new worker leaves alone what another slot has just begun",
        ends::what_has_just_begun_is_left,
    ),
    (
        "another process in our cgroup is named, and nothing is left changed",
        machine::other_process_is_named,
    ),
    (
        "removal undoes everything",
        machine::removal_undoes_everything,
    ),
    (
        "what a dead spawner left goes, and the agent lives on",
        machine::leftovers_go,
    ),
    (
        "what a live spawner has is left alone",
        machine::live_spawner_is_left_alone,
    ),
    (
        "the memory budget is the limit of the cgroup we were started in",
        machine::budget_is_our_limit,
    ),
    (
        "it works as in a container: own cgroup namespace, read-only mount",
        machine::works_as_in_a_container,
    ),
];

fn main() -> ExitCode {
    let available = fs::read_to_string(format!("{ROOT}/cgroup.controllers")).unwrap_or_default();
    let missing: Vec<_> = ["cpu", "memory", "pids"]
        .into_iter()
        .filter(|name| !available.split_whitespace().any(|found| found == *name))
        .collect();
    if !missing.is_empty() || !rustix::process::geteuid().is_root() {
        println!("these tests need root and cgroup2 at {ROOT}; missing controllers: {missing:?}");
        return ExitCode::FAILURE;
    }
    fs::write(
        format!("{ROOT}/cgroup.subtree_control"),
        "+cpu +memory +pids",
    )
    .expect("root cgroup");
    forked::main(CASES, |case| Ground::of(case).remove())
}

/// A cgroup in which a case starts.
#[derive(Debug)]
struct Ground {
    directory: PathBuf,
}

impl Ground {
    fn of(case: Pid) -> Self {
        let directory = PathBuf::from(format!("{ROOT}/ejtest-{}", case.as_raw_nonzero()));
        Self { directory }
    }

    /// Makes it and moves this process there.
    fn enter() -> Self {
        let ground = Self::of(getpid());
        fs::create_dir(&ground.directory).expect("a directory of the test's own");
        fs::write(ground.directory.join("cgroup.procs"), "0").expect("enter");
        ground
    }

    fn layout() -> Layout {
        Layout::discover(&Sources::default(), false).expect("the unified hierarchy")
    }

    fn cgroups(&self) -> Cgroups {
        assert!(self.directory.exists());
        Cgroups::prepare(&Self::layout(), &[getpid()]).expect("v2 cgroups can be made")
    }

    fn ours(&self) -> PathBuf {
        let mut found = children(&self.directory);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    fn job(&self) -> PathBuf {
        self.ours().join("job-1")
    }

    /// The leaf of the run in progress.
    fn leaf(&self) -> PathBuf {
        let mut found = children(&self.job());
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    fn remove(&self) {
        if self.directory.exists() {
            fs::write(self.directory.join("cgroup.kill"), "1").expect("kill");
            let deadline = Instant::now() + DEADLINE;
            while let Err(error) = remove_below(&self.directory) {
                assert!(
                    Instant::now() < deadline,
                    "{}: {error}",
                    self.directory.display()
                );
                std::thread::yield_now();
            }
        }
    }
}

fn value(directory: &Path, file: &str) -> String {
    let path = directory.join(file);
    let text = fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .trim()
        .to_owned()
}

fn number(directory: &Path, file: &str) -> u64 {
    value(directory, file).parse().expect("a number")
}

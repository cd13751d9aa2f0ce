//! cgroup v1 on the running kernel: limits, figures, notifications and clean-up, with real processes.
//!
//! Needs root and the v1 hierarchies memory, pids, cpu and cpuacct; fails and names what is missing. Each case works
//! below a directory of its own in each hierarchy, which is removed afterwards.
#![expect(clippy::panic, clippy::print_stdout, reason = "a test binary")]

#[path = "support/forked.rs"]
mod forked;
#[path = "support/load.rs"]
mod load;
#[path = "support/remains.rs"]
mod remains;
#[path = "support/runs.rs"]
mod runs;

#[path = "cgroup_v1/life.rs"]
mod life;
#[path = "cgroup_v1/limits.rs"]
mod limits;
#[path = "cgroup_v1/machine.rs"]
mod machine;

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use evaljob_sandbox::cgroup::{CgroupError, Cgroups, Layout, PrivateMounts, Sources};
use evaljob_sandbox::facts::CgroupVersion;
use evaljob_sandbox::plan::{RunKind, RunLimits};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, Signal};

use remains::{children, close_all, fill, lasting_memory, pids_in, remove_below, state};
use runs::{DEADLINE, MIB, limits, run_calmly, run_once, until};

const CASES: &[forked::Case] = &[
    (
        "limits reach the kernel, lower and higher ones too",
        limits::limits_reach_the_kernel,
    ),
    (
        "a run that eats memory is killed, announced and counted",
        || {
            runs::oom_is_announced(&Ground::new().cgroups());
        },
    ),
    ("an OOM kill is seen while the main process goes on", || {
        let usage = runs::oom_of_a_child_is_seen(&Ground::new().cgroups(), |main| {
            rustix::process::kill_process(main, Signal::KILL).expect("kill");
        });
        assert_eq!(usage.oom_kills, 1);
    }),
    (
        "the process limit holds to the process, and refusals are counted",
        || {
            runs::process_limit_holds(&Ground::new().cgroups());
        },
    ),
    (
        "the CPU time of a run is that of its processes, from go on",
        || {
            runs::cpu_time_is_the_runs(&Ground::new().cgroups());
        },
    ),
    (
        "waiting for CPU bandwidth is counted",
        limits::throttling_is_counted,
    ),
    ("the peak is that of the run", || {
        runs::peak_is_the_runs(&Ground::new().cgroups())
    }),
    ("anonymous memory is told apart from files", || {
        runs::anonymous_memory_is_told(&Ground::new().cgroups());
    }),
    ("a run sees its own cgroup as the root", || {
        runs::own_cgroup_is_the_root(&Ground::new().cgroups());
    }),
    ("a process elsewhere is found out", || {
        runs::process_elsewhere_is_found_out(&Ground::new().cgroups());
    }),
    (
        "memory that steps leave counts neither for a test nor for the next step",
        limits::steps_are_apart,
    ),
    (
        "a cgroup with something left in it is remade",
        limits::stained_cgroup_is_remade,
    ),
    (
        "a run that was given up is killed before the next one",
        life::given_up_run_is_killed,
    ),
    (
        "a slot is taken again after its worker died in a run",
        life::slot_is_taken_again,
    ),
    (
        "what a dead spawner left is killed and removed",
        life::leftovers_go,
    ),
    (
        "what a live spawner has is left alone",
        life::live_spawner_is_left_alone,
    ),
    (
        "removal leaves nothing, and a worker's copy removes nothing",
        life::removal_is_the_owners,
    ),
    (
        "the memory budget is the limit of the cgroup we were started in",
        machine::budget_is_our_limit,
    ),
    (
        "read-only mounts become writable, in the private namespace only",
        machine::mounts_become_writable,
    ),
    ("v1 is refused unless allowed", machine::v1_is_refused),
];

fn main() -> ExitCode {
    let missing: Vec<_> = ["memory", "pids", "cpu", "cpuacct"]
        .into_iter()
        .filter(|name| {
            !Path::new("/sys/fs/cgroup")
                .join(name)
                .join("tasks")
                .exists()
        })
        .collect();
    if !missing.is_empty() || !rustix::process::geteuid().is_root() {
        println!(
            "these tests need root and cgroup v1 hierarchies below /sys/fs/cgroup; missing: {missing:?}"
        );
        return ExitCode::FAILURE;
    }
    forked::main(CASES, |case| Ground::of(case).remove())
}

/// A directory of the case in each hierarchy, and a /proc/self/cgroup that says we were started there.
#[derive(Debug)]
struct Ground {
    directories: Vec<(String, PathBuf)>,
    membership: String,
}

impl Ground {
    fn of(case: Pid) -> Self {
        let name = format!("ejtest-{}", case.as_raw_nonzero());
        let mut ground = Self {
            directories: Vec::new(),
            membership: String::new(),
        };
        // The parent's: a case may have moved.
        let memberships = fs::read_to_string("/proc/self/cgroup").expect("/proc is mounted");
        for line in memberships.lines() {
            let mut fields = line.splitn(3, ':');
            let (id, controllers, path) = (fields.next(), fields.next(), fields.next());
            let (id, controllers, path) = (
                id.expect("id"),
                controllers.expect("controllers"),
                path.expect("path"),
            );
            if ["memory", "pids", "cpu", "cpuacct"].contains(&controllers) {
                let own = format!("{}/{name}", path.trim_end_matches('/'));
                ground.directories.push((
                    controllers.to_owned(),
                    PathBuf::from(format!("/sys/fs/cgroup/{controllers}{own}")),
                ));
                ground
                    .membership
                    .push_str(&format!("{id}:{controllers}:{own}\n"));
            }
        }
        ground
    }

    fn new() -> Self {
        let ground = Self::of(rustix::process::getpid());
        for (_, directory) in &ground.directories {
            fs::create_dir(directory).expect("a directory of the test's own");
        }
        ground
    }

    fn directory(&self, controller: &str) -> &Path {
        let found = self.directories.iter().find(|(name, _)| name == controller);
        &found.expect("a hierarchy per controller").1
    }

    fn layout(&self) -> Layout {
        let (_file, sources) = self.sources();
        Layout::discover(&sources, true).expect("this machine has v1 controllers")
    }

    /// Keep the handle while the sources are in use.
    fn sources(&self) -> (fs::File, Sources) {
        let memory = rustix::fs::memfd_create("cgroup", MemfdFlags::CLOEXEC).expect("memfd");
        let mut file = fs::File::from(memory);
        file.write_all(self.membership.as_bytes()).expect("memfd");
        let cgroup = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        (
            file,
            Sources {
                cgroup,
                ..Sources::default()
            },
        )
    }

    fn cgroups(&self) -> Cgroups {
        Cgroups::prepare(&self.layout(), &[]).expect("v1 cgroups can be made")
    }

    /// The one file of that name below our ground.
    fn value(&self, controller: &str, cell: &str, file: &str) -> String {
        let ours = only_child(self.directory(controller));
        let path = ours.join("slot-0").join(cell).join(file);
        fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            .trim()
            .to_owned()
    }

    fn charged(&self, cell: &str) -> u64 {
        self.value("memory", cell, "memory.usage_in_bytes")
            .parse()
            .expect("a number")
    }

    fn remove(&self) {
        for (_, directory) in &self.directories {
            if directory.exists() {
                kill_below(directory);
                let deadline = Instant::now() + DEADLINE;
                while let Err(error) = remove_below(directory) {
                    assert!(
                        Instant::now() < deadline,
                        "{}: {error}",
                        directory.display()
                    );
                    std::thread::yield_now();
                }
            }
        }
    }
}

fn only_child(directory: &Path) -> PathBuf {
    let mut found = children(directory);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn kill_below(directory: &Path) {
    for child in children(directory) {
        kill_below(&child);
    }
    for pid in pids_in(directory) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

//! cgroup v1 on the running kernel: limits, figures, notifications and clean-up, with real processes.
//!
//! Needs root and the v1 hierarchies memory, pids, cpu and cpuacct; fails and names what is missing. Each case works
//! below a directory of its own in each hierarchy, which is removed afterwards.
#![expect(clippy::panic, clippy::print_stdout, reason = "a test binary")]

#[path = "support/forked.rs"]
mod forked;
#[path = "support/load.rs"]
mod load;
#[path = "support/runs.rs"]
mod runs;

use std::fs;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use evaljob_sandbox::cgroup::{CgroupError, Cgroups, Layout, PrivateMounts, Sources};
use evaljob_sandbox::facts::CgroupVersion;
use evaljob_sandbox::plan::{RunKind, RunLimits};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, Signal};

use runs::{DEADLINE, MIB, limits, run_calmly, run_once, until};

const CASES: &[forked::Case] = &[
    (
        "limits reach the kernel, lower and higher ones too",
        limits_reach_the_kernel,
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
        throttling_is_counted,
    ),
    ("the peak is that of the run", || {
        runs::peak_is_the_runs(&Ground::new().cgroups())
    }),
    ("a run sees its own cgroup as the root", || {
        runs::own_cgroup_is_the_root(&Ground::new().cgroups());
    }),
    ("a process elsewhere is found out", || {
        runs::process_elsewhere_is_found_out(&Ground::new().cgroups());
    }),
    (
        "memory that steps leave counts neither for a test nor for the next step",
        steps_are_apart,
    ),
    (
        "a cgroup with something left in it is remade",
        stained_cgroup_is_remade,
    ),
    (
        "a run that was given up is killed before the next one",
        given_up_run_is_killed,
    ),
    (
        "a slot is taken again after its worker died in a run",
        slot_is_taken_again,
    ),
    (
        "what a dead spawner left is killed and removed",
        leftovers_go,
    ),
    (
        "what a live spawner has is left alone",
        live_spawner_is_left_alone,
    ),
    (
        "removal leaves nothing, and a worker's copy removes nothing",
        removal_is_the_owners,
    ),
    (
        "the memory budget is the limit of the cgroup we were started in",
        budget_is_our_limit,
    ),
    (
        "read-only mounts become writable, in the private namespace only",
        mounts_become_writable,
    ),
    ("v1 is refused unless allowed", v1_is_refused),
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

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_dir())
        .collect()
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

fn remove_below(directory: &Path) -> std::io::Result<()> {
    for child in children(directory) {
        remove_below(&child)?;
    }
    fs::remove_dir(directory)
}

fn pids_in(directory: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    text.lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
        .collect()
}

fn limits_reach_the_kernel() {
    let ground = Ground::new();
    let cgroups = ground.cgroups();
    assert_eq!(cgroups.version(), CgroupVersion::V1);
    let mut slot = runs::slot(&cgroups);
    for (memory, processes, cpus) in [(64 * MIB, 7, 1), (16 * MIB + 5, 3, 2), (256 * MIB, 64, 1)] {
        let limits = RunLimits {
            cpus,
            ..limits(memory, processes)
        };
        slot.begin_run(RunKind::Test, &limits).expect("begin");
        let page_wise = (memory - memory % 4096).to_string();
        assert_eq!(
            ground.value("memory", "runs", "memory.limit_in_bytes"),
            page_wise
        );
        assert_eq!(
            ground.value("memory", "runs", "memory.memsw.limit_in_bytes"),
            page_wise
        );
        assert_eq!(ground.value("memory", "runs", "memory.swappiness"), "0");
        assert_eq!(
            ground.value("pids", "runs", "pids.max"),
            (processes + 1).to_string()
        );
        assert_eq!(ground.value("cpu", "runs", "cpu.cfs_period_us"), "100000");
        assert_eq!(
            ground.value("cpu", "runs", "cpu.cfs_quota_us"),
            (cpus * 100_000).to_string()
        );
    }
}

fn throttling_is_counted() {
    let ground = Ground::new();
    runs::throttling_is_counted(&ground.cgroups(), || {
        let cell = only_child(ground.directory("cpu")).join("slot-0/runs");
        fs::write(cell.join("cpu.cfs_quota_us"), "10000").expect("quota");
    });
}

/// Memory that outlives the process that fills it, as a file in memory does.
fn lasting_memory() -> OwnedFd {
    rustix::fs::memfd_create("lasting", MemfdFlags::CLOEXEC).expect("memfd")
}

fn fill(memory: &OwnedFd, bytes: u64) {
    let mut file = fs::File::from(memory.try_clone().expect("handle"));
    let block = vec![7_u8; 1 << 20];
    for _ in 0..bytes / MIB {
        file.write_all(&block).expect("memory");
    }
}

fn steps_are_apart() {
    let ground = Ground::new();
    let cgroups = ground.cgroups();
    let mut slot = runs::slot(&cgroups);
    let tree = lasting_memory();
    let usage = run_once(&mut slot, RunKind::Step, &limits(64 * MIB, 8), || {
        fill(&tree, 24 * MIB)
    });
    assert!(usage.memory_peak > 24 * MIB, "{usage:?}");
    // A test whose limit is far below what the steps left.
    let usage = run_once(&mut slot, RunKind::Test, &limits(8 * MIB, 8), || {
        load::eat(4 << 20)
    });
    assert_eq!(usage.oom_kills, 0, "{usage:?}");
    assert!(
        usage.memory_peak >= 4 * MIB && usage.memory_peak < 8 * MIB,
        "{usage:?}"
    );
    // And another step.
    let usage = run_once(&mut slot, RunKind::Step, &limits(8 * MIB, 8), || {
        load::eat(4 << 20)
    });
    assert_eq!(usage.oom_kills, 0, "{usage:?}");
    assert!(
        usage.memory_peak >= 4 * MIB && usage.memory_peak < 8 * MIB,
        "{usage:?}"
    );
    // Its own limit still holds.
    let usage = run_once(&mut slot, RunKind::Step, &limits(8 * MIB, 8), || {
        load::be_the_victim();
        load::eat(32 << 20);
    });
    assert_eq!(usage.oom_kills, 1, "{usage:?}");
    drop(tree);
    slot.end_job().expect("end");
    let charged = ground.charged("steps");
    assert!(charged <= MIB, "{charged}");
}

fn stained_cgroup_is_remade() {
    let ground = Ground::new();
    let cgroups = ground.cgroups();
    let mut slot = runs::slot(&cgroups);
    let stain = lasting_memory();
    run_once(&mut slot, RunKind::Test, &limits(64 * MIB, 8), || {
        fill(&stain, 8 * MIB)
    });
    slot.tidy().expect("tidy");
    let charged = ground.charged("runs");
    assert!(charged <= MIB, "{charged}");
    // Limits, notifications and figures are those of the new cgroup.
    let mut run = slot
        .begin_run(RunKind::Test, &limits(32 * MIB, 8))
        .expect("begin");
    assert_eq!(
        ground.value("memory", "runs", "memory.limit_in_bytes"),
        (32 * MIB).to_string()
    );
    let child = runs::birth(&mut run, || load::eat(100 << 20));
    let (events, deadline) = (run.notifier(), Some(&DEADLINE.try_into().expect("short")));
    let mut fds = [rustix::event::PollFd::from_borrowed_fd(
        events.fd,
        rustix::event::PollFlags::IN,
    )];
    assert_eq!(
        rustix::event::poll(&mut fds, deadline),
        Ok(1),
        "the kernel announces the kill"
    );
    forked::wait(child);
    assert_eq!(run.finish(DEADLINE).expect("finish").oom_kills, 1);
    drop(stain);
}

fn given_up_run_is_killed() {
    let ground = Ground::new();
    let cgroups = ground.cgroups();
    let mut slot = runs::slot(&cgroups);
    for (kind, cell) in [(RunKind::Test, "runs"), (RunKind::Step, "steps")] {
        let mut run = slot.begin_run(kind, &limits(64 * MIB, 8)).expect("begin");
        let child = runs::birth(&mut run, load::sleep_for_ever);
        drop(run);
        let cell = only_child(ground.directory("memory"))
            .join("slot-0")
            .join(cell);
        assert_eq!(pids_in(&cell), [child]);
        slot.tidy().expect("tidy");
        assert_eq!(
            forked::wait(child).terminating_signal(),
            Some(libc::SIGKILL)
        );
        assert_eq!(run_calmly(&mut slot).oom_kills, 0);
    }
}

fn slot_is_taken_again() {
    let ground = Ground::new();
    let cgroups = ground.cgroups();
    let worker = forked::fork(|| {
        let mut slot = runs::slot(&cgroups);
        let mut run = slot
            .begin_run(RunKind::Test, &limits(32 * MIB, 8))
            .expect("begin");
        runs::birth(&mut run, load::sleep_for_ever);
        // Dies as by SIGKILL: nothing is dropped.
        std::process::abort();
    });
    forked::wait(worker);
    let cell = only_child(ground.directory("pids")).join("slot-0/runs");
    assert_eq!(pids_in(&cell).len(), 1, "the run outlives its worker here");
    let mut slot = runs::slot(&cgroups);
    assert_eq!(pids_in(&cell).len(), 0);
    assert_eq!(run_calmly(&mut slot).oom_kills, 0);
}

/// A spawner that is killed while a run of it lives; returns the process id of the run.
fn killed_spawner(ground: &Ground) -> Pid {
    let (report, told) = rustix::pipe::pipe().expect("pipe");
    let spawner = forked::fork(|| {
        let cgroups = ground.cgroups();
        let mut slot = runs::slot(&cgroups);
        let mut run = slot
            .begin_run(RunKind::Test, &limits(32 * MIB, 8))
            .expect("begin");
        let run = runs::birth(&mut run, || {
            close_all();
            load::sleep_for_ever();
        });
        rustix::io::write(&told, run.as_raw_nonzero().to_string().as_bytes()).expect("pipe");
        rustix::process::kill_process(rustix::process::getpid(), Signal::KILL).expect("kill");
    });
    forked::wait(spawner);
    drop(told);
    let mut text = [0_u8; 16];
    let length = rustix::io::read(&report, &mut text).expect("pipe");
    let pid = std::str::from_utf8(&text[..length])
        .expect("digits")
        .parse()
        .expect("pid");
    Pid::from_raw(pid).expect("pid")
}

#[expect(unsafe_code, reason = "a job closes everything it inherited")]
fn close_all() {
    // SAFETY: the process uses no descriptor afterwards.
    unsafe { libc::close_range(3, u32::MAX, 0) };
}

fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// A zombie whose parent does not look is in no cgroup any more.
fn alive(pid: Pid) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

fn leftovers_go() {
    let ground = Ground::new();
    let run = killed_spawner(&ground);
    // Handles are let go when the call that closes them returns; asleep means that it has returned.
    until("the run has closed what it inherited", || {
        let handles = fs::read_dir(format!("/proc/{}/fd", run.as_raw_nonzero()));
        handles.is_ok_and(|handles| handles.count() == 3) && state(run) == Some('S')
    });
    assert!(alive(run), "the run outlives its spawner here");
    let left = only_child(ground.directory("memory"));
    let cgroups = ground.cgroups();
    assert_eq!(cgroups.leftovers(), &[] as &[String]);
    until("the run is dead", || !alive(run));
    for (_, directory) in &ground.directories {
        let now = only_child(directory);
        assert_ne!(
            now.file_name(),
            left.file_name(),
            "only the new directory is there"
        );
    }
}

fn live_spawner_is_left_alone() {
    let ground = Ground::new();
    let first = ground.cgroups();
    let mut slot = first.slot(0).expect("slot");
    let before = only_child(ground.directory("memory"));
    let second = ground.cgroups();
    assert_eq!(children(ground.directory("memory")).len(), 2);
    assert!(before.exists());
    second.remove().expect("remove");
    assert_eq!(only_child(ground.directory("memory")), before);
    assert_eq!(run_calmly(&mut slot).oom_kills, 0);
}

fn removal_is_the_owners() {
    let ground = Ground::new();
    let mut cgroups = Some(ground.cgroups());
    let worker = forked::fork(|| {
        let mut slot = cgroups.as_ref().expect("not taken").slot(0).expect("slot");
        run_calmly(&mut slot);
    });
    forked::wait(worker);
    let worker = forked::fork(|| drop(cgroups.take()));
    assert_eq!(forked::wait(worker).exit_status(), Some(0));
    only_child(ground.directory("memory"));
    let cgroups = cgroups.expect("the worker took its own copy");
    cgroups.remove().expect("remove");
    for (_, directory) in &ground.directories {
        assert_eq!(children(directory), Vec::<PathBuf>::new());
    }
}

fn budget_is_our_limit() {
    let ground = Ground::new();
    let layout = ground.layout();
    let all = layout.memory_budget().expect("budget");
    fs::write(
        ground.directory("memory").join("memory.limit_in_bytes"),
        (768 * MIB).to_string(),
    )
    .expect("limit");
    assert_eq!(layout.memory_budget().expect("budget"), 768 * MIB);
    assert!(
        all > 768 * MIB,
        "without a limit it is the machine's memory: {all}"
    );
}

fn mounts_become_writable() {
    let ground = Ground::new();
    let layout = ground.layout();
    assert!(
        layout
            .hierarchies()
            .iter()
            .all(|hierarchy| !hierarchy.read_only),
        "writable outside"
    );
    let namespace = PrivateMounts::enter().expect("namespace");
    for hierarchy in layout.hierarchies() {
        let flags = rustix::mount::MountFlags::BIND | rustix::mount::MountFlags::RDONLY;
        rustix::mount::mount_remount(hierarchy.mount_point.as_str(), flags, "").expect("remount");
    }
    let layout = ground.layout();
    let refused = Cgroups::prepare(&layout, &[]).expect_err("read-only");
    assert!(refused.to_string().contains("make_writable"), "{refused}");
    assert_eq!(
        layout.make_writable(&namespace).expect("writable"),
        layout.hierarchies().len()
    );
    let layout = ground.layout();
    assert_eq!(
        layout.make_writable(&namespace).expect("writable"),
        0,
        "nothing is left to do"
    );
    run_calmly(
        &mut Cgroups::prepare(&layout, &[])
            .expect("writable")
            .slot(0)
            .expect("slot"),
    );
    let outside = fs::read_to_string(format!(
        "/proc/{}/mountinfo",
        rustix::process::getppid().expect("parent").as_raw_nonzero()
    ));
    let outside = outside.expect("mountinfo");
    assert!(
        outside
            .lines()
            .filter(|line| line.contains(" - cgroup "))
            .all(|line| !line.contains(" ro,")),
        "{outside}"
    );
}

fn v1_is_refused() {
    let ground = Ground::new();
    let (_file, sources) = ground.sources();
    let refused = Layout::discover(&sources, false).expect_err("refused");
    assert!(matches!(refused, CgroupError::V1NotAllowed));
    assert!(
        refused.to_string().contains("--allow-cgroup-v1"),
        "{refused}"
    );
}

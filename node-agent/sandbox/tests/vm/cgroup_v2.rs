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
#[path = "../support/runs.rs"]
mod runs;

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use evaljob_sandbox::cgroup::{CgroupError, Cgroups, Layout, PrivateMounts, Sources};
use evaljob_sandbox::facts::CgroupVersion;
use evaljob_sandbox::plan::{RunKind, RunLimits};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, getpid};

use runs::{DEADLINE, MIB, limits, run_calmly, run_once, until};

const ROOT: &str = "/sys/fs/cgroup";

const CASES: &[forked::Case] = &[
    (
        "limits reach the kernel, and the agent is out of the way",
        limits_reach_the_kernel,
    ),
    (
        "a run that eats memory is killed, announced and counted",
        || runs::oom_is_announced(&Ground::enter().cgroups()),
    ),
    (
        "an OOM kill takes the whole run, main process and all",
        oom_takes_the_whole_run,
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
        throttling_is_counted,
    ),
    ("the peak is that of the run", || {
        runs::peak_is_the_runs(&Ground::enter().cgroups());
    }),
    (
        "the peak is reset at go where the kernel can",
        peak_is_reset,
    ),
    ("a run sees its own cgroup as the root", || {
        runs::own_cgroup_is_the_root(&Ground::enter().cgroups());
    }),
    ("a process elsewhere is found out", || {
        runs::process_elsewhere_is_found_out(&Ground::enter().cgroups());
    }),
    (
        "what steps leave is charged to the job, not to a test",
        steps_are_charged_to_the_job,
    ),
    (
        "the limit of the job holds above those of its runs",
        job_limit_holds,
    ),
    (
        "kill ends every process of the run, in whatever session",
        kill_ends_everything,
    ),
    (
        "a process that is left is named when patience ends",
        what_is_left_is_named,
    ),
    (
        "a run that was given up is killed before the next one",
        given_up_run_is_killed,
    ),
    ("two slots share the cgroup of a job", two_slots_share_a_job),
    ("a run outside a job is refused", run_outside_a_job),
    (
        "a slot is taken again after its worker died in a run",
        slot_is_taken_again,
    ),
    (
        "a new worker leaves alone what another slot has just begun",
        what_has_just_begun_is_left,
    ),
    (
        "another process in our cgroup is named, and nothing is left changed",
        other_process_is_named,
    ),
    ("removal undoes everything", removal_undoes_everything),
    (
        "what a dead spawner left goes, and the agent lives on",
        leftovers_go,
    ),
    (
        "what a live spawner has is left alone",
        live_spawner_is_left_alone,
    ),
    (
        "the memory budget is the limit of the cgroup we were started in",
        budget_is_our_limit,
    ),
    (
        "it works as in a container: own cgroup namespace, read-only mount",
        works_as_in_a_container,
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

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("entry").path());
    paths.filter(|path| path.is_dir()).collect()
}

fn remove_below(directory: &Path) -> std::io::Result<()> {
    for child in children(directory) {
        remove_below(&child)?;
    }
    fs::remove_dir(directory)
}

fn pids_in(directory: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let pids = text
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?));
    pids.collect()
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

fn limits_reach_the_kernel() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    assert_eq!(cgroups.version(), CgroupVersion::V2);
    assert_eq!(pids_in(&ground.directory), []);
    assert_eq!(pids_in(&ground.ours().join("agent")), [getpid()]);
    let mut slot = runs::slot(&cgroups);
    assert_eq!(number(&ground.job(), "memory.max"), 512 * MIB);
    for (memory, processes, cpus) in [(64 * MIB, 7, 1), (16 * MIB + 5, 3, 2), (256 * MIB, 64, 1)] {
        let limits = RunLimits {
            cpus,
            ..limits(memory, processes)
        };
        let run = slot.begin_run(RunKind::Test, &limits).expect("begin");
        let leaf = ground.leaf();
        assert_eq!(number(&leaf, "memory.max"), memory - memory % 4096);
        assert_eq!(value(&leaf, "memory.oom.group"), "1");
        for file in ["memory.swap.max", "memory.zswap.max"] {
            if leaf.join(file).exists() {
                assert_eq!(value(&leaf, file), "0", "{file}");
            }
        }
        assert_eq!(number(&leaf, "pids.max"), u64::from(processes) + 1);
        assert_eq!(
            value(&leaf, "cpu.max"),
            format!("{} 100000", cpus * 100_000)
        );
        drop(run);
        slot.tidy().expect("tidy");
    }
    slot.end_job().expect("end");
    assert_eq!(children(&ground.ours()), [ground.ours().join("agent")]);
}

fn oom_takes_the_whole_run() {
    // Nobody else ends the main process, which did nothing.
    let usage = runs::oom_of_a_child_is_seen(&Ground::enter().cgroups(), |_| ());
    assert!(usage.oom_kills >= 2, "{usage:?}");
}

fn throttling_is_counted() {
    let ground = Ground::enter();
    runs::throttling_is_counted(&ground.cgroups(), || {
        fs::write(ground.leaf().join("cpu.max"), "10000 100000").expect("bandwidth");
    });
}

fn peak_is_reset() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let mut slot = runs::slot(&cgroups);
    let mut run = slot
        .begin_run(RunKind::Test, &limits(64 * MIB, 8))
        .expect("begin");
    let set_up = runs::birth(&mut run, || load::eat(24 << 20));
    forked::wait(set_up);
    let child = runs::birth(&mut run, || load::eat(2 << 20));
    forked::wait(child);
    let usage = run.finish(DEADLINE).expect("finish");
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut parts = release.split('.').map(|part| part.parse().unwrap_or(0));
    let version: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    assert_eq!(usage.peak_from_start, version >= (6, 12), "{release}");
    assert_eq!(
        usage.memory_peak < 8 * MIB,
        usage.peak_from_start,
        "{usage:?}"
    );
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

fn steps_are_charged_to_the_job() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let mut slot = runs::slot(&cgroups);
    let tree = lasting_memory();
    let step = run_once(&mut slot, RunKind::Step, &limits(64 * MIB, 8), || {
        fill(&tree, 24 * MIB)
    });
    assert!(step.memory_peak >= 24 * MIB, "{step:?}");
    let test = run_once(&mut slot, RunKind::Test, &limits(8 * MIB, 8), || {
        let mut file = fs::File::open(format!("/proc/self/fd/{}", raw(&tree))).expect("tree");
        std::io::copy(&mut file, &mut std::io::sink()).expect("read");
        load::eat(2 << 20);
    });
    assert_eq!(test.oom_kills, 0, "{test:?}");
    assert!(test.memory_peak < 8 * MIB, "{test:?}");
    slot.tidy().expect("tidy");
    assert!(number(&ground.job(), "memory.current") >= 24 * MIB);
    drop(tree);
    slot.end_job().expect("end");
    assert!(!ground.job().exists());
}

fn raw(fd: &OwnedFd) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(fd)
}

fn job_limit_holds() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let mut slot = cgroups.slot(0).expect("slot");
    slot.begin_job(1, 32 * MIB).expect("job");
    let usage = run_once(&mut slot, RunKind::Test, &limits(128 * MIB, 8), || {
        load::eat(64 << 20)
    });
    assert!(usage.oom_kills >= 1, "{usage:?}");
    // The leaf counts a page before the job refuses it.
    assert!(usage.memory_peak <= 36 * MIB, "{usage:?}");
}

fn kill_ends_everything() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let mut slot = runs::slot(&cgroups);
    let mut run = slot
        .begin_run(RunKind::Test, &limits(64 * MIB, 8))
        .expect("begin");
    let child = runs::birth(&mut run, || {
        for _ in 0..3 {
            forked::fork(|| {
                rustix::process::setsid().expect("session");
                load::sleep_for_ever();
            });
        }
        load::sleep_for_ever();
    });
    let leaf = ground.leaf();
    until("all are there", || pids_in(&leaf).len() == 4);
    assert!(run.kill().expect("kill"), "v2 can");
    forked::wait(child);
    run.finish(DEADLINE).expect("finish");
    assert_eq!(pids_in(&leaf), []);
    slot.tidy().expect("tidy");
    assert!(!leaf.exists(), "a leaf is used once");
}

fn what_is_left_is_named() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let mut slot = runs::slot(&cgroups);
    let mut run = slot
        .begin_run(RunKind::Test, &limits(64 * MIB, 8))
        .expect("begin");
    let child = runs::birth(&mut run, load::sleep_for_ever);
    let refused = run.finish(Duration::from_millis(50)).expect_err("it lives");
    assert!(
        matches!(refused, CgroupError::StillPopulated { .. }),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains(&child.as_raw_nonzero().to_string()),
        "{refused}"
    );
}

fn given_up_run_is_killed() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let mut slot = runs::slot(&cgroups);
    let mut run = slot
        .begin_run(RunKind::Test, &limits(64 * MIB, 8))
        .expect("begin");
    let child = runs::birth(&mut run, load::sleep_for_ever);
    drop(run);
    slot.tidy().expect("tidy");
    assert_eq!(
        forked::wait(child).terminating_signal(),
        Some(libc::SIGKILL)
    );
    assert_eq!(run_calmly(&mut slot).oom_kills, 0);
}

fn two_slots_share_a_job() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let mut first = runs::slot(&cgroups);
    let mut second = cgroups.slot(1).expect("slot");
    second.begin_job(1, 512 * MIB).expect("the same job");
    assert_eq!(
        children(&ground.job()).len(),
        2,
        "a leaf for each, made ahead"
    );
    run_calmly(&mut first);
    run_calmly(&mut second);
    first.end_job().expect("end");
    assert_eq!(children(&ground.job()).len(), 1, "the other one goes on");
    run_calmly(&mut second);
    second.end_job().expect("end");
    assert!(!ground.job().exists());
}

fn run_outside_a_job() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let mut slot = cgroups.slot(0).expect("slot");
    let refused = slot
        .begin_run(RunKind::Test, &limits(64 * MIB, 8))
        .expect_err("no job");
    assert!(
        matches!(refused, CgroupError::NoJob { slot: 0 }),
        "{refused}"
    );
}

fn slot_is_taken_again() {
    let ground = Ground::enter();
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
    assert_eq!(
        pids_in(&ground.leaf()).len(),
        1,
        "the run outlives its worker here"
    );
    let mut slot = cgroups.slot(0).expect("slot");
    assert!(!ground.job().exists());
    slot.begin_job(2, 512 * MIB).expect("job");
    assert_eq!(run_calmly(&mut slot).oom_kills, 0);
}

/// A worker makes the directory of its job, and then the first leaf in it: between the two it is empty.
fn what_has_just_begun_is_left() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    let parent = ground.job().parent().expect("ours").to_owned();
    let begun = |slot: u64| parent.join(format!("job-{}", slot << 32 | 7));
    for slot in [0, 1] {
        fs::create_dir(begun(slot)).expect("an empty job");
    }
    let _one = cgroups.slot(1).expect("slot");
    assert!(begun(0).exists(), "slot 0's");
    assert!(!begun(1).exists(), "left by slot 1's dead worker");
}

fn other_process_is_named() {
    let ground = Ground::enter();
    let other = forked::fork(load::sleep_for_ever);
    let refused = Cgroups::prepare(&Ground::layout(), &[getpid()]).expect_err("it is in the way");
    let CgroupError::OtherProcesses { processes, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(
        *processes,
        other.as_raw_nonzero().to_string(),
        "only the others"
    );
    assert_eq!(children(&ground.directory), Vec::<PathBuf>::new());
    assert_eq!(value(&ground.directory, "cgroup.subtree_control"), "");
    assert!(
        pids_in(&ground.directory).contains(&getpid()),
        "we are back"
    );
}

fn removal_undoes_everything() {
    let ground = Ground::enter();
    let mut cgroups = Some(ground.cgroups());
    let worker = forked::fork(|| {
        let mut slot = runs::slot(cgroups.as_ref().expect("not taken"));
        run_calmly(&mut slot);
        let mut run = slot
            .begin_run(RunKind::Test, &limits(32 * MIB, 8))
            .expect("begin");
        runs::birth(&mut run, load::sleep_for_ever);
        std::process::abort();
    });
    forked::wait(worker);
    let worker = forked::fork(|| drop(cgroups.take()));
    assert_eq!(forked::wait(worker).exit_status(), Some(0));
    assert_eq!(
        pids_in(&ground.leaf()).len(),
        1,
        "a worker's copy removes nothing"
    );
    assert_eq!(
        value(&ground.directory, "cgroup.subtree_control"),
        "cpu memory pids"
    );
    let cgroups = cgroups.expect("the worker took its own copy");
    cgroups.remove().expect("remove");
    assert_eq!(children(&ground.directory), Vec::<PathBuf>::new());
    assert_eq!(value(&ground.directory, "cgroup.subtree_control"), "");
    assert_eq!(pids_in(&ground.directory), [getpid()]);
}

fn leftovers_go() {
    let ground = Ground::enter();
    let agent = getpid();
    let spawner = forked::fork(|| {
        let cgroups = Cgroups::prepare(&Ground::layout(), &[agent, getpid()]).expect("prepare");
        let mut slot = runs::slot(&cgroups);
        let mut run = slot
            .begin_run(RunKind::Test, &limits(32 * MIB, 8))
            .expect("begin");
        runs::birth(&mut run, || {
            close_all();
            load::sleep_for_ever();
        });
        std::process::abort();
    });
    forked::wait(spawner);
    let (left, leaf) = (ground.ours(), ground.leaf());
    let run = pids_in(&leaf)[0];
    until("the run has closed what it inherited", || {
        handles(run) == 3 && state(run) == Some('S')
    });
    // The agent starts another spawner: here the agent itself plays it.
    let cgroups = ground.cgroups();
    assert_eq!(cgroups.leftovers(), &[] as &[String]);
    assert!(!left.exists(), "{}", left.display());
    assert!(
        matches!(state(run), None | Some('Z' | 'X')),
        "the run is dead"
    );
    assert_eq!(pids_in(&ground.ours().join("agent")), [agent]);
    assert_eq!(
        ground.ours().parent(),
        Some(ground.directory.as_path()),
        "beside, not inside"
    );
}

#[expect(unsafe_code, reason = "a job closes everything it inherited")]
fn close_all() {
    // SAFETY: the process uses no descriptor afterwards.
    unsafe { libc::close_range(3, u32::MAX, 0) };
}

fn handles(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).map_or(0, Iterator::count)
}

fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn live_spawner_is_left_alone() {
    let ground = Ground::enter();
    let first = ground.cgroups();
    let mut slot = runs::slot(&first);
    let before = ground.ours();
    let second = Cgroups::prepare(&Ground::layout(), &[]).expect("a second one");
    assert_eq!(children(&ground.directory).len(), 2);
    second.remove().expect("remove");
    assert_eq!(ground.ours(), before);
    assert_eq!(run_calmly(&mut slot).oom_kills, 0);
}

fn budget_is_our_limit() {
    let ground = Ground::enter();
    let all = Ground::layout().memory_budget().expect("budget");
    fs::write(ground.directory.join("memory.max"), (300 * MIB).to_string()).expect("limit");
    assert_eq!(Ground::layout().memory_budget().expect("budget"), 300 * MIB);
    assert!(
        all > 300 * MIB,
        "without a limit it is the machine's memory: {all}"
    );
}

/// A container's view: the cgroup it was started in is the root of its cgroup namespace, mounted read-only.
fn works_as_in_a_container() {
    let ground = Ground::enter();
    let host = Ground::layout();
    let namespace = PrivateMounts::enter().expect("namespace");
    enter_cgroup_namespace();
    let refused =
        Layout::discover(&Sources::default(), false).expect_err("the mount is the host's");
    assert!(
        matches!(refused, CgroupError::NotMounted { .. }),
        "{refused}"
    );
    let flags = rustix::mount::MountFlags::NOSUID | rustix::mount::MountFlags::NODEV;
    rustix::mount::unmount(ROOT, rustix::mount::UnmountFlags::DETACH).expect("unmount");
    rustix::mount::mount("cgroup2", ROOT, "cgroup2", flags, None).expect("mount");
    let read_only = flags | rustix::mount::MountFlags::BIND | rustix::mount::MountFlags::RDONLY;
    rustix::mount::mount_remount(ROOT, read_only, "").expect("remount");
    let layout = Layout::discover(&Sources::default(), false).expect("the container's mount");
    assert_eq!(layout.hierarchies()[0].own_directory(), ROOT);
    assert_ne!(layout, host);
    let refused = Cgroups::prepare(&layout, &[getpid()]).expect_err("read-only");
    assert!(refused.to_string().contains("make_writable"), "{refused}");
    assert_eq!(layout.make_writable(&namespace).expect("writable"), 1);
    let cgroups = Cgroups::prepare(&layout, &[getpid()]).expect("prepare");
    assert_eq!(run_calmly(&mut runs::slot(&cgroups)).oom_kills, 0);
    runs::oom_is_announced(&cgroups);
    cgroups.remove().expect("remove");
    assert_eq!(children(Path::new(ROOT)), Vec::<PathBuf>::new());
    assert!(
        ground
            .directory
            .ends_with(format!("ejtest-{}", getpid().as_raw_nonzero()))
    );
}

#[expect(unsafe_code, reason = "unshare is unsafe for its FILES flag")]
fn enter_cgroup_namespace() {
    // SAFETY: NEWCGROUP changes only how paths of cgroups are shown.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWCGROUP) }
        .expect("namespace");
}

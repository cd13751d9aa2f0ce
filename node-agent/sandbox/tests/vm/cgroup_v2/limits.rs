//! Limits, figures and what is charged to whom.

use super::*;

pub(super) fn limits_reach_the_kernel() {
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

pub(super) fn oom_takes_the_whole_run() {
    // Nobody else ends the main process, which did nothing.
    let usage = runs::oom_of_a_child_is_seen(&Ground::enter().cgroups(), |_| ());
    assert!(usage.oom_kills >= 2, "{usage:?}");
}

pub(super) fn throttling_is_counted() {
    let ground = Ground::enter();
    runs::throttling_is_counted(&ground.cgroups(), || {
        fs::write(ground.leaf().join("cpu.max"), "10000 100000").expect("bandwidth");
    });
}

pub(super) fn peak_is_reset() {
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

pub(super) fn steps_are_charged_to_the_job() {
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

pub(super) fn raw(fd: &OwnedFd) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(fd)
}

pub(super) fn job_limit_holds() {
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

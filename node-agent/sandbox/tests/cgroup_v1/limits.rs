//! Limits, figures and what is charged to whom.

use super::*;

pub(super) fn limits_reach_the_kernel() {
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

pub(super) fn throttling_is_counted() {
    let ground = Ground::new();
    runs::throttling_is_counted(&ground.cgroups(), || {
        let cell = only_child(ground.directory("cpu")).join("slot-0/runs");
        fs::write(cell.join("cpu.cfs_quota_us"), "10000").expect("quota");
    });
}

pub(super) fn steps_are_apart() {
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

pub(super) fn stained_cgroup_is_remade() {
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

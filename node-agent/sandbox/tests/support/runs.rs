//! Runs in a cgroup, and the cases that hold on v1 and v2 alike. Each case gets cgroups of its own.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use evaljob_sandbox::cgroup::{Cgroups, RunCgroup, SlotCgroup, Usage};
use evaljob_sandbox::plan::{RunKind, RunLimits};
use rustix::event::epoll;
use rustix::process::Pid;

use crate::forked;
use crate::load;

pub(crate) const MIB: u64 = 1024 * 1024;
/// Longest wait for something that must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Limits of a run on one CPU.
pub(crate) fn limits(memory: u64, processes: u32) -> RunLimits {
    RunLimits {
        cpu_time: Duration::from_secs(10),
        wall_time: Duration::from_secs(20),
        cpus: 1,
        memory,
        processes,
        open_files: 64,
        file_size: MIB,
        stack: MIB,
        output: MIB,
    }
}

/// The slot, with a job open.
pub(crate) fn slot(cgroups: &Cgroups) -> SlotCgroup {
    let mut slot = cgroups.slot(0).expect("slot");
    slot.begin_job(1, 512 * MIB).expect("job");
    slot
}

/// Another worker of the slot, which begins a run and dies as by SIGKILL: nothing is dropped.
pub(crate) fn die_in_a_run(cgroups: &Cgroups) {
    let worker = forked::fork(|| {
        let mut slot = slot(cgroups);
        let mut run = slot
            .begin_run(RunKind::Test, &limits(32 * MIB, 8))
            .expect("begin");
        birth(&mut run, load::sleep_for_ever);
        std::process::abort();
    });
    forked::wait(worker);
}

/// Starts `body` as the first process of a run, the way a worker starts init; says go when it is in its cgroup.
pub(crate) fn birth(run: &mut RunCgroup<'_>, body: impl FnOnce()) -> Pid {
    let (ready, tell_ready) = rustix::pipe::pipe().expect("pipe");
    let (go, tell_go) = rustix::pipe::pipe().expect("pipe");
    let (entry, mut tell_go) = (run.entry(), Some(tell_go));
    let child = forked::fork_into(run.clone_into(), || {
        load::be_the_victim();
        entry.enter().expect("a child enters its cgroup");
        rustix::io::write(&tell_ready, b"r").expect("pipe");
        tell_go.take(); // or the end of its parent would go unseen
        assert_eq!(rustix::io::read(&go, &mut [0; 1]), Ok(1));
        body();
    });
    drop(tell_ready);
    assert_eq!(
        rustix::io::read(&ready, &mut [0; 1]),
        Ok(1),
        "the child enters its cgroup"
    );
    let membership = format!("/proc/{}/cgroup", child.as_raw_nonzero());
    run.check_membership(&fs::read_to_string(membership).expect("/proc"))
        .expect("it is where it should be");
    run.start().expect("start");
    let tell_go = tell_go.expect("only the child's copy is gone");
    rustix::io::write(tell_go, b"g").expect("pipe");
    child
}

/// One run of `body` from open to finish.
pub(crate) fn run_once(
    slot: &mut SlotCgroup,
    kind: RunKind,
    limits: &RunLimits,
    body: impl FnOnce(),
) -> Usage {
    let mut run = slot.begin_run(kind, limits).expect("begin");
    let child = birth(&mut run, body);
    forked::wait(child);
    run.finish(DEADLINE).expect("finish")
}

/// A run that meets no limit.
pub(crate) fn run_calmly(slot: &mut SlotCgroup) -> Usage {
    run_once(slot, RunKind::Test, &limits(32 * MIB, 8), || {
        load::eat(1 << 20)
    })
}

/// Waits for a condition.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::yield_now();
    }
}

fn watch(run: &RunCgroup<'_>) -> OwnedFd {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    let notifier = run.notifier();
    let data = epoll::EventData::new_u64(0);
    epoll::add(&poll, notifier.fd, data, notifier.flags).expect("epoll");
    poll
}

fn reported(poll: impl AsFd, within: Duration) -> bool {
    let mut events = Vec::with_capacity(4);
    let timeout = within.try_into().expect("short");
    let spare = rustix::buffer::spare_capacity(&mut events);
    epoll::wait(poll, spare, Some(&timeout)).expect("epoll") > 0
}

/// An OOM kill reaches the worker by its notifier, is counted for this run and no other.
pub(crate) fn oom_is_announced(cgroups: &Cgroups) {
    let mut slot = slot(cgroups);
    for round in 0..3 {
        let mut run = slot
            .begin_run(RunKind::Test, &limits(32 * MIB, 8))
            .expect("begin");
        let poll = watch(&run);
        assert!(
            !reported(&poll, Duration::ZERO),
            "nothing has happened yet in round {round}"
        );
        assert!(!run.oom_killed().expect("read"));
        let child = birth(&mut run, || load::eat(100 << 20));
        assert!(reported(&poll, DEADLINE), "the kernel announces the kill");
        until("the kill is counted", || run.oom_killed().expect("read"));
        assert_eq!(
            forked::wait(child).terminating_signal(),
            Some(libc::SIGKILL)
        );
        assert!(run.oom_killed().expect("read"), "it stays known");
        until("the announcement is cleared", || {
            run.oom_killed().expect("read") && !reported(&poll, Duration::ZERO)
        });
        let usage = run.finish(DEADLINE).expect("finish");
        // v2 kills the group and counts the first victim twice.
        assert!(matches!(usage.oom_kills, 1 | 2), "round {round}: {usage:?}");
        assert!(
            usage.memory_peak > 30 * MIB && usage.memory_peak <= 32 * MIB,
            "{usage:?}"
        );
        assert_eq!(
            run_calmly(&mut slot).oom_kills,
            0,
            "the next run starts from zero"
        );
    }
}

/// A kill of one process of several is seen. The main process waits; `end` sees to its end.
pub(crate) fn oom_of_a_child_is_seen(cgroups: &Cgroups, end: impl FnOnce(Pid)) -> Usage {
    let mut slot = slot(cgroups);
    let mut run = slot
        .begin_run(RunKind::Test, &limits(32 * MIB, 8))
        .expect("begin");
    let child = birth(&mut run, || {
        let eater = forked::fork(|| load::eat(100 << 20));
        forked::wait(eater);
        load::sleep_for_ever();
    });
    until("the kill is counted", || run.oom_killed().expect("read"));
    end(child);
    assert_eq!(
        forked::wait(child).terminating_signal(),
        Some(libc::SIGKILL)
    );
    run.finish(DEADLINE).expect("finish")
}

/// Exactly as many processes as the limit says, init apart; a refusal is counted for the run it happened in.
pub(crate) fn process_limit_holds(cgroups: &Cgroups) {
    let mut slot = slot(cgroups);
    // The first process stands for init, which has a place of its own.
    let usage = run_once(&mut slot, RunKind::Test, &limits(64 * MIB, 5), || {
        assert_eq!(load::fork_until_refused(50), 5);
    });
    assert_eq!(usage.pids_hits, 1);
    let usage = run_once(&mut slot, RunKind::Test, &limits(64 * MIB, 5), || {
        assert_eq!(load::fork_until_refused(4), 4);
    });
    assert_eq!(usage.pids_hits, 0, "hits of the run before do not count");
}

/// CPU time: what was used before go and what the worker uses does not count; a tick may be missing.
pub(crate) fn cpu_time_is_the_runs(cgroups: &Cgroups) {
    let mut slot = slot(cgroups);
    let amount = Duration::from_millis(300);
    let mut run = slot
        .begin_run(RunKind::Test, &limits(64 * MIB, 8))
        .expect("begin");
    let before = run_and_wait(&mut run, amount);
    assert!(
        before >= amount / 2,
        "the set-up, which does not count: {before:?}"
    );
    let child = birth(&mut run, || load::spin(amount));
    // The worker computes all the while.
    until("the time is seen while it runs", || {
        run.cpu_usage().expect("read") >= amount / 2
    });
    forked::wait(child);
    let usage = run.finish(DEADLINE).expect("finish");
    let ticks = Duration::from_millis(40);
    assert!(
        usage.cpu + ticks > amount && usage.cpu < amount + 2 * ticks,
        "{usage:?}"
    );
}

fn run_and_wait(run: &mut RunCgroup<'_>, amount: Duration) -> Duration {
    let child = birth(run, || load::spin(amount));
    forked::wait(child);
    run.cpu_usage().expect("read")
}

/// Waiting for bandwidth is counted. `tighten` lowers the bandwidth of the run from outside, since a busy machine may
/// never let a run reach a whole CPU.
pub(crate) fn throttling_is_counted(cgroups: &Cgroups, tighten: impl FnOnce()) {
    let mut slot = slot(cgroups);
    let free = run_once(&mut slot, RunKind::Test, &limits(64 * MIB, 8), || {
        load::spin(Duration::from_millis(50))
    });
    assert_eq!(free.throttled, Duration::ZERO);
    let mut run = slot
        .begin_run(RunKind::Test, &limits(64 * MIB, 8))
        .expect("begin");
    tighten();
    let child = birth(&mut run, || load::spin(Duration::from_millis(100)));
    forked::wait(child);
    let tight = run.finish(DEADLINE).expect("finish");
    assert!(tight.throttled > Duration::ZERO, "{tight:?}");
}

/// The peak of a run is not that of the run before.
pub(crate) fn peak_is_the_runs(cgroups: &Cgroups) {
    let mut slot = slot(cgroups);
    let high = run_once(&mut slot, RunKind::Test, &limits(64 * MIB, 8), || {
        load::eat(40 << 20)
    });
    let low = run_once(&mut slot, RunKind::Test, &limits(64 * MIB, 8), || {
        load::eat(2 << 20)
    });
    assert!(high.memory_peak >= 40 * MIB, "{high:?}");
    assert!(
        low.memory_peak >= 2 * MIB && low.memory_peak < 5 * MIB,
        "{low:?}"
    );
}

/// Anonymous memory is told while it is there, without the files that the run has in memory.
pub(crate) fn anonymous_memory_is_told(cgroups: &Cgroups) {
    let mut slot = slot(cgroups);
    let mut run = slot
        .begin_run(RunKind::Test, &limits(96 * MIB, 8))
        .expect("begin");
    let anonymous = |run: &RunCgroup<'_>| run.anonymous_memory().expect("read");
    let (before, file) = (anonymous(&run), crate::lasting_memory());
    assert!(before < 8 * MIB, "{before}");
    let child = birth(&mut run, || {
        crate::fill(&file, 32 * MIB);
        load::eat(40 << 20);
        load::sleep_for_ever();
    });
    until("it is told", || anonymous(&run) >= 36 * MIB);
    let told = anonymous(&run);
    assert!(told < 48 * MIB, "{told}");
    rustix::process::kill_process(child, rustix::process::Signal::KILL).expect("kill");
    forked::wait(child);
    let usage = run.finish(DEADLINE).expect("finish");
    assert!(usage.memory_peak >= 64 * MIB, "{usage:?}");
}

/// The job must not learn where on the machine it is.
pub(crate) fn own_cgroup_is_the_root(cgroups: &Cgroups) {
    let mut slot = slot(cgroups);
    let usage = run_once(&mut slot, RunKind::Test, &limits(32 * MIB, 8), || {
        let text = fs::read_to_string("/proc/self/cgroup").expect("/proc");
        let ours = text.lines().filter(|line| !line.contains("/.."));
        assert!(ours.clone().count() > 0, "{text}");
        assert!(ours.clone().all(|line| line.ends_with(":/")), "{text}");
    });
    assert_eq!(usage.oom_kills, 0);
}

/// This process is in no cgroup of a run.
pub(crate) fn process_elsewhere_is_found_out(cgroups: &Cgroups) {
    let mut slot = slot(cgroups);
    let run = slot
        .begin_run(RunKind::Test, &limits(32 * MIB, 8))
        .expect("begin");
    let own = fs::read_to_string("/proc/self/cgroup").expect("/proc");
    let refused = run.check_membership(&own).expect_err("we are elsewhere");
    assert!(refused.to_string().contains("should be in"), "{refused}");
    assert!(run.check_membership("").is_err(), "no line is no proof");
}

//! Slots, dead spawners and what is left of them.

use super::*;

pub(super) fn given_up_run_is_killed() {
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

pub(super) fn slot_is_taken_again() {
    let ground = Ground::new();
    let cgroups = ground.cgroups();
    runs::die_in_a_run(&cgroups);
    let cell = only_child(ground.directory("pids")).join("slot-0/runs");
    assert_eq!(pids_in(&cell).len(), 1, "the run outlives its worker here");
    let mut slot = runs::slot(&cgroups);
    assert_eq!(pids_in(&cell).len(), 0);
    assert_eq!(run_calmly(&mut slot).oom_kills, 0);
}

/// A spawner that is killed while a run of it lives; returns the process id of the run.
pub(super) fn killed_spawner(ground: &Ground) -> Pid {
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

/// A zombie whose parent does not look is in no cgroup any more.
pub(super) fn alive(pid: Pid) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

pub(super) fn leftovers_go() {
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

pub(super) fn live_spawner_is_left_alone() {
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

pub(super) fn removal_is_the_owners() {
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

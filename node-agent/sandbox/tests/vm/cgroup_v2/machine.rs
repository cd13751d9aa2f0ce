//! Spawners dead and alive, removal, the machine's limits, a container.

use super::*;

pub(super) fn other_process_is_named() {
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

pub(super) fn removal_undoes_everything() {
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

pub(super) fn leftovers_go() {
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

pub(super) fn handles(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).map_or(0, Iterator::count)
}

pub(super) fn live_spawner_is_left_alone() {
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

pub(super) fn budget_is_our_limit() {
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
pub(super) fn works_as_in_a_container() {
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
pub(super) fn enter_cgroup_namespace() {
    // SAFETY: NEWCGROUP changes only how paths of cgroups are shown.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWCGROUP) }
        .expect("namespace");
}

//! What the machine offers and what is refused.

use super::*;

pub(super) fn budget_is_our_limit() {
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

pub(super) fn mounts_become_writable() {
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

pub(super) fn v1_is_refused() {
    let ground = Ground::new();
    let (_file, sources) = ground.sources();
    let refused = Layout::discover(&sources, false).expect_err("refused");
    assert!(matches!(refused, CgroupError::V1NotAllowed));
    assert!(
        refused.to_string().contains("--allow-cgroup-v1"),
        "{refused}"
    );
}

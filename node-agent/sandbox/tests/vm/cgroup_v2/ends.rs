//! Runs that end, and those that do not.

use super::*;

pub(super) fn kill_ends_everything() {
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

pub(super) fn what_is_left_is_named() {
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

pub(super) fn given_up_run_is_killed() {
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

pub(super) fn two_slots_share_a_job() {
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

pub(super) fn run_outside_a_job() {
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

pub(super) fn slot_is_taken_again() {
    let ground = Ground::enter();
    let cgroups = ground.cgroups();
    runs::die_in_a_run(&cgroups);
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
pub(super) fn what_has_just_begun_is_left() {
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

//! A CRD that is older than the operator: nothing is sent with less than its manifest asks, and nothing is lost.

use std::time::Duration;

use evaljob_crds::{ConditionType, Reason};
use evaljob_operator::names::Uid;

use crate::world::{Move, World};

/// Longer than a creation time's second, and than the first look at a waiting job.
const WHILE: Duration = Duration::from_secs(6);
const FIELDS: [&str; 1] = ["spec.limits.processes"];

fn leading() -> World {
    let mut world = World::new();
    world.play(Move::OperatorStarts);
    world.settle();
    world
}

/// An operator that starts before an older CRD, and a job from before.
fn older() -> (World, Uid) {
    let mut world = World::new();
    world.replace_crd(&FIELDS);
    let before = world.create();
    world.wait(WHILE);
    world.play(Move::OperatorStarts);
    world.settle();
    world.wait(WHILE);
    (world, before)
}

/// A job that an agent runs, from before what the CRD becomes.
fn running(world: &mut World) -> Uid {
    let uid = world.create();
    world.settle();
    world.start_all();
    world.settle();
    world.wait(WHILE);
    uid
}

fn replace(world: &mut World, missing: &[&str]) {
    world.replace_crd(missing);
    world.settle();
}

#[track_caller]
fn waits(world: &World, uid: &Uid, reason: Reason) {
    let status = world.status_of(uid);
    let admitted = status.condition(ConditionType::Admitted).unwrap();
    assert_eq!(
        (&*admitted.status, &*admitted.reason),
        ("False", reason.as_str())
    );
    assert!(admitted.message.contains(FIELDS[0]), "{status:?}");
    assert!(admitted.message.contains("helm upgrade"), "{status:?}");
    assert_eq!(world.held(uid), [], "{status:?}");
}

#[track_caller]
fn ends(world: &mut World, uid: &Uid, verdict: &str) {
    world.start_all();
    world.settle();
    world.finish_all();
    world.settle();
    let status = world.status_of(uid);
    assert_eq!(status.verdict.as_deref(), Some(verdict), "{status:?}");
}

#[test]
fn a_job_from_before_waits_for_the_newer_crd_and_is_run() {
    let (mut world, before) = older();
    waits(&world, &before, Reason::CrdOutdated);
    replace(&mut world, &[]);
    assert_eq!(
        world.held(&before).len(),
        1,
        "{:?}",
        world.status_of(&before)
    );
    ends(&mut world, &before, "Accepted");
}

#[test]
fn a_job_created_meanwhile_is_not_run_and_one_created_later_is() {
    let (mut world, _) = older();
    let meanwhile = world.create();
    world.wait(WHILE);
    waits(&world, &meanwhile, Reason::FieldsLost);
    replace(&mut world, &[]);
    assert_eq!(world.held(&meanwhile), []);
    let status = world.status_of(&meanwhile);
    assert_eq!(status.verdict.as_deref(), Some("InvalidSpec"));
    assert!(status.message.unwrap().contains("create it again"));
    world.wait(WHILE);
    let later = world.create();
    world.settle();
    ends(&mut world, &later, "Accepted");
}

#[test]
fn a_job_created_meanwhile_is_not_run_even_if_it_is_seen_later() {
    let (mut world, _) = older();
    world.replace_crd(&[]);
    let unseen = world.create();
    world.settle();
    ends(&mut world, &unseen, "InvalidSpec");
    let message = world.status_of(&unseen).message.unwrap();
    assert!(message.contains(FIELDS[0]), "{message}");
}

#[test]
fn what_a_job_may_have_lost_is_remembered_in_its_status() {
    let (mut world, before) = older();
    let meanwhile = world.create();
    world.wait(WHILE);
    world.play(Move::OperatorDies);
    world.replace_crd(&[]);
    world.wait(WHILE);
    world.play(Move::OperatorStarts);
    world.settle();
    world.wait(Duration::from_secs(21));
    ends(&mut world, &before, "Accepted");
    ends(&mut world, &meanwhile, "InvalidSpec");
}

#[test]
fn a_running_job_goes_on() {
    let mut world = leading();
    let uid = running(&mut world);
    replace(&mut world, &FIELDS);
    ends(&mut world, &uid, "Accepted");
}

#[test]
fn a_retry_waits_as_well() {
    let mut world = leading();
    let uid = running(&mut world);
    replace(&mut world, &FIELDS);
    for agent in 0..3 {
        world.play(Move::AgentDies(agent));
    }
    world.settle();
    world.wait(WHILE);
    waits(&world, &uid, Reason::CrdOutdated);
    replace(&mut world, &[]);
    ends(&mut world, &uid, "Accepted");
    assert_eq!(world.status_of(&uid).attempt, Some(2));
}

#[test]
fn a_job_that_was_stored_anew_with_less_is_not_run() {
    let mut world = World::new();
    world.agents_dial(false);
    world.play(Move::OperatorStarts);
    world.settle();
    let (kept, altered) = (world.create(), world.create());
    world.settle();
    world.wait(WHILE);
    replace(&mut world, &FIELDS);
    world.agents_dial(true);
    world.settle();
    waits(&world, &kept, Reason::CrdOutdated);
    world.change(&altered, |facts| facts.digest += 1);
    replace(&mut world, &[]);
    ends(&mut world, &altered, "InvalidSpec");
    ends(&mut world, &kept, "Accepted");
}

#[test]
fn an_invalid_spec_is_not_blamed_while_parts_of_it_may_be_missing() {
    let (mut world, before) = older();
    let invalid = Some("spec.command: is required".to_owned());
    world.change(&before, |facts| facts.invalid = invalid);
    world.play(Move::OperatorDies);
    world.play(Move::OperatorStarts);
    world.settle();
    world.wait(WHILE);
    assert_eq!(world.status_of(&before).verdict, None);
    replace(&mut world, &[]);
    ends(&mut world, &before, "InvalidSpec");
}

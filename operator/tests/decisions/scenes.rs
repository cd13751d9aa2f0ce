//! Scenes: one course of events each, told move by move, with the statuses that must come of it.

use std::time::Duration;

use evaljob_crds::ConditionType;
use evaljob_operator::decide::{Event, Former};
use evaljob_operator::names::Uid;

use crate::world::{Move, World};

const GRACE: Duration = Duration::from_secs(21);

/// An operator that leads, agents that are connected.
pub(crate) fn running_world() -> World {
    let mut world = World::new();
    world.play(Move::OperatorStarts);
    world.settle();
    world
}

/// A job that an agent runs.
pub(crate) fn started(world: &mut World) -> Uid {
    let uid = world.create();
    world.settle();
    world.start_all();
    world.settle();
    uid
}

pub(crate) fn finish(world: &mut World) {
    world.finish_all();
    world.settle();
}

pub(crate) fn restart(world: &mut World) {
    world.play(Move::OperatorDies);
    world.play(Move::OperatorStarts);
}

pub(crate) fn reason(world: &World, uid: &Uid, type_: ConditionType) -> String {
    let status = world.status_of(uid);
    status
        .condition(type_)
        .map(|condition| condition.reason.clone())
        .unwrap_or_default()
}

#[track_caller]
pub(crate) fn verdict(
    world: &World,
    uid: &Uid,
    expected: &str,
    attempt: Option<i32>,
    failures: Option<i32>,
) {
    let status = world.status_of(uid);
    let is = (
        status.verdict.as_deref(),
        status.attempt,
        status.infrastructure_failures,
    );
    assert_eq!(is, (Some(expected), attempt, failures), "{status:?}");
}

#[test]
fn a_short_job_costs_one_write_and_a_long_one_two() {
    let mut world = running_world();
    let short = started(&mut world);
    finish(&mut world);
    assert_eq!(world.writes_of(&short), ["Final"]);
    let long = started(&mut world);
    world.wait(Duration::from_millis(2_100));
    world.wait(Duration::from_secs(60));
    finish(&mut world);
    assert_eq!(world.writes_of(&long), ["Running", "Final"]);
    verdict(&world, &long, "Accepted", Some(1), Some(0));
    assert_eq!(
        (world.reads, world.loads),
        (0, 0),
        "nothing is read on the hot path"
    );
}

#[test]
fn runs_outlive_their_operator_and_keep_their_attempt() {
    let mut world = running_world();
    let uid = started(&mut world);
    restart(&mut world);
    world.settle();
    finish(&mut world);
    verdict(&world, &uid, "Accepted", Some(1), Some(0));
    assert_eq!(world.executed(), 1);
    assert_eq!(world.writes_of(&uid), ["Final"]);
}

#[test]
fn a_result_waits_for_the_next_operator() {
    let mut world = running_world();
    let uid = started(&mut world);
    world.play(Move::OperatorDies);
    world.finish_all();
    world.play(Move::OperatorStarts);
    world.settle();
    verdict(&world, &uid, "Accepted", Some(1), Some(0));
    assert_eq!(world.executed(), 1);
}

#[test]
fn a_new_leader_sends_new_jobs_at_once_and_inherited_ones_after_the_inventories() {
    let mut world = running_world();
    let inherited = started(&mut world);
    let holder = world.held(&inherited)[0].0.clone();
    world.agents_dial(false);
    restart(&mut world);
    world.settle();
    let index = |name: &str| name[1..].parse::<u16>().unwrap();
    for other in 0..3 {
        if other != index(&holder.0) {
            world.play(Move::AgentDials(other));
        }
    }
    world.settle();
    let fresh = world.create();
    world.wait(Duration::from_secs(10));
    assert_eq!(
        world.held(&fresh).len(),
        1,
        "no earlier leader can have sent it"
    );
    assert_eq!(
        world.held(&inherited).len(),
        1,
        "the agent that the Lease names has not said Hello yet"
    );
    world.play(Move::AgentDials(index(&holder.0)));
    world.settle();
    finish(&mut world);
    verdict(&world, &inherited, "Accepted", Some(1), Some(0));
}

#[test]
fn what_no_agent_claims_goes_out_again_and_only_a_written_run_counts_as_a_failure() {
    // (name, time before operator and agent die, attempt, failures)
    let rows = [
        ("younger than Running", Duration::ZERO, Some(1), Some(0)),
        (
            "written as Running",
            Duration::from_secs(3),
            Some(2),
            Some(1),
        ),
    ];
    for (row, age, attempt, failures) in rows {
        let mut world = running_world();
        let uid = started(&mut world);
        world.wait(age);
        for agent in 0..3 {
            world.play(Move::AgentDies(agent));
        }
        restart(&mut world);
        world.settle();
        world.wait(Duration::from_secs(2));
        world.start_all();
        finish(&mut world);
        let status = world.status_of(&uid);
        assert_eq!(
            (status.attempt, status.infrastructure_failures),
            (attempt, failures),
            "{row}"
        );
        assert_eq!(status.verdict.as_deref(), Some("Accepted"), "{row}");
        assert_eq!(world.executed(), 2, "{row}");
    }
}

#[test]
fn a_late_result_of_an_earlier_attempt_does_not_count() {
    let mut world = running_world();
    let uid = started(&mut world);
    let (holder, first) = world.held(&uid)[0].clone();
    let index = holder.0[1..].parse::<u16>().unwrap();
    world.agents_dial(false);
    world.play(Move::StreamBreaks(index));
    world.wait(GRACE + Duration::from_secs(2));
    assert_eq!(
        world.status_of(&uid).attempt,
        Some(2),
        "written before it is sent"
    );
    assert_eq!(reason(&world, &uid, ConditionType::Finished), "Retrying");
    world.play(Move::AgentFinishes {
        which: index,
        how: 1,
    });
    world.agents_dial(true);
    world.settle();
    assert_eq!(
        world.status_of(&uid).verdict,
        None,
        "{first} is nobody's result any more"
    );
    world.start_all();
    world.settle();
    finish(&mut world);
    verdict(&world, &uid, "Accepted", Some(2), Some(1));
}

#[test]
fn a_run_that_never_started_is_made_good_without_counting_once() {
    let mut world = running_world();
    let uid = world.create();
    world.settle();
    for (loss, failures) in [(1, 0), (2, 1)] {
        for agent in 0..3 {
            world.play(Move::AgentDies(agent));
        }
        world.settle();
        world.wait(Duration::from_secs(2));
        let status = world.status_of(&uid);
        assert_eq!(status.attempt, Some(loss + 1));
        assert_eq!(
            status.infrastructure_failures,
            Some(failures),
            "loss {loss}"
        );
    }
}

#[test]
fn infrastructure_is_retried_as_often_as_allowed_and_then_ends_the_job() {
    let mut world = running_world();
    let uid = world.create();
    for _ in 0..3 {
        world.settle();
        world.wait(Duration::from_secs(5));
        world.start_all();
        for agent in 0..3 {
            world.play(Move::AgentFinishes {
                which: agent,
                how: 0,
            });
        }
        world.settle();
    }
    verdict(&world, &uid, "InfrastructureError", Some(3), Some(3));
    assert_eq!(world.executed(), 3);
    assert_eq!(world.writes_of(&uid), ["Reserve", "Reserve", "Final"]);
    assert_eq!(
        reason(&world, &uid, ConditionType::Succeeded),
        "InfrastructureError"
    );
}

#[test]
fn what_an_agent_gives_back_at_its_end_is_nobodys_failure() {
    let mut world = running_world();
    let uid = world.create();
    for _ in 0..5 {
        world.settle();
        world.start_all();
        for which in 0..3 {
            world.play(Move::AgentFinishes { which, how: 5 });
        }
    }
    world.settle();
    world.start_all();
    finish(&mut world);
    verdict(&world, &uid, "Accepted", Some(6), Some(0));
}

#[test]
fn nothing_is_sent_while_the_lease_is_not_renewed() {
    let mut world = running_world();
    world.inject(Event::Fenced);
    let uid = world.create();
    world.wait(Duration::from_secs(2));
    assert!(world.held(&uid).is_empty());
    world.inject(Event::Unfenced);
    world.settle();
    assert_eq!(world.held(&uid).len(), 1);
}

#[test]
fn an_agent_is_sent_nothing_before_the_lease_names_its_node() {
    let mut world = World::new();
    world.play(Move::OperatorStarts);
    let uid = world.create();
    world.play(Move::AgentDials(0));
    for _ in 0..4 {
        world.play(Move::Watch);
        world.play(Move::Up(0));
        world.play(Move::Down(0));
    }
    assert!(world.held(&uid).is_empty());
    world.settle();
    assert_eq!(world.held(&uid).len(), 1);
}

#[test]
fn an_agent_holds_no_more_than_its_credits() {
    let mut world = World::new();
    world.agents_dial(false);
    world.play(Move::OperatorStarts);
    world.play(Move::AgentDials(0));
    world.settle();
    // Results that cannot be stored stay at their agent and count.
    for _ in 0..8 {
        world.create();
    }
    for _ in 0..40 {
        world.play(Move::Watch);
        world.play(Move::Up(0));
        world.play(Move::Down(0));
        world.play(Move::AgentStarts(0));
        world.play(Move::AgentFinishes { which: 0, how: 1 });
    }
    assert_eq!(world.executed(), 5, "the model's agent has five credits");
    world.settle();
    for _ in 0..4 {
        world.start_all();
        world.settle();
        finish(&mut world);
    }
    assert_eq!(world.executed(), 8);
}

#[test]
fn a_result_on_its_way_when_its_run_was_ended_is_not_the_next_runs() {
    let mut world = World::new();
    world.agents_dial(false);
    world.play(Move::OperatorStarts);
    world.play(Move::AgentDials(0));
    world.settle();
    let uid = started(&mut world);
    world.play(Move::AgentFinishes { which: 0, how: 1 });
    world.change(&uid, |facts| facts.suspend = true);
    world.play(Move::Watch);
    world.play(Move::Answer { which: 0, how: 7 });
    world.change(&uid, |facts| facts.suspend = false);
    for _ in 0..4 {
        world.play(Move::Watch);
        world.play(Move::Answer { which: 0, how: 7 });
    }
    world.play(Move::Up(0));
    world.settle();
    assert_eq!(
        world.status_of(&uid).verdict,
        None,
        "attempt 1 was ended, attempt 2 has not run"
    );
    world.start_all();
    world.settle();
    finish(&mut world);
    verdict(&world, &uid, "Accepted", Some(2), Some(0));
}

#[test]
fn agents_that_an_earlier_leader_named_stay_named_until_they_have_spoken() {
    let names = |nodes: &[&str]| Former::Known(nodes.iter().map(|node| (*node).into()).collect());
    let mut world = running_world();
    assert_eq!(world.named(), names(&["n0", "n1", "n2"]));
    world.agents_dial(false);
    restart(&mut world);
    world.play(Move::AgentDials(2));
    world.settle();
    assert_eq!(
        world.named(),
        names(&["n0", "n1", "n2"]),
        "two inventories are missing"
    );
    world.wait(GRACE);
    assert_eq!(world.named(), names(&["n2"]));
}

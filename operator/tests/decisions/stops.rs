//! Scenes of jobs that end, wait or go without having run to their end.

use std::time::Duration;

use evaljob_crds::ConditionType;
use evaljob_operator::decide::{Event, JobFacts};

use crate::scenes::{finish, reason, restart, running_world, started, verdict};
use crate::world::{Move, World};

#[test]
fn cancel_ends_a_job_wherever_it_is() {
    let mut world = World::new();
    world.play(Move::OperatorStarts);
    world.agents_dial(false);
    let queued = world.create();
    world.settle();
    world.change(&queued, |facts| facts.cancel = true);
    world.settle();
    verdict(&world, &queued, "Cancelled", None, None);

    let mut world = running_world();
    let runs = started(&mut world);
    world.change(&runs, |facts| facts.cancel = true);
    world.settle();
    verdict(&world, &runs, "Cancelled", Some(1), Some(0));
    assert!(world.held(&runs).is_empty());

    let mut world = running_world();
    let cut_off = started(&mut world);
    world.agents_dial(false);
    for agent in 0..3 {
        world.play(Move::StreamBreaks(agent));
    }
    world.change(&cut_off, |facts| facts.cancel = true);
    world.wait(Duration::from_secs(6));
    verdict(&world, &cut_off, "Cancelled", Some(1), Some(0));
}

#[test]
fn cancel_wins_over_a_result_that_is_not_stored() {
    let mut world = running_world();
    let uid = started(&mut world);
    world.finish_all();
    world.change(&uid, |facts| facts.cancel = true);
    world.play(Move::Watch);
    world.settle();
    verdict(&world, &uid, "Cancelled", Some(1), Some(0));
}

#[test]
fn suspend_ends_a_run_without_counting_and_resume_starts_the_clocks_again() {
    let mut world = running_world();
    let uid = started(&mut world);
    world.change(&uid, |facts| facts.suspend = true);
    world.settle();
    assert!(world.held(&uid).is_empty(), "the run is killed");
    let status = world.status_of(&uid);
    assert_eq!(
        (
            status.attempt,
            status.infrastructure_failures,
            status.verdict
        ),
        (Some(1), Some(0), None)
    );
    assert_eq!(reason(&world, &uid, ConditionType::Admitted), "Suspended");
    // Longer than the queue's and the active deadline: they stand.
    world.wait(Duration::from_secs(2));
    world.play(Move::TimePasses(4_000_000));
    world.settle();
    assert_eq!(world.status_of(&uid).verdict, None);
    restart(&mut world);
    world.settle();
    let suspended_at = world.status_of(&uid).queued_time;
    world.change(&uid, |facts| facts.suspend = false);
    world.settle();
    assert!(world.status_of(&uid).queued_time > suspended_at);
    world.start_all();
    world.settle();
    finish(&mut world);
    verdict(&world, &uid, "Accepted", Some(2), Some(0));
}

#[test]
fn a_job_held_back_from_the_start_uses_attempt_one() {
    let mut world = World::new();
    let uid = world.create();
    world.change(&uid, |facts| facts.suspend = true);
    world.play(Move::OperatorStarts);
    world.settle();
    assert_eq!(world.writes_of(&uid), ["Suspended"]);
    assert_eq!(world.status_of(&uid).attempt, None);
    world.change(&uid, |facts| facts.suspend = false);
    world.settle();
    world.start_all();
    world.settle();
    finish(&mut world);
    verdict(&world, &uid, "Accepted", Some(1), Some(0));
}

#[test]
fn waiting_has_an_end_and_says_which() {
    type Set = fn(&mut JobFacts);
    let deadlines: [(&str, Set, &str, &str); 2] = [
        (
            "queue",
            |facts| facts.max_queue = Duration::from_secs(8),
            "QueueTimeout",
            "maxQueueSeconds (8 s): no node agent is connected",
        ),
        (
            "active",
            |facts| facts.active_deadline = Duration::from_secs(8),
            "Admitted",
            "activeDeadlineSeconds",
        ),
    ];
    for (row, set, admitted, words) in deadlines {
        let mut world = World::new();
        world.agents_dial(false);
        let uid = world.create();
        world.change(&uid, set);
        world.play(Move::OperatorStarts);
        world.wait(Duration::from_secs(7));
        assert_eq!(world.status_of(&uid).verdict, None, "{row}");
        world.wait(Duration::from_secs(2));
        verdict(&world, &uid, "DeadlineExceeded", None, None);
        assert_eq!(
            reason(&world, &uid, ConditionType::Admitted),
            admitted,
            "{row}"
        );
        assert!(
            world.status_of(&uid).message.unwrap().contains(words),
            "{row}"
        );
    }
}

#[test]
fn a_run_that_its_agent_does_not_end_is_ended_after_its_deadline() {
    let mut world = running_world();
    let uid = started(&mut world);
    world.wait(Duration::from_secs(3_610));
    assert_eq!(
        world.status_of(&uid).verdict,
        None,
        "its agent has the first word"
    );
    world.wait(Duration::from_secs(10));
    verdict(&world, &uid, "DeadlineExceeded", Some(1), Some(0));
    assert!(world.held(&uid).is_empty());
}

#[test]
fn an_invalid_job_ends_at_the_gate_with_its_errors() {
    let mut world = World::new();
    let uid = world.create();
    world.change(&uid, |facts| {
        facts.invalid = Some("spec.tests[3].stdin: too long".to_owned())
    });
    world.play(Move::OperatorStarts);
    world.settle();
    verdict(&world, &uid, "InvalidSpec", None, None);
    assert_eq!(
        world.status_of(&uid).message.as_deref(),
        Some("spec.tests[3].stdin: too long")
    );
    assert_eq!(reason(&world, &uid, ConditionType::Admitted), "InvalidSpec");
    assert_eq!(world.writes_of(&uid), ["Final"]);
}

#[test]
fn a_job_for_which_there_is_no_node_says_so_once_and_what_would_help() {
    let mut world = World::new();
    let uid = world.create();
    world.change(&uid, |facts| facts.shape.slots = 64);
    world.play(Move::OperatorStarts);
    world.settle();
    world.wait(Duration::from_secs(200));
    assert_eq!(world.writes_of(&uid), ["Advice"]);
    assert_eq!(
        reason(&world, &uid, ConditionType::Admitted),
        "NoCapableNode"
    );
    assert!(
        world
            .status_of(&uid)
            .message
            .unwrap()
            .contains("lower limits.cpus")
    );
}

#[test]
fn a_deleted_job_is_killed_and_another_of_its_name_is_another_job() {
    let mut world = running_world();
    let uid = started(&mut world);
    world.remove(&uid);
    world.settle();
    assert!(world.held(&uid).is_empty());
    assert!(world.writes_of(&uid).is_empty());
    let again = started(&mut world);
    finish(&mut world);
    verdict(&world, &again, "Accepted", Some(1), Some(0));
}

/// A listing as a watch makes one anew, with what it knew of a job before.
fn listed_again(world: &mut World, old: JobFacts) {
    world.inject(Event::JobsRelist);
    world.inject(Event::JobListed(Box::new(old)));
    world.inject(Event::JobsListed);
    world.settle();
    world.start_all();
}

#[test]
fn a_finished_job_in_an_old_listing_is_not_run_again() {
    let mut world = running_world();
    let uid = started(&mut world);
    let old = world.listed(&uid);
    finish(&mut world);
    listed_again(&mut world, old);
    assert_eq!(world.executed(), 1);
    assert_eq!(world.writes_of(&uid), ["Final"]);
}

/// What a watch says of a job before it says that the job is finished may come after any time.
#[test]
fn a_finished_job_is_not_run_again_however_late_the_watch_is() {
    let mut world = running_world();
    let uid = started(&mut world);
    let old = world.listed(&uid);
    world.watches(false);
    finish(&mut world);
    world.play(Move::TimePasses(600_000));
    listed_again(&mut world, old);
    assert_eq!(world.executed(), 1);
    world.watches(true);
    world.settle();
    assert_eq!(world.writes_of(&uid), ["Final"]);
}

#[test]
fn a_retry_has_its_whole_time_in_the_queue_whoever_leads() {
    let mut world = running_world();
    let uid = started(&mut world);
    world.change(&uid, |facts| facts.max_queue = Duration::from_secs(60));
    world.wait(Duration::from_secs(100));
    world.agents_dial(false);
    for agent in 0..3 {
        world.play(Move::AgentDies(agent));
    }
    world.wait(Duration::from_secs(30));
    assert_eq!(reason(&world, &uid, ConditionType::Finished), "Retrying");
    restart(&mut world);
    world.wait(Duration::from_secs(40));
    assert_eq!(
        world.status_of(&uid).verdict,
        None,
        "it waits since its first attempt was lost, not since it was created"
    );
    world.wait(Duration::from_secs(60));
    verdict(&world, &uid, "DeadlineExceeded", Some(2), Some(1));
    assert_eq!(
        reason(&world, &uid, ConditionType::Admitted),
        "QueueTimeout"
    );
}

#[test]
fn why_a_job_waits_is_said_again_after_it_was_held_back() {
    let mut world = World::new();
    world.agents_dial(false);
    let uid = world.create();
    world.play(Move::OperatorStarts);
    world.wait(Duration::from_secs(60));
    let admitted = |world: &World| reason(world, &uid, ConditionType::Admitted);
    assert_eq!(admitted(&world), "NoCapableNode");
    world.change(&uid, |facts| facts.suspend = true);
    world.settle();
    assert_eq!(admitted(&world), "Suspended");
    world.change(&uid, |facts| facts.suspend = false);
    world.wait(Duration::from_secs(60));
    assert_eq!(admitted(&world), "NoCapableNode");
}

#[test]
fn what_an_earlier_operator_said_is_taken_back_when_a_node_could_run_it() {
    let mut world = World::new();
    world.agents_dial(false);
    let uid = world.create();
    world.play(Move::OperatorStarts);
    world.wait(Duration::from_secs(60));
    world.play(Move::OperatorDies);
    world.agents_dial(true);
    let filler: Vec<_> = (0..30).map(|_| world.create()).collect();
    world.change(&uid, |facts| facts.priority = -1);
    world.play(Move::OperatorStarts);
    world.settle();
    world.wait(Duration::from_secs(60));
    assert!(world.held(&uid).is_empty() && !world.held(&filler[0]).is_empty());
    assert_eq!(reason(&world, &uid, ConditionType::Admitted), "Admitted");
}

//! A cordoned node gets no new job; what it runs ends there; uncordoned, it gets jobs again.

use evaljob_operator::decide::{Event, NodeFacts};
use evaljob_operator::names::{NodeName, Uid};

use crate::scenes::{finish, running_world, started, verdict};
use crate::world::World;

/// More than all nodes hold together.
const MANY: usize = 30;

fn cordon(world: &mut World, node: &NodeName, cordoned: bool) {
    let facts = NodeFacts {
        cordoned,
        ..NodeFacts::default()
    };
    world.inject(Event::NodeApplied(node.clone(), facts));
    world.settle();
}

/// How many of the jobs a node holds, and how many the others.
fn held(world: &World, jobs: &[Uid], node: &NodeName) -> (usize, usize) {
    let places = jobs.iter().flat_map(|job| world.held(job));
    let (here, elsewhere): (Vec<_>, Vec<_>) = places.partition(|(place, _)| place == node);
    (here.len(), elsewhere.len())
}

#[test]
fn a_cordoned_node_gets_no_job_keeps_its_own_and_gets_jobs_again() {
    let mut world = running_world();
    let before = started(&mut world);
    let node = world.held(&before)[0].0.clone();
    cordon(&mut world, &node, true);
    let jobs: Vec<Uid> = (0..MANY).map(|_| world.create()).collect();
    world.settle();
    let (here, elsewhere) = held(&world, &jobs, &node);
    assert_eq!(here, 0, "placed on a cordoned node");
    assert!(elsewhere > 0, "the other nodes take jobs");
    assert_eq!(held(&world, std::slice::from_ref(&before), &node), (1, 0));
    finish(&mut world);
    verdict(&world, &before, "Accepted", Some(1), Some(0));
    cordon(&mut world, &node, false);
    assert!(
        held(&world, &jobs, &node).0 > 0,
        "nothing comes after uncordon"
    );
}

#[test]
fn jobs_wait_while_every_node_is_cordoned() {
    let mut world = running_world();
    let nodes = ["n0", "n1", "n2"].map(NodeName::from);
    for node in &nodes {
        cordon(&mut world, node, true);
    }
    let job = started(&mut world);
    assert!(world.held(&job).is_empty());
    cordon(&mut world, &nodes[1], false);
    assert_eq!(world.held(&job)[0].0, nodes[1]);
}

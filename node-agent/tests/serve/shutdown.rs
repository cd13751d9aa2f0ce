//! The end of an agent.

use std::time::Duration;

use crate::support::agent::{Agent, ended, setup};
use crate::support::operator::{Authority, Operator, done, identity, result_of, run};
use crate::support::until;

#[tokio::test]
async fn a_shutdown_gives_back_what_waits_and_lets_the_rest_end() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let stream = operator.welcomed(1).await;
    for uid in ["a", "b", "waits"] {
        stream.run(run("hold", uid, 1));
    }
    until("two to run", || agent.machine.started().len() == 2).await;
    let machine = agent.machine.clone();
    let thread = agent.shut_down();
    stream.ended().await;
    let mut stream = operator.stream().await;
    assert_eq!(stream.held_uids(), ["a", "b"]);
    let health = stream.hello.health.clone().unwrap();
    assert_eq!((health.ready, health.layer.as_str()), (false, "Agent"));
    stream.welcome(1, &stream.held());
    for uid in ["a", "b"] {
        machine.release(uid);
        assert_eq!(stream.find(result_of(uid)).await, "Accepted");
        assert!(!thread.is_finished(), "it waits for the Ack");
        stream.ack(identity(uid, 1));
    }
    ended(thread).await;
    assert_eq!(machine.times("waits"), 0);
}

#[tokio::test]
async fn what_does_not_end_within_the_drain_time_is_given_back() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let mut setup = setup(&authority, &[operator.address]);
    setup.drain = Duration::from_millis(200);
    let agent = Agent::start(setup);
    let stream = operator.welcomed(1).await;
    stream.run(run("hold", "a", 1));
    until("a to run", || agent.machine.times("a") == 1).await;
    let thread = agent.shut_down();
    let mut stream = operator.welcomed(1).await;
    assert_eq!(stream.done().await, done("a", "InfrastructureError"));
    stream.ack(identity("a", 1));
    ended(thread).await;
}

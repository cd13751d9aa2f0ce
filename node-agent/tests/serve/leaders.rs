//! Operators that go, come back, do not lead, or lead no more.

use std::time::{Duration, Instant};

use evaljob_crds::wire::agent_message;
use tonic::Status;

use crate::support::agent::{Agent, setup};
use crate::support::operator::{Authority, Operator, done, identity, result_of, run};
use crate::support::proxy::Proxy;
use crate::support::until;

#[tokio::test]
async fn while_the_operator_is_away_runs_end_and_results_wait() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let address = operator.address;
    let agent = Agent::start(setup(&authority, &[address]));
    let mut stream = operator.welcomed(1).await;
    stream.run(run("hold", "a", 1));
    stream.run(run("accept", "b", 1));
    assert_eq!(stream.done().await, done("b", "Accepted"));
    until("a to run", || agent.machine.times("a") == 1).await;
    operator.vanish().await;
    agent.machine.release("a");
    let mut operator = Operator::start_at(&authority, address).await;
    let mut stream = operator.stream().await;
    assert_eq!(stream.held_uids(), ["a", "b"], "in the order of receipt");
    assert!(stream.hello.inventory.iter().all(|held| held.started));
    stream.welcome(2, &stream.held());
    let mut results = vec![stream.done().await, stream.done().await];
    results.sort();
    assert_eq!(results, [done("a", "Accepted"), done("b", "Accepted")]);
    stream.ack(identity("a", 1));
    stream.ack(identity("b", 1));
    assert_eq!(agent.machine.started().len(), 2, "nothing ran again");
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn before_the_welcome_results_are_not_told() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    stream.run(run("accept", "a", 1));
    stream.done().await;
    drop(stream);
    let mut stream = operator.stream().await;
    std::fs::write(&agent.token_file, "second").unwrap();
    let first = stream.next().await;
    assert!(
        matches!(&first, Some(agent_message::Message::Token(token)) if token.token == "second"),
        "{first:?}"
    );
    stream.welcome(1, &stream.held());
    assert_eq!(stream.done().await, done("a", "Accepted"));
    stream.ack(identity("a", 1));
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn a_leader_whose_term_is_over_is_not_believed() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let stream = operator.welcomed(5).await;
    stream.run(run("hold", "a", 5));
    until("a to run", || agent.machine.times("a") == 1).await;
    drop(stream);
    // It would end the run: it knows nothing of it.
    let stale = operator.stream().await;
    stale.welcome(4, &[]);
    stale.run(run("accept", "b", 4));
    stale.ended().await;
    let mut stream = operator.welcomed(5).await;
    assert_eq!(stream.held_uids(), ["a"]);
    agent.machine.release("a");
    assert_eq!(stream.done().await, done("a", "Accepted"));
    stream.ack(identity("a", 5));
    assert_eq!(agent.machine.started(), ["a"]);
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn a_run_of_another_term_than_its_streams_ends_the_stream() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let stream = operator.welcomed(5).await;
    stream.run(run("accept", "a", 4));
    stream.ended().await;
    let stream = operator.welcomed(5).await;
    assert_eq!(stream.held_uids(), [""; 0]);
    assert_eq!(agent.machine.started(), [""; 0]);
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn what_the_welcome_does_not_keep_is_ended_and_forgotten() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    stream.run(run("hold", "unwanted", 1));
    stream.run(run("accept", "b", 1));
    stream.done().await;
    until("both to run", || agent.machine.started().len() == 2).await;
    drop(stream);
    let mut stream = operator.stream().await;
    stream.welcome(1, &[identity("b", 1)]);
    assert_eq!(stream.done().await, done("b", "Accepted"));
    stream.ack(identity("b", 1));
    // Its slot is free again: two more run side by side.
    stream.run(run("hold", "c", 1));
    stream.run(run("hold", "d", 1));
    until("c and d to run", || agent.machine.started().len() == 4).await;
    for uid in ["c", "d"] {
        agent.machine.release(uid);
        assert_eq!(stream.find(result_of(uid)).await, "Accepted");
        stream.ack(identity(uid, 1));
    }
    drop(stream);
    let stream = operator.welcomed(1).await;
    assert_eq!(stream.held_uids(), [""; 0]);
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn who_does_not_lead_is_left_for_another_address() {
    let authority = Authority::new();
    let mut follower = Operator::start(&authority).await;
    let mut leader = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[follower.address, leader.address]));
    let following = tokio::spawn(async move {
        loop {
            follower.stream().await.not_leader();
        }
    });
    let mut stream = leader.welcomed(1).await;
    stream.run(run("accept", "a", 1));
    assert_eq!(stream.done().await, done("a", "Accepted"));
    stream.ack(identity("a", 1));
    agent.end(&mut leader).await;
    following.abort();
}

#[tokio::test]
async fn a_stream_that_another_agent_of_the_node_took_over_is_not_fought_for() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let mut setup = setup(&authority, &[operator.address]);
    setup.link.timings.longest_refused = Duration::from_millis(600);
    let agent = Agent::start(setup);
    for why in [
        Status::aborted("another stream of this node's agent came later"),
        Status::permission_denied("the node of this token does not exist"),
    ] {
        operator.welcomed(1).await.close(why);
        let closed = Instant::now();
        let stream = operator.stream().await;
        assert!(
            closed.elapsed() >= Duration::from_millis(300),
            "{:?}",
            closed.elapsed()
        );
        stream.close(Status::unavailable("again"));
    }
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn a_link_through_which_nothing_comes_any_more_is_left() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let proxy = Proxy::start(operator.address).await;
    let mut setup = setup(&authority, &[proxy.address]);
    setup.link.timings.keepalive = Duration::from_millis(200);
    let agent = Agent::start(setup);
    let stream = operator.welcomed(1).await;
    stream.run(run("hold", "a", 1));
    until("a to run", || agent.machine.times("a") == 1).await;
    proxy.swallow();
    let mut next = operator.welcomed(1).await;
    assert_eq!(next.held_uids(), ["a"]);
    agent.machine.release("a");
    assert_eq!(next.done().await, done("a", "Accepted"));
    next.ack(identity("a", 1));
    agent.end(&mut operator).await;
    drop(stream);
}

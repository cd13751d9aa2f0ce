//! Runs, their results, their ends: each identity once, each result until its Ack.

use evaljob_crds::wire::{agent_message, operator_message};

use crate::support::agent::{Agent, setup};
use crate::support::operator::{Authority, Operator, done, identity, result_of, run};
use crate::support::{soon, until};

#[tokio::test]
async fn a_run_happens_once_and_its_result_is_repeated_until_the_ack() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    assert_eq!(stream.token, "first");
    let hello = &stream.hello;
    assert_eq!((hello.protocol.as_str(), hello.node.as_str()), ("v1", "n1"));
    assert_eq!((hello.slots, hello.landlock_abi), (2, 6));
    assert_eq!(hello.memory, crate::support::machine::MEMORY);
    assert_eq!(hello.node_directories, ["data"]);
    assert!(hello.default_rootfs && hello.health.as_ref().unwrap().ready);
    stream.run(run("accept", "a", 1));
    stream.run(run("accept", "a", 1));
    let started = stream.next().await;
    assert!(
        matches!(started, Some(agent_message::Message::Started(_))),
        "{started:?}"
    );
    for _ in 0..3 {
        assert_eq!(stream.done().await, done("a", "Accepted"));
        stream.run(run("accept", "a", 1));
    }
    stream.ack(identity("a", 1));
    stream.run(run("accept", "a", 1));
    stream.run(run("accept", "b", 1));
    assert_eq!(stream.find(result_of("b")).await, "Accepted");
    stream.ack(identity("b", 1));
    assert_eq!(agent.machine.started(), ["a", "b"]);
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn an_invalid_spec_ends_with_the_fields_it_is_invalid_in() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    let mut invalid = run("accept", "a", 1);
    invalid.spec = br#"{"command": ["accept"], "workingDir": "relative"}"#.to_vec();
    stream.run(invalid);
    let status = stream
        .find(|message| match message {
            agent_message::Message::Done(done) => Some(String::from_utf8(done.status).unwrap()),
            _ => None,
        })
        .await;
    assert!(
        status.contains("InvalidSpec") && status.contains("spec.workingDir: "),
        "{status}"
    );
    stream.ack(identity("a", 1));
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn runs_are_cancelled_with_and_without_a_report() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    for uid in ["a", "b"] {
        stream.run(run("hold", uid, 1));
    }
    until("both to run", || agent.machine.started().len() == 2).await;
    stream.run(run("hold", "waits", 1));
    stream.cancel(identity("unknown", 1), Some("Cancelled"));
    stream.cancel(identity("waits", 1), Some("Cancelled"));
    assert_eq!(stream.find(result_of("waits")).await, "Cancelled");
    stream.cancel(identity("a", 1), Some("DeadlineExceeded"));
    assert_eq!(stream.find(result_of("a")).await, "DeadlineExceeded");
    stream.cancel(identity("b", 1), None);
    stream.run(run("accept", "c", 1));
    assert_eq!(stream.find(result_of("c")).await, "Accepted");
    for uid in ["waits", "a", "c"] {
        stream.ack(identity(uid, 1));
    }
    drop(stream);
    let stream = operator.welcomed(1).await;
    assert_eq!(stream.held_uids(), [""; 0], "b is forgotten");
    assert_eq!(agent.machine.times("waits"), 0);
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn a_deadline_ends_a_run_while_no_operator_is_there() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let address = operator.address;
    let agent = Agent::start(setup(&authority, &[address]));
    let mut stream = operator.welcomed(1).await;
    let mut short = run("hold", "a", 1);
    short.deadline_milliseconds = 300;
    stream.run(short);
    let started = stream.next().await;
    assert!(
        matches!(started, Some(agent_message::Message::Started(_))),
        "{started:?}"
    );
    operator.vanish().await;
    let held = loop {
        let mut operator = Operator::start_at(&authority, address).await;
        let stream = operator.stream().await;
        if stream.hello.inventory[0].finished {
            break (operator, stream);
        }
        operator.vanish().await;
    };
    let (mut operator, mut stream) = held;
    stream.welcome(1, &stream.held());
    assert_eq!(stream.done().await, done("a", "DeadlineExceeded"));
    stream.ack(identity("a", 1));
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn a_full_buffer_takes_no_run_and_loses_no_result() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let stream = operator.welcomed(1).await;
    let credits = usize::try_from(stream.hello.credits).unwrap();
    let uids: Vec<String> = (0..credits).map(|number| format!("r{number}")).collect();
    for uid in &uids {
        stream.run(run("accept", uid, 1));
    }
    until("all to have run", || {
        agent.machine.started().len() == credits
    })
    .await;
    stream.run(run("accept", "more", 1));
    stream.ended().await;
    let mut stream = operator.stream().await;
    assert_eq!(stream.held_uids(), uids);
    stream.welcome(1, &stream.held());
    let mut seen = std::collections::BTreeSet::new();
    soon("every result", async {
        while seen.len() < credits {
            seen.insert(stream.done().await.0);
        }
    })
    .await;
    stream.ack(identity("r0", 1));
    stream.run(run("accept", "more", 1));
    assert_eq!(
        stream.find(result_of("more")).await,
        "Accepted",
        "an Ack makes room"
    );
    for uid in uids.iter().map(String::as_str).chain(["more"]) {
        stream.ack(identity(uid, 1));
    }
    assert_eq!(agent.machine.started().len(), credits + 1);
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn large_messages_travel_in_parts_both_ways() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    let mut large = run("large", "a", 1);
    large.inputs = vec![evaljob_crds::wire::Input {
        config_map: "unused".to_owned(),
        key: "k".to_owned(),
        value: vec![7; 40 << 20],
    }];
    stream.send_in_parts(operator_message::Message::Run(large), 1 << 20);
    assert_eq!(stream.done().await, done("a", "Accepted"));
    stream.ack(identity("a", 1));
    // Parts of which one is missing are no message.
    stream.send_in_parts(operator_message::Message::Run(run("accept", "b", 1)), 10);
    assert_eq!(stream.find(result_of("b")).await, "Accepted");
    stream.ack(identity("b", 1));
    stream.send(operator_message::Message::Chunk(
        evaljob_crds::wire::Chunk {
            id: 1,
            data: vec![1],
            last: false,
        },
    ));
    stream.run(run("accept", "c", 1));
    stream.ended().await;
    operator.welcomed(1).await;
    assert_eq!(agent.machine.started(), ["a", "b"]);
    agent.end(&mut operator).await;
}

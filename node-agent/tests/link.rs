//! The agent against an operator and a machine that do what each test says: real TLS, real streams, no sandbox.

mod support;

use std::time::Duration;

use evaljob_crds::wire::{agent_message, operator_message};
use support::agent::{Agent, ended, setup};
use support::machine::Steering;
use support::operator::{Authority, Operator, identity, run};
use support::{soon, until};

type Done = (String, String, bool);

fn done(uid: &str, verdict: &str) -> Done {
    (
        uid.to_owned(),
        verdict.to_owned(),
        verdict == "InfrastructureError",
    )
}

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
    assert_eq!(hello.memory, support::machine::MEMORY);
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
    while stream.done().await != done("b", "Accepted") {}
    stream.ack(identity("b", 1));
    assert_eq!(agent.machine.started(), ["a", "b"]);
    agent.end(&mut operator).await;
}

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

/// Picks the verdict of one run.
fn result_of(uid: &str) -> impl Fn(agent_message::Message) -> Option<String> {
    move |message| match message {
        agent_message::Message::Done(done) if done.identity.as_ref().unwrap().uid == uid => {
            let status: serde_json::Value = serde_json::from_slice(&done.status).unwrap();
            Some(status["verdict"].as_str().unwrap().to_owned())
        }
        _ => None,
    }
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
async fn a_rotated_token_is_sent_once_and_used_for_the_next_dial() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    let token = |message| match message {
        agent_message::Message::Token(token) => Some(token.token),
        _ => None,
    };
    // A moment without a token, as a careless rotation makes it, is survived.
    std::fs::remove_file(&agent.token_file).unwrap();
    std::fs::write(&agent.token_file, "second\n").unwrap();
    assert_eq!(stream.find(token).await, "second");
    std::fs::write(&agent.token_file, "third\n").unwrap();
    assert_eq!(stream.find(token).await, "third", "each is sent once");
    drop(stream);
    assert_eq!(operator.welcomed(1).await.token, "third");
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn an_agent_that_is_refused_dials_again_with_the_token_of_then() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let setup = setup(&authority, &[operator.address]);
    std::fs::write(&setup.link.credentials.token_file, "refused").unwrap();
    let agent = Agent::start(setup);
    std::fs::write(&agent.token_file, "good").unwrap();
    assert_eq!(operator.welcomed(1).await.token, "good");
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
    while seen.len() < credits {
        seen.insert(stream.done().await.0);
    }
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
async fn an_operator_whose_certificate_is_not_of_the_ca_gets_no_token() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut impostor = Operator::start(&other).await;
    let agent = Agent::start(setup(&authority, &[impostor.address]));
    until("dials", || impostor.connections() >= 3).await;
    ended(agent.shut_down()).await;
    assert!(!impostor.more_streams(), "the issuer was not checked");
    let mut setup = setup(&authority, &[]);
    let mut operator = Operator::start(&authority).await;
    setup.link.operators = vec![operator.address.to_string().parse().unwrap()];
    setup.link.credentials.server_name = Some("another.test".to_owned());
    let agent = Agent::start(setup.clone());
    until("dials", || operator.connections() >= 3).await;
    ended(agent.shut_down()).await;
    assert!(!operator.more_streams(), "the name was not checked");
    setup.link.credentials.server_name = Some(support::operator::NAME.to_owned());
    let agent = Agent::start(setup);
    operator.welcomed(1).await;
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
async fn a_node_that_cannot_enforce_says_so_and_takes_runs_once_it_can() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let machine = Steering::default();
    machine.set_broken(true);
    let agent = Agent::start_on(machine, setup(&authority, &[operator.address]));
    let stream = operator.welcomed(1).await;
    let health = stream.hello.health.clone().unwrap();
    assert_eq!((health.ready, health.layer.as_str()), (false, "Landlock"));
    assert_eq!(health.message, "not in lsm= (hint: boot with it)");
    stream.run(run("accept", "a", 1));
    stream.ended().await;
    agent.machine.set_broken(false);
    let mut stream = loop {
        let stream = operator.welcomed(1).await;
        assert_eq!(stream.held_uids(), [""; 0]);
        if stream.hello.health.as_ref().unwrap().ready {
            break stream;
        }
        stream.ended().await; // by the Hello that says what the machine has
    };
    assert_eq!(stream.hello.landlock_abi, 6);
    stream.run(run("accept", "b", 1));
    assert_eq!(stream.done().await, done("b", "Accepted"));
    stream.ack(identity("b", 1));
    assert_eq!(agent.machine.started(), ["b"]);
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn a_run_that_the_machine_failed_makes_the_agent_look_before_the_next_one() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    stream.run(run("fail", "a", 1));
    assert_eq!(stream.find(result_of("a")).await, "InfrastructureError");
    stream.ack(identity("a", 1));
    stream.run(run("accept", "b", 1));
    assert_eq!(
        stream.find(result_of("b")).await,
        "Accepted",
        "the trial run passed"
    );
    stream.ack(identity("b", 1));
    stream.run(run("hold", "c", 1));
    stream.run(run("hold", "d", 1));
    until("both to run", || agent.machine.started().len() == 4).await;
    stream.run(run("accept", "waits", 1));
    agent.machine.set_broken(true);
    agent.machine.release("c");
    assert_eq!(stream.find(result_of("c")).await, "Accepted");
    stream.ack(identity("c", 1));
    assert_eq!(stream.find(result_of("waits")).await, "Accepted");
    stream.ack(identity("waits", 1));
    stream.run(run("fail", "e", 1));
    let health = |message| match message {
        agent_message::Message::Health(health) => Some(health),
        _ => None,
    };
    let said = stream.find(health).await;
    assert_eq!((said.ready, said.layer.as_str()), (false, "Seccomp"));
    assert_eq!(said.message, "cannot install the filter");
    let starts = agent.machine.starts();
    agent.machine.set_broken(false);
    agent.machine.release("d");
    assert_eq!(
        stream.find(result_of("d")).await,
        "Accepted",
        "what runs goes on"
    );
    stream.ack(identity("d", 1));
    stream.ack(identity("e", 1));
    assert!(
        stream.find(health).await.ready,
        "mended, once no slot was in use"
    );
    assert_eq!(agent.machine.starts(), starts + 1);
    agent.end(&mut operator).await;
}

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

#[tokio::test]
async fn the_pages_tell_what_the_agent_does() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let mut setup = setup(&authority, &[operator.address]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    setup.metrics_listen = Some(address);
    let agent = Agent::start(setup);
    let mut stream = operator.welcomed(1).await;
    stream.run(run("accept", "a", 1));
    stream.done().await;
    let get = async |path: &str| {
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(
        soon("health", get("/healthz"))
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        soon("readiness", get("/readyz"))
            .await
            .starts_with("HTTP/1.1 200")
    );
    let metrics = soon("metrics", get("/metrics")).await;
    assert!(
        metrics.contains("evaljob_agent_jobs_total{verdict=\"Accepted\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("evaljob_agent_operator_connected 1"),
        "{metrics}"
    );
    stream.ack(identity("a", 1));
    agent.end(&mut operator).await;
}

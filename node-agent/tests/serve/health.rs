//! What the agent says of its machine, to the operator and on its pages.

use evaljob_crds::wire::agent_message;

use crate::support::agent::{Agent, setup};
use crate::support::machine::Steering;
use crate::support::operator::{Authority, Operator, done, identity, result_of, run};
use crate::support::{soon, until};

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
async fn a_node_that_lets_a_program_do_what_none_may_takes_no_runs() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let machine = Steering::default();
    machine.set_leaking(true);
    let agent = Agent::start_on(machine, setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    let health = stream.hello.health.clone().unwrap();
    assert_eq!((health.ready, health.layer.as_str()), (false, "Landlock"));
    assert_eq!(health.message, "F3 list the root: works");
    agent.machine.set_leaking(false);
    let said = |message| match message {
        agent_message::Message::Health(health) => Some(health),
        _ => None,
    };
    assert!(stream.find(said).await.ready, "mended");
    agent.end(&mut operator).await;
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

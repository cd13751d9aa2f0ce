//! The server for agents, dialled by a real client over TLS: who is let in, what ends a stream, what passes through it.
//!
//! At no point is a check switched off.

use std::time::Duration;

use evaljob_crds::wire::{self, AgentMessage, OperatorMessage, agent_message, operator_message};
use evaljob_operator::agents::Role;
use evaljob_operator::decide::Event;
use prost::Message as _;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::dialled::Server;

const ACCOUNT: &str = "system:serviceaccount:evaljob-system:evaljob-agent";

fn good(pod: &str) -> Value {
    json!({
        "authenticated": true,
        "audiences": ["evaljob-operator"],
        "user": {"username": ACCOUNT, "extra": {
            "authentication.kubernetes.io/node-name": ["n1"],
            "authentication.kubernetes.io/pod-name": ["agent"],
            "authentication.kubernetes.io/pod-uid": [pod],
        }},
    })
}

fn hello(node: &str, protocol: &str) -> AgentMessage {
    AgentMessage {
        message: Some(agent_message::Message::Hello(wire::Hello {
            protocol: protocol.to_owned(),
            node: node.to_owned(),
            slots: 2,
            health: Some(wire::Health {
                ready: true,
                ..wire::Health::default()
            }),
            ..wire::Hello::default()
        })),
    }
}

fn identity() -> Option<wire::RunIdentity> {
    Some(wire::RunIdentity {
        uid: "u".to_owned(),
        epoch: Some(wire::Epoch {
            lease_uid: "l".to_owned(),
            transitions: 1,
        }),
        attempt: 1,
    })
}

#[tokio::test]
async fn a_process_that_does_not_lead_says_so_before_it_looks_at_a_token() {
    let mut server = Server::start(Role::Follower(Some("other".to_owned()))).await;
    let mut wire = server
        .dial(Some("any"), hello("n1", "v1"), None)
        .await
        .unwrap();
    match wire.next().await.unwrap() {
        Some(operator_message::Message::NotLeader(answer)) => assert_eq!(answer.leader, "other"),
        other => panic!("NotLeader was due, not {other:?}"),
    }
    assert!(wire.next().await.unwrap().is_none(), "then the stream ends");
    server.asked_nothing();
}

#[tokio::test]
async fn without_a_token_nothing_is_asked_and_nobody_let_in() {
    let mut server = Server::start(Role::Leader).await;
    let status = server
        .dial(None, hello("n1", "v1"), None)
        .await
        .err()
        .unwrap();
    assert_eq!(status.code(), Code::Unauthenticated);
    server.asked_nothing();
}

#[tokio::test]
async fn who_is_not_an_agent_of_this_node_is_refused() {
    let mut other_account = good("pod-1");
    other_account["user"]["username"] = json!("system:serviceaccount:tenant:evaljob-agent");
    let other_audience = json!({"authenticated": true, "audiences": ["https://kubernetes.default.svc"], "user": {"username": ACCOUNT}});
    let unknown = json!({"authenticated": false, "error": "token has expired"});
    let no_hello = AgentMessage {
        message: Some(agent_message::Message::Token(wire::Token::default())),
    };
    let rows = [
        (
            "expired, or its Pod is gone",
            unknown,
            hello("n1", "v1"),
            Code::Unauthenticated,
        ),
        (
            "another account",
            other_account,
            hello("n1", "v1"),
            Code::PermissionDenied,
        ),
        (
            "another audience",
            other_audience,
            hello("n1", "v1"),
            Code::Unauthenticated,
        ),
        (
            "another node's name",
            good("pod-1"),
            hello("n2", "v1"),
            Code::PermissionDenied,
        ),
        (
            "another protocol",
            good("pod-1"),
            hello("n1", "v9"),
            Code::FailedPrecondition,
        ),
        (
            "no Hello first",
            good("pod-1"),
            no_hello,
            Code::InvalidArgument,
        ),
    ];
    let mut server = Server::start(Role::Leader).await;
    for (row, review, first, code) in rows {
        let token = server.token(600);
        let status = server
            .dial(Some(&token), first, Some(review))
            .await
            .err()
            .unwrap_or_else(|| panic!("{row}: let in"));
        assert_eq!(status.code(), code, "{row}: {status}");
        assert!(
            server.events.try_recv().is_err(),
            "{row}: the core heard of it"
        );
    }
    // The positive control.
    let token = server.token(600);
    server
        .dial(Some(&token), hello("n1", "v1"), Some(good("pod-1")))
        .await
        .unwrap();
    server.hello().await;
}

#[tokio::test]
async fn messages_pass_both_ways_and_large_ones_in_parts() {
    let mut server = Server::start(Role::Leader).await;
    let token = server.token(600);
    let mut wire = server
        .dial(Some(&token), hello("n1", "v1"), Some(good("pod-1")))
        .await
        .unwrap();
    let conn = server.hello().await;

    let spec = vec![b'x'; 3 << 20];
    let run = wire::Run {
        identity: identity(),
        spec: spec.clone(),
        ..wire::Run::default()
    };
    server
        .streams
        .send(conn, operator_message::Message::Run(run));
    let mut whole = Vec::new();
    loop {
        match wire.next().await.unwrap() {
            Some(operator_message::Message::Chunk(chunk)) => {
                whole.extend(chunk.data);
                if chunk.last {
                    break;
                }
            }
            other => panic!("a part was due, not {other:?}"),
        }
    }
    match OperatorMessage::decode(&*whole).unwrap().message {
        Some(operator_message::Message::Run(run)) => assert_eq!(run.spec, spec),
        other => panic!("a run was due, not {other:?}"),
    }

    let started = wire::Started {
        identity: identity(),
        age_milliseconds: 7,
    };
    wire.send(agent_message::Message::Started(started));
    match server.event().await {
        Event::Started(from, run, age) => assert_eq!(
            (from, &*run.uid.0, age),
            (conn, "u", Duration::from_millis(7))
        ),
        other => panic!("Started was due, not {other:?}"),
    }
    let done = wire::Done {
        identity: identity(),
        status: br#"{"verdict":"Accepted"}"#.to_vec(),
        ..wire::Done::default()
    };
    let encoded = AgentMessage {
        message: Some(agent_message::Message::Done(done)),
    }
    .encode_to_vec();
    let (begin, end) = encoded.split_at(encoded.len() / 2);
    for (data, last) in [(begin, false), (end, true)] {
        wire.send(agent_message::Message::Chunk(wire::Chunk {
            id: 1,
            data: data.to_vec(),
            last,
        }));
    }
    match server.event().await {
        Event::Done(_, done) => {
            assert_eq!(done.status.unwrap().verdict.as_deref(), Some("Accepted"))
        }
        other => panic!("Done was due, not {other:?}"),
    }
    wire.send(agent_message::Message::Started(wire::Started::default()));
    assert_eq!(
        wire.next().await.unwrap_err().code(),
        Code::InvalidArgument,
        "a message without an identity ends the stream"
    );
    server.closed(conn).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let mut server = Server::start(Role::Leader).await;
    let token = server.token(2);
    let mut wire = server
        .dial(Some(&token), hello("n1", "v1"), Some(good("pod-1")))
        .await
        .unwrap();
    let conn = server.hello().await;
    assert_eq!(wire.next().await.unwrap_err().code(), Code::Unauthenticated);
    server.closed(conn).await;
}

#[tokio::test]
async fn a_rotated_token_of_the_same_pod_keeps_the_stream_and_another_pods_ends_it() {
    let mut server = Server::start(Role::Leader).await;
    let first = server.token(3);
    let mut wire = server
        .dial(Some(&first), hello("n1", "v1"), Some(good("pod-1")))
        .await
        .unwrap();
    let conn = server.hello().await;
    let rotated = server.token(600);
    wire.send(agent_message::Message::Token(wire::Token {
        token: rotated.clone(),
    }));
    server.review(&rotated, good("pod-1")).await;
    // Past the end of the first token the stream is still there.
    let first_is_over = server.clock.now().wall.as_second() + 4;
    while server.clock.now().wall.as_second() < first_is_over {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wire.send(agent_message::Message::Health(wire::Health {
        ready: true,
        ..wire::Health::default()
    }));
    assert!(matches!(server.event().await, Event::Health(from, None) if from == conn));
    let stolen = server.token(601);
    wire.send(agent_message::Message::Token(wire::Token {
        token: stolen.clone(),
    }));
    server.review(&stolen, good("pod-2")).await;
    assert_eq!(
        wire.next().await.unwrap_err().code(),
        Code::PermissionDenied
    );
    server.closed(conn).await;
}

#[tokio::test]
async fn what_the_core_closes_is_closed_with_its_reason_and_an_agent_that_hangs_up_is_heard() {
    let mut server = Server::start(Role::Leader).await;
    let token = server.token(600);
    let mut replaced = server
        .dial(Some(&token), hello("n1", "v1"), Some(good("pod-1")))
        .await
        .unwrap();
    let conn = server.hello().await;
    server
        .streams
        .close(conn, Status::aborted("another stream came later"));
    assert_eq!(replaced.next().await.unwrap_err().code(), Code::Aborted);
    server.closed(conn).await;
    let again = server
        .dial(Some(&token), hello("n1", "v1"), Some(good("pod-1")))
        .await
        .unwrap();
    let conn = server.hello().await;
    drop(again);
    server.closed(conn).await;
}

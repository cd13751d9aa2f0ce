//! The server for agents, dialled by a real client over TLS: who is let in, what ends a stream, what passes through it.
//!
//! TokenReviews are answered by a mocked API server; at no point is a check switched off.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evaljob_crds::wire::dispatch_client::DispatchClient;
use evaljob_crds::wire::{self, AgentMessage, OperatorMessage, agent_message, operator_message};
use evaljob_operator::agents::review::Reviewer;
use evaljob_operator::agents::streams::Streams;
use evaljob_operator::agents::{Agents, Role};
use evaljob_operator::clock::Clock;
use evaljob_operator::decide::Event;
use evaljob_operator::metrics::Metrics;
use evaljob_operator::names::Conn;
use evaljob_operator::tls::{Certificate, Source};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Certificate as CaCertificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status, Streaming};
use tower_test::mock::Handle;

const DEADLINE: Duration = Duration::from_secs(20);
const ACCOUNT: &str = "system:serviceaccount:evaljob-system:evaljob-agent";

struct Server {
    api: Handle<Request<Body>, Response<Body>>,
    events: mpsc::Receiver<Event>,
    streams: Streams,
    clock: Clock,
    channel: Channel,
    /// Kept so that the role does not end.
    _role: watch::Sender<Role>,
    _directory: tempfile::TempDir,
}

/// An agent's end of a stream.
struct Wire {
    up: mpsc::UnboundedSender<AgentMessage>,
    down: Streaming<OperatorMessage>,
}

impl Server {
    async fn start(role: Role) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = Source::Own {
            directory: directory.path().to_owned(),
            names: vec!["operator.test".to_owned()],
        };
        let tls = Certificate::load(source).await.unwrap();
        let tls = tls.server_config().unwrap();
        let ca = std::fs::read_to_string(directory.path().join("ca.crt")).unwrap();
        let (service, api) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let client = Client::new(service, "default");
        let account = "evaljob-system/evaljob-agent".parse().unwrap();
        let (events_in, events) = mpsc::channel(64);
        let (role_in, role) = watch::channel(role);
        let streams = Streams::default();
        let clock = Clock::new();
        let agents = Agents {
            role,
            reviewer: Arc::new(Reviewer::new(
                client,
                "evaljob-operator".to_owned(),
                account,
            )),
            streams: streams.clone(),
            events: events_in,
            metrics: Metrics::default(),
            clock: clock.clone(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(agents.serve(listener, tls));
        let tls = ClientTlsConfig::new()
            .ca_certificate(CaCertificate::from_pem(ca))
            .domain_name("operator.test");
        let endpoint = Endpoint::from_shared(format!("https://{address}"))
            .unwrap()
            .tls_config(tls)
            .unwrap();
        let channel = endpoint.connect().await.unwrap();
        Self {
            api,
            events,
            streams,
            clock,
            channel,
            _role: role_in,
            _directory: directory,
        }
    }

    /// Dials; the review, if there is one, is answered with `review`.
    async fn dial(
        &mut self,
        token: Option<&str>,
        first: AgentMessage,
        review: Option<Value>,
    ) -> Result<Wire, Status> {
        let (up, messages) = mpsc::unbounded_channel();
        up.send(first).unwrap();
        let mut request = tonic::Request::new(UnboundedReceiverStream::new(messages));
        if let Some(token) = token {
            request
                .metadata_mut()
                .insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let mut client =
            DispatchClient::new(self.channel.clone()).max_decoding_message_size(4 << 20);
        let dialling = tokio::spawn(async move { client.connect(request).await });
        if let Some(review) = review {
            self.review(token.unwrap_or_default(), review).await;
        }
        let down = tokio::time::timeout(DEADLINE, dialling)
            .await
            .expect("no answer")
            .unwrap()?
            .into_inner();
        Ok(Wire { up, down })
    }

    /// Answers the next TokenReview, which must ask for this token and our audience.
    async fn review(&mut self, token: &str, status: Value) {
        let next = tokio::time::timeout(DEADLINE, self.api.next_request()).await;
        let (request, respond) = next.expect("no TokenReview came").unwrap();
        assert_eq!(
            request.uri().path(),
            "/apis/authentication.k8s.io/v1/tokenreviews"
        );
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let asked: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            asked["spec"],
            json!({"audiences": ["evaljob-operator"], "token": token})
        );
        let answer = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}, "spec": asked["spec"], "status": status});
        respond.send_response(Response::new(Body::from(answer.to_string().into_bytes())));
    }

    async fn event(&mut self) -> Event {
        tokio::time::timeout(DEADLINE, self.events.recv())
            .await
            .expect("no event")
            .unwrap()
    }

    async fn hello(&mut self) -> Conn {
        match self.event().await {
            Event::Hello(conn, facts) => {
                assert_eq!((&*facts.node.0, &*facts.pod_uid), ("n1", "pod-1"));
                conn
            }
            other => panic!("a Hello was due, not {other:?}"),
        }
    }

    async fn closed(&mut self, conn: Conn) {
        match self.event().await {
            Event::Closed(ended) => assert_eq!(ended, conn),
            other => panic!("the end was due, not {other:?}"),
        }
    }

    /// Nothing was asked of the API server.
    fn asked_nothing(&mut self) {
        assert!(
            self.api.poll_request().is_pending(),
            "the API server was asked"
        );
    }

    /// A token that ends so many seconds from now.
    fn token(&self, seconds: i64) -> String {
        let exp = self.clock.now().wall.as_second() + seconds;
        format!(
            "e30.{}.sig",
            URL_SAFE_NO_PAD.encode(json!({"exp": exp}).to_string())
        )
    }
}

impl Wire {
    async fn next(&mut self) -> Result<Option<operator_message::Message>, Status> {
        let message = tokio::time::timeout(DEADLINE, self.down.message())
            .await
            .expect("nothing came down");
        message.map(|message| message.and_then(|message| message.message))
    }

    fn send(&self, message: agent_message::Message) {
        self.up
            .send(AgentMessage {
                message: Some(message),
            })
            .unwrap();
    }
}

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

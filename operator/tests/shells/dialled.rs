//! The server for agents, and an agent's end of a stream, over TLS; TokenReviews are answered by a mocked API server.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evaljob_crds::wire::dispatch_client::DispatchClient;
use evaljob_crds::wire::{AgentMessage, OperatorMessage, agent_message, operator_message};
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
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Certificate as CaCertificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Status, Streaming};
use tower_test::mock::Handle;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    api: Handle<Request<Body>, Response<Body>>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) streams: Streams,
    pub(crate) clock: Clock,
    channel: Channel,
    /// Kept so that the role does not end.
    _role: watch::Sender<Role>,
    _directory: tempfile::TempDir,
}

/// An agent's end of a stream.
pub(crate) struct Wire {
    up: mpsc::UnboundedSender<AgentMessage>,
    down: Streaming<OperatorMessage>,
}

impl Server {
    pub(crate) async fn start(role: Role) -> Self {
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
    pub(crate) async fn dial(
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
    pub(crate) async fn review(&mut self, token: &str, status: Value) {
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

    pub(crate) async fn event(&mut self) -> Event {
        tokio::time::timeout(DEADLINE, self.events.recv())
            .await
            .expect("no event")
            .unwrap()
    }

    pub(crate) async fn hello(&mut self) -> Conn {
        match self.event().await {
            Event::Hello(conn, facts) => {
                assert_eq!((&*facts.node.0, &*facts.pod_uid), ("n1", "pod-1"));
                conn
            }
            other => panic!("a Hello was due, not {other:?}"),
        }
    }

    pub(crate) async fn closed(&mut self, conn: Conn) {
        match self.event().await {
            Event::Closed(ended) => assert_eq!(ended, conn),
            other => panic!("the end was due, not {other:?}"),
        }
    }

    /// Nothing was asked of the API server.
    pub(crate) fn asked_nothing(&mut self) {
        assert!(
            self.api.poll_request().is_pending(),
            "the API server was asked"
        );
    }

    /// A token that ends so many seconds from now.
    pub(crate) fn token(&self, seconds: i64) -> String {
        let exp = self.clock.now().wall.as_second() + seconds;
        format!(
            "e30.{}.sig",
            URL_SAFE_NO_PAD.encode(json!({"exp": exp}).to_string())
        )
    }
}

impl Wire {
    pub(crate) async fn next(&mut self) -> Result<Option<operator_message::Message>, Status> {
        let message = tokio::time::timeout(DEADLINE, self.down.message())
            .await
            .expect("nothing came down");
        message.map(|message| message.and_then(|message| message.message))
    }

    pub(crate) fn send(&self, message: agent_message::Message) {
        self.up
            .send(AgentMessage {
                message: Some(message),
            })
            .unwrap();
    }
}

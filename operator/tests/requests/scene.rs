//! The operator around its core, with one connected agent and a mocked API server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evaljob_crds::wire::{OperatorMessage, operator_message::Message};
use evaljob_crds::{EvalJobStatus, Verdict};
use evaljob_operator::agents::streams::Streams;
use evaljob_operator::clock::Clock;
use evaljob_operator::decide::{AgentFacts, Decider, Done, Event, Former, NodeFacts, Rules};
use evaljob_operator::engine::{self, Ports};
use evaljob_operator::gate::{self, LiveJob};
use evaljob_operator::metrics::{Health, Metrics, Pages};
use evaljob_operator::names::{Conn, Epoch, NodeName, RunId};
use evaljob_operator::placement::Capacity;
use evaljob_operator::status_writer::StatusWriter;
use evaljob_operator::ttl::Note;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tower_test::mock::{Handle, SendResponse};

const PATH: &str = "/apis/evaljob.dev/v1alpha1/namespaces/n/evaljobs/j";
const DEADLINE: Duration = Duration::from_secs(20);

type Api = Handle<Request<Body>, Response<Body>>;
type Outbound = mpsc::UnboundedReceiver<Result<OperatorMessage, tonic::Status>>;

/// The operator around its core, with one connected agent.
pub(crate) struct Scene {
    api: Api,
    events: mpsc::Sender<Event>,
    pub(crate) outbound: Outbound,
    pub(crate) conn: Conn,
    notes: mpsc::UnboundedReceiver<Note>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Scene {
    pub(crate) async fn begin() -> Self {
        let (service, api) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let client = Client::new(service, "default");
        let clock = Clock::new();
        let (events, received) = mpsc::channel(64);
        let (writer, orders) = mpsc::unbounded_channel();
        let (loader, _) = mpsc::unbounded_channel();
        let (keeper, notes) = mpsc::unbounded_channel();
        let (enlist, mut enlisted) = watch::channel(None);
        let (unstored, _) = watch::channel(0);
        let (_, may_write) = watch::channel(true);
        let metrics = Metrics::default();
        let health = Health::new(clock.clone());
        let (_, seconds) = Pages::new(&metrics, health.clone());
        let streams = Streams::default();
        let status_writer = StatusWriter::new(
            client,
            events.clone(),
            may_write,
            metrics.clone(),
            seconds,
            clock.clone(),
        );
        let rules = Rules {
            agent_grace: Duration::from_secs(20),
            spec_cache: 1 << 20,
            default_ttl: Duration::from_secs(60),
        };
        let ports = Ports {
            writer,
            loader,
            keeper,
            warnings: mpsc::unbounded_channel().0,
            enlist,
            streams: streams.clone(),
            metrics,
            health,
            unstored,
        };
        let tasks = vec![
            tokio::spawn(status_writer.run(orders)),
            tokio::spawn(engine::run(Decider::new(rules), received, ports, clock)),
        ];
        let (conn, outbound) = streams.open();
        let mut scene = Self {
            api,
            events,
            outbound,
            conn,
            notes,
            tasks,
        };
        let node = NodeName::from("n1");
        let epoch = Epoch {
            lease_uid: "lease".into(),
            transitions: 3,
        };
        scene
            .tell(Event::NodesListed(BTreeMap::from([(
                node.clone(),
                NodeFacts::default(),
            )])))
            .await;
        scene
            .tell(Event::Leading(epoch, Former::Known(BTreeSet::new())))
            .await;
        scene
            .tell(Event::SchemaRead(evaljob_crds::Missing::default()))
            .await;
        scene.tell(Event::JobsRelist).await;
        scene.tell(Event::JobsListed).await;
        let agent = AgentFacts {
            node: node.clone(),
            pod_name: "agent".to_owned(),
            pod_uid: "p".to_owned(),
            capacity: Capacity {
                slots: 2,
                memory: 1 << 30,
                default_rootfs: true,
                landlock_abi: 7,
                credits: 8,
                ..Capacity::default()
            },
            missing_layer: None,
            inventory: Vec::new(),
        };
        scene.tell(Event::Hello(conn, Box::new(agent))).await;
        assert!(matches!(scene.message().await, Message::Welcome(_)));
        let named = Former::Known(BTreeSet::from([node]));
        enlisted
            .wait_for(|wanted| *wanted == Some(named.clone()))
            .await
            .unwrap();
        scene.tell(Event::Enlisted(named)).await;
        scene
    }

    /// A job `u1` whose run is done.
    pub(crate) async fn judged() -> (Self, RunId) {
        let mut scene = Self::begin().await;
        let run = scene.run("u1").await;
        scene.done(&run).await;
        (scene, run)
    }

    pub(crate) async fn tell(&self, event: Event) {
        self.events.send(event).await.unwrap();
    }

    /// The next message to the agent.
    pub(crate) async fn message(&mut self) -> Message {
        let message = tokio::time::timeout(DEADLINE, self.outbound.recv())
            .await
            .expect("no message to the agent");
        message.unwrap().unwrap().message.unwrap()
    }

    /// Creates a job, which is sent to the agent.
    pub(crate) async fn run(&mut self, uid: &str) -> RunId {
        let live: LiveJob = serde_json::from_value(json!({
            "metadata": {"name": "j", "namespace": "n", "uid": uid, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"command": ["true"], "maxQueueSeconds": 2_000_000_000_i64, "activeDeadlineSeconds": 2_000_000_000_i64},
        }))
        .unwrap();
        let mut facts = gate::facts(live, Duration::MAX).unwrap();
        facts.invalid = None;
        self.tell(Event::JobApplied(Box::new(facts))).await;
        match self.message().await {
            Message::Run(run) => RunId::from_wire(run.identity).unwrap(),
            other => panic!("a run was due, not {other:?}"),
        }
    }

    pub(crate) async fn done(&self, run: &RunId) {
        let status = EvalJobStatus {
            verdict: Some(Verdict::Completed.into()),
            run: Some(evaljob_crds::status::RunResult {
                stdout: Some(evaljob_crds::status::Stream {
                    text: Some("hello".to_owned()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..EvalJobStatus::default()
        };
        let done = Done {
            run: run.clone(),
            status: Some(Box::new(status)),
            infrastructure: false,
            returned: false,
            age: Duration::ZERO,
        };
        self.tell(Event::Done(self.conn, Box::new(done))).await;
    }

    pub(crate) async fn acknowledged(&mut self, run: &RunId) {
        match self.message().await {
            Message::Ack(ack) => assert_eq!(RunId::from_wire(ack.identity).as_ref(), Some(run)),
            other => panic!("an Ack was due, not {other:?}"),
        }
    }

    /// The next request: method, path with query, body, and where to answer.
    pub(crate) async fn request(
        &mut self,
    ) -> (Method, String, Value, SendResponse<Response<Body>>) {
        let next = tokio::time::timeout(DEADLINE, self.api.next_request()).await;
        let (request, respond) = next.expect("no request came").expect("the client is gone");
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if parts.method == Method::PATCH {
            assert_eq!(parts.headers["content-type"], "application/json-patch+json");
        }
        (parts.method, parts.uri.to_string(), body, respond)
    }

    /// The next request is the one JSON Patch that stores a status; returns the status.
    pub(crate) async fn patch(&mut self, uid: &str) -> (Value, SendResponse<Response<Body>>) {
        let (method, path, body, respond) = self.request().await;
        assert_eq!(method, Method::PATCH);
        assert_eq!(path, format!("{PATH}/status?fieldManager=evaljob-operator"));
        let status = body[1]["value"].clone();
        let expected = json!([
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]);
        assert_eq!(body, expected);
        (status, respond)
    }

    /// The next request reads the job; answers with this.
    pub(crate) async fn read(&mut self, answer: Response<Body>) {
        let (method, path, _, respond) = self.request().await;
        assert_eq!((method, path.as_str()), (Method::GET, PATH));
        respond.send_response(answer);
    }

    pub(crate) async fn finished(&mut self) {
        let note = tokio::time::timeout(DEADLINE, self.notes.recv())
            .await
            .expect("the keeper is not told");
        assert!(matches!(note, Some(Note::Finished(..))), "{note:?}");
    }

    /// Drops everything; the API server must have seen no other request.
    pub(crate) async fn end(mut self) {
        drop(self.events);
        for task in self.tasks.drain(..) {
            task.abort();
            let _ = task.await;
        }
        let further = tokio::time::timeout(DEADLINE, self.api.next_request()).await;
        assert!(
            further.expect("the client lives on").is_none(),
            "a request that nobody expected"
        );
    }
}

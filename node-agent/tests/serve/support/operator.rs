//! An operator that does what a test says: TLS, one stream at a time handed to the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use evaljob_crds::EvalJobStatus;
use evaljob_crds::wire::dispatch_server::{Dispatch, DispatchServer};
use evaljob_crds::wire::{self, AgentMessage, OperatorMessage, agent_message, operator_message};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prost::Message as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::soon;

/// The name in the operator's certificate.
pub(crate) const NAME: &str = "operator.test";

/// A self-signed certificate in a directory.
pub(crate) struct Authority {
    directory: tempfile::TempDir,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        // The agent reads it without being root.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), readable).unwrap();
        std::fs::write(directory.path().join("ca.crt"), made.cert.pem()).unwrap();
        Self {
            directory,
            key: made.signing_key.serialize_pem(),
        }
    }

    /// The file that agents are given.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_file(self.file()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A listening operator. Dropping it closes every connection.
pub(crate) struct Operator {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    streams: mpsc::UnboundedReceiver<Stream>,
    serving: JoinSet<()>,
}

/// A stream of an agent that has said Hello.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) hello: wire::Hello,
    pub(crate) token: String,
    messages: Streaming<AgentMessage>,
    down: mpsc::UnboundedSender<Result<OperatorMessage, Status>>,
}

impl Operator {
    pub(crate) async fn start(authority: &Authority) -> Self {
        Self::start_at(authority, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn start_at(authority: &Authority, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, streams) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        let connections = Arc::new(AtomicUsize::new(0));
        let service = Service(sender);
        serving.spawn(accept(
            listener,
            authority.acceptor(),
            service,
            connections.clone(),
        ));
        Self {
            address,
            connections,
            streams,
            serving,
        }
    }

    /// Stops listening and closes every connection.
    pub(crate) async fn vanish(mut self) {
        self.serving.shutdown().await;
    }

    /// The next stream.
    pub(crate) async fn stream(&mut self) -> Stream {
        soon("a stream", self.streams.recv()).await.unwrap()
    }

    /// The next stream, welcomed by term `transitions`; everything is kept.
    pub(crate) async fn welcomed(&mut self, transitions: u64) -> Stream {
        let stream = self.stream().await;
        stream.welcome(transitions, &stream.held());
        stream
    }

    /// TCP connections that were made, whatever became of them.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Whether a stream has come that was not asked for; takes it.
    pub(crate) fn more_streams(&mut self) -> bool {
        self.streams.try_recv().is_ok()
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    service: Service,
    count: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        let (acceptor, service) = (acceptor.clone(), service.clone());
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = DispatchServer::new(service).max_decoding_message_size(4 << 20);
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .await;
        });
    }
}

#[derive(Clone)]
struct Service(mpsc::UnboundedSender<Stream>);

type Outbound =
    Pin<Box<dyn futures::Stream<Item = Result<OperatorMessage, Status>> + Send + 'static>>;

#[tonic::async_trait]
impl Dispatch for Service {
    type ConnectStream = Outbound;

    async fn connect(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Outbound>, Status> {
        let token = request
            .metadata()
            .get("authorization")
            .unwrap()
            .to_str()
            .unwrap();
        let token = token.strip_prefix("Bearer ").unwrap().to_owned();
        if token == "refused" {
            return Err(Status::unauthenticated("the token is not valid"));
        }
        let mut messages = request.into_inner();
        let first = messages.message().await?.and_then(|first| first.message);
        let Some(agent_message::Message::Hello(hello)) = first else {
            return Err(Status::invalid_argument("the first message must be Hello"));
        };
        let (down, outbound) = mpsc::unbounded_channel();
        let stream = Stream {
            hello,
            token,
            messages,
            down,
        };
        self.0
            .send(stream)
            .map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(
            outbound,
        ))))
    }
}

/// The identity of a run of term `transitions`.
pub(crate) fn identity(uid: &str, transitions: u64) -> wire::RunIdentity {
    wire::RunIdentity {
        uid: uid.to_owned(),
        epoch: Some(epoch(transitions)),
        attempt: 1,
    }
}

fn epoch(transitions: u64) -> wire::Epoch {
    wire::Epoch {
        lease_uid: "lease".to_owned(),
        transitions,
    }
}

/// A run whose uid is the second word of its command.
pub(crate) fn run(command: &str, uid: &str, transitions: u64) -> wire::Run {
    wire::Run {
        identity: Some(identity(uid, transitions)),
        namespace: "space".to_owned(),
        name: uid.to_owned(),
        spec: format!(r#"{{"command": ["{command}", "{uid}"]}}"#).into_bytes(),
        inputs: Vec::new(),
        deadline_milliseconds: 3_600_000,
    }
}

impl Stream {
    pub(crate) fn send(&self, message: operator_message::Message) {
        let message = OperatorMessage {
            message: Some(message),
        };
        // A stream that the agent has closed takes nothing; tests see that elsewhere.
        let _ = self.down.send(Ok(message));
    }

    /// Sends a message in parts of this size.
    pub(crate) fn send_in_parts(&self, message: operator_message::Message, size: usize) {
        let message = OperatorMessage {
            message: Some(message),
        };
        let encoded = message.encode_to_vec();
        let parts = encoded.chunks(size);
        let count = parts.len();
        for (index, part) in parts.enumerate() {
            self.send(operator_message::Message::Chunk(wire::Chunk {
                id: 7,
                data: part.to_vec(),
                last: index + 1 == count,
            }));
        }
    }

    /// Identities of the inventory.
    pub(crate) fn held(&self) -> Vec<wire::RunIdentity> {
        let held = self.hello.inventory.iter();
        held.filter_map(|held| held.identity.clone()).collect()
    }

    /// uids of the inventory.
    pub(crate) fn held_uids(&self) -> Vec<String> {
        self.held().into_iter().map(|run| run.uid).collect()
    }

    pub(crate) fn welcome(&self, transitions: u64, keep: &[wire::RunIdentity]) {
        self.send(operator_message::Message::Welcome(wire::Welcome {
            epoch: Some(epoch(transitions)),
            keep: keep.to_vec(),
        }));
    }

    pub(crate) fn not_leader(&self) {
        self.send(operator_message::Message::NotLeader(wire::NotLeader {
            leader: "another".to_owned(),
        }));
    }

    /// Ends the stream.
    pub(crate) fn close(&self, why: Status) {
        let _ = self.down.send(Err(why));
    }

    pub(crate) fn run(&self, run: wire::Run) {
        self.send(operator_message::Message::Run(run));
    }

    pub(crate) fn ack(&self, identity: wire::RunIdentity) {
        let identity = Some(identity);
        self.send(operator_message::Message::Ack(wire::Ack { identity }));
    }

    pub(crate) fn cancel(&self, identity: wire::RunIdentity, reason: Option<&str>) {
        self.send(operator_message::Message::Cancel(wire::Cancel {
            identity: Some(identity),
            report: reason.is_some(),
            reason: reason.unwrap_or_default().to_owned(),
        }));
    }

    /// The next message; parts are put together. `None`: the agent ended the stream.
    pub(crate) async fn next(&mut self) -> Option<agent_message::Message> {
        let mut parts: Vec<u8> = Vec::new();
        loop {
            let message = soon("a message", self.messages.message()).await;
            match message.ok().flatten()?.message? {
                agent_message::Message::Chunk(chunk) => {
                    assert!(chunk.data.len() <= wire::CHUNK_BYTES);
                    parts.extend_from_slice(&chunk.data);
                    if chunk.last {
                        return AgentMessage::decode(&*parts).unwrap().message;
                    }
                }
                message => {
                    assert!(parts.is_empty(), "a message between parts");
                    return Some(message);
                }
            }
        }
    }

    /// The next Done, past other messages; its uid and verdict, and whether it blames the machine.
    pub(crate) async fn done(&mut self) -> (String, String, bool) {
        let done = |message| match message {
            agent_message::Message::Done(done) => Some(done),
            _ => None,
        };
        let done = self.find(done).await;
        let status: EvalJobStatus = serde_json::from_slice(&done.status).unwrap();
        let uid = done.identity.unwrap().uid;
        (uid, status.verdict.unwrap(), done.infrastructure)
    }

    /// The next message of a kind, past others.
    pub(crate) async fn find<T>(
        &mut self,
        pick: impl Fn(agent_message::Message) -> Option<T>,
    ) -> T {
        // Results are repeated without end: the whole search has one deadline.
        soon("a message of some kind", async {
            loop {
                if let Some(found) = pick(self.next().await.expect("the stream ended")) {
                    return found;
                }
            }
        })
        .await
    }

    /// Waits until the agent has ended the stream.
    pub(crate) async fn ended(mut self) {
        soon("the end of the stream", async {
            while self.next().await.is_some() {}
        })
        .await;
    }
}

/// What [`Stream::done`] returns for a run that ended so.
pub(crate) fn done(uid: &str, verdict: &str) -> (String, String, bool) {
    (
        uid.to_owned(),
        verdict.to_owned(),
        verdict == "InfrastructureError",
    )
}

/// Picks the verdict of one run.
pub(crate) fn result_of(uid: &str) -> impl Fn(agent_message::Message) -> Option<String> {
    move |message| match message {
        agent_message::Message::Done(done) if done.identity.as_ref().unwrap().uid == uid => {
            let status: serde_json::Value = serde_json::from_slice(&done.status).unwrap();
            Some(status["verdict"].as_str().unwrap().to_owned())
        }
        _ => None,
    }
}

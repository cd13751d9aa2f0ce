//! The server that node agents dial: TLS, token review, one stream per agent.
//!
//! In: connections. Out: [`Event`]s of reviewed agents; down the streams, what the core sends. A process that does
//! not lead answers NotLeader before it looks at any token. An agent's words are checked for form here (sizes,
//! identities, order of messages); what they mean is decided in `decide`. Nothing of a stream outlives it.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use evaljob_crds::wire::dispatch_server::{Dispatch, DispatchServer};
use evaljob_crds::wire::{AgentMessage, Hello, NotLeader, OperatorMessage, PROTOCOL};
use evaljob_crds::wire::{agent_message, operator_message};
use futures::Stream;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::clock::Clock;
use crate::decide::{AgentFacts, Event};
use crate::metrics::Metrics;
use crate::placement::Capacity;

pub mod chunks;
mod inbound;
pub mod review;
pub mod streams;

use inbound::Inbound;
use review::{AgentIdentity, Reviewer};
use streams::Streams;

/// HTTP/2 pings: a dead peer is found within twice this time, inside the smallest useful grace period.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Time for a TLS handshake, and for the first message.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections in their handshake at a time; more wait in the listen queue.
const HANDSHAKES: usize = 64;
/// An agent needs one; a second while it redials.
const STREAMS_PER_CONNECTION: u32 = 4;
/// Largest message: a chunk and its frame.
const MESSAGE_BYTES: usize = 4 << 20;
/// Labels of an inventory and lists in a Hello are bounded by this many entries.
const HELLO_ENTRIES: usize = 100_000;

/// Whether this process leads, and who does otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// This process.
    Leader,
    /// Somebody else, if known.
    Follower(Option<String>),
}

/// The service behind the listener.
#[derive(Clone)]
pub struct Agents {
    /// Whether this process leads.
    pub role: watch::Receiver<Role>,
    /// Reviews tokens.
    pub reviewer: Arc<Reviewer>,
    /// Open streams.
    pub streams: Streams,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// Refusals are counted.
    pub metrics: Metrics,
    /// For the ends of tokens.
    pub clock: Clock,
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agents").finish_non_exhaustive()
    }
}

impl Agents {
    /// Serves connections of `listener` until the task is dropped.
    pub async fn serve(self, listener: TcpListener, tls: rustls::ServerConfig) {
        let service = DispatchServer::new(self).max_decoding_message_size(MESSAGE_BYTES);
        accept(listener, TlsAcceptor::from(Arc::new(tls)), service).await;
    }

    fn refuse(&self, reason: &'static str, status: Status) -> Status {
        self.metrics
            .streams_refused
            .get_or_create(&[("reason", reason)])
            .inc();
        tracing::warn!(reason, message = status.message(), "agent stream refused");
        status
    }
}

/// Accepts connections, each served by a task of its own; handshakes run side by side, so that a peer that says
/// nothing holds up nobody.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, service: DispatchServer<Agents>) {
    let permits = Arc::new(Semaphore::new(HANDSHAKES));
    while let Ok(permit) = permits.clone().acquire_owned().await {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Messages are small and wait for each other: never for a full packet.
        let _ = stream.set_nodelay(true);
        let (acceptor, service) = (acceptor.clone(), service.clone());
        tokio::spawn(async move {
            let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
                Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
            };
            drop(permit);
            let serving = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEPALIVE)
                .keep_alive_timeout(KEEPALIVE)
                .max_concurrent_streams(STREAMS_PER_CONNECTION)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            if let Err(error) = serving.await {
                tracing::debug!(%peer, %error, "connection ended");
            }
        });
    }
}

type Outbound = Pin<Box<dyn Stream<Item = Result<OperatorMessage, Status>> + Send>>;

#[tonic::async_trait]
impl Dispatch for Agents {
    type ConnectStream = Outbound;

    async fn connect(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Outbound>, Status> {
        if let Role::Follower(leader) = self.role.borrow().clone() {
            return Ok(Response::new(not_leader(leader)));
        }
        let token = bearer(request.metadata()).ok_or_else(|| {
            self.refuse(
                "no_token",
                Status::unauthenticated("no bearer token (hint: mount a projected token)"),
            )
        })?;
        let identity = match self.reviewer.review(&token).await {
            Ok(identity) => identity,
            Err(error) => return Err(self.refuse(error.reason(), error.status())),
        };
        let mut messages = request.into_inner();
        let hello = match tokio::time::timeout(HANDSHAKE, first(&mut messages)).await {
            Ok(hello) => hello.map_err(|status| self.refuse("bad_hello", status))?,
            Err(_) => {
                return Err(self.refuse(
                    "bad_hello",
                    Status::deadline_exceeded("no Hello within 10 s"),
                ));
            }
        };
        let facts = facts(&identity, hello).map_err(|status| self.refuse("bad_hello", status))?;
        let (conn, outbound) = self.streams.open();
        tracing::info!(node = %facts.node, pod = identity.pod_name, conn = conn.0, held = facts.inventory.len(), "agent connected");
        let inbound = Inbound {
            conn,
            identity,
            messages,
            agents: self.clone(),
        };
        tokio::spawn(inbound.run(facts));
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(
            outbound,
        ))))
    }
}

/// The answer of a process that does not lead: one message, then the end.
fn not_leader(leader: Option<String>) -> Outbound {
    let message = OperatorMessage {
        message: Some(operator_message::Message::NotLeader(NotLeader {
            leader: leader.unwrap_or_default(),
        })),
    };
    Box::pin(tokio_stream::once(Ok(message)))
}

/// The token of `authorization: Bearer`.
fn bearer(metadata: &tonic::metadata::MetadataMap) -> Option<String> {
    let value = metadata.get("authorization")?.to_str().ok()?;
    let token = value.strip_prefix("Bearer ")?.trim();
    Some(token.to_owned()).filter(|token| !token.is_empty())
}

/// The Hello, which must come first.
async fn first(messages: &mut Streaming<AgentMessage>) -> Result<Hello, Status> {
    match messages
        .message()
        .await?
        .and_then(|message| message.message)
    {
        Some(agent_message::Message::Hello(hello)) => Ok(hello),
        _ => Err(Status::invalid_argument("the first message must be Hello")),
    }
}

/// What the core learns from a Hello, if it keeps to the rules.
fn facts(identity: &AgentIdentity, hello: Hello) -> Result<AgentFacts, Status> {
    if hello.protocol != PROTOCOL {
        return Err(Status::failed_precondition(format!(
            "agent {} speaks protocol {:?}, this operator {PROTOCOL:?} (hint: run one version of both)",
            hello.version, hello.protocol
        )));
    }
    if *hello.node != *identity.node.0 {
        return Err(Status::permission_denied(format!(
            "Hello names node {:?}, the token is bound to {:?}",
            hello.node, &*identity.node.0
        )));
    }
    let lists = [
        hello.inventory.len(),
        hello.node_directories.len(),
        hello.images.len(),
    ];
    if lists.iter().any(|length| *length > HELLO_ENTRIES) {
        return Err(Status::invalid_argument("a list in Hello is too long"));
    }
    let inventory = hello
        .inventory
        .into_iter()
        .map(inbound::held)
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Status::invalid_argument("an inventory entry without identity"))?;
    Ok(AgentFacts {
        node: identity.node.clone(),
        pod_name: identity.pod_name.clone(),
        pod_uid: identity.pod_uid.clone(),
        capacity: Capacity {
            slots: hello.slots,
            memory: hello.memory,
            default_rootfs: hello.default_rootfs,
            landlock_abi: hello.landlock_abi,
            node_directories: hello.node_directories.into_iter().collect(),
            images: hello.images.into_iter().collect::<BTreeSet<_>>(),
            credits: hello.credits,
        },
        missing_layer: inbound::missing_layer(hello.health),
        inventory,
    })
}

/// An agent account as `--agent-service-account` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::str::FromStr for ServiceAccount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name))
                if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
            {
                Ok(Self {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => Err("must be NAMESPACE/NAME".to_owned()),
        }
    }
}

impl ServiceAccount {
    /// The user name that a token of this account has.
    #[must_use]
    pub fn user_name(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

//! One stream, upwards: messages become events until the stream or its token ends.
//!
//! In: what the agent sends. Out: events, the last of them `Closed`. A message that does not keep to the schema's
//! rules ends the stream. A rotated token must be of the same Pod; without one the stream ends with the old token.

use std::time::Duration;

use evaljob_crds::EvalJobStatus;
use evaljob_crds::wire::{self, AgentMessage, agent_message};
use prost::Message as _;
use tonic::{Status, Streaming};

use super::Agents;
use super::chunks::Assembly;
use super::review::AgentIdentity;
use crate::decide::{AgentFacts, Done, Event, Held, Unfit};
use crate::names::{Conn, RunId};

/// Longest life of a stream whose token never ends by its own words.
const LONGEST_TOKEN: Duration = Duration::from_secs(366 * 86_400);

/// An open stream.
pub(super) struct Inbound {
    pub(super) conn: Conn,
    pub(super) identity: AgentIdentity,
    pub(super) messages: Streaming<AgentMessage>,
    pub(super) agents: Agents,
}

impl Inbound {
    /// Runs the stream to its end.
    pub(super) async fn run(mut self, facts: AgentFacts) {
        let events = self.agents.events.clone();
        let conn = self.conn;
        let node = self.identity.node.clone();
        if events
            .send(Event::Hello(conn, Box::new(facts)))
            .await
            .is_ok()
        {
            let why = self.read().await;
            tracing::info!(%node, conn = conn.0, message = why.message(), "agent stream ended");
            self.agents.streams.close(conn, why);
        }
        // The engine is gone only when the process ends.
        let _ = events.send(Event::Closed(conn)).await;
    }

    /// Reads until the end; returns its reason.
    async fn read(&mut self) -> Status {
        let mut assembly = Assembly::default();
        let streams = self.agents.streams.clone();
        loop {
            let left = self.token_left();
            let message = tokio::select! {
                message = self.messages.message() => message,
                () = tokio::time::sleep(left) => {
                    return Status::unauthenticated("the token has ended and no rotated one was sent");
                }
                () = streams.ended(self.conn) => return Status::cancelled("closed"),
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return Status::ok("the agent hung up"),
                Err(status) => return status,
            };
            if let Err(status) = self.take(message, &mut assembly).await {
                return status;
            }
        }
    }

    /// Time until the token ends, by the API server's clock.
    fn token_left(&self) -> Duration {
        let now = self.agents.clock.now().wall;
        Duration::try_from(self.identity.expires.duration_since(now))
            .unwrap_or_default()
            .min(LONGEST_TOKEN)
    }

    async fn take(&mut self, message: AgentMessage, assembly: &mut Assembly) -> Result<(), Status> {
        let message = match message.message {
            Some(agent_message::Message::Chunk(chunk)) => {
                let whole = assembly
                    .add(chunk)
                    .map_err(|error| Status::invalid_argument(error.to_string()))?;
                let Some(whole) = whole else {
                    return Ok(());
                };
                AgentMessage::decode(&*whole)
                    .map_err(|error| Status::invalid_argument(error.to_string()))?
                    .message
            }
            _ if assembly.is_open() => {
                return Err(Status::invalid_argument(
                    "a message came between the parts of another",
                ));
            }
            message => message,
        };
        let event = match message {
            Some(agent_message::Message::Token(token)) => return self.rotate(&token.token).await,
            Some(message) => event(self.conn, message)?,
            None => return Err(Status::invalid_argument("a message of an unknown kind")),
        };
        self.agents
            .events
            .send(event)
            .await
            .map_err(|_| Status::unavailable("the operator ends"))
    }

    /// Takes a rotated token in.
    async fn rotate(&mut self, token: &str) -> Result<(), Status> {
        let fresh = self
            .agents
            .reviewer
            .review(token)
            .await
            .map_err(|error| self.agents.refuse(error.reason(), error.status()))?;
        if fresh.pod_uid != self.identity.pod_uid || fresh.node != self.identity.node {
            let status = Status::permission_denied("the rotated token is of another Pod");
            return Err(self.agents.refuse("other_pod", status));
        }
        self.identity = fresh;
        Ok(())
    }
}

/// The event that a message is.
fn event(conn: Conn, message: agent_message::Message) -> Result<Event, Status> {
    let no_identity = || Status::invalid_argument("a message without a run's identity");
    Ok(match message {
        agent_message::Message::Started(started) => {
            let run = RunId::from_wire(started.identity).ok_or_else(no_identity)?;
            Event::Started(conn, run, Duration::from_millis(started.age_milliseconds))
        }
        agent_message::Message::Done(done) => {
            let run = RunId::from_wire(done.identity).ok_or_else(no_identity)?;
            Event::Done(
                conn,
                Box::new(Done {
                    run,
                    status: status(&done.status).map(Box::new),
                    infrastructure: done.infrastructure,
                    returned: done.returned,
                    age: Duration::from_millis(done.age_milliseconds),
                }),
            )
        }
        agent_message::Message::Health(health) => Event::Health(conn, missing_layer(Some(health))),
        _ => return Err(Status::invalid_argument("a message that is not due here")),
    })
}

/// An agent's status, if it is one.
fn status(bytes: &[u8]) -> Option<EvalJobStatus> {
    serde_json::from_slice(bytes)
        .map_err(|error| tracing::error!(%error, "a result is not a status"))
        .ok()
}

/// An inventory entry, if it has an identity.
pub(super) fn held(held: wire::Held) -> Option<Held> {
    Some(Held {
        run: RunId::from_wire(held.identity)?,
        finished: held.finished,
        started: (held.started || held.finished)
            .then(|| Duration::from_millis(held.age_milliseconds)),
    })
}

/// The layer that a node cannot enforce. An agent that says nothing of its health cannot enforce anything.
pub(super) fn missing_layer(health: Option<wire::Health>) -> Option<Unfit> {
    let (layer, message, closing) = match health {
        Some(health) if health.ready => return None,
        Some(health) => (health.layer, health.message, health.closing),
        None => (
            "any layer".to_owned(),
            "it said nothing of its health".to_owned(),
            false,
        ),
    };
    let text = if message.is_empty() {
        layer.clone()
    } else {
        format!("{layer}: {message}")
    };
    Some(Unfit {
        layer,
        text,
        closing,
    })
}

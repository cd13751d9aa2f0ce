//! One stream, from Hello to its end.
//!
//! In: what the operator sends, changes of the book, a rotated token. Out: what the book says is due, one message at
//! a time and only when the operator takes it. Ends when either side does, when the peer does not keep to the wire
//! schema, or when the Hello is not true any more. Never drops anything: what was not acknowledged is told again.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use evaljob_crds::Verdict;
use evaljob_crds::wire::operator_message::Message;
use evaljob_crds::wire::{self, AgentMessage, OperatorMessage, agent_message};
use tokio::sync::mpsc::error::SendError;
use tokio::time::{Instant, MissedTickBehavior};
use tonic::Status;

use super::Link;
use super::chunks::{self, ChunkError, Incoming};
use super::dial::Wire;
use super::fence::Stale;
use crate::executor::book::Refusal;
use crate::identity::{Epoch, RunId};

/// Time for the Welcome. A new leader needs seconds; one that hangs must not hold an agent for ever.
const WELCOME: Duration = Duration::from_secs(60);

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The operator does not lead.
    #[error("it does not lead, {leader:?} does")]
    NotLeader { leader: String },
    /// This agent has another Hello to say.
    #[error("what this agent takes or holds has changed")]
    Outdated,
    /// The operator or the network ended it.
    #[error("the stream ended: {}", .0.message())]
    Lost(Status),
    /// The operator closed it without a word.
    #[error("the operator closed the stream")]
    Closed,
    /// No Welcome came.
    #[error("no Welcome within 60 s")]
    Unwelcome,
    /// Its term is over.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// Parts that make no message.
    #[error(transparent)]
    Chunks(#[from] ChunkError),
    /// A Run that is not taken.
    #[error(transparent)]
    Run(Refusal),
    /// A message out of turn.
    #[error("a message that is not due: {0}")]
    OutOfTurn(&'static str),
}

/// A stream in progress.
pub(super) struct Session<'l> {
    link: &'l mut Link,
    wire: Wire,
    /// The term of the Welcome.
    epoch: Option<Epoch>,
    incoming: Incoming,
    /// What is left to send of the message that was made last.
    parts: VecDeque<AgentMessage>,
    messages: u64,
}

impl<'l> Session<'l> {
    pub(super) fn new(link: &'l mut Link, wire: Wire) -> Self {
        Self {
            link,
            wire,
            epoch: None,
            incoming: Incoming::default(),
            parts: VecDeque::new(),
            messages: 0,
        }
    }

    /// Whether the operator was heard as a leader.
    pub(super) fn is_welcomed(&self) -> bool {
        self.epoch.is_some()
    }

    /// Runs the stream to its end.
    pub(super) async fn run(&mut self) -> Ended {
        let mut changes = self.link.desk.changes();
        let mut token_check = tokio::time::interval(self.link.settings.timings.token_check);
        token_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let unwelcome = Instant::now() + WELCOME;
        loop {
            if self.link.desk.look(|book| book.is_hello_outdated()) {
                return Ended::Outdated;
            }
            let due = self.prepare();
            let up = self.wire.up.clone();
            tokio::select! {
                message = self.wire.down.message() => {
                    if let Err(ended) = self.receive(message) {
                        return ended;
                    }
                }
                permit = up.reserve(), if !self.parts.is_empty() => match (permit, self.parts.pop_front()) {
                    (Ok(permit), Some(part)) => permit.send(part),
                    (Err(SendError(())), _) => return self.why().await,
                    (Ok(_), None) => {}
                },
                // The book lives as long as the link.
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(due) => {}
                _ = token_check.tick() => self.rotate(),
                () = tokio::time::sleep_until(unwelcome), if self.epoch.is_none() => return Ended::Unwelcome,
            }
        }
    }

    /// Makes the next message if none is on its way; returns when one becomes due by time.
    fn prepare(&mut self) -> Instant {
        let welcomed = self.is_welcomed();
        let now = std::time::Instant::now();
        let (message, repeat) = self.link.desk.look(|book| {
            let message = if self.parts.is_empty() {
                book.next_message(welcomed, now)
            } else {
                None
            };
            (message, book.next_repeat())
        });
        if let Some(message) = message {
            self.send(message);
        }
        let never = Instant::now() + WELCOME;
        if welcomed && self.parts.is_empty() {
            repeat.map_or(never, Instant::from_std)
        } else {
            never
        }
    }

    fn send(&mut self, message: agent_message::Message) {
        self.messages += 1;
        self.parts.extend(chunks::outgoing(message, self.messages));
    }

    /// Sends the token if it was rotated.
    fn rotate(&mut self) {
        match self.link.settings.credentials.token() {
            Ok(token) if token != self.wire.token => {
                tracing::info!(node = %self.link.settings.node, "token rotated");
                self.wire.token.clone_from(&token);
                self.send(agent_message::Message::Token(wire::Token { token }));
            }
            Ok(_) => {}
            // The stream lives on with the token it has; the next dial will say so louder.
            Err(error) => {
                tracing::warn!(node = %self.link.settings.node, error = super::chain(&error), "no token to rotate to");
            }
        }
    }

    /// The operator does not read any more: its last word says why.
    async fn why(&mut self) -> Ended {
        loop {
            match self.wire.down.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Ended::Closed,
                Err(status) => return Ended::Lost(status),
            }
        }
    }

    fn receive(&mut self, message: Result<Option<OperatorMessage>, Status>) -> Result<(), Ended> {
        let message = message.map_err(Ended::Lost)?.ok_or(Ended::Closed)?;
        match self.incoming.take(message)? {
            Some(message) => self.take(message),
            None => Ok(()),
        }
    }

    fn take(&mut self, message: Message) -> Result<(), Ended> {
        match (message, &self.epoch) {
            (Message::NotLeader(not_leader), None) => Err(Ended::NotLeader {
                leader: not_leader.leader,
            }),
            (Message::Welcome(welcome), None) => self.welcome(welcome),
            (Message::Run(run), Some(epoch)) => {
                let term = run
                    .identity
                    .as_ref()
                    .and_then(|identity| identity.epoch.clone());
                if Epoch::from_wire(term).as_ref() != Some(epoch) {
                    return Err(Ended::OutOfTurn("a Run of another term than the Welcome's"));
                }
                self.start(run)
            }
            (Message::Cancel(cancel), Some(_)) => self.cancel(cancel),
            (Message::Ack(ack), Some(_)) => {
                let run = RunId::from_wire(ack.identity);
                let run = run.ok_or(Ended::OutOfTurn("an Ack without an identity"))?;
                self.link.desk.update(|book| book.ack(&run));
                Ok(())
            }
            (Message::Welcome(_) | Message::NotLeader(_), Some(_)) => {
                Err(Ended::OutOfTurn("a second answer to Hello"))
            }
            (_, None) => Err(Ended::OutOfTurn("before the Welcome")),
            (Message::Chunk(_), Some(_)) => Err(Ended::Chunks(ChunkError::Unknown)),
        }
    }

    fn welcome(&mut self, welcome: wire::Welcome) -> Result<(), Ended> {
        let epoch = Epoch::from_wire(welcome.epoch);
        let epoch = epoch.ok_or(Ended::OutOfTurn("a Welcome without a term"))?;
        self.link.fence.welcome(&epoch)?;
        let wanted = welcome
            .keep
            .into_iter()
            .map(|run| RunId::from_wire(Some(run)));
        let keep: Option<HashSet<RunId>> = wanted.collect();
        let keep = keep.ok_or(Ended::OutOfTurn(
            "a Welcome that keeps a run without identity",
        ))?;
        tracing::info!(node = %self.link.settings.node, term = epoch.transitions, kept = keep.len(), "welcomed by the operator");
        self.link.desk.update(|book| book.welcome(&keep));
        self.link.state.set_welcomed(true);
        self.link.backoff.reset();
        self.epoch = Some(epoch);
        Ok(())
    }

    fn start(&mut self, run: wire::Run) -> Result<(), Ended> {
        let job = format!("{}/{}", run.namespace, run.name);
        let uid = run
            .identity
            .as_ref()
            .map(|run| run.uid.clone())
            .unwrap_or_default();
        let attempt = run
            .identity
            .as_ref()
            .map(|run| run.attempt)
            .unwrap_or_default();
        let node = &self.link.settings.node;
        let now = std::time::Instant::now();
        match self.link.desk.update(|book| book.receive(run, now)) {
            Ok(crate::executor::book::Received::Queued) => {
                tracing::debug!(job, uid, attempt, %node, "run received");
                Ok(())
            }
            Ok(crate::executor::book::Received::Duplicate) => {
                tracing::warn!(job, uid, attempt, %node, "a run that was here before is ignored");
                Ok(())
            }
            Err(Refusal::Closed) => Err(Ended::Outdated),
            Err(refusal) => Err(Ended::Run(refusal)),
        }
    }

    fn cancel(&mut self, cancel: wire::Cancel) -> Result<(), Ended> {
        let run = RunId::from_wire(cancel.identity);
        let run = run.ok_or(Ended::OutOfTurn("a Cancel without an identity"))?;
        let verdict = cancel.report.then(|| match cancel.reason.parse() {
            Ok(Verdict::DeadlineExceeded) => Verdict::DeadlineExceeded,
            _ => Verdict::Cancelled,
        });
        tracing::info!(uid = %run.uid, attempt = run.attempt, node = %self.link.settings.node, reason = verdict.map_or("", Verdict::as_str), "run cancelled");
        let now = std::time::Instant::now();
        self.link
            .desk
            .update(|book| book.cancel(&run, verdict, now));
        Ok(())
    }
}

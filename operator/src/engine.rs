//! The loop around the core: one event at a time in, its steps carried out.
//!
//! In: events of all parts. Out: orders to the writer, the loader, the keeper of finished jobs, the Lease, and
//! messages to agents. It never waits for any of them, so no part can block another. It logs what happens to jobs,
//! once each, with job, uid, attempt and node.

use std::time::Duration;

use evaljob_crds::Verdict;
use evaljob_crds::wire::operator_message::Message;
use evaljob_crds::wire::{self, Ack, Cancel, Run, RunIdentity, Welcome};
use tokio::sync::{mpsc, watch};
use tonic::Status;

use crate::agents::streams::Streams;
use crate::clock::Clock;
use crate::decide::{
    Close, Count, Decider, Event, Former, LoadOrder, RunOrder, Step, WriteKind, WriteOrder,
};
use crate::metrics::{Health, Metrics};
use crate::status_writer::Order;
use crate::ttl::Note;
use crate::warnings::Warning;

/// Longest time between two rounds: the liveness page counts on it.
const ROUND: Duration = Duration::from_secs(1);

/// Where steps go.
#[derive(Debug)]
pub struct Ports {
    /// To the writer of statuses.
    pub writer: mpsc::UnboundedSender<Order>,
    /// To the loader.
    pub loader: mpsc::UnboundedSender<LoadOrder>,
    /// To the keeper of finished jobs.
    pub keeper: mpsc::UnboundedSender<Note>,
    /// To the administrator.
    pub warnings: mpsc::UnboundedSender<Warning>,
    /// To the Lease.
    pub enlist: watch::Sender<Option<Former>>,
    /// To agents.
    pub streams: Streams,
    /// Counts.
    pub metrics: Metrics,
    /// Liveness and readiness.
    pub health: Health,
    /// Verdicts that are not stored yet, for the shutdown.
    pub unstored: watch::Sender<usize>,
}

/// Runs the core until all senders of events are gone.
pub async fn run(mut core: Decider, mut events: mpsc::Receiver<Event>, ports: Ports, clock: Clock) {
    loop {
        let now = clock.now();
        let wait = core
            .next_due()
            .map_or(ROUND, |due| due.saturating_sub(now.mono).min(ROUND));
        let event = tokio::select! {
            event = events.recv() => match event {
                Some(event) => event,
                None => return,
            },
            () = tokio::time::sleep(wait) => Event::Tick,
        };
        for step in core.handle(event, clock.now()) {
            ports.carry_out(step);
        }
        ports.report(&core);
    }
}

impl Ports {
    /// Shows the figures of the core.
    fn report(&self, core: &Decider) {
        let figures = core.figures();
        self.metrics.set(figures);
        self.health.set_ready(core.ready());
        self.health.progressed();
        self.unstored.send_if_modified(|known| {
            let changed = *known != figures.unstored;
            *known = figures.unstored;
            changed
        });
    }

    fn carry_out(&self, step: Step) {
        match step {
            Step::Run(order) => self.send_run(*order),
            Step::Cancel(conn, run, verdict) => {
                tracing::info!(uid = %run.uid, attempt = run.attempt, reason = verdict.map_or("", Verdict::as_str), "run cancelled");
                let cancel = Cancel {
                    identity: Some(RunIdentity::from(&run)),
                    report: verdict.is_some(),
                    reason: verdict.map(String::from).unwrap_or_default(),
                };
                self.streams.send(conn, Message::Cancel(cancel));
            }
            Step::Ack(conn, run) => {
                let identity = Some(RunIdentity::from(&run));
                self.streams.send(conn, Message::Ack(Ack { identity }));
            }
            Step::Welcome(conn, epoch, keep) => {
                let welcome = Welcome {
                    epoch: Some(wire::Epoch::from(&epoch)),
                    keep: keep.iter().map(RunIdentity::from).collect(),
                };
                self.streams.send(conn, Message::Welcome(welcome));
            }
            Step::Close(conn, why) => self.streams.close(conn, close_status(why)),
            Step::Write(order) => self.write(order),
            Step::Read(uid, key, id) => {
                let _ = self.writer.send(Order::Read(uid, key, id));
            }
            Step::Load(order) => {
                let _ = self.loader.send(*order);
            }
            Step::Finished(uid, key, ttl) => {
                let _ = self.keeper.send(Note::Finished(uid, key, ttl));
            }
            Step::Lost(uid, key) => {
                let _ = self.keeper.send(Note::Lost(uid, key));
            }
            Step::Enlist(nodes) => {
                self.enlist.send_replace(Some(nodes));
            }
            Step::CrdLacks(fields, closed) => self.crd_lacks(fields, closed),
            Step::Warn(warning) => {
                tracing::warn!(node = %warning.node, pod = warning.pod_name, text = warning.text, "this node cannot enforce every layer and runs nothing");
                let _ = self.warnings.send(Warning::Agent(*warning));
            }
            Step::Count(count) => self.count(count),
        }
    }

    fn crd_lacks(&self, fields: Option<String>, closed: bool) {
        let Some(fields) = fields else {
            tracing::info!("the CustomResourceDefinition has every field");
            return;
        };
        let effect = if closed {
            "nothing is run until it is upgraded"
        } else {
            "results are stored without them"
        };
        let text = format!(
            "the CustomResourceDefinition evaljobs.evaljob.dev is older than the operator and lacks {fields}: {effect} (hint: helm upgrade with crds.enabled=true)"
        );
        tracing::warn!(fields, nothing_is_run = closed, text);
        let _ = self.warnings.send(Warning::Crd(text));
    }

    fn send_run(&self, order: RunOrder) {
        tracing::debug!(job = %order.key, uid = %order.run.uid, attempt = order.run.attempt, node = %order.node, "run sent");
        self.metrics.dispatched.inc();
        let run = Run {
            identity: Some(RunIdentity::from(&order.run)),
            namespace: order.key.namespace.to_string(),
            name: order.key.name.to_string(),
            spec: order.spec,
            inputs: order.inputs,
            deadline_milliseconds: u64::try_from(order.deadline.as_millis()).unwrap_or(u64::MAX),
        };
        self.streams.send(order.conn, Message::Run(run));
    }

    fn write(&self, order: Box<WriteOrder>) {
        if order.kind == WriteKind::Final {
            let status = &order.status;
            tracing::info!(
                job = %order.key,
                uid = %order.uid,
                attempt = status.attempt,
                node = status.node_name,
                verdict = status.verdict,
                "verdict"
            );
        }
        let _ = self.writer.send(Order::Write(order));
    }

    fn count(&self, count: Count) {
        match count {
            Count::Stored(verdict) => {
                self.metrics
                    .finished
                    .get_or_create(&[("verdict", verdict.map_or("other", Verdict::as_str))])
                    .inc();
            }
            Count::InfrastructureFailure(uid, why) => {
                tracing::warn!(%uid, why, "attempt failed for a reason that is not the program's");
                self.metrics.infrastructure_failures.inc();
            }
            Count::StatusRefused(uid, words) => {
                tracing::error!(%uid, words, "the API server refused a status for good");
                self.metrics.refused.inc();
            }
            Count::StaleResult(run) => {
                tracing::info!(uid = %run.uid, attempt = run.attempt, "a result that nobody needs");
                self.metrics.stale.inc();
            }
        }
    }
}

/// What an agent is told when its stream is closed.
fn close_status(why: Close) -> Status {
    match why {
        Close::UnknownNode => Status::permission_denied("the node of this token does not exist"),
        Close::Replaced => Status::aborted("another stream of this node's agent came later"),
    }
}

//! The operator as a whole: starts the parts in order, and ends them in order.
//!
//! In: settings, a client, a signal. Out: nothing until the end: `Ok` after a shutdown, an error when leadership or
//! a part without which nothing works is lost. A process has at most one term: who loses the Lease ends, and is
//! started again by whoever supervises it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::Api;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::agents::review::Reviewer;
use crate::agents::streams::Streams;
use crate::agents::{Agents, Role};
use crate::clock::Clock;
use crate::controller;
use crate::decide::{Decider, Event, Former, Rules};
use crate::engine::{self, Ports};
use crate::lease::{self, Leader, LeaseError};
use crate::loader::Loader;
use crate::metrics::{Health, Metrics, Pages};
use crate::options::Options;
use crate::schema;
use crate::status_writer::{StatusWriter, UnderWay};
use crate::tls::{Certificate, Source, TlsError};
use crate::ttl::{self, Keeper};
use crate::warnings::{self, Places};

/// Events that may wait for the engine; their senders wait beyond it.
const EVENTS: usize = 1024;
/// An API server that starts at the same time is there within this time; after it a restart says more than a log.
const CERTIFICATE_RETRIES: u32 = 20;
const CERTIFICATE_PAUSE: Duration = Duration::from_secs(1);

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// No certificate.
    #[error("no certificate for agents")]
    Tls(#[source] TlsError),
    /// The pages cannot be served.
    #[error("cannot serve /metrics, /healthz and /readyz (hint: --metrics-listen)")]
    Pages(#[source] std::io::Error),
    /// Agents cannot be served.
    #[error("cannot listen for agents on {address} (hint: --listen)")]
    Agents {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Leadership is lost.
    #[error("leadership is lost")]
    Lease(#[source] LeaseError),
    /// A part ended by itself.
    #[error("a part of the operator ended unexpectedly")]
    Part,
}

/// What starts now and is told later.
struct Wiring {
    events: mpsc::Sender<Event>,
    role: watch::Sender<Role>,
    may_write: watch::Sender<bool>,
    enlist: watch::Receiver<Option<Former>>,
    unstored: watch::Receiver<usize>,
    under_way: UnderWay,
}

/// The keeper of finished jobs, which only a leader runs, and what it is told.
type Keeping = (Keeper, mpsc::UnboundedReceiver<ttl::Note>);

/// Runs until `shutdown` is ready or something is lost.
///
/// # Errors
/// [`OperatorError`] for everything but a shutdown.
pub async fn run(
    options: Options,
    client: Client,
    clock: Clock,
    identity: String,
    shutdown: impl Future<Output = ()>,
) -> Result<(), OperatorError> {
    let mut parts = JoinSet::new();
    let metrics = Metrics::default();
    let mut shutdown = std::pin::pin!(shutdown);
    let (wiring, (keeper, notes)) = tokio::select! {
        wiring = start(&options, &client, &clock, &metrics, &mut parts) => wiring?,
        () = &mut shutdown => return Ok(()),
    };
    let settings = lease::Settings {
        namespace: options.lease_namespace.clone(),
        name: options.lease_name.clone(),
        identity,
        duration: options.lease_duration,
    };
    let api = Api::namespaced(client.clone(), &settings.namespace);
    let (holder, holders) = watch::channel(None);
    parts.spawn(tell_followers(holders, wiring.role.clone()));
    let (mut leader, epoch, former) = tokio::select! {
        won = Leader::win(api, settings, clock.clone(), &holder) => won,
        () = &mut shutdown => return Ok(()),
        ended = parts.join_next() => return part_ended(ended),
    };
    tracing::info!(term = epoch.transitions, ?former, "leading");
    if wiring
        .events
        .send(Event::Leading(epoch, former))
        .await
        .is_err()
    {
        return Err(OperatorError::Part);
    }
    metrics.leader.set(1);
    wiring.may_write.send_replace(true);
    wiring.role.send_replace(Role::Leader);
    parts.spawn(endless(keeper.run(notes)));
    let (schema, schemas) = watch::channel(None);
    parts.spawn(endless(schema::follow(client.clone(), schema)));
    let longest = options.max_active_deadline;
    let watch = controller::jobs(client, longest, schemas, wiring.events.clone());
    parts.spawn(endless(watch));
    tokio::select! {
        lost = leader.keep(wiring.enlist.clone(), &wiring.events, &wiring.may_write) => {
            // Nothing may be written from here on: the next leader may have begun.
            wiring.may_write.send_replace(false);
            return Err(OperatorError::Lease(lost));
        }
        ended = parts.join_next() => return part_ended(ended),
        () = &mut shutdown => {}
    }
    finish(leader, wiring, &options).await
}

/// Ends in order: no more jobs are sent, what has arrived is stored, and the Lease is given back.
async fn finish(
    mut leader: Leader,
    mut wiring: Wiring,
    options: &Options,
) -> Result<(), OperatorError> {
    tracing::info!("shutting down: storing what has arrived");
    wiring.role.send_replace(Role::Follower(None));
    // No more jobs are sent; results still go out.
    let _ = wiring.events.send(Event::Fenced).await;
    let stored = wiring.unstored.wait_for(|count| *count == 0);
    // The Lease is kept meanwhile. What it says of the fence goes nowhere: jobs are not to be sent again.
    let (nowhere, _) = mpsc::channel(1);
    tokio::select! {
        lost = leader.keep(wiring.enlist, &nowhere, &wiring.may_write) => {
            wiring.may_write.send_replace(false);
            return Err(OperatorError::Lease(lost));
        }
        outcome = tokio::time::timeout(options.flush, stored) => if outcome.is_err() {
            tracing::warn!("some verdicts are not stored; their agents keep them for the next leader");
        }
    }
    wiring.may_write.send_replace(false);
    // Another may lead only when no write of ours is under way; otherwise it waits until the Lease is old. The fence left as
    // much time to what had begun before it.
    let ended = wiring.under_way.ended();
    let margin = options.lease_duration / 3;
    if tokio::time::timeout(margin, ended).await.is_ok() {
        leader.release().await;
    }
    Ok(())
}

/// Starts every part that a follower has too.
async fn start(
    options: &Options,
    client: &Client,
    clock: &Clock,
    metrics: &Metrics,
    parts: &mut JoinSet<Result<(), OperatorError>>,
) -> Result<(Wiring, Keeping), OperatorError> {
    let health = Health::new(clock.clone());
    let (pages, seconds) = Pages::new(metrics, health.clone());
    let pages = pages.serve(options.metrics_listen);
    parts.spawn(async move { pages.await.map_err(OperatorError::Pages) });

    let (events, receiver) = mpsc::channel(EVENTS);
    let (may_write, may_writes) = watch::channel(false);
    let (role, roles) = watch::channel(Role::Follower(None));
    let (enlist, enlisted) = watch::channel(None);
    let (unstored, unstoreds) = watch::channel(0);
    let (writer, orders) = mpsc::unbounded_channel();
    let (loader, loads) = mpsc::unbounded_channel();
    let (keeper, notes) = mpsc::unbounded_channel();
    let (warnings, warned) = mpsc::unbounded_channel();
    let streams = Streams::default();

    let agents = Agents {
        role: roles,
        reviewer: Arc::new(Reviewer::new(
            client.clone(),
            options.audience.clone(),
            options.agent_service_account.clone(),
        )),
        streams: streams.clone(),
        events: events.clone(),
        metrics: metrics.clone(),
        clock: clock.clone(),
    };
    serve_agents(options, client, agents, parts).await?;

    let status_writer = StatusWriter::new(
        client.clone(),
        events.clone(),
        may_writes,
        metrics.clone(),
        seconds,
        clock.clone(),
    );
    let under_way = status_writer.under_way();
    parts.spawn(endless(status_writer.run(orders)));
    parts.spawn(endless(
        Loader::new(client.clone(), events.clone()).run(loads),
    ));
    let places = Places {
        agents: options.agent_service_account.namespace.clone(),
        lease: (options.lease_namespace.clone(), options.lease_name.clone()),
    };
    parts.spawn(endless(warnings::run(client.clone(), places, warned)));
    parts.spawn(endless(controller::nodes(client.clone(), events.clone())));
    let rules = Rules {
        agent_grace: options.agent_grace,
        spec_cache: options.spec_cache,
        default_ttl: options.default_ttl,
    };
    let ports = Ports {
        writer,
        loader,
        keeper,
        warnings,
        enlist,
        streams,
        metrics: metrics.clone(),
        health,
        unstored,
    };
    parts.spawn(endless(engine::run(
        Decider::new(rules),
        receiver,
        ports,
        clock.clone(),
    )));
    let settings = ttl::Settings {
        default_ttl: options.default_ttl,
        max_finished: options.max_finished,
    };
    let keeper = Keeper::new(client.clone(), settings, clock.clone(), metrics.clone());
    let wiring = Wiring {
        events,
        role,
        may_write,
        enlist: enlisted,
        unstored: unstoreds,
        under_way,
    };
    Ok((wiring, (keeper, notes)))
}

/// The certificate; where the API server has it, this waits for the API server.
async fn certificate(source: Source) -> Result<Arc<Certificate>, OperatorError> {
    let mut failures = 0;
    loop {
        match Certificate::load(source.clone()).await {
            Err(error @ TlsError::Shared(_)) if failures < CERTIFICATE_RETRIES => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "no certificate yet");
                failures += 1;
                tokio::time::sleep(CERTIFICATE_PAUSE).await;
            }
            loaded => return loaded.map_err(OperatorError::Tls),
        }
    }
}

/// Starts the server for agents.
async fn serve_agents(
    options: &Options,
    client: &Client,
    agents: Agents,
    parts: &mut JoinSet<Result<(), OperatorError>>,
) -> Result<(), OperatorError> {
    let certificate = certificate(options.certificate(client)).await?;
    let tls = certificate.server_config().map_err(OperatorError::Tls)?;
    parts.spawn(endless(certificate.keep_fresh()));
    let address = options.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| OperatorError::Agents { address, source })?;
    parts.spawn(endless(agents.serve(listener, tls)));
    Ok(())
}

/// Tells the server for agents who leads, while it is not this process.
async fn tell_followers(
    mut holders: watch::Receiver<Option<String>>,
    role: watch::Sender<Role>,
) -> Result<(), OperatorError> {
    while holders.changed().await.is_ok() {
        let holder = holders.borrow_and_update().clone();
        role.send_if_modified(|role| {
            let following = *role != Role::Leader;
            if following {
                *role = Role::Follower(holder);
            }
            following
        });
    }
    // The candidate has won, or the process ends.
    std::future::pending().await
}

/// A part that never ends by itself.
async fn endless(part: impl Future<Output = ()>) -> Result<(), OperatorError> {
    part.await;
    Err(OperatorError::Part)
}

fn part_ended(
    ended: Option<Result<Result<(), OperatorError>, tokio::task::JoinError>>,
) -> Result<(), OperatorError> {
    match ended {
        Some(Ok(Err(error))) => Err(error),
        _ => Err(OperatorError::Part),
    }
}

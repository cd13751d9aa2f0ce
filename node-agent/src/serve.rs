//! `evaljob-agent serve`: the agent of a node, from start to drain.
//!
//! In: flags, a signal. Out: runs of the operator's jobs, their results. The sandbox is started first, before there
//! is any other thread; then one thread for each slot, one that watches the machine, and one for all that waits for
//! the network. On SIGTERM no more runs are taken, what waits is given back, and what runs has a little time.

mod options;
mod pages;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use evaljob_sandbox::{End, Launcher, SandboxError, confine};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::executor::book::Book;
use crate::executor::{Benches, Desk, Executor, Keeper, Machine, Order, SandboxMachine};
use crate::link::{Credentials, Link, LinkState, Settings, Timings};

pub use options::{AGENT_UID, NamedDirectory, NoService, Options};
pub use pages::Pages;

/// Time after which a result that got no Ack is sent again (wire schema, `Done`).
const REPEAT: Duration = Duration::from_secs(10);
/// Time for what was given back at the end to be acknowledged.
const FLUSH: Duration = Duration::from_secs(3);

/// Why the agent cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A thread or the runtime.
    #[error("cannot start a thread (hint: the limit of processes of this container)")]
    Thread(#[source] io::Error),
    /// The address of the pages.
    #[error("cannot listen on {address} (hint: --metrics-listen)")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Signals.
    #[error("cannot wait for SIGTERM")]
    Signal(#[source] io::Error),
    /// The agent itself would run with rights over the node.
    #[error("cannot lock the agent in")]
    Confine(#[source] SandboxError),
    /// Only another process can start sandboxes again.
    #[error(
        "the launcher is gone, and the agent has no right to start another (hint: start the agent again; a kubelet does)"
    )]
    Launcher,
    /// No operator is given.
    #[error(transparent)]
    NoService(#[from] NoService),
}

/// An agent's settings.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The link's.
    pub link: Settings,
    /// Runs side by side.
    pub slots: u32,
    /// Time after which a result that got no Ack is sent again.
    pub repeat: Duration,
    /// Address of the pages.
    pub metrics_listen: Option<SocketAddr>,
    /// Time for what runs when the agent ends.
    pub drain: Duration,
}

/// Serves until SIGTERM or SIGINT. The first thing a process does after its flags.
///
/// # Errors
/// [`ServeError`] where the agent cannot start at all. A sandbox that cannot is told to the operator instead.
pub fn run(options: &Options) -> Result<(), ServeError> {
    let operators = options.all_operators(|name| std::env::var(name).ok())?;
    let (plan, slots) = (options.host_plan(), options.slots());
    let launcher = Launcher::start().map_err(ServeError::Confine)?;
    // From here on this process has no right over the node, and gets none back.
    let confined = confine(&options.confinement(&operators)).map_err(ServeError::Confine)?;
    tracing::info!(uid = confined.uid, landlock_abi = ?confined.landlock_abi, "the agent is locked in");
    let launcher_ended = word_of(launcher.watch().map_err(ServeError::Thread)?)?;
    let machine = SandboxMachine::new(launcher, plan, options.memory_reserve);
    let directories = options.node_directories.iter();
    let setup = Setup {
        link: Settings {
            operators,
            credentials: Credentials {
                ca_file: options.operator_ca.clone(),
                token_file: options.token_file.clone(),
                server_name: options.server_name(),
            },
            node: options.node_name.as_str().into(),
            node_directories: directories
                .map(|directory| directory.0.name.clone())
                .collect(),
            timings: Timings::default(),
        },
        slots,
        repeat: REPEAT,
        metrics_listen: options.metrics_listen,
        drain: Duration::from_secs(options.drain_seconds),
    };
    serve(machine, setup, async || {
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signal)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = launcher_ended => {
                tracing::error!("the launcher is gone: nothing can start a sandbox anew");
                return Err(ServeError::Launcher);
            }
        }
        Ok(())
    })
}

/// The end of a process, for who waits in the runtime.
fn word_of(end: End) -> Result<oneshot::Receiver<()>, ServeError> {
    let (told, ended) = oneshot::channel();
    // Who would hear it may be gone.
    let watching = end.then(move || {
        let _ = told.send(());
    });
    watching.map_err(ServeError::Thread)?;
    Ok(ended)
}

/// Serves on a machine until `shutdown` is ready, then drains.
///
/// # Errors
/// [`ServeError`] where the agent cannot start, or the error of `shutdown`.
pub fn serve<M: Machine + 'static>(
    machine: M,
    setup: Setup,
    shutdown: impl AsyncFnOnce() -> Result<(), ServeError>,
) -> Result<(), ServeError> {
    let desk = Arc::new(Desk::new(Book::new(setup.slots, setup.repeat)));
    let benches = Arc::new(Benches::default());
    let (orders, received) = mpsc::channel();
    let mut keeper = Keeper::new(
        machine,
        desk.clone(),
        benches.clone(),
        setup.slots,
        orders.clone(),
    );
    keeper.look();
    let executor = Executor {
        desk: desk.clone(),
        benches,
        keeper: orders.clone(),
        node: setup.link.node.clone(),
    };
    executor.start(setup.slots).map_err(ServeError::Thread)?;
    let keeper = thread::Builder::new()
        .name("keeper".to_owned())
        .spawn(move || keeper.run(&received))
        .map_err(ServeError::Thread)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Thread)?;
    let served = runtime.block_on(connected(&desk, setup, shutdown));
    // The keeper takes the sandbox down with it, and every run that is left.
    let _ = orders.send(Order::End);
    let _ = keeper.join();
    // A name server that does not answer holds up nobody.
    runtime.shutdown_background();
    served
}

async fn connected(
    desk: &Arc<Desk>,
    setup: Setup,
    shutdown: impl AsyncFnOnce() -> Result<(), ServeError>,
) -> Result<(), ServeError> {
    let node = setup.link.node.clone();
    let state = LinkState::default();
    if let Some(address) = setup.metrics_listen {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| ServeError::Listen { address, source })?;
        tokio::spawn(Pages::new(desk.clone(), state.clone()).serve(listener));
    }
    tokio::spawn(deadlines(desk.clone()));
    tokio::spawn(Link::new(setup.link, desk.clone(), state).run());
    // Whatever it ends for: what runs is not lost for that.
    let ended = shutdown().await;
    tracing::info!(%node, seconds = setup.drain.as_secs(), "shutting down: no more runs are taken");
    drain(desk, setup.drain).await;
    let left = desk.look(|book| book.figures());
    tracing::info!(%node, running = left.running, unacknowledged = left.unacknowledged, "ended");
    ended
}

/// Lets what runs end, within its time; gives the rest back; waits a little for the operator to take it.
async fn drain(desk: &Desk, time: Duration) {
    desk.update(Book::close);
    if until_empty(desk, time).await {
        return;
    }
    desk.update(Book::give_back);
    until_empty(desk, FLUSH).await;
}

async fn until_empty(desk: &Desk, time: Duration) -> bool {
    let mut changes = desk.changes();
    let empty = async {
        while !desk.look(|book| book.is_empty()) {
            // The desk outlives this.
            let _ = changes.changed().await;
        }
    };
    tokio::time::timeout(time, empty).await.is_ok()
}

/// Ends runs at their deadlines, whether an operator is there or not.
async fn deadlines(desk: Arc<Desk>) {
    let mut changes = desk.changes();
    loop {
        let next = desk.look(|book| book.next_deadline());
        let changed = changes.changed();
        match next {
            None => {
                let _ = changed.await;
            }
            Some(deadline) => tokio::select! {
                _ = changed => {}
                () = tokio::time::sleep_until(deadline.into()) => {
                    desk.update(|book| book.expire(Instant::now()));
                }
            },
        }
    }
}

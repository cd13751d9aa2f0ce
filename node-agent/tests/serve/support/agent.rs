//! An agent in this process, between a test's operator and its machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use evaljob_agent::link::{Credentials, Settings, Timings};
use evaljob_agent::serve::{ServeError, Setup, serve};
use tokio::sync::oneshot;

use super::machine::Steering;
use super::operator::{Authority, NAME, Operator};
use super::until;

/// A running agent. [`Agent::end`] it.
pub(crate) struct Agent {
    pub(crate) machine: Steering,
    pub(crate) token_file: PathBuf,
    shutdown: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), ServeError>>,
}

/// Settings with short times: one operator, two slots.
pub(crate) fn setup(authority: &Authority, operators: &[SocketAddr]) -> Setup {
    let token_file = authority.directory().join("token");
    std::fs::write(&token_file, "first\n").unwrap();
    let addresses = operators
        .iter()
        .map(|address| address.to_string().parse().unwrap());
    Setup {
        link: Settings {
            operators: addresses.collect(),
            credentials: Credentials {
                ca_file: authority.file(),
                token_file,
                server_name: Some(NAME.to_owned()),
            },
            node: "n1".into(),
            node_directories: vec!["data".to_owned()],
            timings: Timings {
                redial: Duration::from_millis(10),
                longest: Duration::from_millis(50),
                longest_refused: Duration::from_millis(100),
                token_check: Duration::from_millis(20),
                keepalive: Duration::from_secs(5),
            },
        },
        slots: 2,
        repeat: Duration::from_millis(100),
        metrics_listen: None,
        drain: Duration::from_secs(20),
    }
}

impl Agent {
    pub(crate) fn start(setup: Setup) -> Self {
        Self::start_on(Steering::default(), setup)
    }

    pub(crate) fn start_on(machine: Steering, setup: Setup) -> Self {
        let (shutdown, told) = oneshot::channel();
        let token_file = setup.link.credentials.token_file.clone();
        let own = machine.clone();
        let thread = std::thread::spawn(move || {
            serve(own, setup, async || {
                let _ = told.await;
                Ok(())
            })
        });
        Self {
            machine,
            token_file,
            shutdown,
            thread,
        }
    }

    /// Begins the shutdown; the handle ends when the agent has.
    pub(crate) fn shut_down(self) -> JoinHandle<Result<(), ServeError>> {
        let _ = self.shutdown.send(());
        self.thread
    }

    /// Ends an agent that holds nothing the test still wants.
    pub(crate) async fn end(self, operator: &mut Operator) {
        let thread = self.shut_down();
        let forget = async {
            loop {
                operator.stream().await.welcome(u64::MAX, &[]);
            }
        };
        tokio::select! {
            () = ended(thread) => {}
            () = forget => {}
        }
    }
}

/// Waits until an agent has ended well.
pub(crate) async fn ended(thread: JoinHandle<Result<(), ServeError>>) {
    until("the agent's end", || thread.is_finished()).await;
    thread.join().unwrap().unwrap();
}

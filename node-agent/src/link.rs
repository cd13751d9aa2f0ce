//! The link to the operator: dials, says Hello, stays until it is lost, dials again. For ever.
//!
//! In: addresses, credentials, the desk. Out: runs to the desk, results to the operator. While no operator is there,
//! what runs goes on and results wait. Which leaders are believed is decided in `fence`, what is said in the book.

pub mod address;
mod backoff;
mod chunks;
mod dial;
mod fence;
mod session;
mod state;

use std::error::Error;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evaljob_crds::wire::{AgentMessage, Hello, PROTOCOL, agent_message};
use tonic::Code;

use crate::executor::Desk;
use address::{Address, Target};
use backoff::Backoff;
use dial::DialError;
use fence::Fence;
use session::{Ended, Session};

pub use dial::Credentials;
pub use state::LinkState;

/// Times of the link. Tests lower them.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// First pause after a dial that failed; doubled from one to the next.
    pub redial: Duration,
    /// Longest pause where operators are away or do not lead.
    pub longest: Duration,
    /// Longest pause where an operator refused this agent: each dial costs it a token review.
    pub longest_refused: Duration,
    /// How often the token file is looked at.
    pub token_check: Duration,
    /// Time between two HTTP/2 pings, and for the answer: a peer that is gone is found within twice this time.
    pub keepalive: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            redial: Duration::from_millis(100),
            longest: Duration::from_secs(3),
            longest_refused: Duration::from_secs(10),
            token_check: Duration::from_secs(10),
            keepalive: Duration::from_secs(5),
        }
    }
}

/// What the link is told once.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where operators may be.
    pub operators: Vec<Address>,
    /// CA, token and server name.
    pub credentials: Credentials,
    /// This node's name; the token must be bound to it.
    pub node: Arc<str>,
    /// Names of the node directories that jobs may mount.
    pub node_directories: Vec<String>,
    /// Times.
    pub timings: Timings,
}

/// The link.
#[derive(Debug)]
pub struct Link {
    settings: Settings,
    desk: Arc<Desk>,
    state: LinkState,
    fence: Fence,
    backoff: Backoff,
    /// The operator that led last.
    last: Option<SocketAddr>,
    /// What was logged last, so that an operator that is away for long does not fill the log.
    said: String,
}

/// What to do after a round of dials.
enum Next {
    /// At once.
    Redial,
    /// After a pause of at most this.
    Pause(Duration),
    /// After the longest pause.
    Stay,
}

impl Link {
    /// A link that has not dialled yet.
    pub fn new(settings: Settings, desk: Arc<Desk>, state: LinkState) -> Self {
        Self {
            backoff: Backoff::new(settings.timings.redial),
            settings,
            desk,
            state,
            fence: Fence::default(),
            last: None,
            said: String::new(),
        }
    }

    /// Runs until the task is dropped.
    pub async fn run(mut self) {
        loop {
            let longest_refused = self.settings.timings.longest_refused;
            let pause = match self.round().await {
                Next::Redial => continue,
                Next::Pause(longest) => self.backoff.next(longest, random()),
                Next::Stay => Backoff::new(longest_refused).next(longest_refused, random()),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Dials every address once, until one has led.
    async fn round(&mut self) -> Next {
        let mut longest = self.settings.timings.longest;
        for target in self.targets().await {
            match self.visit(&target).await {
                Ok(Visit::Outdated) => return Next::Redial,
                Ok(Visit::Led) => return Next::Pause(longest),
                Ok(Visit::Unwanted) => return Next::Stay,
                Ok(Visit::Unheard) => {}
                Err(error) => {
                    if is_refusal(&error) {
                        longest = self.settings.timings.longest_refused;
                    }
                    self.say(&target, &chain(&error));
                }
            }
        }
        Next::Pause(longest)
    }

    /// Dials one address and stays as long as it goes.
    async fn visit(&mut self, target: &Target) -> Result<Visit, DialError> {
        self.state.count_dial();
        let (desk, settings) = (&self.desk, &self.settings);
        let keepalive = settings.timings.keepalive;
        let hello = || hello(desk, settings);
        let wire = dial::dial(target, &settings.credentials, keepalive, hello).await?;
        let mut session = Session::new(self, wire);
        let ended = session.run().await;
        let led = session.is_welcomed();
        self.state.set_welcomed(false);
        if led {
            self.last = Some(target.socket);
            self.said.clear();
        }
        if matches!(ended, Ended::Outdated) {
            tracing::info!(node = %self.settings.node, operator = %target.socket, "{ended}, dialling anew");
            return Ok(Visit::Outdated);
        }
        self.say(target, &ended.to_string());
        Ok(match ended {
            Ended::Lost(status) if led && is_unwanted(status.code()) => Visit::Unwanted,
            _ if led => Visit::Led,
            _ => Visit::Unheard,
        })
    }

    /// All addresses of all operators, in the order in which to dial them.
    async fn targets(&mut self) -> Vec<Target> {
        let mut targets = Vec::new();
        for operator in self.settings.operators.clone() {
            match operator.resolve().await {
                Ok(found) => targets.extend(found),
                Err(error) => self.say(&operator, &format!("cannot be resolved: {error}")),
            }
        }
        address::order(targets, self.last, random())
    }

    /// Logs what happened, once for the same thing in a row.
    fn say(&mut self, operator: &dyn std::fmt::Display, text: &str) {
        let node = &self.settings.node;
        if self.said == text {
            tracing::debug!(%node, %operator, reason = text, "no stream to the operator");
        } else {
            tracing::warn!(%node, %operator, reason = text, "no stream to the operator");
            text.clone_into(&mut self.said);
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.host, self.socket)
    }
}

/// How a visit ended.
enum Visit {
    /// The agent has another Hello to say.
    Outdated,
    /// The operator led, and is lost.
    Led,
    /// The operator led, and closed the stream for good: another agent speaks for this node, or the node is gone.
    Unwanted,
    /// It was never heard as a leader.
    Unheard,
}

/// Whether the end of a stream that was welcomed says that the next one would end the same way.
fn is_unwanted(code: Code) -> bool {
    matches!(code, Code::Aborted | Code::PermissionDenied)
}

/// Whether an operator has looked at this agent and does not want it: soon it will not want it either.
fn is_refusal(error: &DialError) -> bool {
    let DialError::Refused(status) = error else {
        return false;
    };
    !matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
    )
}

fn hello(desk: &Desk, settings: &Settings) -> AgentMessage {
    let mut hello = Hello {
        protocol: PROTOCOL.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: settings.node.to_string(),
        node_directories: settings.node_directories.clone(),
        ..Hello::default()
    };
    desk.look(|book| book.hello(&mut hello, Instant::now()));
    AgentMessage {
        message: Some(agent_message::Message::Hello(hello)),
    }
}

/// An error with all its causes, each once: libraries repeat the cause in their own words.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

/// Good enough to spread dials over time.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn causes_are_told_once() {
        let inner = Layer("refused", None);
        let middle = Layer("cannot connect: refused", Some(Box::new(inner)));
        let outer = Layer("no stream", Some(Box::new(middle)));
        assert_eq!(chain(&outer), "no stream: cannot connect: refused");
    }

    #[test]
    fn only_an_operator_that_looked_at_the_agent_is_spared_its_dials() {
        let rows = [
            (
                "bad token",
                DialError::Refused(Status::unauthenticated("")),
                true,
            ),
            (
                "other account",
                DialError::Refused(Status::permission_denied("")),
                true,
            ),
            (
                "other version",
                DialError::Refused(Status::failed_precondition("")),
                true,
            ),
            (
                "reviews fail",
                DialError::Refused(Status::unavailable("")),
                false,
            ),
            (
                "lost on the way",
                DialError::Refused(Status::unknown("")),
                false,
            ),
            ("silence", DialError::Silent, false),
        ];
        for (row, error, expected) in rows {
            assert_eq!(is_refusal(&error), expected, "{row}");
        }
    }
}

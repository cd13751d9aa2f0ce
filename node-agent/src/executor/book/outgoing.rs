//! What the operator is told of the runs that are held, and when.
//!
//! Out: the inventory of a Hello; one message at a time, made when it can be sent, so that no copies of results wait
//! and ages are true. After each Welcome everything is told again.

use std::time::{Duration, Instant};

use evaljob_crds::wire::agent_message::Message;
use evaljob_crds::{Verdict, wire};

use super::{Book, Entry, Missing, State};

/// What is held, in numbers, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Runs that have not started.
    pub waiting: usize,
    /// Runs at a slot.
    pub running: usize,
    /// Results without an Ack.
    pub unacknowledged: usize,
    /// Their bytes.
    pub result_bytes: usize,
    /// Runs that ended, by verdict.
    pub ended: Vec<(Verdict, u64)>,
    /// Whether runs are taken.
    pub open: bool,
}

impl Book {
    /// Completes a Hello: what is held, how much may be, what the machine has. Everything in it counts as told.
    pub fn hello(&mut self, hello: &mut wire::Hello, now: Instant) {
        self.hello_outdated = false;
        self.health_untold = false;
        hello.slots = self.slots;
        hello.credits = self.credits();
        hello.memory = self.resources.memory;
        hello.landlock_abi = self.resources.landlock_abi;
        hello.default_rootfs = self.resources.default_rootfs;
        hello.health = Some(self.health());
        let held = self.entries.iter().filter(|entry| !entry.is_forgotten());
        hello.inventory = held
            .map(|entry| wire::Held {
                identity: Some(entry.run.to_wire()),
                finished: entry.is_finished(),
                started: entry.started.is_some(),
                age_milliseconds: entry.started.map_or(0, |started| age(started, now)),
            })
            .collect();
    }

    /// Whether the present stream has to end because its Hello is not true any more.
    pub fn is_hello_outdated(&self) -> bool {
        self.hello_outdated
    }

    /// The next message that is due; it counts as sent. Before the Welcome only health is.
    pub fn next_message(&mut self, welcomed: bool, now: Instant) -> Option<Message> {
        if self.health_untold {
            self.health_untold = false;
            return Some(Message::Health(self.health()));
        }
        if !welcomed {
            return None;
        }
        let repeat = self.repeat;
        let mut held = self
            .entries
            .iter_mut()
            .filter(|entry| !entry.is_forgotten());
        held.find_map(|entry| due(entry, repeat, now))
    }

    /// When a message becomes due by time alone.
    pub fn next_repeat(&self) -> Option<Instant> {
        let sent = self.entries.iter().filter_map(|entry| entry.told.done);
        sent.min().and_then(|sent| sent.checked_add(self.repeat))
    }

    fn health(&self) -> wire::Health {
        let closing = self.closing.then(|| Missing {
            layer: "Agent".to_owned(),
            message: "it is shutting down".to_owned(),
        });
        let missing = closing.as_ref().or(self.missing.as_ref());
        wire::Health {
            ready: missing.is_none(),
            closing: self.closing,
            layer: missing
                .map(|missing| missing.layer.clone())
                .unwrap_or_default(),
            message: missing
                .map(|missing| missing.message.clone())
                .unwrap_or_default(),
        }
    }

    /// What is held, in numbers.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures {
            ended: self
                .ended
                .iter()
                .map(|(verdict, count)| (*verdict, *count))
                .collect(),
            open: self.is_open(),
            ..Figures::default()
        };
        for entry in &self.entries {
            match &entry.state {
                State::Waiting(_) | State::Taken { .. } => figures.waiting += 1,
                State::Running { .. } => figures.running += 1,
                State::Finished { outcome, .. } => {
                    figures.unacknowledged += 1;
                    figures.result_bytes += outcome.status.len();
                }
            }
        }
        figures
    }
}

/// What is due of one run: that it started, then, again and again, how it ended.
fn due(entry: &mut Entry, repeat: Duration, now: Instant) -> Option<Message> {
    if let Some(started) = entry.started
        && !entry.told.started
    {
        entry.told.started = true;
        return Some(Message::Started(wire::Started {
            identity: Some(entry.run.to_wire()),
            age_milliseconds: age(started, now),
        }));
    }
    let State::Finished { at, outcome } = &entry.state else {
        return None;
    };
    let sent = entry.told.done;
    if sent.is_some_and(|sent| now.saturating_duration_since(sent) < repeat) {
        return None;
    }
    entry.told.done = Some(now);
    Some(Message::Done(wire::Done {
        identity: Some(entry.run.to_wire()),
        status: outcome.status.clone(),
        infrastructure: outcome.is_infrastructure(),
        returned: outcome.returned,
        age_milliseconds: age(*at, now),
    }))
}

fn age(since: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX)
}

mod admission;
mod health;
mod properties;
mod receipt;
mod stops;

use std::collections::HashSet;

use evaljob_crds::EvalJobStatus;
use evaljob_crds::wire::agent_message::Message;
use proptest::prelude::*;

use super::*;
use crate::identity::Epoch;
use crate::judge::StopReason;

const REPEAT: Duration = Duration::from_secs(10);

const MIB: u64 = 1 << 20;

/// A book with two slots and 100 MiB, open, and a clock.
struct Bench {
    book: Book,
    start: Instant,
    stops: Vec<(RunId, Arc<Stop>)>,
}

fn run(uid: &str) -> RunId {
    RunId {
        uid: uid.into(),
        epoch: Epoch {
            lease_uid: "lease".into(),
            transitions: 1,
        },
        attempt: 1,
    }
}

/// One slot and so much memory.
fn one(memory: u64) -> Needs {
    Needs {
        slots: 1,
        memory,
        lanes: 1,
    }
}

fn order(uid: &str) -> wire::Run {
    wire::Run {
        identity: Some(run(uid).to_wire()),
        namespace: "space".to_owned(),
        name: uid.to_owned(),
        deadline_milliseconds: u64::MAX,
        ..wire::Run::default()
    }
}

fn accepted() -> Outcome {
    Outcome::judged(&EvalJobStatus {
        verdict: Some(Verdict::Accepted.into()),
        ..EvalJobStatus::default()
    })
}

fn missing(layer: &str) -> Option<Missing> {
    Some(Missing {
        layer: layer.to_owned(),
        message: "gone".to_owned(),
    })
}

impl Bench {
    fn new() -> Self {
        let mut book = Book::new(2, REPEAT);
        book.set_resources(Resources {
            landlock_abi: 6,
            memory: 100 * MIB,
            default_rootfs: true,
        });
        book.set_health(None);
        let mut bench = Self {
            book,
            start: Instant::now(),
            stops: Vec::new(),
        };
        bench.hello(0);
        bench
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn receive(&mut self, uid: &str) -> Result<Received, Refusal> {
        self.book.receive(order(uid), self.start)
    }

    fn take(&mut self) -> Option<RunId> {
        let stop = Arc::new(Stop::new().unwrap());
        let taken = self.book.take(&stop)?;
        self.stops.push((taken.run.clone(), stop));
        Some(taken.run)
    }

    fn stopped(&self, uid: &str) -> Option<StopReason> {
        let found = self.stops.iter().find(|(known, _)| *known == run(uid));
        found.unwrap().1.reason()
    }

    /// Receives, takes and starts a run of 10 MiB.
    fn start(&mut self, uid: &str) {
        assert_eq!(self.receive(uid), Ok(Received::Queued));
        assert_eq!(self.take(), Some(run(uid)));
        assert_eq!(
            self.book.admit(&run(uid), one(10 * MIB), self.start),
            Admission::Start
        );
    }

    /// Takes a run to a result.
    fn finish(&mut self, uid: &str) {
        self.start(uid);
        self.book.finish(&run(uid), accepted(), self.start);
    }

    fn hello(&mut self, seconds: u64) -> wire::Hello {
        let mut hello = wire::Hello::default();
        let now = self.at(seconds);
        self.book.hello(&mut hello, now);
        hello
    }

    fn welcome(&mut self, keep: &[&str]) {
        let keep: HashSet<RunId> = keep.iter().map(|uid| run(uid)).collect();
        self.book.welcome(&keep);
    }

    /// All messages that are due, as one word and the uid each.
    fn messages(&mut self, seconds: u64) -> Vec<String> {
        let now = self.at(seconds);
        let uid = |identity: Option<wire::RunIdentity>| identity.unwrap().uid;
        let mut said = Vec::new();
        while let Some(message) = self.book.next_message(true, now) {
            said.push(match message {
                Message::Started(started) => format!("started {}", uid(started.identity)),
                Message::Done(done) => {
                    let status: EvalJobStatus = serde_json::from_slice(&done.status).unwrap();
                    let own = match (done.infrastructure, done.returned) {
                        (true, true) => ", returned",
                        (true, false) => ", infrastructure",
                        (false, _) => "",
                    };
                    format!(
                        "done {} {}{own}",
                        uid(done.identity),
                        status.verdict.unwrap()
                    )
                }
                Message::Health(health) => format!("health {} {}", health.ready, health.layer),
                other => panic!("{other:?}"),
            });
            assert!(said.len() < 1000, "no end");
        }
        said
    }

    fn inventory(&mut self, seconds: u64) -> Vec<(String, bool, bool, u64)> {
        let held = self.hello(seconds).inventory.into_iter();
        held.map(|held| {
            let uid = held.identity.unwrap().uid;
            (uid, held.started, held.finished, held.age_milliseconds)
        })
        .collect()
    }
}

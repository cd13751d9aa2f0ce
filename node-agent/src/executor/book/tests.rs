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

#[test]
fn a_run_goes_from_receipt_to_ack_and_is_told_once_each_way() {
    let mut bench = Bench::new();
    bench.welcome(&[]);
    assert_eq!(bench.receive("a"), Ok(Received::Queued));
    assert_eq!(
        bench.messages(0),
        [""; 0],
        "nothing is told of a run that waits"
    );
    assert_eq!(bench.take(), Some(run("a")));
    assert_eq!(bench.messages(0), [""; 0], "nor of one that is being read");
    assert_eq!(
        bench.book.admit(&run("a"), one(MIB), bench.start),
        Admission::Start
    );
    assert_eq!(bench.messages(0), ["started a"]);
    bench.book.finish(&run("a"), accepted(), bench.start);
    assert_eq!(bench.messages(0), ["done a Accepted"]);
    assert_eq!(bench.messages(0), [""; 0]);
    bench.book.ack(&run("a"));
    assert!(bench.book.is_empty());
    assert_eq!(bench.messages(60), [""; 0]);
}

#[test]
fn an_identity_is_taken_once_whatever_became_of_it() {
    type End = fn(&mut Bench);
    let ends: [(&str, End); 6] = [
        ("it waits", |bench| {
            bench.receive("a").unwrap();
        }),
        ("it runs", |bench| bench.start("a")),
        ("it has a result", |bench| bench.finish("a")),
        ("it was acknowledged", |bench| {
            bench.finish("a");
            bench.book.ack(&run("a"));
        }),
        ("it was cancelled in the queue", |bench| {
            bench.receive("a").unwrap();
            bench.book.cancel(&run("a"), None, bench.start);
        }),
        ("no inventory keeps it", |bench| {
            bench.finish("a");
            bench.welcome(&[]);
        }),
    ];
    for (row, end) in ends {
        let mut bench = Bench::new();
        end(&mut bench);
        let held = bench.inventory(0).len();
        assert_eq!(bench.receive("a"), Ok(Received::Duplicate), "{row}");
        assert_eq!(bench.inventory(0).len(), held, "{row}: nothing was added");
        let mut next = order("a");
        next.identity.as_mut().unwrap().attempt = 2;
        let received = bench.book.receive(next, bench.start);
        assert_eq!(
            received,
            Ok(Received::Queued),
            "{row}: another attempt is another run"
        );
    }
}

#[test]
fn a_result_is_told_again_until_its_ack() {
    let mut bench = Bench::new();
    bench.finish("a");
    assert_eq!(bench.messages(0), ["started a", "done a Accepted"]);
    assert_eq!(bench.messages(9), [""; 0]);
    assert_eq!(bench.book.next_repeat(), Some(bench.at(10)));
    assert_eq!(bench.messages(10), ["done a Accepted"]);
    assert_eq!(bench.messages(20), ["done a Accepted"]);
    bench.welcome(&["a"]);
    assert_eq!(
        bench.messages(21),
        ["started a", "done a Accepted"],
        "a new stream hears all"
    );
    bench.book.ack(&run("other"));
    assert_eq!(bench.messages(31), ["done a Accepted"]);
    bench.book.ack(&run("a"));
    assert_eq!(bench.messages(60), [""; 0]);
}

#[test]
fn ages_are_those_of_the_moment_in_which_they_are_sent() {
    let mut bench = Bench::new();
    bench.start("a");
    bench.book.finish(&run("a"), accepted(), bench.at(4));
    let mut ages = |seconds| match bench
        .book
        .next_message(true, bench.start + Duration::from_secs(seconds))
    {
        Some(Message::Started(started)) => started.age_milliseconds,
        Some(Message::Done(done)) => done.age_milliseconds,
        other => panic!("{other:?}"),
    };
    assert_eq!(ages(5), 5000, "since it started");
    assert_eq!(ages(6), 2000, "since it ended");
    assert_eq!(ages(20), 16000, "told again");
}

#[test]
fn an_ack_for_a_run_that_has_no_result_changes_nothing() {
    let mut bench = Bench::new();
    bench.start("a");
    bench.book.ack(&run("a"));
    assert_eq!(bench.inventory(0).len(), 1);
}

#[test]
fn the_inventory_tells_what_waits_runs_and_has_ended() {
    let mut bench = Bench::new();
    bench.finish("done");
    bench.start("runs");
    bench.receive("waits").unwrap();
    let entry = |uid: &str, started, finished, age| (uid.to_owned(), started, finished, age);
    let expected = [
        entry("done", true, true, 3000),
        entry("runs", true, false, 3000),
        entry("waits", false, false, 0),
    ];
    assert_eq!(bench.inventory(3), expected);
}

#[test]
fn what_a_welcome_does_not_keep_is_ended_without_a_word() {
    let mut bench = Bench::new();
    bench.finish("done");
    bench.start("runs");
    bench.receive("waits").unwrap();
    bench.start_more("kept");
    bench.welcome(&["kept"]);
    assert_eq!(bench.stopped("runs"), Some(StopReason::Cancelled));
    assert_eq!(bench.stopped("kept"), None);
    assert_eq!(
        bench.inventory(0).len(),
        1,
        "a run that is being ended is not held"
    );
    assert!(bench.book.is_busy(), "but its slot is not free yet");
    bench.book.finish(&run("runs"), accepted(), bench.start);
    bench.book.finish(&run("kept"), accepted(), bench.start);
    assert_eq!(bench.messages(0), ["started kept", "done kept Accepted"]);
}

impl Bench {
    /// Like `start`, past runs that wait.
    fn start_more(&mut self, uid: &str) {
        self.receive(uid).unwrap();
        while self.take() != Some(run(uid)) {}
        assert_eq!(
            self.book.admit(&run(uid), one(MIB), self.start),
            Admission::Start
        );
    }
}

#[test]
fn full_credits_take_no_run_and_drop_nothing() {
    let mut bench = Bench::new();
    let credits = bench.hello(0).credits;
    assert_eq!(credits, 2 + 2 + RESULTS);
    for number in 0..credits {
        bench.finish(&number.to_string());
    }
    assert_eq!(bench.receive("more"), Err(Refusal::BeyondCredits));
    assert_eq!(bench.inventory(0).len(), usize::try_from(credits).unwrap());
    bench.book.ack(&run("0"));
    assert_eq!(
        bench.receive("more"),
        Ok(Received::Queued),
        "it was not taken before"
    );
}

#[test]
fn a_run_without_identity_is_refused() {
    let mut bench = Bench::new();
    let mut order = order("a");
    order.identity = None;
    assert_eq!(
        bench.book.receive(order, bench.start),
        Err(Refusal::NoIdentity)
    );
}

#[test]
fn runs_start_in_order_while_there_is_memory_for_them() {
    let mut bench = Bench::new();
    for uid in ["a", "b", "c"] {
        bench.receive(uid).unwrap();
        bench.take().unwrap();
    }
    let now = bench.start;
    assert_eq!(
        bench.book.admit(&run("a"), one(60 * MIB), now),
        Admission::Start
    );
    assert_eq!(
        bench.book.admit(&run("b"), one(60 * MIB), now),
        Admission::Wait
    );
    assert_eq!(
        bench.book.admit(&run("c"), one(MIB), now),
        Admission::Wait,
        "it came after b"
    );
    assert!(bench.book.has_blocked());
    assert_eq!(bench.messages(0), ["started a"]);
    bench.book.finish(&run("a"), accepted(), now);
    assert_eq!(
        bench.book.admit(&run("c"), one(MIB), now),
        Admission::Wait,
        "b still waits"
    );
    assert_eq!(
        bench.book.admit(&run("b"), one(60 * MIB), now),
        Admission::Start
    );
    assert_eq!(bench.book.admit(&run("c"), one(MIB), now), Admission::Start);
}

#[test]
fn inputs_that_are_held_count_as_memory_but_never_stop_everything() {
    let mut bench = Bench::new();
    let now = bench.start;
    for uid in ["a", "b"] {
        let mut large = order(uid);
        large.spec = vec![0; usize::try_from(30 * MIB).unwrap()];
        bench.book.receive(large, now).unwrap();
        bench.take().unwrap();
    }
    assert_eq!(
        bench.book.admit(&run("a"), one(90 * MIB), now),
        Admission::Start,
        "nothing else runs"
    );
    assert_eq!(
        bench.book.admit(&run("b"), one(5 * MIB), now),
        Admission::Wait
    );
    bench.book.finish(&run("a"), accepted(), now);
    assert_eq!(
        bench.book.admit(&run("b"), one(5 * MIB), now),
        Admission::Start
    );
}

#[test]
fn a_run_that_can_never_fit_is_given_back() {
    let mut bench = Bench::new();
    bench.receive("a").unwrap();
    bench.take().unwrap();
    assert_eq!(
        bench.book.admit(&run("a"), one(101 * MIB), bench.start),
        Admission::Ended
    );
    assert_eq!(
        bench.messages(0),
        ["done a InfrastructureError, infrastructure"]
    );
}

#[test]
fn a_cancel_ends_a_run_wherever_it_stands() {
    type Place = fn(&mut Bench);
    let waits: Place = |bench| {
        bench.receive("a").unwrap();
    };
    let taken: Place = |bench| {
        bench.receive("a").unwrap();
        bench.take().unwrap();
        bench
            .book
            .cancel(&run("a"), Some(Verdict::DeadlineExceeded), bench.start);
    };
    let rows: [(&str, Place, Option<Verdict>, &[&str]); 4] = [
        (
            "waits, report",
            waits,
            Some(Verdict::Cancelled),
            &["done a Cancelled"],
        ),
        ("waits, silent", waits, None, &[]),
        (
            "taken, report",
            taken,
            Some(Verdict::Cancelled),
            &["done a Cancelled"],
        ),
        ("taken, silent", taken, None, &[]),
    ];
    for (row, place, verdict, expected) in rows {
        let mut bench = Bench::new();
        place(&mut bench);
        bench.book.cancel(&run("a"), verdict, bench.start);
        if !bench.stops.is_empty() {
            assert_eq!(bench.stopped("a"), Some(StopReason::Cancelled), "{row}");
            assert_eq!(
                bench.book.admit(&run("a"), one(MIB), bench.start),
                Admission::Ended,
                "{row}"
            );
        }
        assert_eq!(bench.messages(0), expected, "{row}");
        assert_eq!(bench.book.is_empty(), verdict.is_none(), "{row}");
    }
}

#[test]
fn a_running_job_is_stopped_by_a_cancel_and_its_judge_has_the_last_word() {
    let rows = [
        (Some(Verdict::Cancelled), StopReason::Cancelled, true),
        (Some(Verdict::DeadlineExceeded), StopReason::Deadline, true),
        (None, StopReason::Cancelled, false),
    ];
    for (verdict, reason, reported) in rows {
        let mut bench = Bench::new();
        bench.start("a");
        bench.book.cancel(&run("a"), verdict, bench.start);
        assert_eq!(bench.stopped("a"), Some(reason), "{verdict:?}");
        assert_eq!(
            bench.inventory(0).len(),
            usize::from(reported),
            "{verdict:?}"
        );
        bench.book.finish(&run("a"), accepted(), bench.start);
        assert_eq!(
            bench.messages(0).contains(&"done a Accepted".to_owned()),
            reported
        );
        assert_eq!(bench.book.is_empty(), !reported);
    }
}

#[test]
fn a_result_that_waits_stands_against_a_report_and_goes_without_one() {
    let mut bench = Bench::new();
    bench.finish("a");
    bench
        .book
        .cancel(&run("a"), Some(Verdict::Cancelled), bench.start);
    assert_eq!(bench.messages(0), ["started a", "done a Accepted"]);
    bench.book.cancel(&run("a"), None, bench.start);
    assert!(bench.book.is_empty());
    bench
        .book
        .cancel(&run("unknown"), Some(Verdict::Cancelled), bench.start);
    assert!(bench.book.is_empty(), "unknown identities are ignored");
}

#[test]
fn a_slot_that_does_not_follow_an_order_is_lost_after_a_minute() {
    let mut bench = Bench::new();
    bench.start("a");
    assert!(!bench.book.has_stuck(bench.at(0)));
    assert!(!bench.book.has_stuck(bench.at(3600)), "it may run for long");
    bench.book.cancel(&run("a"), None, bench.at(3600));
    assert!(!bench.book.has_stuck(bench.at(3610)));
    assert!(!bench.book.has_stuck(bench.at(3669)));
    assert!(bench.book.has_stuck(bench.at(3670)));
    bench.book.finish(&run("a"), accepted(), bench.at(3671));
    assert!(!bench.book.has_stuck(bench.at(3672)));
}

#[test]
fn deadlines_count_from_receipt_and_end_a_run_once() {
    let mut bench = Bench::new();
    for (uid, milliseconds) in [("waits", 5_000), ("runs", 3_000), ("never", u64::MAX)] {
        let mut order = order(uid);
        order.deadline_milliseconds = milliseconds;
        bench.book.receive(order, bench.start).unwrap();
    }
    let stop = Arc::new(Stop::new().unwrap());
    // Only the second one runs.
    bench.book.entries.swap(0, 1);
    bench.book.take(&stop).unwrap();
    assert_eq!(
        bench.book.admit(&run("runs"), one(MIB), bench.start),
        Admission::Start
    );
    assert_eq!(bench.book.next_deadline(), Some(bench.at(3)));
    bench.book.expire(bench.at(2));
    assert_eq!(stop.reason(), None);
    bench.book.expire(bench.at(3));
    assert_eq!(stop.reason(), Some(StopReason::Deadline));
    assert_eq!(
        bench.book.next_deadline(),
        Some(bench.at(5)),
        "the order is given once"
    );
    bench.book.expire(bench.at(5));
    let last = Some(bench.start + LONGEST);
    assert_eq!(bench.book.next_deadline(), last, "any number is survived");
    assert_eq!(
        bench.messages(5),
        ["started runs", "done waits DeadlineExceeded"]
    );
    bench.book.finish(&run("runs"), accepted(), bench.at(6));
    assert_eq!(
        bench.messages(6),
        ["done runs Accepted"],
        "what had happened before stands"
    );
}

#[test]
fn a_missing_layer_stops_everything_that_has_not_started() {
    let mut bench = Bench::new();
    bench.start("runs");
    bench.receive("taken").unwrap();
    bench.take().unwrap();
    bench.receive("waits").unwrap();
    bench.book.set_health(missing("Landlock"));
    assert!(
        bench.book.is_hello_outdated(),
        "the operator must hear what is not held any more"
    );
    let stop = Arc::new(Stop::new().unwrap());
    assert!(bench.book.take(&stop).is_none());
    assert_eq!(
        bench.book.admit(&run("taken"), one(MIB), bench.start),
        Admission::Ended
    );
    assert_eq!(bench.receive("new"), Err(Refusal::Closed));
    let hello = bench.hello(0);
    assert_eq!(hello.inventory.len(), 1);
    let health = hello.health.unwrap();
    assert_eq!(
        (health.ready, &*health.layer, &*health.message),
        (false, "Landlock", "gone")
    );
    bench.welcome(&["runs"]);
    assert_eq!(bench.messages(0), ["started runs"], "what runs goes on");
    bench.book.set_health(None);
    assert_eq!(bench.messages(0), ["health true "]);
    assert_eq!(bench.receive("new"), Ok(Received::Queued));
    assert!(!bench.book.is_hello_outdated());
}

#[test]
fn health_is_told_before_the_welcome_and_nothing_else_is() {
    let mut bench = Bench::new();
    bench.finish("a");
    bench.book.set_health(missing("Cgroup"));
    let now = bench.start;
    let message = bench.book.next_message(false, now);
    assert!(matches!(message, Some(Message::Health(_))), "{message:?}");
    assert_eq!(bench.book.next_message(false, now), None);
    assert_eq!(bench.messages(0), ["started a", "done a Accepted"]);
}

#[test]
fn a_machine_that_changed_needs_another_hello() {
    let mut bench = Bench::new();
    let resources = bench.book.resources;
    bench.book.set_resources(resources);
    assert!(!bench.book.is_hello_outdated());
    bench.book.set_resources(Resources {
        memory: MIB,
        ..resources
    });
    assert!(bench.book.is_hello_outdated());
    let hello = bench.hello(0);
    assert_eq!((hello.memory, hello.default_rootfs), (MIB, true));
    assert!(!bench.book.is_hello_outdated());
    bench.book.set_resources(Resources {
        default_rootfs: false,
        ..resources
    });
    assert!(bench.book.is_hello_outdated());
    assert!(!bench.hello(0).default_rootfs);
}

#[test]
fn a_closing_agent_gives_back_what_waits_and_then_what_runs() {
    let mut bench = Bench::new();
    bench.finish("done");
    bench.start("runs");
    bench.start("cancelled");
    bench
        .book
        .cancel(&run("cancelled"), Some(Verdict::Cancelled), bench.start);
    bench.receive("waits").unwrap();
    bench.book.close();
    assert!(bench.book.is_hello_outdated());
    let hello = bench.hello(0);
    assert_eq!(hello.health.unwrap().layer, "Agent");
    assert_eq!(hello.inventory.len(), 3);
    assert_eq!(bench.receive("new"), Err(Refusal::Closed));
    bench.welcome(&["done", "runs", "cancelled"]);
    assert_eq!(bench.stopped("runs"), None, "it has its time");
    bench.book.give_back();
    assert_eq!(bench.stopped("runs"), Some(StopReason::Cancelled));
    bench.book.finish(&run("runs"), accepted(), bench.start);
    bench.book.finish(
        &run("cancelled"),
        Outcome::unstarted(Verdict::Cancelled),
        bench.start,
    );
    assert_eq!(
        bench.messages(0),
        [
            "started done",
            "done done Accepted",
            "started runs",
            "done runs InfrastructureError, returned",
            "started cancelled",
            "done cancelled Cancelled",
        ]
    );
    for uid in ["done", "runs", "cancelled"] {
        bench.book.ack(&run(uid));
    }
    assert!(bench.book.is_empty());
}

#[derive(Debug, Clone)]
enum Event {
    Receive(u8),
    Take,
    Admit(u64),
    Finish,
    Ack(u8),
    Cancel(u8, Option<Verdict>),
    Welcome(u8),
    Tell,
    Expire,
    Health(bool),
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![
        Just(None),
        Just(Some(Verdict::Cancelled)),
        Just(Some(Verdict::DeadlineExceeded))
    ];
    prop_oneof![
        6 => (0u8..120).prop_map(Event::Receive),
        4 => Just(Event::Take),
        6 => (0u64..110).prop_map(Event::Admit),
        4 => Just(Event::Finish),
        2 => (0u8..120).prop_map(Event::Ack),
        1 => (0u8..120, verdict).prop_map(|(uid, verdict)| Event::Cancel(uid, verdict)),
        1 => any::<u8>().prop_map(Event::Welcome),
        2 => Just(Event::Tell),
        1 => Just(Event::Expire),
        1 => prop::bool::weighted(0.2).prop_map(Event::Health),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_runs_happen_once_results_stay_and_bounds_hold(
        events in prop::collection::vec(event(), 1..400)
    ) {
        let mut bench = Bench::new();
        let mut started: HashSet<RunId> = HashSet::new();
        let mut owed: HashSet<RunId> = HashSet::new();
        let mut at_slots: Vec<RunId> = Vec::new();
        for (step, event) in events.into_iter().enumerate() {
            let now = bench.at(step as u64);
            match event {
                Event::Receive(uid) => {
                    let mut order = order(&uid.to_string());
                    order.deadline_milliseconds = u64::from(uid) * 1000;
                    let _ = bench.book.receive(order, now);
                }
                Event::Take if at_slots.len() < 2 => {
                    if let Some(run) = bench.take() {
                        at_slots.push(run);
                    }
                }
                Event::Take => {}
                Event::Admit(memory) => {
                    let held = bench.book.entries.iter();
                    let taken: Vec<RunId> = held
                        .filter(|entry| matches!(entry.state, State::Taken { .. }))
                        .map(|entry| entry.run.clone())
                        .collect();
                    for run in taken {
                        match bench.book.admit(&run, one(memory * MIB), now) {
                            Admission::Start => {
                                prop_assert!(started.insert(run), "an identity started twice");
                            }
                            Admission::Ended => at_slots.retain(|other| *other != run),
                            Admission::Wait => {}
                        }
                    }
                }
                Event::Finish => {
                    let held = bench.book.entries.iter();
                    let running = held
                        .filter(|entry| matches!(entry.state, State::Running { .. }))
                        .map(|entry| (entry.run.clone(), entry.is_forgotten()))
                        .next();
                    if let Some((run, forgotten)) = running {
                        bench.book.finish(&run, accepted(), now);
                        at_slots.retain(|other| *other != run);
                        if !forgotten {
                            owed.insert(run);
                        }
                    }
                }
                Event::Ack(uid) => {
                    bench.book.ack(&run(&uid.to_string()));
                    owed.remove(&run(&uid.to_string()));
                }
                Event::Cancel(uid, verdict) => {
                    bench.book.cancel(&run(&uid.to_string()), verdict, now);
                    if verdict.is_none() {
                        owed.remove(&run(&uid.to_string()));
                    }
                }
                Event::Welcome(keep) => {
                    let held = bench.inventory(step as u64);
                    let kept: Vec<&str> = held
                        .iter()
                        .map(|(uid, ..)| uid.as_str())
                        .filter(|uid| uid.len() != usize::from(keep % 4))
                        .collect();
                    bench.welcome(&kept);
                    owed.retain(|run| kept.contains(&&*run.uid));
                }
                Event::Tell => {
                    bench.messages(step as u64);
                }
                Event::Expire => bench.book.expire(now),
                Event::Health(broken) => {
                    bench.book.set_health(missing("Cgroup").filter(|_| broken));
                }
            }
            let held = bench.inventory(step as u64);
            prop_assert!(held.len() <= usize::try_from(bench.book.credits()).unwrap());
            for run in &owed {
                let kept = held.iter().any(|(uid, _, finished, _)| **uid == *run.uid && *finished);
                prop_assert!(kept, "the result of {run:?} was dropped");
            }
            prop_assert!(bench.book.is_open() || !bench.book.has_waiting(), "a run waits for a broken machine");
            let running: Vec<u64> = bench.book.entries.iter().map(Entry::memory).filter(|m| *m > 0).collect();
            prop_assert!(running.len() <= 1 || running.iter().sum::<u64>() <= 100 * MIB);
        }
    }
}

#[test]
fn a_run_that_needs_several_slots_waits_for_them_and_names_those_it_got() {
    let mut bench = Bench::new();
    let two = Needs {
        slots: 2,
        ..one(MIB)
    };
    bench.start("a");
    for uid in ["b", "c"] {
        assert_eq!(bench.receive(uid), Ok(Received::Queued));
        assert_eq!(bench.take(), Some(run(uid)));
    }
    let now = bench.start;
    assert_eq!(bench.book.held(&run("a")), [0]);
    assert_eq!(bench.book.admit(&run("b"), two, now), Admission::Wait);
    assert_eq!(
        bench.book.admit(&run("c"), one(MIB), now),
        Admission::Wait,
        "the later one does not overtake"
    );
    bench.book.finish(&run("a"), accepted(), now);
    assert_eq!(bench.book.admit(&run("b"), two, now), Admission::Start);
    assert_eq!(bench.book.held(&run("b")), [0, 1]);
    assert_eq!(bench.book.admit(&run("c"), one(MIB), now), Admission::Wait);
    bench.book.finish(&run("b"), accepted(), now);
    assert_eq!(bench.book.admit(&run("c"), one(MIB), now), Admission::Start);
    assert_eq!(bench.book.held(&run("c")), [0]);
}

#[test]
fn a_run_that_needs_more_slots_than_there_are_says_so() {
    let mut bench = Bench::new();
    assert_eq!(bench.receive("a"), Ok(Received::Queued));
    assert_eq!(bench.take(), Some(run("a")));
    let three = Needs {
        slots: 3,
        ..one(MIB)
    };
    let now = bench.start;
    assert_eq!(bench.book.admit(&run("a"), three, now), Admission::Ended);
    let done = std::iter::from_fn(|| bench.book.next_message(true, now));
    let statuses = done.filter_map(|message| match message {
        Message::Done(done) => Some(String::from_utf8(done.status).unwrap()),
        _ => None,
    });
    let all: Vec<String> = statuses.collect();
    assert!(
        all.len() == 1 && all[0].contains("needs 3 slots") && all[0].contains("this machine has 2"),
        "{all:?}"
    );
}

//! From receipt to acknowledgement: identities, results, the inventory, a welcome.

use super::*;

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

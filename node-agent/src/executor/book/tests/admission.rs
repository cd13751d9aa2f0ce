//! What starts when: order, memory, inputs that are held, slots.

use super::*;

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

//! What ends a run from outside: cancels, reports, deadlines.

use super::*;

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

//! What a missing layer, a changed machine and a closing agent mean.

use super::*;

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

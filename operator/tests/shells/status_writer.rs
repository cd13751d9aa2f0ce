//! What is under way when writing is forbidden: it is waited for, and nothing begins before writing is allowed again.

use std::time::Duration;

use evaljob_operator::clock::Clock;
use evaljob_operator::decide::Event;
use evaljob_operator::metrics::{Health, Metrics, Pages};
use evaljob_operator::names::JobKey;
use evaljob_operator::status_writer::{Order, StatusWriter};
use tokio::sync::{mpsc, watch};

use crate::mock::DEADLINE;

/// Long enough for something wrong to happen.
const MOMENT: Duration = Duration::from_millis(100);

fn read(name: &str, id: u64) -> Order {
    let key = JobKey {
        namespace: "n".into(),
        name: name.into(),
    };
    Order::Read("u".into(), key, id)
}

fn path(name: &str) -> String {
    format!("/apis/evaljob.dev/v1alpha1/namespaces/n/evaljobs/{name}")
}

#[tokio::test]
async fn whoever_forbids_writing_can_wait_for_what_is_under_way() {
    let (client, mut api) = crate::mock::pair();
    let (events, mut answered) = mpsc::channel(8);
    let (may_write, may_writes) = watch::channel(true);
    let (orders, received) = mpsc::unbounded_channel();
    let (clock, metrics) = (Clock::new(), Metrics::default());
    let (_, seconds) = Pages::new(&metrics, Health::new(clock.clone()));
    let writer = StatusWriter::new(client, events, may_writes, metrics, seconds, clock);
    let under_way = writer.under_way();
    tokio::spawn(writer.run(received));
    let ended = |within| tokio::time::timeout(within, under_way.ended());

    ended(DEADLINE).await.expect("nothing is under way");
    orders.send(read("first", 1)).unwrap();
    let first = api.expect("GET", &path("first")).await;
    may_write.send_replace(false);
    orders.send(read("second", 2)).unwrap();
    ended(MOMENT).await.expect_err("the first has no answer");

    first.refuse(404, "gone");
    ended(DEADLINE).await.expect("the first was answered");
    assert!(matches!(answered.recv().await, Some(Event::Read(_, 1, _))));
    tokio::time::sleep(MOMENT).await;
    assert!(api.is_quiet(), "the second may not begin");

    may_write.send_replace(true);
    api.expect("GET", &path("second")).await.refuse(404, "gone");
    assert!(matches!(answered.recv().await, Some(Event::Read(_, 2, _))));
}

//! What is under way when writing is forbidden: it is waited for, and nothing begins before writing is allowed again.

use std::time::Duration;

use evaljob_operator::clock::Clock;
use evaljob_operator::decide::Event;
use evaljob_operator::metrics::{Health, Metrics, Pages};
use evaljob_operator::names::JobKey;
use evaljob_operator::status_writer::{Order, StatusWriter, UnderWay};
use tokio::sync::{mpsc, watch};

use crate::mock::{Api, DEADLINE};

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

struct Scene {
    api: Api,
    answered: mpsc::Receiver<Event>,
    may_write: watch::Sender<bool>,
    orders: mpsc::UnboundedSender<Order>,
    under_way: UnderWay,
}

fn start() -> Scene {
    let (client, api) = crate::mock::pair();
    let (events, answered) = mpsc::channel(64);
    let (may_write, may_writes) = watch::channel(true);
    let (orders, received) = mpsc::unbounded_channel();
    let (clock, metrics) = (Clock::new(), Metrics::default());
    let (_, seconds) = Pages::new(&metrics, Health::new(clock.clone()));
    let writer = StatusWriter::new(client, events, may_writes, metrics, seconds, clock);
    let under_way = writer.under_way();
    tokio::spawn(writer.run(received));
    Scene {
        api,
        answered,
        may_write,
        orders,
        under_way,
    }
}

#[tokio::test]
async fn whoever_forbids_writing_can_wait_for_what_is_under_way() {
    let Scene {
        mut api,
        mut answered,
        may_write,
        orders,
        under_way,
    } = start();
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

/// Requests at once, as the writer allows them.
const AT_ONCE: u64 = 32;

#[tokio::test]
async fn what_waits_for_its_turn_when_writing_is_forbidden_does_not_begin() {
    let mut scene = start();
    for id in 0..=AT_ONCE {
        scene.orders.send(read("j", id)).unwrap();
    }
    let mut asked = Vec::new();
    for _ in 0..AT_ONCE {
        asked.push(scene.api.expect("GET", &path("j")).await);
    }
    // The last one has passed the question whether it may, and has no turn yet.
    tokio::time::sleep(MOMENT).await;
    assert!(scene.api.is_quiet(), "more than {AT_ONCE} at once");
    scene.may_write.send_replace(false);
    for request in asked {
        request.refuse(404, "gone");
    }
    tokio::time::timeout(DEADLINE, scene.under_way.ended())
        .await
        .expect("all were answered");
    tokio::time::sleep(MOMENT).await;
    assert!(scene.api.is_quiet(), "the last one may not begin");
    scene.may_write.send_replace(true);
    scene.api.expect("GET", &path("j")).await;
}

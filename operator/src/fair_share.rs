//! The order in which waiting jobs get slots: fair over namespaces, priority within one.
//!
//! In: jobs that wait and jobs that hold slots. Out: the heads of the queue in the order in which they should be
//! tried. The namespace that holds fewest slots goes first, of equals the one served longest ago, so a namespace
//! with ten jobs is not behind one with ten thousand. Inside a namespace: higher priority, then older. Jobs of
//! equal [`Shape`] are interchangeable for placement, so only the first of each shape is ever looked at, and a
//! shape that fits nowhere hides no other. Pure; knows no nodes and no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::names::Uid;
use crate::placement::Shape;

/// Place of a job within its namespace; smaller is earlier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// Negated priority.
    rank: i64,
    /// Milliseconds of creation.
    created: i64,
    /// The job; also the tie-break, so that the order is total.
    pub uid: Uid,
}

impl Ticket {
    /// Ticket of a job.
    #[must_use]
    pub fn new(priority: i32, created_millis: i64, uid: Uid) -> Self {
        Self {
            rank: -i64::from(priority),
            created: created_millis,
            uid,
        }
    }
}

/// Shapes of one namespace that one pass looks at: a bound on the time an odd mixture of jobs can cost.
const SHAPES_PER_PASS: usize = 64;

/// Waiting jobs of all namespaces.
#[derive(Debug, Default)]
pub struct FairQueue {
    lanes: HashMap<Arc<str>, Lane>,
    /// Lanes in which something waits: (slots held, last served, namespace).
    order: BTreeSet<(u32, u64, Arc<str>)>,
    served: u64,
    waiting: usize,
}

/// One namespace.
#[derive(Debug, Default)]
struct Lane {
    shapes: BTreeMap<Arc<Shape>, BTreeSet<Ticket>>,
    heads: BTreeSet<(Ticket, Arc<Shape>)>,
    held: u32,
    served: u64,
}

impl FairQueue {
    /// Jobs that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// A job waits.
    pub fn push(&mut self, namespace: &Arc<str>, shape: &Arc<Shape>, ticket: Ticket) {
        let added = self.change(namespace, |lane| {
            lane.with_head(shape, |tickets| tickets.insert(ticket))
        });
        self.waiting += usize::from(added);
    }

    /// A job waits no more; nothing happens where it did not.
    pub fn remove(&mut self, namespace: &Arc<str>, shape: &Arc<Shape>, ticket: &Ticket) {
        let removed = self.change(namespace, |lane| {
            lane.with_head(shape, |tickets| tickets.remove(ticket))
        });
        self.waiting -= usize::from(removed);
    }

    /// A job of the namespace was given slots.
    pub fn hold(&mut self, namespace: &Arc<str>, slots: u32) {
        self.served += 1;
        let served = self.served;
        self.change(namespace, |lane| {
            lane.held = lane.held.saturating_add(slots);
            lane.served = served;
        });
    }

    /// A job of the namespace gave its slots back.
    pub fn release(&mut self, namespace: &Arc<str>, slots: u32) {
        self.change(namespace, |lane| {
            lane.held = lane.held.saturating_sub(slots)
        });
    }

    /// Slots the namespace holds.
    #[must_use]
    pub fn held(&self, namespace: &str) -> u32 {
        self.lanes.get(namespace).map_or(0, |lane| lane.held)
    }

    /// The first job of each shape, namespace by namespace in fair order; `true` with the first of a namespace.
    pub fn heads(&self) -> impl Iterator<Item = (&Ticket, &Arc<Shape>, bool)> {
        self.order.iter().flat_map(|(_, _, namespace)| {
            self.lanes
                .get(namespace)
                .into_iter()
                .flat_map(|lane| lane.heads.iter().take(SHAPES_PER_PASS))
                .enumerate()
                .map(|(index, (ticket, shape))| (ticket, shape, index == 0))
        })
    }

    /// Changes one lane and keeps the order of lanes and the count in step.
    fn change<T>(&mut self, namespace: &Arc<str>, change: impl FnOnce(&mut Lane) -> T) -> T {
        let lane = self.lanes.entry(namespace.clone()).or_default();
        let key = |lane: &Lane| (lane.held, lane.served, namespace.clone());
        self.order.remove(&key(lane));
        let result = change(lane);
        if !lane.heads.is_empty() {
            self.order.insert(key(lane));
        } else if lane.held == 0 {
            self.lanes.remove(namespace);
        }
        result
    }
}

impl Lane {
    /// Changes the tickets of one shape and keeps its head in step.
    fn with_head<T>(
        &mut self,
        shape: &Arc<Shape>,
        change: impl FnOnce(&mut BTreeSet<Ticket>) -> T,
    ) -> T {
        let tickets = self.shapes.entry(shape.clone()).or_default();
        if let Some(head) = tickets.first() {
            self.heads.remove(&(head.clone(), shape.clone()));
        }
        let result = change(tickets);
        if let Some(head) = tickets.first() {
            self.heads.insert((head.clone(), shape.clone()));
        } else {
            self.shapes.remove(shape);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(priority: i32, created: i64, uid: &str) -> Ticket {
        Ticket::new(priority, created, uid.into())
    }

    /// Takes the head again and again, each job holding one slot to the end.
    fn order(queue: &mut FairQueue, of: &dyn Fn(&str) -> Arc<str>) -> Vec<String> {
        let mut taken = Vec::new();
        let head = |queue: &FairQueue| {
            let first = queue.heads().next();
            first.map(|(ticket, shape, _)| (ticket.clone(), shape.clone()))
        };
        while let Some((head, shape)) = head(queue) {
            let namespace = of(&head.uid.0);
            queue.remove(&namespace, &shape, &head);
            queue.hold(&namespace, 1);
            taken.push(head.uid.to_string());
        }
        taken
    }

    #[test]
    fn a_small_namespace_does_not_wait_for_a_large_one() {
        let (large, small): (Arc<str>, Arc<str>) = ("large".into(), "small".into());
        let shape = Arc::new(Shape::default());
        let mut queue = FairQueue::default();
        for index in 0..6 {
            queue.push(&large, &shape, ticket(0, index, &format!("l{index}")));
        }
        queue.push(&small, &shape, ticket(-1000, 100, "s0"));
        queue.push(&small, &shape, ticket(-1000, 101, "s1"));
        assert_eq!(queue.len(), 8);
        let taken = order(&mut queue, &|uid| {
            if uid.starts_with('l') {
                large.clone()
            } else {
                small.clone()
            }
        });
        assert_eq!(taken, ["l0", "s0", "l1", "s1", "l2", "l3", "l4", "l5"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn within_a_namespace_priority_goes_before_age() {
        let namespace: Arc<str> = "n".into();
        let shape = Arc::new(Shape::default());
        let mut queue = FairQueue::default();
        queue.push(&namespace, &shape, ticket(0, 1, "old"));
        queue.push(&namespace, &shape, ticket(0, 2, "young"));
        queue.push(&namespace, &shape, ticket(5, 3, "urgent"));
        assert_eq!(
            order(&mut queue, &|_| namespace.clone()),
            ["urgent", "old", "young"]
        );
    }

    #[test]
    fn a_shape_that_fits_nowhere_hides_no_other() {
        let namespace: Arc<str> = "n".into();
        let small = Arc::new(Shape::default());
        let large = Arc::new(Shape {
            slots: 64,
            ..Shape::default()
        });
        let mut queue = FairQueue::default();
        for index in 0..100 {
            queue.push(
                &namespace,
                &large,
                ticket(10, index, &format!("large{index}")),
            );
        }
        queue.push(&namespace, &small, ticket(0, 500, "small"));
        let heads: Vec<_> = queue
            .heads()
            .map(|(ticket, _, first)| (ticket.uid.to_string(), first))
            .collect();
        assert_eq!(
            heads,
            [("large0".to_owned(), true), ("small".to_owned(), false)]
        );
    }

    #[test]
    fn what_is_removed_or_released_is_forgotten() {
        let namespace: Arc<str> = "n".into();
        let shape = Arc::new(Shape::default());
        let mut queue = FairQueue::default();
        queue.push(&namespace, &shape, ticket(0, 1, "a"));
        queue.push(&namespace, &shape, ticket(0, 1, "a"));
        assert_eq!(queue.len(), 1, "the same job waits once");
        queue.remove(&namespace, &shape, &ticket(0, 1, "a"));
        queue.remove(&namespace, &shape, &ticket(0, 1, "a"));
        assert_eq!(queue.len(), 0);
        queue.hold(&namespace, 3);
        assert_eq!(queue.held("n"), 3);
        queue.release(&namespace, 3);
        assert_eq!(queue.held("n"), 0);
        assert!(
            queue.lanes.is_empty(),
            "an idle namespace leaves nothing behind"
        );
    }
}

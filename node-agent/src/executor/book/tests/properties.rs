//! What holds after any sequence of events.

use super::*;

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

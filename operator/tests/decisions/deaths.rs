//! Random deaths, delays and losses, played through the core against a model of the world.
//!
//! The model has an API server that keeps the CRD's rules, agents that keep the wire schema's, operators that come and
//! go with everything they had on the way, and a clock. After each move the invariants of `decide` are checked;
//! at the end the world is healed and every job must come to its one verdict.

use crate::world::{Move, World};
use proptest::prelude::*;

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = (any::<u16>(), any::<u16>()).prop_flat_map(|(a, b)| {
        prop_oneof![
            6 => Just(Move::Create { cpus: a % 2 + 1, namespace: b % 3 }),
            1 => Just(Move::Delete(a)),
            1 => Just(Move::Cancel(a)),
            1 => Just(Move::Suspend(a)),
            2 => Just(Move::Resume(a)),
            1 => Just(Move::ForeignVerdict(a)),
            20 => Just(Move::Watch),
            30 => Just(Move::Down(a)),
            30 => Just(Move::Up(a)),
            20 => Just(Move::Answer { which: a, how: b }),
            4 => Just(Move::LateWrite(a)),
            15 => Just(Move::AgentStarts(a)),
            12 => Just(Move::AgentFinishes { which: a, how: b }),
            2 => Just(Move::AgentDies(a)),
            8 => Just(Move::AgentDials(a)),
            2 => Just(Move::StreamBreaks(a)),
            1 => Just(Move::OperatorDies),
            6 => Just(Move::OperatorStarts),
            2 => Just(Move::CrdChanges(a.is_multiple_of(2))),
            10 => Just(Move::TimePasses(u32::from(a % 4_000))),
            1 => Just(Move::TimePasses(u32::from(a) * 2)),
        ]
    });
    prop::collection::vec(step, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_dies_every_job_gets_one_verdict_and_no_run_is_done_twice(moves in moves()) {
        let mut world = World::new();
        for step in moves {
            world.play(step);
        }
        world.heal();
    }
}

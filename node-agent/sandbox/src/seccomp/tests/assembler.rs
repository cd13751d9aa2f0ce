//! Programs longer than any filter of ours, so that jumps must be led on and answers repeated.

use proptest::prelude::*;

use super::interpreter::{Data, run};
use crate::seccomp::assembler::{Assembler, Target};
use crate::seccomp::{DATA_ARGS, DATA_NR, tree};

const HIT: u32 = 1;
const MISS: u32 = 2;

/// Answers of the ranges: a value of its own, or what the first argument decides.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Leaf {
    Value(u32),
    ByArgument,
}

fn leaf() -> impl Strategy<Value = Leaf> {
    prop_oneof![
        3 => (3_u32..8).prop_map(Leaf::Value),
        1 => Just(Leaf::ByArgument),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_long_program_answers_like_its_list_of_ranges(
        leaves in prop::collection::vec(leaf(), 1..1500),
        set in prop::collection::btree_set(0_u32..600, 0..300),
        numbers in prop::collection::vec(0_u32..6000, 50),
        argument in 0_u32..600,
    ) {
        let set: Vec<u32> = set.into_iter().collect();
        let mut assembler = Assembler::default();
        let member = assembler.member(&set, Target::Return(HIT), Target::Return(MISS));
        let by_argument = assembler.load(DATA_ARGS, member);
        let ranges: Vec<(u32, Target)> = (0..)
            .step_by(4)
            .zip(&leaves)
            .map(|(first, leaf)| (first, match leaf {
                Leaf::Value(value) => Target::Return(*value),
                Leaf::ByArgument => by_argument,
            }))
            .collect();
        let start = tree(&mut assembler, &ranges);
        let entry = assembler.load(DATA_NR, start);
        let program = assembler.finish(entry);

        for nr in numbers {
            let index = usize::try_from(nr / 4).unwrap().min(leaves.len() - 1);
            let wanted = match leaves[index] {
                Leaf::Value(value) => value,
                Leaf::ByArgument if set.contains(&argument) => HIT,
                Leaf::ByArgument => MISS,
            };
            let data = Data { nr, args: [argument.into(), 0, 0, 0, 0, 0], ..Data::default() };
            prop_assert_eq!(run(&program, &data).value, wanted, "number {}", nr);
        }
    }
}

#[test]
fn equal_code_is_written_once() {
    let mut assembler = Assembler::default();
    let both = [(); 2].map(|()| {
        let member = assembler.member(&[1, 5, 6, 7], Target::Return(HIT), Target::Return(MISS));
        assembler.load(DATA_ARGS, member)
    });
    assert_eq!(both[0], both[1]);
    // One load, one comparison for 1, two for the range from 5 to 7, two answers.
    assert_eq!(assembler.finish(both[0]).len(), 6);
}

//! What holds for all numbers and arguments, and that each program says what its table says.

use proptest::prelude::*;

use super::interpreter::{Data, run};
use super::{ARCHES, Arch, Filters};
use crate::seccomp::rules::{Answer, Is, Rule};
use crate::seccomp::table::{Class, Grant, Row, TABLE};
use crate::seccomp::{ALLOW, Filter, INIT, KILL, errno};

/// AUDIT_ARCH of i386, 32-bit ARM and big-endian ARM.
const FOREIGN: [u32; 3] = [0x4000_0003, 0x4000_0028, 0x8000_00b7];

const EPERM: u32 = errno(libc::EPERM);
const ENOSYS: u32 = errno(libc::ENOSYS);

/// A number, more often than not one of the table.
fn number(arch: Arch) -> BoxedStrategy<u32> {
    let known: Vec<u32> = TABLE.iter().filter_map(|row| arch.number(row)).collect();
    let by_rule: Vec<u32> = TABLE
        .iter()
        .filter(|row| !rules(row).is_empty())
        .filter_map(|row| arch.number(row))
        .collect();
    prop_oneof![
        2 => 0_u32..700,
        2 => prop::sample::select(known),
        4 => prop::sample::select(by_rule),
        1 => any::<u32>(),
    ]
    .boxed()
}

/// An argument, more often than not a value that some rule names, a flag more or less.
fn argument() -> BoxedStrategy<u64> {
    let named: Vec<u32> = TABLE
        .iter()
        .flat_map(rules)
        .flat_map(|rule| rule.cases)
        .flat_map(|case| case.when)
        .flat_map(|test| match test.is {
            Is::OneOf(set) | Is::NoneOf(set) => set,
        })
        .copied()
        .collect();
    let low = prop_oneof![
        4 => prop::sample::select(named),
        2 => 0_u32..32,
        1 => (0_u32..32).prop_map(|bit| 1 << bit),
        1 => any::<u32>(),
    ];
    let flag = prop_oneof![3 => Just(0), 1 => (0_u32..32).prop_map(|bit| 1_u32 << bit)];
    let high = prop_oneof![3 => Just(0), 1 => any::<u32>()];
    (low, flag, high)
        .prop_map(|(low, flag, high)| u64::from(high) << 32 | u64::from(low ^ flag))
        .boxed()
}

fn rules(row: &Row) -> Vec<&'static Rule> {
    let Class::Allow { strict, default } = row.class else {
        return Vec::new();
    };
    [strict, default]
        .into_iter()
        .filter_map(|grant| match grant {
            Grant::If(rule) => Some(rule),
            Grant::Never | Grant::Always => None,
        })
        .collect()
}

fn call(arch: Arch) -> impl Strategy<Value = Data> {
    (number(arch), prop::array::uniform6(argument())).prop_map(move |(nr, args)| Data {
        nr,
        arch: arch.audit(),
        args,
    })
}

fn any_call() -> impl Strategy<Value = (Arch, Data)> {
    prop::sample::select(ARCHES.to_vec())
        .prop_flat_map(|arch| call(arch).prop_map(move |data| (arch, data)))
}

fn answer(filter: &Filter, data: &Data) -> u32 {
    run(filter.program(), data).value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn each_program_answers_as_the_table_reads((arch, data) in any_call()) {
        let wanted = [
            by_table(arch, &data, ALLOW, by_floor),
            by_table(arch, &data, ENOSYS, |row| by_profile(row, |strict, _| strict, &data)),
            by_table(arch, &data, ENOSYS, |row| by_profile(row, |_, default| default, &data)),
            by_table(arch, &data, KILL, |row| if INIT.contains(&row.name) { ALLOW } else { KILL }),
        ];
        for ((name, filter), wanted) in Filters::of(arch).each().into_iter().zip(wanted) {
            prop_assert_eq!(answer(filter, &data), wanted, "{}", name);
        }
    }

    #[test]
    fn strict_allows_nothing_that_default_does_not((arch, data) in any_call()) {
        let filters = Filters::of(arch);
        if answer(&filters.strict, &data) == ALLOW {
            prop_assert_eq!(answer(&filters.default, &data), ALLOW);
        }
    }

    #[test]
    fn no_profile_allows_what_the_floor_refuses((arch, data) in any_call()) {
        let filters = Filters::of(arch);
        if answer(&filters.floor, &data) != ALLOW {
            prop_assert_ne!(answer(&filters.strict, &data), ALLOW);
            prop_assert_ne!(answer(&filters.default, &data), ALLOW);
        }
    }

    #[test]
    fn the_high_half_of_an_argument_changes_nothing(
        (arch, data) in any_call(),
        garbage in prop::array::uniform6(any::<u32>()),
    ) {
        let mut dirty = data;
        for (argument, garbage) in dirty.args.iter_mut().zip(garbage) {
            *argument ^= u64::from(garbage) << 32;
        }
        for (_, filter) in Filters::of(arch).each() {
            prop_assert_eq!(answer(filter, &data), answer(filter, &dirty));
        }
    }

    #[test]
    fn a_foreign_abi_is_killed(
        (arch, data) in any_call(),
        foreign in prop_oneof![prop::sample::select(FOREIGN.to_vec()), any::<u32>()],
    ) {
        prop_assume!(foreign != arch.audit());
        let data = Data { arch: foreign, ..data };
        for (_, filter) in Filters::of(arch).each() {
            prop_assert_eq!(answer(filter, &data), KILL);
        }
    }

    #[test]
    fn an_x32_call_is_killed((_, data) in any_call(), rest in any::<u32>()) {
        let nr = rest | 0x4000_0000;
        prop_assume!(nr != u32::MAX);
        let data = Data { nr, arch: Arch::X86_64.audit(), ..data };
        for (_, filter) in Filters::of(Arch::X86_64).each() {
            prop_assert_eq!(answer(filter, &data), KILL);
        }
    }
}

/// Exhaustive over numbers, where the properties above draw.
#[test]
fn calls_that_the_floor_refuses_are_refused_by_each_profile_alone() {
    for arch in ARCHES {
        let filters = Filters::of(arch);
        for row in TABLE {
            let (Class::Kill | Class::Refuse, Some(nr)) = (row.class, arch.number(row)) else {
                continue;
            };
            let data = Data {
                nr,
                arch: arch.audit(),
                ..Data::default()
            };
            assert_ne!(answer(&filters.floor, &data), ALLOW, "{}", row.name);
            assert_eq!(answer(&filters.strict, &data), EPERM, "{}", row.name);
            assert_eq!(answer(&filters.default, &data), EPERM, "{}", row.name);
        }
    }
}

#[test]
fn init_has_its_eight_calls_on_both_architectures() {
    for arch in ARCHES {
        let allowed: Vec<&str> = TABLE
            .iter()
            .filter(|row| {
                arch.number(row).is_some_and(|nr| {
                    let data = Data {
                        nr,
                        arch: arch.audit(),
                        ..Data::default()
                    };
                    answer(&Filters::of(arch).init, &data) == ALLOW
                })
            })
            .map(|row| row.name)
            .collect();
        assert_eq!(allowed.len(), 8, "{arch:?}: {allowed:?}");
    }
}

/// The table, read by a second reader: one row after the other, no tree.
fn by_table(arch: Arch, data: &Data, unknown: u32, answer: impl Fn(&Row) -> u32) -> u32 {
    let x32 = arch == Arch::X86_64 && (0x4000_0000..u32::MAX).contains(&data.nr);
    if data.arch != arch.audit() || x32 {
        return KILL;
    }
    TABLE
        .iter()
        .find(|row| arch.number(row) == Some(data.nr))
        .map_or(unknown, answer)
}

fn by_floor(row: &Row) -> u32 {
    match row.class {
        Class::Kill => KILL,
        Class::Refuse => EPERM,
        Class::Deny | Class::Absent | Class::NoXattr | Class::Allow { .. } => ALLOW,
    }
}

fn by_profile(row: &Row, choose: impl Fn(Grant, Grant) -> Grant, data: &Data) -> u32 {
    match row.class {
        Class::Absent => ENOSYS,
        Class::NoXattr => errno(libc::EOPNOTSUPP),
        Class::Kill | Class::Refuse | Class::Deny => EPERM,
        Class::Allow { strict, default } => match choose(strict, default) {
            Grant::Never => EPERM,
            Grant::Always => ALLOW,
            Grant::If(rule) => by_rule(rule, data),
        },
    }
}

fn by_rule(rule: &Rule, data: &Data) -> u32 {
    let decided = rule.cases.iter().find(|case| {
        case.when.iter().all(|test| {
            let argument = data.args[usize::from(test.argument)] & 0xffff_ffff;
            let value = u32::try_from(argument).unwrap() & test.mask;
            match test.is {
                Is::OneOf(set) => set.contains(&value),
                Is::NoneOf(set) => !set.contains(&value),
            }
        })
    });
    match decided.map_or(rule.otherwise, |case| case.then) {
        Answer::Allow => ALLOW,
        Answer::Errno(number) => errno(number),
    }
}

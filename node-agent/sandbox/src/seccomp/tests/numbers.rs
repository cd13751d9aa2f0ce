//! The numbers of the table against libc (the architecture of the build) and the kernel's headers.

use std::collections::{BTreeMap, BTreeSet};

use super::{ARCHES, Arch};
use crate::seccomp::rules::{Is, Rule};
use crate::seccomp::table::{Class, Grant, TABLE};

/// Debian's linux-libc-dev, on which every C compiler depends. aarch64 has no list of its own.
const GENERIC_HEADER: &str = "/usr/include/asm-generic/unistd.h";

mod libc_numbers;

#[test]
fn rows_stand_in_the_order_of_the_x86_64_numbers() {
    let numbers: Vec<u16> = TABLE.iter().map(|row| row.x86_64.unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn no_name_and_no_number_stands_twice() {
    let mut names = BTreeSet::new();
    for row in TABLE {
        assert!(names.insert(row.name), "{} stands twice", row.name);
    }
    for arch in ARCHES {
        let mut numbers = BTreeMap::new();
        for row in TABLE {
            if let Some(number) = arch.number(row) {
                let other = numbers.insert(number, row.name);
                assert_eq!(other, None, "{arch:?} {number}: also {}", row.name);
            }
        }
    }
}

#[test]
fn numbers_from_424_on_are_the_same_everywhere() {
    for row in TABLE {
        if row.x86_64 >= Some(424) || row.aarch64 >= Some(424) {
            assert_eq!(row.x86_64, row.aarch64, "{}", row.name);
        }
    }
}

#[test]
fn numbers_are_those_of_libc() {
    let of_libc: BTreeMap<&str, libc::c_long> = libc_numbers::EVERYWHERE
        .iter()
        .chain(libc_numbers::HERE)
        .map(|&(name, number)| (name.trim_start_matches("SYS_"), number))
        .collect();
    for row in TABLE {
        let number = Arch::native().number(row).map(libc::c_long::from);
        let unknown_there = libc_numbers::MISSING.contains(&row.name);
        match of_libc.get(row.name) {
            Some(&theirs) => assert_eq!(number, Some(theirs), "{}", row.name),
            None => assert!(
                unknown_there || number.is_none(),
                "{} is not compared",
                row.name
            ),
        }
    }
    for name in of_libc.keys() {
        assert!(
            TABLE.iter().any(|row| row.name == *name),
            "{name} is not in the table"
        );
    }
}

#[test]
fn aarch64_numbers_are_those_of_the_generic_header() {
    let header = std::fs::read_to_string(GENERIC_HEADER)
        .unwrap_or_else(|error| panic!("{GENERIC_HEADER} (package linux-libc-dev): {error}"));
    // `#define __NR_read 63`, or __NR3264_ where 32-bit machines have another call.
    let mut theirs: BTreeMap<&str, u16> = header
        .lines()
        .filter_map(|line| {
            let (name, number) = line.strip_prefix("#define __NR")?.split_once(' ')?;
            let name = name
                .strip_prefix("3264_")
                .or_else(|| name.strip_prefix('_'))?;
            Some((
                if name == "fstatat" {
                    "newfstatat"
                } else {
                    name
                },
                number.trim().parse().ok()?,
            ))
        })
        .collect();
    let end = theirs.remove("syscalls").unwrap();
    assert!(end > 450, "{GENERIC_HEADER} ends at {end}");
    for row in TABLE {
        match (row.aarch64, theirs.get(row.name)) {
            (Some(ours), Some(&theirs)) => assert_eq!(ours, theirs, "{}", row.name),
            (Some(ours), None) => assert!(ours >= end, "{} is not in the header", row.name),
            (None, theirs) => assert_eq!(theirs, None, "{} has a number", row.name),
        }
    }
}

/// What `Assembler::member` and the interpreter of argument positions take for granted.
#[test]
fn sets_of_rules_are_ascending_and_positions_exist() {
    let rules = TABLE.iter().flat_map(|row| match row.class {
        Class::Allow { strict, default } => vec![(row.name, strict), (row.name, default)],
        _ => Vec::new(),
    });
    for (name, grant) in rules {
        let Grant::If(Rule { cases, .. }) = grant else {
            continue;
        };
        for test in cases.iter().flat_map(|case| case.when) {
            let (Is::OneOf(set) | Is::NoneOf(set)) = test.is;
            assert!(set.is_sorted_by(|a, b| a < b), "{name}: {set:?}");
            assert!(
                set.iter().all(|value| value & !test.mask == 0),
                "{name}: never true"
            );
            assert!(test.argument < 6, "{name}: argument {}", test.argument);
        }
    }
}

//! The hostile corpus: programs that attack the sandbox, each with what becomes of it and a control that shows that
//! the attack would have worked.
//!
//! `table` is the list, one line a case; the programs are in `tests/corpus`. An id is that of the threat it comes from:
//! E escape, N namespaces, F files, P /proc, W network, K kernel, R resources, S side channels, A output and artifacts,
//! V channels between jobs, B what a sandbox known to us let through.

pub(crate) mod neighbour;
mod outputs;
mod pairs;
mod row;
mod run;
mod sweep;
mod table;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::harness::{cases, isolated, sources, trial};
use crate::{container, other_kernel};
use row::{Row, Shown};
use table::TABLE;

/// The kind of the tests that are lines of the table.
const KIND: &str = "corpus";

pub(crate) fn trials() -> Vec<Trial> {
    let others = [
        ("outputs", outputs::CASES),
        ("pairs", pairs::CASES),
        ("sweep", sweep::CASES),
    ];
    let others = others
        .into_iter()
        .flat_map(|(concept, list)| cases(concept, list));
    rows().into_iter().chain(others).collect()
}

/// The lines of the table that are tests themselves.
pub(crate) fn rows() -> Vec<Trial> {
    TABLE
        .iter()
        .filter(|row| !matches!(row.shown, Shown::By(_)))
        .map(|row| trial(KIND, row.name(), || show(row)))
        .collect()
}

/// What holds for the table itself. `others`: all tests but this one.
pub(crate) fn whole(others: &[Trial]) -> Trial {
    let names: Vec<String> = others
        .iter()
        .map(|test| format!("[{}] {}", test.kind(), test.name()))
        .collect();
    Trial::test(
        "every id is in the table, with a control or the reason why there is none",
        move || -> Result<(), Failed> {
            table_is_whole(&names);
            Ok(())
        },
    )
    .with_kind("table")
}

/// In the container and under another kernel there is neither a compiler nor what worlds for controls and neighbours
/// are made with.
fn without_controls() -> bool {
    isolated::role()
        .is_some_and(|role| [container::INSIDE, other_kernel::INSIDE].contains(&role.as_str()))
}

/// Makes the executables that the rows of this name need, for a place without a compiler.
pub(crate) fn compile(part_of_name: &str) {
    let rows = TABLE.iter().filter(|row| row.name().contains(part_of_name));
    rows.filter_map(Row::file)
        .filter_map(|file| file.strip_suffix(".c"))
        .for_each(|name| drop(sources::binary(name)));
}

fn show(row: &Row) {
    match row.shown {
        Shown::Attack(attack) => run::show(row, &attack),
        Shown::Pair(pair) => pairs::show(&pair),
        Shown::By(_) => unreachable!("such rows are no tests"),
    }
}

#[expect(clippy::print_stdout, reason = "asked for by --nocapture")]
fn print_table() {
    TABLE.iter().for_each(|row| println!("{row}"));
}

/// Letter, first and last number.
const IDS: [(&str, u32, u32); 11] = [
    ("E", 1, 13),
    ("N", 1, 7),
    ("F", 1, 10),
    ("P", 1, 5),
    ("W", 1, 6),
    ("K", 1, 10),
    ("R", 1, 24),
    ("S", 1, 4),
    ("A", 1, 7),
    ("V", 17, 20),
    ("B", 1, 22),
];

fn table_is_whole(names: &[String]) {
    let mut found: Vec<&str> = TABLE.iter().map(|row| row.id).collect();
    found.dedup();
    let wanted: Vec<String> = IDS
        .iter()
        .flat_map(|(letter, first, last)| {
            (*first..=*last).map(move |number| format!("{letter}{number}"))
        })
        .collect();
    assert_eq!(found, wanted, "ids of the table");
    for row in TABLE {
        if let Shown::By(tests) = row.shown {
            for test in tests {
                let known = names.iter().any(|name| name == test);
                assert!(known, "{}: there is no test {test:?}", row.id);
            }
        }
    }
    for file in std::fs::read_dir(run::directory()).expect("the corpus") {
        let name = file.expect("an entry").file_name();
        let name = name.to_str().expect("plain names");
        let used = TABLE.iter().any(|row| row.file() == Some(name))
            || outputs::FILES.contains(&name)
            || ["attempt.h", "attempt.py", "canary.c", "unknown_nr.c"].contains(&name);
        assert!(used, "no case uses {name}");
    }
    if Arguments::from_args().nocapture {
        print_table();
    }
}

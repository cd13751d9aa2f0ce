//! The verdict on every number, as committed text: a change of policy is a change of these files.
//!
//! `UPDATE_EXPECT=1 cargo test -p evaljob-sandbox seccomp` writes them anew.

use std::fmt::Write;
use std::path::Path;

use super::interpreter::{Data, run};
use super::{ARCHES, Arch, Filters};
use crate::seccomp::table::TABLE;

/// Numbers beyond the table: its end, around the x32 bit, and -1.
const BEYOND: [u32; 7] = [
    999,
    0x3fff_ffff,
    0x4000_0000,
    0x4000_0001,
    0x7fff_ffff,
    0xffff_fffe,
    0xffff_ffff,
];

#[test]
fn every_number_gets_the_verdict_that_is_committed() {
    for arch in ARCHES {
        let file = match arch {
            Arch::X86_64 => "x86_64.txt",
            Arch::Aarch64 => "aarch64.txt",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/seccomp/tests")
            .join(file);
        let now = verdicts(arch);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &now).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        for (now, committed) in now.lines().zip(committed.lines()) {
            assert_eq!(now, committed, "{file}; UPDATE_EXPECT=1 writes it anew");
        }
        assert_eq!(now, committed, "{file} is longer or shorter");
    }
}

fn verdicts(arch: Arch) -> String {
    let filters = Filters::of(arch).each();
    let mut text = String::from(
        "# ?: by arguments, the verdict is that of zeros\n#   number call                   ",
    );
    for (filter, _) in filters {
        write!(text, " {filter:<13}").unwrap();
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    for nr in (0..=600).chain(BEYOND) {
        let name = TABLE
            .iter()
            .find(|row| arch.number(row) == Some(nr))
            .map_or("-", |row| row.name);
        write!(text, "{nr:>10} {name:<24}").unwrap();
        for (_, filter) in filters {
            let data = Data {
                nr,
                arch: arch.audit(),
                ..Data::default()
            };
            let outcome = run(filter.program(), &data);
            let mark = if outcome.by_arguments { "?" } else { "" };
            let verdict = word(outcome.value) + mark;
            write!(text, " {verdict:<13}").unwrap();
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn word(value: u32) -> String {
    match value & libc::SECCOMP_RET_ACTION_FULL {
        libc::SECCOMP_RET_ALLOW => "allow".to_owned(),
        libc::SECCOMP_RET_KILL_PROCESS => "KILL".to_owned(),
        libc::SECCOMP_RET_ERRNO => match i32::try_from(value & libc::SECCOMP_RET_DATA).unwrap() {
            libc::EPERM => "EPERM".to_owned(),
            libc::ENOSYS => "ENOSYS".to_owned(),
            libc::EAFNOSUPPORT => "EAFNOSUPPORT".to_owned(),
            libc::EOPNOTSUPP => "EOPNOTSUPP".to_owned(),
            other => panic!("errno {other} is not a part of the policy"),
        },
        other => panic!("action {other:#x} is not a part of the policy"),
    }
}

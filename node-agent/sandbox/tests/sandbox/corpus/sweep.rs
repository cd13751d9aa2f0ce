//! Every system call number in a real run, compared with the committed verdicts of the filters and with what the same
//! calls do without them.

use std::collections::BTreeMap;

use evaljob_sandbox::facts::Ending;
use evaljob_sandbox::plan::SeccompProfile;

use super::run;
use crate::harness::program::Program;
use crate::harness::{Case, control, isolated, pool, sources};

pub(crate) const CASES: &[Case] = &[
    (
        "every system call number gets the verdict that is committed, and the others work as without a filter",
        sweep,
    ),
    (
        "under Strict every system call number gets the verdict that is committed, and the others work as without a filter",
        sweep_strict,
    ),
];

/// Verdicts of each filter, proven by the unit tests of `seccomp` to be those of the table.
const COMMITTED: &str = include_str!("../../../src/seccomp/tests/x86_64.txt");

/// Left out without the sandbox, where they are made without a right: what sets clocks, loads code into the kernel,
/// restarts the machine or takes its swap.
const NEVER_BARE: [i64; 13] = [
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sync,
];

/// Number and what came of it, a line each.
fn lines(text: &str) -> BTreeMap<i64, &str> {
    text.lines()
        .map(|line| {
            let (number, end) = line.split_once(' ').expect("two words");
            (number.parse().expect("a number"), end)
        })
        .collect()
}

/// Name and verdict of the floor and a profile together.
fn committed(profile: SeccompProfile) -> BTreeMap<i64, (&'static str, &'static str)> {
    COMMITTED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [number, name, floor, strict, default, _init] = words[..] else {
                panic!("{line}");
            };
            let profile = match profile {
                SeccompProfile::Strict => strict,
                SeccompProfile::Default => default,
            };
            let verdict = if floor == "allow" { profile } else { floor };
            let number = number.parse().expect("a number");
            (number, (name, verdict.trim_end_matches('?')))
        })
        .collect()
}

fn without_a_right(arguments: &[String]) -> String {
    let mut command = isolated::alone("/usr/bin/setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps=-all", "--bounding-set=-all", "--"])
        .arg(sources::path("unknown_nr"))
        .args(arguments);
    let output = control::finish(&mut command, &[]);
    assert!(output.status.success(), "{}", control::describe(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// uretprobe and uprobe, which the kernel hands to no filter (since 6.14 and 6.18): they are for code that it has itself
/// put into a process, and end in SIGILL and ENXIO elsewhere.
const UNFILTERED: [i64; 2] = [335, 336];

fn sweep() {
    let sandbox = run::program("unknown_nr.c", &[]).run().passed().text();
    let bare = without_a_right(&NEVER_BARE.map(|number| number.to_string()));
    let committed = committed(SeccompProfile::Default);
    let (sandbox, bare) = (lines(&sandbox), lines(&bare));
    let mut wrong = Vec::new();
    let mut killed = 0;
    for number in 0..=600 {
        let (name, verdict) = committed[&number];
        let found = sandbox[&number];
        let free = bare.get(&number).copied();
        let wanted = match verdict {
            "KILL" => "SIGSYS",
            "allow" => free.unwrap_or(found),
            errno => errno,
        };
        let unfiltered = UNFILTERED.contains(&number) && free == Some(found);
        if found != wanted && !unfiltered {
            wrong.push(format!("{number} {name}: {found}, not {wanted}"));
        }
        killed += usize::from(found == "SIGSYS");
        if free == Some("SIGSYS") {
            wrong.push(format!("{number} {name}: killed without a filter"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(killed > 20 && sandbox.len() == 601, "{killed} are killed");
}

/// These end whoever makes them, and are made by every program that ends or handles a signal.
const ENDING: [i64; 2] = [libc::SYS_exit_group, libc::SYS_rt_sigreturn];

/// Where there are no children, a call that kills has a run to itself; all others share one, a thread each.
fn sweep_strict() {
    let committed = committed(SeccompProfile::Strict);
    let with = |verdicts: fn(&str) -> bool| {
        let numbers = committed.iter().filter(move |(number, (_, verdict))| {
            (0..=600).contains(*number) && verdicts(verdict) && !UNFILTERED.contains(number)
        });
        numbers.map(|(number, _)| *number)
    };
    let texts = |numbers: &mut dyn Iterator<Item = i64>| {
        let numbers = numbers.filter(|number| !ENDING.contains(number));
        let texts = numbers.map(|number| number.to_string());
        std::iter::once("in-threads".to_owned())
            .chain(texts)
            .collect::<Vec<_>>()
    };
    let asked = texts(&mut with(|verdict| verdict != "KILL"));
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let sandbox = run::program("unknown_nr.c", &asked)
        .strict()
        .run()
        .passed()
        .text();
    let bare = without_a_right(&texts(&mut with(|verdict| verdict == "allow")));
    let (sandbox, bare) = (lines(&sandbox), lines(&bare));
    let mut wrong = Vec::new();
    for (number, found) in &sandbox {
        let (name, verdict) = committed[number];
        let wanted = if verdict == "allow" {
            bare[number]
        } else {
            verdict
        };
        if *found != wanted {
            wrong.push(format!("{number} {name}: {found}, not {wanted}"));
        }
    }
    let (mut slot, mut killed) = (pool::slot(), 0);
    for number in with(|verdict| verdict == "KILL") {
        let program = Program::compiled("call", &[&number.to_string()]).strict();
        let report = program.run_on(&mut slot);
        if report.facts.ending != Ending::Signaled(libc::SIGSYS) {
            wrong.push(format!("{number}: {:?}, not killed", report.facts.ending));
        }
        killed += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let tried = sandbox.len() + killed + ENDING.len() + UNFILTERED.len();
    assert!(
        killed > 20 && tried == 601,
        "{killed} are killed, {tried} were tried"
    );
}

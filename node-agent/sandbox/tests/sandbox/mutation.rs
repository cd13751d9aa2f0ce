//! Each part of the protection left out once: what then goes red, or what refuses to run.
//!
//! A row is tried in up to three ways, each by this binary again in a world of its own:
//!
//! 1. where the read-back (or the sequence itself) sees the part missing: an honest program is refused, by that layer;
//! 2. with the read-back off as well, the honest program runs, so that
//! 3. the attack is what makes the case of the row fail.
//!
//! Where two layers stand before one thing, `beside` takes the other one away first; the case must then still hold.

pub(crate) mod stopped;

use libtest_mimic::{Failed, Trial};

use evaljob_sandbox::mutation::{NAMES, VARIABLE};

use crate::harness::{control, isolated};

/// What is seen of a part that is missing.
struct Row {
    part: &'static str,
    /// The words of the error by which a run is refused.
    refused: Option<&'static str>,
    /// The case that fails.
    red: Option<&'static str>,
    /// Parts that stand in front of it.
    beside: &'static [&'static str],
}

const READ_BACK: &str = "read-back";
/// A case that needs every part of a run to work, and none to hold.
const HONEST: &str = "what a job needs is open";

/// The read-back refuses it, and without the read-back a case fails.
const fn both(part: &'static str, refused: &'static str, red: &'static str) -> Row {
    Row {
        part,
        refused: Some(refused),
        red: Some(red),
        beside: &[],
    }
}

/// Only an attempt shows it.
const fn attempt(part: &'static str, red: &'static str) -> Row {
    Row {
        part,
        refused: None,
        red: Some(red),
        beside: &[],
    }
}

/// A run does not come into being without it, or there is nothing that a program could notice.
const fn refusal(part: &'static str, refused: &'static str) -> Row {
    Row {
        part,
        refused: Some(refused),
        red: None,
        beside: &[],
    }
}

const fn behind(beside: &'static [&'static str], row: Row) -> Row {
    Row { beside, ..row }
}

const IDS: &str = "ids, groups, capabilities, filters and no_new_privs are as planned";
const ATTRIBUTES: &str = "securebits, session, death signal, umask and OOM score are as planned";
const MOUNTS: &str = "exactly the planned mounts are there, with their flags";
const INIT: &str = "init has given up everything when the program runs";
const NAMESPACES: &str = "each namespace of a run is its own";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Securebits need a right that only a user namespace of its own gives.
    refusal("user namespace", "Identity failed"),
    refusal("mount namespace", "mnt namespace"),
    refusal("pid namespace", "Namespaces: JobClone"),
    both("ipc namespace", "ipc namespace", NAMESPACES),
    both("uts namespace", "uts namespace", NAMESPACES),
    both("cgroup namespace", "cgroup namespace", "a run sees its own cgroup as the root"),
    both("network namespace", "net namespace", NAMESPACES),
    attempt("network namespace: as new", "nothing that a run leaves in its network namespace is there for the next"),
    attempt("ids of the slot's own", "ids of runs on two slots differ"),

    attempt("init: capabilities", INIT),
    // By then init has closed the pipe of failures: told by the socket of its report.
    refusal("init: no_new_privs", "Identity: InitLockdown failed: Permission denied"),
    attempt("init: descriptors", INIT),
    attempt("init: filter", INIT),

    attempt("0 session", ATTRIBUTES),
    attempt("0 groups", "of an agent with a thousand open descriptors and other groups nothing reaches a run"),
    refusal("0 ids", "ReadBack"),
    attempt("0 securebits", ATTRIBUTES),
    attempt("0 death signal", ATTRIBUTES),
    // With no capability left, no filter can be installed.
    refusal("0 no_new_privs", "Seal failed"),
    attempt("1 Landlock", "F3 what Landlock does not judge, and moving between trees (landlock_gaps.py /tmp)"),
    attempt("1 Landlock: TCP", "W1* the network (net_none.c)"),
    behind(&["network namespace", READ_BACK], attempt("1 Landlock: scopes", "an abstract name leads to nobody outside, whatever the reason")),
    both("2 seccomp floor", "Seccomp_filters", "E2* mounts, by old calls and new ones (mount_tmpfs.c)"),
    both("3 rlimits", "Rlimits", "every resource limit is as planned, hard and soft"),
    both("4 bounding set", "CapBnd", IDS),
    // execve as another user than root would empty them too.
    refusal("4 capabilities", "CapPrm"),
    refusal("5 close fds", "open descriptors should be 0 to 4"),
    both("6 seccomp profile", "Seccomp_filters", "K7* old calls that weaken protection (ldt_personality.c)"),
    attempt("6 seccomp profile: as compiled", "K7* old calls that weaken protection (ldt_personality.c)"),

    both("root: read-only", "/ is mounted without ro", MOUNTS),
    both("image: read-only", "without ro", MOUNTS),
    both("image: nosuid", "without nosuid", MOUNTS),
    both("image: nodev", "without nodev", MOUNTS),
    both("own places: nosuid", "without nosuid", MOUNTS),
    both("own places: nodev", "without nodev", MOUNTS),
    both("/dev/shm: noexec", "without noexec", MOUNTS),
    both("devices: read-only", "without ro", MOUNTS),
    attempt("/proc: subset", "P1* what /proc tells about the node (proc_secrets.c)"),
    attempt("/proc: hidepid", "E13* the first process of the run (init_attack.c)"),
    both("/proc: flags", "/proc is mounted without", MOUNTS),
    attempt("volume: noexec", "the mounts of node directories have their flags"),
    attempt("/judge: read-only", "a checker finds its three files and cannot change them"),
    both("detach what only mounting needs", "is mounted and not planned", MOUNTS),

    both("cgroup: entry", "Cgroup", "memory of every kind counts"),
    attempt("cgroup: memory", "memory of every kind counts"),
    attempt("cgroup: processes", "as many processes as the limit says, and not one more"),
];

const PROBE: &str = "every attempt of the node's own test is refused";

/// Parts whose absence the node's own test finds by itself, and what it says.
const PROBED: &[(&str, &str)] = &[
    ("1 Landlock", "layer: Landlock"),
    ("2 seccomp floor", "layer: Seccomp"),
    ("6 seccomp profile", "layer: Seccomp"),
    (
        "6 seccomp profile: as compiled",
        "the kernel holds other filters than were compiled",
    ),
    ("/proc: subset", "layer: Rootfs"),
    ("/proc: hidepid", "layer: Rootfs"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let complete = Trial::test("no part that can be left out is without a row", || {
        let rows: Vec<_> = ROWS.iter().map(|row| row.part).collect();
        let parts: Vec<_> = NAMES
            .iter()
            .copied()
            .filter(|name| *name != READ_BACK)
            .collect();
        if rows == parts {
            return Ok(());
        }
        Err(Failed::from(format!("parts {parts:?}\nrows {rows:?}")))
    })
    .with_kind("mutation");
    let rows = ROWS.iter().map(|row| {
        Trial::test(format!("without {}", row.part), move || row.hold()).with_kind("mutation")
    });
    let probed = PROBED.iter().map(|(part, words)| {
        let name = format!("without {part}, the node's own test fails");
        Trial::test(name, move || probed(part, words)).with_kind("mutation")
    });
    std::iter::once(complete)
        .chain(rows)
        .chain(probed)
        .chain(stopped::trials())
        .collect()
}

impl Row {
    fn hold(&self) -> Result<(), Failed> {
        if let Some(refused) = self.refused {
            let (passed, said) = case(HONEST, &[self.part]);
            ensure(
                !passed && said.contains(refused),
                HONEST,
                "is refused",
                &said,
            )?;
        }
        let Some(red) = self.red else {
            return Ok(());
        };
        let mut without = self.beside.to_vec();
        if !without.is_empty() {
            let (passed, said) = case(red, &without);
            ensure(passed, red, "holds while the part is there", &said)?;
        }
        without.extend([READ_BACK, self.part]);
        let (passed, said) = case(HONEST, &without);
        ensure(passed, HONEST, "runs", &said)?;
        let (passed, said) = case(red, &without);
        ensure(!passed, red, "fails", &said)
    }
}

fn ensure(holds: bool, case: &str, what: &str, said: &str) -> Result<(), Failed> {
    if holds {
        return Ok(());
    }
    Err(Failed::from(format!(
        "it is not so that {case:?} {what}:\n{said}"
    )))
}

/// Runs one case of this binary without these parts; whether it passed, and what was said.
fn case(name: &str, without: &[&str]) -> (bool, String) {
    let output = isolated::own_world_for(&["--exact", name])
        .env(VARIABLE, without.join(","))
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("unshare starts");
    let said = control::describe(&output);
    assert!(said.contains("running 1 test"), "no case {name:?}: {said}");
    (output.status.success(), said)
}

fn probed(part: &str, words: &str) -> Result<(), Failed> {
    let (passed, said) = case(PROBE, &[READ_BACK, part]);
    ensure(!passed, PROBE, "fails", &said)?;
    ensure(
        said.contains(words),
        PROBE,
        &format!("says {words:?}"),
        &said,
    )
}

//! A program that uses things up, alone in a world with an honest neighbour: the neighbour keeps being judged right,
//! and afterwards everything is as before.

use std::sync::atomic::{AtomicBool, Ordering};

use evaljob_sandbox::{Slot, Spawner};

use super::row::{Attack, Row, Shown};
use super::run;
use super::table::TABLE;
use crate::harness::census::{self, processes};
use crate::harness::ground::Ground;
use crate::harness::program::Program;
use crate::harness::{control, isolated, pool, wait};

/// Role: runs one row of the table.
pub(crate) const BESIDE: &str = "beside-a-canary";
/// Which row.
const NAME: &str = "EVALJOB_TEST_CASE";

/// What the agent and each process of the sandbox may have come to hold, in KiB, whatever a run does.
const PEAK_KIB: u64 = 64 << 10;

pub(crate) fn assert(row: &Row) {
    // Once, not in each role.
    let Shown::Attack(attack) = row.shown else {
        panic!("not a program");
    };
    run::program(attack.file, &[]);
    Program::compiled("canary", &[]);
    let output = isolated::own_world(BESIDE)
        .env(NAME, row.name())
        .output()
        .expect("unshare starts");
    assert!(output.status.success(), "{}", control::describe(&output));
}

pub(crate) fn be_beside() {
    let name = std::env::var(NAME).expect("set by the test");
    let index = TABLE.iter().position(|row| row.name() == name);
    let index = index.expect("a row");
    let Shown::Attack(attack) = TABLE[index].shown else {
        panic!("not a program");
    };
    let ground = Ground::enter(&format!("corpus-{index}"));
    let spawner = Spawner::start(pool::host(2)).unwrap_or_else(|error| panic!("{error}"));
    let (mut one, mut two) = (spawner.slot(0), spawner.slot(1));
    // Twice: then each worker has both network namespaces that take turns.
    for _ in 0..2 {
        canary(&mut one);
        canary(&mut two);
    }
    let before = census::settled(&ground);
    attacked(&attack, &mut one, &mut two);
    wait::until("everything is as before", || {
        (census::count(&ground) == before).then_some(())
    });
    for process in processes() {
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        assert!(peak.is_none_or(|peak| peak < PEAK_KIB), "{status}");
    }
    canary(&mut one);
    drop((one, two));
    drop(spawner);
    ground.leave();
}

fn canary(slot: &mut Slot) {
    let numbers: String = (1..=1000).map(|number| format!("{number} ")).collect();
    let report = Program::compiled("canary", &[]).stdin(numbers).run_on(slot);
    report.passed().printed("500500\n");
}

/// The attack on one slot, canaries on the other until it has ended.
fn attacked(attack: &Attack, one: &mut Slot, two: &mut Slot) {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            canary(two);
            while !ended.load(Ordering::Relaxed) {
                canary(two);
            }
        });
        let program = (attack.change)(run::program(attack.file, attack.arguments));
        let report = program.run_on(one);
        ended.store(true, Ordering::Relaxed);
        neighbour.join().expect("the canary is judged right");
        run::check(attack, &report);
    });
}

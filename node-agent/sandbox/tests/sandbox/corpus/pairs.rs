//! Two programs at once, in the sandbox and without it.

use super::row::{Attack, Pair, Shown};
use super::table::TABLE;
use super::{run, without_controls};
use crate::harness::beside::{beside, controlled, without_marks};
use crate::harness::{Case, pool};

pub(crate) const CASES: &[Case] = &[("two hostile jobs at once are each judged right", || {
    for (one, two) in [("R1", "B1"), ("R2", "R8"), ("R14", "R4")] {
        at_once(&by_id(one), &by_id(two));
    }
})];

fn by_id(id: &str) -> Attack {
    let attacks = TABLE.iter().filter(|row| row.id == id);
    let attacks = attacks.filter_map(|row| match row.shown {
        Shown::Attack(attack) => Some(attack),
        _ => None,
    });
    attacks.into_iter().next().expect("an attack")
}

fn at_once(one: &Attack, two: &Attack) {
    let [mut first, mut second] = pool::slots();
    let run = |attack: &Attack, slot: &mut evaljob_sandbox::Slot| {
        let program = (attack.change)(run::program(attack.file, attack.arguments));
        program.run_on(slot)
    };
    let (one_report, two_report) = std::thread::scope(|scope| {
        let one = scope.spawn(|| run(one, &mut first));
        let two = scope.spawn(|| run(two, &mut second));
        (one.join().expect("it ends"), two.join().expect("it ends"))
    });
    run::check(one, &one_report);
    run::check(two, &two_report);
}

pub(crate) fn show(pair: &Pair) {
    let mut seen = String::new();
    let report = beside(&run::program(pair.file, &["first"]), |slot| {
        let second = run::program(pair.file, &["second"]);
        seen = second.run_on(slot).passed().text();
    });
    let found = [without_marks(&report.text()), seen].map(|text| run::joined(&text));
    assert_eq!(found, pair.sandbox, "{}", report.all());
    if without_controls() {
        return;
    }
    let path = run::directory().join(pair.file);
    let found = controlled(&path.to_string_lossy()).map(|text| run::joined(&text));
    assert_eq!(found, pair.control, "without the sandbox");
}

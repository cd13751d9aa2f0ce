//! What a run may use, limit by limit: reached exactly, recorded when it happens, and not felt below.

mod cgroup;
mod cpu;
mod memory;
mod output;
mod processes;
mod rlimits;
mod storage;

use libtest_mimic::Trial;

use crate::harness::{cases, lone_cases};

pub(crate) fn trials() -> Vec<Trial> {
    let concepts = [
        ("cgroup", cgroup::CASES),
        ("cpu", cpu::CASES),
        ("memory", memory::CASES),
        ("processes", processes::CASES),
        ("storage", storage::CASES),
        ("output", output::CASES),
        ("rlimits", rlimits::CASES),
    ];
    let shared = concepts
        .into_iter()
        .flat_map(|(concept, list)| cases(concept, list));
    shared.chain(lone_cases("cpu", cpu::LONE)).collect()
}

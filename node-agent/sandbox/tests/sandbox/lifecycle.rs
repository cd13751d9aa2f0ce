//! The life of a run: how it starts and ends, its streams, its files, and that nothing of it outlives it.

mod checkers;
mod collect;
pub(crate) mod deaths;
mod endings;
mod files;
pub(crate) mod leak;
mod leftovers;
pub(crate) mod soak;
mod starts;
mod steps;
mod streams;
mod volumes;

use libtest_mimic::Trial;

use crate::harness::cases;

pub(crate) fn trials() -> Vec<Trial> {
    let concepts = [
        ("endings", endings::CASES),
        ("starts", starts::CASES),
        ("streams", streams::CASES),
        ("files", files::CASES),
        ("steps", steps::CASES),
        ("checkers", checkers::CASES),
        ("volumes", volumes::CASES),
        ("collect", collect::CASES),
        ("leftovers", leftovers::CASES),
        ("deaths", deaths::CASES),
        ("leak", leak::CASES),
        ("soak", soak::CASES),
    ];
    concepts
        .into_iter()
        .flat_map(|(concept, list)| cases(concept, list))
        .collect()
}

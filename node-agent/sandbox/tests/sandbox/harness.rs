//! What the tests stand on: a private world, slots to share, programs to run in the sandbox and beside it.

pub(crate) mod attempts;
pub(crate) mod beside;
pub(crate) mod census;
pub(crate) mod control;
pub(crate) mod ground;
pub(crate) mod isolated;
pub(crate) mod machine;
pub(crate) mod pool;
pub(crate) mod processes;
pub(crate) mod program;
pub(crate) mod sources;
pub(crate) mod wait;

use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Failed, Trial};

/// A test: a sentence, and what shows that it holds. It fails by panicking.
pub(crate) type Case = (&'static str, fn());

/// Held for reading by every test, for writing by one that must have the machine's CPUs for itself.
static MACHINE: RwLock<()> = RwLock::new(());

/// The cases of one concept.
pub(crate) fn cases(concept: &'static str, cases: &'static [Case]) -> impl Iterator<Item = Trial> {
    cases
        .iter()
        .map(move |(name, body)| trial(concept, (*name).to_owned(), *body))
}

/// The same for a case that is made of data.
pub(crate) fn trial(
    concept: &'static str,
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> Trial {
    Trial::test(name, move || -> Result<(), Failed> {
        let _shared = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        body();
        Ok(())
    })
    .with_kind(concept)
}

/// The same for cases that no other test may disturb.
pub(crate) fn lone_cases(
    concept: &'static str,
    cases: &'static [Case],
) -> impl Iterator<Item = Trial> {
    cases.iter().map(move |(name, body)| {
        let body = *body;
        Trial::test(*name, move || -> Result<(), Failed> {
            let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
            body();
            Ok(())
        })
        .with_kind(concept)
    })
}

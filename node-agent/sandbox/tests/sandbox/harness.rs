//! What the tests stand on: a private world, slots to share, programs to run in the sandbox and beside it.

pub(crate) mod attempts;
pub(crate) mod control;
pub(crate) mod ground;
pub(crate) mod isolated;
pub(crate) mod machine;
pub(crate) mod pool;
pub(crate) mod program;
pub(crate) mod sources;
pub(crate) mod wait;

use libtest_mimic::{Failed, Trial};

/// A test: a sentence, and what shows that it holds. It fails by panicking.
pub(crate) type Case = (&'static str, fn());

/// The cases of one concept.
pub(crate) fn cases(concept: &'static str, cases: &'static [Case]) -> impl Iterator<Item = Trial> {
    cases.iter().map(move |(name, body)| {
        let body = *body;
        Trial::test(*name, move || -> Result<(), Failed> {
            body();
            Ok(())
        })
        .with_kind(concept)
    })
}

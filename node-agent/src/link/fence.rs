//! Which leaders are still believed.
//!
//! In: the terms of Welcomes. Out: whether to go on with that operator. A leader whose term is over may not know it
//! yet (it was cut off, or stopped for a while); what it says must not undo what its successor said. Pure.

use crate::identity::Epoch;

/// Remembers the term of the last Welcome.
#[derive(Debug, Default)]
pub(super) struct Fence {
    last: Option<Epoch>,
}

/// A Welcome of a term that is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operator's term {offered} is over, term {known} is known")]
pub(super) struct Stale {
    /// What it said.
    pub(super) offered: Epoch,
    /// The later one.
    pub(super) known: Epoch,
}

impl Fence {
    /// Takes in the term of a Welcome.
    ///
    /// # Errors
    /// [`Stale`] where a later term of the same Lease is known.
    pub(super) fn welcome(&mut self, offered: &Epoch) -> Result<(), Stale> {
        if let Some(known) = &self.last
            && offered.is_before(known)
        {
            return Err(Stale {
                offered: offered.clone(),
                known: known.clone(),
            });
        }
        self.last = Some(offered.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(lease: &str, transitions: u64) -> Epoch {
        Epoch {
            lease_uid: lease.into(),
            transitions,
        }
    }

    #[test]
    fn a_lower_term_of_the_same_lease_is_refused_and_remembered_by_nobody() {
        let mut fence = Fence::default();
        assert_eq!(fence.welcome(&epoch("a", 3)), Ok(()));
        assert_eq!(
            fence.welcome(&epoch("a", 3)),
            Ok(()),
            "the same leader again"
        );
        assert_eq!(fence.welcome(&epoch("a", 5)), Ok(()));
        let stale = fence.welcome(&epoch("a", 4)).unwrap_err();
        assert_eq!(stale.known, epoch("a", 5));
        assert_eq!(fence.welcome(&epoch("a", 5)), Ok(()));
    }

    #[test]
    fn a_lease_that_was_made_again_counts_from_the_start() {
        let mut fence = Fence::default();
        assert_eq!(fence.welcome(&epoch("a", 9)), Ok(()));
        assert_eq!(fence.welcome(&epoch("b", 0)), Ok(()));
        assert_eq!(fence.welcome(&epoch("b", 1)), Ok(()));
        assert!(fence.welcome(&epoch("b", 0)).is_err());
    }
}

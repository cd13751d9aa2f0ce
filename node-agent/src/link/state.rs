//! What others may know of the link: whether an operator has welcomed it, how often it dialled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The link's state; clones share it.
#[derive(Debug, Clone, Default)]
pub struct LinkState {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    welcomed: AtomicBool,
    dials: AtomicU64,
}

impl LinkState {
    /// Whether a stream is open and was welcomed.
    pub fn is_welcomed(&self) -> bool {
        self.inner.welcomed.load(Ordering::Relaxed)
    }

    /// Dials since the start.
    pub fn dials(&self) -> u64 {
        self.inner.dials.load(Ordering::Relaxed)
    }

    pub(crate) fn set_welcomed(&self, welcomed: bool) {
        self.inner.welcomed.store(welcomed, Ordering::Relaxed);
    }

    pub(super) fn count_dial(&self) {
        self.inner.dials.fetch_add(1, Ordering::Relaxed);
    }
}

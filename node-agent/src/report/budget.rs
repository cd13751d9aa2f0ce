//! The size of a status: streams shrink together until it fits.
//!
//! In: a status without streams, and a way to add them at given sizes. Out: the first status that
//! fits, tried from large to small; without any stream it always does, because all else is bounded.
//! The stream that explains the verdict shrinks last. Source: api.md "Budget".

use evaljob_crds::status::EvalJobStatus;

use crate::stream::END_BYTES;

/// Bytes of the status as JSON, without outputs (which have a bound of their own).
pub(super) const LIMIT: usize = 64 << 10;

/// Bytes of it that are left to what only the operator knows: node, attempt, times.
pub(super) const OPERATOR: usize = 1 << 10;

/// Bytes at each end of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// Of the one that explains the verdict.
    pub(super) explaining: usize,
    /// Of every other one.
    pub(super) others: usize,
}

/// What is tried, in order.
const ENDS: [(usize, usize); 7] = [
    (END_BYTES, END_BYTES),
    (END_BYTES, 1024),
    (END_BYTES, 256),
    (END_BYTES, 0),
    (1024, 0),
    (256, 0),
    (0, 0),
];

/// Adds streams by `add`, as large as fits.
pub(super) fn fit(status: EvalJobStatus, add: impl Fn(&mut EvalJobStatus, Ends)) -> EvalJobStatus {
    let mut fitted = status.clone();
    for (explaining, others) in ENDS {
        fitted = status.clone();
        add(&mut fitted, Ends { explaining, others });
        if size(&fitted) <= LIMIT - OPERATOR {
            break;
        }
    }
    fitted
}

/// Bytes of the status as JSON.
pub(super) fn size(status: &EvalJobStatus) -> usize {
    serde_json::to_vec(status).map_or(usize::MAX, |json| json.len())
}

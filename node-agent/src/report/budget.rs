//! The size of a status: streams shrink together until it fits.
//!
//! In: a status without streams, and a way to add them at a given size. Out: the first status that
//! fits, tried from large to small. Source: api.md "Budget".

use evaljob_crds::status::EvalJobStatus;

use crate::stream::END_BYTES;

/// Bytes of the status as JSON, without outputs (which have a bound of their own).
pub(super) const LIMIT: usize = 64 << 10;

/// Bytes at each end of every stream but the one that explains the verdict.
const ENDS: [usize; 4] = [END_BYTES, 1024, 256, 0];

/// Adds streams by `add`, as large as fits.
pub(super) fn fit(status: EvalJobStatus, add: impl Fn(&mut EvalJobStatus, usize)) -> EvalJobStatus {
    let mut fitted = status.clone();
    for end in ENDS {
        fitted = status.clone();
        add(&mut fitted, end);
        if size(&fitted) <= LIMIT {
            break;
        }
    }
    fitted
}

/// Bytes of the status as JSON.
pub(super) fn size(status: &EvalJobStatus) -> usize {
    serde_json::to_vec(status).map_or(usize::MAX, |json| json.len())
}

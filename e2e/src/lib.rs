//! The test cluster and what its tests share.

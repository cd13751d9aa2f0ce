//! Rows of ends against the statuses they lead to.

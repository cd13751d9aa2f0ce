//! Processes of a run, seen from the tests.

use std::fs;

/// The child of process `pid` that was born last: the only one of an init, the worker of a spawner with one slot.
pub(crate) fn last_child(pid: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("/proc");
    let child = text.split_whitespace().next_back();
    child.expect("a child").to_owned()
}

/// The program that runs on the only slot of this spawner.
pub(crate) fn program_of(spawner: i32) -> String {
    last_child(&last_child(&last_child(&spawner.to_string())))
}

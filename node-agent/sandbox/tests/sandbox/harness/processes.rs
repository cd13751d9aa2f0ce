//! Processes, seen from the tests.

use std::fs;

use rustix::process::{Pid, Signal, WaitOptions};

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

/// Children of a process, as its own /proc shows them.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Pids of this world but ours, for a role that is its pid 1.
pub(crate) fn others() -> Vec<String> {
    let names = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name != "1" && name.bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

pub(crate) fn kill(pid: i32) {
    rustix::process::kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL)
        .expect("it is ours");
}

/// Waits for every child that has ended, the orphans of a pid 1 among them.
pub(crate) fn reap() {
    while matches!(
        rustix::process::waitpid(None, WaitOptions::NOHANG),
        Ok(Some(_))
    ) {}
}

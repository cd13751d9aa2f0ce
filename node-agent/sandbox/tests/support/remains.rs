//! Directories and processes that the cgroup tests look at and clear away.
#![expect(clippy::panic, reason = "test code")]

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::MemfdFlags;
use rustix::process::Pid;

use crate::runs::MIB;

pub(crate) fn children(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_dir())
        .collect()
}

pub(crate) fn remove_below(directory: &Path) -> std::io::Result<()> {
    for child in children(directory) {
        remove_below(&child)?;
    }
    fs::remove_dir(directory)
}

pub(crate) fn pids_in(directory: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    text.lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
        .collect()
}

/// Memory that outlives the process that fills it, as a file in memory does.
pub(crate) fn lasting_memory() -> OwnedFd {
    rustix::fs::memfd_create("lasting", MemfdFlags::CLOEXEC).expect("memfd")
}

pub(crate) fn fill(memory: &OwnedFd, bytes: u64) {
    let mut file = fs::File::from(memory.try_clone().expect("handle"));
    let block = vec![7_u8; 1 << 20];
    for _ in 0..bytes / MIB {
        file.write_all(&block).expect("memory");
    }
}

#[expect(unsafe_code, reason = "a job closes everything it inherited")]
pub(crate) fn close_all() {
    // SAFETY: the process uses no descriptor afterwards.
    unsafe { libc::close_range(3, u32::MAX, 0) };
}

pub(crate) fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

//! Everything of a world that a run could leave behind, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ground::{self, Ground};
use super::wait;

/// Everything that could leak, counted over all processes of this world.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Count {
    processes: usize,
    descriptors: Vec<usize>,
    mounts: Vec<usize>,
    networks: usize,
    cgroups: usize,
}

/// Counts now.
pub(crate) fn count(ground: &Ground) -> Count {
    let mut seen = Count {
        processes: 0,
        descriptors: Vec::new(),
        mounts: Vec::new(),
        networks: 0,
        cgroups: 0,
    };
    let mut networks = BTreeSet::new();
    for process in processes() {
        let Ok(entries) = fs::read_dir(process.join("fd")) else {
            continue;
        };
        let targets: Vec<_> = entries
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .collect();
        if targets.is_empty() {
            continue; // a zombie, until the spawner forks again
        }
        let is_network = |path: &&PathBuf| path.to_string_lossy().starts_with("net:");
        networks.extend(targets.iter().filter(is_network).cloned());
        networks.extend(fs::read_link(process.join("ns/net")));
        seen.processes += 1;
        seen.descriptors.push(targets.len());
        let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
        seen.mounts.push(mounts.lines().count());
    }
    seen.descriptors.sort_unstable();
    seen.mounts.sort_unstable();
    seen.networks = networks.len();
    seen.cgroups = ground
        .below()
        .iter()
        .map(|directory| below(directory))
        .sum();
    seen
}

/// Descriptors that lie in sockets, received by nobody: the stock of network namespaces, which no process has among its own.
pub(crate) fn in_flight() -> u32 {
    let sockets: BTreeMap<u64, u32> = processes().iter().flat_map(|at| sockets(at)).collect();
    sockets.values().sum()
}

/// Unix sockets of a process by their inodes, and how many descriptors wait in each (`scm_fds` of proc_pid_fdinfo(5)).
fn sockets(process: &Path) -> Vec<(u64, u32)> {
    let entries = fs::read_dir(process.join("fdinfo"));
    let texts = entries.into_iter().flatten().flatten();
    let texts = texts.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let field = |text: &str, name| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
    };
    texts
        .filter_map(|text| {
            let waiting = field(&text, "scm_fds:")?.parse().ok()?;
            Some((field(&text, "ino:")?.parse().ok()?, waiting))
        })
        .collect()
}

fn below(directory: &Path) -> usize {
    1 + ground::children(directory)
        .iter()
        .map(|child| below(child))
        .sum::<usize>()
}

/// The directories of all processes of this world.
pub(crate) fn processes() -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .map(|entry| entry.path());
    let is_process = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok())
    };
    entries.filter(is_process).collect()
}

/// The count when it no longer changes: the last worker may still be on its way out.
pub(crate) fn settled(ground: &Ground) -> Count {
    let mut last = count(ground);
    wait::until("the count stands still", || {
        std::thread::sleep(Duration::from_millis(50));
        let now = count(ground);
        let still = now == last;
        last = now;
        still.then_some(())
    });
    last
}

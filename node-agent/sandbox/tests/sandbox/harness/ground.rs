//! Cgroups of the tests' own: a directory in each v1 hierarchy that the sandbox uses, entered, left, removed.
//!
//! Whatever a spawner makes lies below it, so that leftovers are found and other programs of the machine are not
//! touched.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};

use super::wait;

const CONTROLLERS: [&str; 4] = ["memory", "pids", "cpu", "cpuacct"];

/// The directories this process has moved into.
#[derive(Debug)]
pub(crate) struct Ground {
    directories: Vec<PathBuf>,
}

impl Ground {
    /// Makes directory `name` below the present cgroup of each hierarchy and moves this process into it.
    pub(crate) fn enter(name: &str) -> Self {
        let directories: Vec<_> = current()
            .into_iter()
            .map(|parent| parent.join(name))
            .collect();
        for directory in &directories {
            fs::create_dir(directory)
                .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
            join(directory);
        }
        Self { directories }
    }

    /// Moves this process back and removes the directories with all that is left in them.
    pub(crate) fn leave(self) {
        for directory in &self.directories {
            join(directory.parent().expect("we are below it"));
            wait::until("the tests' cgroup can be removed", || {
                kill_below(directory);
                remove_below(directory)
            });
        }
    }

    /// Cgroups below ours, in all hierarchies.
    pub(crate) fn below(&self) -> Vec<PathBuf> {
        self.directories
            .iter()
            .flat_map(|directory| children(directory))
            .collect()
    }
}

/// Removes what earlier runs of the tests left when they were killed: directories of that name, followed by the number
/// of a process that is gone.
pub(crate) fn sweep(name: &str, scratch: &Path) {
    let dead = |path: &PathBuf| {
        let pid = path
            .file_name()
            .and_then(|own| own.to_str()?.strip_prefix(name)?.parse::<u32>().ok());
        pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    for old in current()
        .iter()
        .flat_map(|parent| children(parent))
        .filter(dead)
    {
        kill_below(&old);
        // What resists is no matter of this run.
        let _ = remove_below(&old);
    }
    for old in children(scratch).into_iter().filter(dead) {
        let _ = fs::remove_dir_all(old);
    }
}

/// The directory of this process in each hierarchy.
pub(crate) fn current() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").expect("/proc is mounted");
    CONTROLLERS
        .iter()
        .map(|controller| {
            let path = text.lines().find_map(|line| {
                let (names, path) = line.split_once(':')?.1.split_once(':')?;
                names
                    .split(',')
                    .any(|name| name == *controller)
                    .then_some(path)
            });
            let path = path.unwrap_or_else(|| panic!("no v1 controller {controller}"));
            Path::new("/sys/fs/cgroup")
                .join(controller)
                .join(path.trim_start_matches('/'))
        })
        .collect()
}

/// The child cgroups of one directory.
pub(crate) fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect()
}

fn join(directory: &Path) {
    // This thread only: moving a whole process waits for the kernel.
    fs::write(directory.join("tasks"), "0")
        .unwrap_or_else(|error| panic!("join {}: {error}", directory.display()));
}

fn kill_below(directory: &Path) {
    for child in children(directory) {
        kill_below(&child);
    }
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let own = rustix::process::getpid();
    for pid in text
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
    {
        if pid != own {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

fn remove_below(directory: &Path) -> Option<()> {
    for child in children(directory) {
        remove_below(&child)?;
    }
    fs::remove_dir(directory).ok()
}

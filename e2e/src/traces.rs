//! What an agent and its runs have on this machine: processes, cgroups, mounts.
//!
//! In: the agent's process id while it runs. Out: what of it is still there later. A process is known by id and start
//! time, a cgroup by its inode, so that a successor's are not taken for it. Sources: `proc(5)`, `cgroups(7)`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What the sandbox calls its cgroups.
const CGROUP: &str = "evaljob-";

/// Processes and cgroups of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// Process ids with their start times.
    pub processes: BTreeSet<(u32, u64)>,
    /// Directories with their inodes.
    pub cgroups: BTreeSet<(PathBuf, u64)>,
}

impl Traces {
    /// A process, all that descend from it, and the cgroups of the sandbox that these are in.
    ///
    /// # Errors
    /// /proc or a cgroup cannot be read.
    pub fn of(root: u32) -> Result<Self> {
        let all = processes()?;
        let mut found = BTreeSet::from([root]);
        loop {
            let more: Vec<u32> = all
                .iter()
                .filter(|(pid, seen)| found.contains(&seen.parent) && !found.contains(*pid))
                .map(|(pid, _)| *pid)
                .collect();
            if more.is_empty() {
                break;
            }
            found.extend(more);
        }
        let mounts = mounts()?;
        let mut cgroups = BTreeSet::new();
        for pid in &found {
            cgroups.extend(cgroups_of(*pid, &mounts)?);
        }
        let start = |pid| all.get(&pid).map(|seen| (pid, seen.start));
        Ok(Self {
            processes: found.into_iter().filter_map(start).collect(),
            cgroups,
        })
    }

    /// What of it is still there.
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn left(&self) -> Result<Self> {
        let all = processes()?;
        let lives =
            |(pid, start): &(u32, u64)| all.get(pid).is_some_and(|seen| seen.start == *start);
        let exists = |(path, inode): &(PathBuf, u64)| {
            fs::metadata(path).is_ok_and(|metadata| metadata.ino() == *inode)
        };
        Ok(Self {
            processes: self
                .processes
                .iter()
                .filter(|p| lives(p))
                .copied()
                .collect(),
            cgroups: self.cgroups.iter().filter(|c| exists(c)).cloned().collect(),
        })
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.cgroups.is_empty()
    }
}

/// Processes whose command line has this text among its arguments.
///
/// # Errors
/// /proc cannot be read.
pub fn processes_with(text: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for pid in pids()? {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(text) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Mounts of this mount namespace: root, place and file system of each.
///
/// # Errors
/// /proc cannot be read.
pub fn mounts() -> Result<BTreeSet<Mount>> {
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    text.lines()
        .map(|line| Mount::parse(line).with_context(|| format!("not a mount: {line}")))
        .collect()
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    root: String,
    place: String,
    kind: String,
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut system = system.split(' ');
        Some(Self {
            root: mount.next()?.to_owned(),
            place: mount.next()?.to_owned(),
            kind: system.next()?.to_owned(),
            options: system.nth(1)?.to_owned(),
        })
    }

    /// Whether it is the hierarchy that `/proc/PID/cgroup` calls by these controllers.
    fn carries(&self, controllers: &str) -> bool {
        if controllers.is_empty() {
            return self.kind == "cgroup2";
        }
        let own: Vec<&str> = self.options.split(',').collect();
        self.kind == "cgroup" && controllers.split(',').all(|one| own.contains(&one))
    }
}

#[derive(Debug)]
struct Seen {
    parent: u32,
    start: u64,
}

fn pids() -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    Ok(pids)
}

/// Every process; what ends meanwhile is left out, and so is what is dead and only waits to be reaped.
fn processes() -> Result<BTreeMap<u32, Seen>> {
    let mut all = BTreeMap::new();
    for pid in pids()? {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name, in brackets, may hold anything; state is field 3, parent 4, start time 22.
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let fields: Vec<&str> = rest.split(' ').collect();
        if let [state, parent, ..] = fields[..]
            && let Some(start) = fields.get(19)
            && state != "Z"
        {
            let (parent, start) = (parent.parse()?, start.parse()?);
            all.insert(pid, Seen { parent, start });
        }
    }
    Ok(all)
}

fn cgroups_of(pid: u32, mounts: &BTreeSet<Mount>) -> Result<Vec<(PathBuf, u64)>> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let mut found = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        if !path
            .split('/')
            .any(|component| component.starts_with(CGROUP))
        {
            continue;
        }
        let carrier = mounts.iter().find(|mount| mount.carries(controllers));
        let mount = carrier.with_context(|| format!("no mount of the cgroups {controllers:?}"))?;
        let below = Path::new(path).strip_prefix(&mount.root)?;
        let directory = Path::new(&mount.place).join(below);
        let inode = fs::metadata(&directory)
            .with_context(|| format!("no {}", directory.display()))?
            .ino();
        found.push((directory, inode));
    }
    Ok(found)
}

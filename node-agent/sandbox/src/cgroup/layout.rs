//! Where our cgroup is: decides v1 or v2 from mountinfo and /proc/self/cgroup.
//!
//! In: the two texts, and `cgroup.controllers` of a v2 cgroup. Out: for each hierarchy the mount, and the cgroup the
//! process was started in as a path below it. In a container on v1 there is no cgroup namespace: /proc/self/cgroup
//! names the host's path while the mount shows only the container's own cgroup; the mount's root wins then.
//! It never changes anything. Sources: `proc_pid_mountinfo(5)`, `cgroups(7)`.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::claim;
use super::dir::Dir;
use super::error::CgroupError;
use crate::facts::CgroupVersion;

/// Controllers that limits depend on, v2 names.
pub(super) const NEEDED_V2: [&str; 3] = ["cpu", "memory", "pids"];
/// The same on v1, where CPU time has a controller of its own.
pub(super) const NEEDED_V1: [&str; 4] = ["memory", "pids", "cpu", "cpuacct"];

const HINT_V1_MISSING: &str = "mount it: mount -t cgroup -o NAME cgroup /sys/fs/cgroup/NAME, after enabling it on the kernel command line";
const HINT_V2_MISSING: &str = "write +NAME to cgroup.subtree_control of the parent cgroup; under systemd start with Delegate=yes";

/// The files discovery reads.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Mounts as this process sees them.
    pub mountinfo: PathBuf,
    /// The cgroups of this process.
    pub cgroup: PathBuf,
    /// Memory of the machine.
    pub meminfo: PathBuf,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            mountinfo: PathBuf::from("/proc/self/mountinfo"),
            cgroup: PathBuf::from("/proc/self/cgroup"),
            meminfo: PathBuf::from("/proc/meminfo"),
        }
    }
}

/// The hierarchies in use and our place in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    version: CgroupVersion,
    hierarchies: Vec<Hierarchy>,
    total_memory: u64,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount_point: String,
    /// Our cgroup below the mount point: empty, or starting with a slash.
    pub own: String,
    /// The controllers that are used on it.
    pub controllers: Vec<&'static str>,
    /// The mount (not the file system) is read-only.
    pub read_only: bool,
}

impl Hierarchy {
    /// The directory of our own cgroup.
    #[must_use]
    pub fn own_directory(&self) -> String {
        format!("{}{}", self.mount_point, self.own)
    }

    /// The directories of our own cgroup and of its visible ancestors, our own first.
    pub(super) fn up(&self) -> impl Iterator<Item = String> {
        let paths = std::iter::successors(Some(self.own.as_str()), |own| {
            own.rfind('/').map(|end| &own[..end])
        });
        paths.map(|own| format!("{}{own}", self.mount_point))
    }
}

impl Layout {
    /// Reads the machine. v2 wins where our cgroup has cpu, memory and pids there; v1 is accepted only if
    /// `allow_v1`.
    ///
    /// # Errors
    /// [`CgroupError::V1NotAllowed`], [`CgroupError::ControllerMissing`], [`CgroupError::NotMounted`], or a file
    /// that cannot be read.
    pub fn discover(sources: &Sources, allow_v1: bool) -> Result<Self, CgroupError> {
        let mountinfo = read(&sources.mountinfo)?;
        let memberships = read(&sources.cgroup)?;
        let meminfo = read(&sources.meminfo)?;
        let total_memory = memory_total(&meminfo).ok_or_else(|| CgroupError::Malformed {
            file: sources.meminfo.display().to_string(),
            text: meminfo.lines().next().unwrap_or_default().to_owned(),
        })?;
        let controllers_of =
            |directory: &str| fs::read_to_string(format!("{directory}/cgroup.controllers")).ok();
        let (version, hierarchies) = decide(&mountinfo, &memberships, controllers_of, allow_v1)
            .map_err(|refusal| match refusal {
                Refusal::NotMounted => CgroupError::NotMounted {
                    mountinfo: sources.mountinfo.display().to_string(),
                },
                Refusal::V1NotAllowed => CgroupError::V1NotAllowed,
                Refusal::Missing {
                    version: CgroupVersion::V1,
                    controller,
                    place,
                } => CgroupError::ControllerMissing {
                    version: "v1",
                    controller,
                    place,
                    hint: HINT_V1_MISSING,
                },
                Refusal::Missing {
                    version: CgroupVersion::V2,
                    controller,
                    place,
                } => CgroupError::ControllerMissing {
                    version: "v2",
                    controller,
                    place,
                    hint: HINT_V2_MISSING,
                },
            })?;
        Ok(Self {
            version,
            hierarchies,
            total_memory,
        })
    }

    /// Which version the controllers are on.
    #[must_use]
    pub fn version(&self) -> CgroupVersion {
        self.version
    }

    /// v2: one; v1: one per mount, a mount may carry several controllers.
    #[must_use]
    pub fn hierarchies(&self) -> &[Hierarchy] {
        &self.hierarchies
    }

    /// Bytes that everything in our cgroup may use together: the lowest limit of it and of the ancestors that are
    /// visible, at most the machine's memory. Admission stays below it.
    ///
    /// # Errors
    /// The file and the errno.
    pub fn memory_budget(&self) -> Result<u64, CgroupError> {
        let Some(memory) = self
            .hierarchies
            .iter()
            .find(|hierarchy| hierarchy.controllers.contains(&"memory"))
        else {
            return Ok(self.total_memory);
        };
        let limit = match self.version {
            CgroupVersion::V1 => {
                let own = Dir::open(memory.own_directory())?;
                // Also counts the ancestors that a container does not see.
                Some(own.read_field("memory.stat", "hierarchical_memory_limit")?)
            }
            CgroupVersion::V2 => lowest_v2_limit(memory)?,
        };
        Ok(limit.map_or(self.total_memory, |limit| limit.min(self.total_memory)))
    }
}

fn lowest_v2_limit(hierarchy: &Hierarchy) -> Result<Option<u64>, CgroupError> {
    let mut lowest = None;
    for directory in hierarchy.up() {
        let dir = Dir::open(directory)?;
        // The root of the machine has no such file; the root of a container has.
        if let Some(text) = dir.read_if_present("memory.max")?
            && text != "max"
        {
            let limit = text
                .parse()
                .map_err(|_| dir.malformed("memory.max", &text))?;
            lowest = Some(lowest.map_or(limit, |lowest: u64| lowest.min(limit)));
        }
    }
    Ok(lowest)
}

fn read(path: &Path) -> Result<String, CgroupError> {
    fs::read_to_string(path).map_err(|error| CgroupError::Read {
        file: path.display().to_string(),
        errno: Errno::from_io_error(&error).unwrap_or(Errno::IO),
    })
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// Why [`decide`] found no layout.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NotMounted,
    V1NotAllowed,
    Missing {
        version: CgroupVersion,
        controller: &'static str,
        place: String,
    },
}

/// One line of mountinfo that shows a cgroup file system.
#[derive(Debug)]
struct Mount<'a> {
    root: String,
    mount_point: String,
    read_only: bool,
    version: CgroupVersion,
    super_options: &'a str,
}

/// Pure: the two texts, and the content of `cgroup.controllers` in a directory, to the layout.
fn decide(
    mountinfo: &str,
    memberships: &str,
    controllers_of: impl Fn(&str) -> Option<String>,
    allow_v1: bool,
) -> Result<(CgroupVersion, Vec<Hierarchy>), Refusal> {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(parse_mount).collect();
    let v2 = match decide_v2(&mounts, memberships, controllers_of) {
        Ok(hierarchy) => return Ok((CgroupVersion::V2, vec![hierarchy])),
        Err(refusal) => refusal,
    };
    // A machine that has the memory controller on v1 can have it nowhere else.
    if !mounts.iter().any(|mount| mount.carries("memory")) {
        return Err(v2);
    }
    if !allow_v1 {
        return Err(Refusal::V1NotAllowed);
    }
    decide_v1(&mounts, memberships).map(|hierarchies| (CgroupVersion::V1, hierarchies))
}

fn decide_v2(
    mounts: &[Mount<'_>],
    memberships: &str,
    controllers_of: impl Fn(&str) -> Option<String>,
) -> Result<Hierarchy, Refusal> {
    let path = membership(memberships, "").ok_or(Refusal::NotMounted)?;
    let mut refusal = Refusal::NotMounted;
    for mount in mounts
        .iter()
        .filter(|mount| mount.version == CgroupVersion::V2)
    {
        let Some(own) = below(&mount.root, path) else {
            continue;
        };
        let hierarchy = mount.hierarchy(own, NEEDED_V2.to_vec());
        let directory = hierarchy.own_directory();
        let Some(available) = controllers_of(&directory) else {
            continue;
        };
        match NEEDED_V2
            .into_iter()
            .find(|needed| !available.split_whitespace().any(|name| name == *needed))
        {
            None => return Ok(hierarchy),
            Some(controller) => {
                refusal = Refusal::Missing {
                    version: CgroupVersion::V2,
                    controller,
                    place: directory,
                };
            }
        }
    }
    Err(refusal)
}

fn decide_v1(mounts: &[Mount<'_>], memberships: &str) -> Result<Vec<Hierarchy>, Refusal> {
    let mut hierarchies: Vec<Hierarchy> = Vec::new();
    for controller in NEEDED_V1 {
        let found = mounts
            .iter()
            .filter(|mount| mount.carries(controller))
            .find_map(|mount| {
                let path = membership(memberships, controller)?;
                Some(mount.hierarchy(below(&mount.root, path)?, vec![controller]))
            });
        let Some(found) = found else {
            let place = "/proc/self/mountinfo".to_owned();
            return Err(Refusal::Missing {
                version: CgroupVersion::V1,
                controller,
                place,
            });
        };
        match hierarchies
            .iter_mut()
            .find(|known| known.mount_point == found.mount_point)
        {
            Some(known) => known.controllers.push(controller),
            None => hierarchies.push(found),
        }
    }
    Ok(hierarchies)
}

impl Mount<'_> {
    fn carries(&self, controller: &str) -> bool {
        self.version == CgroupVersion::V1
            && self
                .super_options
                .split(',')
                .any(|option| option == controller)
    }

    fn hierarchy(&self, own: String, controllers: Vec<&'static str>) -> Hierarchy {
        Hierarchy {
            mount_point: self.mount_point.clone(),
            own,
            controllers,
            read_only: self.read_only,
        }
    }
}

/// The cgroup `path` as seen below a mount that shows `root`. A directory of our own making at the end is left out:
/// a spawner that is started again belongs beside its predecessor, not inside it.
fn below(root: &str, path: &str) -> Option<String> {
    // Outside our cgroup namespace: the mount, or the process, is not ours to judge.
    if root.starts_with("/..") || path.starts_with("/..") {
        return None;
    }
    let own = if root == "/" {
        Some(path)
    } else {
        path.strip_prefix(root)
    };
    // `/a` is no prefix of `/ab`; and where the root is no prefix at all, the mount shows just our cgroup.
    let own = own
        .filter(|own| own.is_empty() || own.starts_with('/'))
        .unwrap_or_default();
    let own = claim::without_own_directories(own);
    Some(own.trim_end_matches('/').to_owned())
}

/// The path after `N:CONTROLLERS:` on the line whose controller list has `controller` (v2: the empty list).
pub(super) fn membership<'a>(memberships: &'a str, controller: &str) -> Option<&'a str> {
    memberships.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        controllers
            .split(',')
            .any(|name| name == controller)
            .then_some(path)
    })
}

fn parse_mount(line: &str) -> Option<Mount<'_>> {
    // id parent major:minor root mount_point options [optional...] - type source super_options
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    let root = before.nth(3)?;
    let mount_point = before.next()?;
    let options = before.next()?;
    let mut after = after.split(' ');
    let version = match after.next()? {
        "cgroup" => CgroupVersion::V1,
        "cgroup2" => CgroupVersion::V2,
        _ => return None,
    };
    Some(Mount {
        root: unescape(root),
        mount_point: unescape(mount_point),
        read_only: options.split(',').any(|option| option == "ro"),
        version,
        super_options: after.nth(1).unwrap_or_default(),
    })
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('\\') {
        plain.push_str(head);
        let code = tail
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                rest = &tail[3..];
            }
            None => {
                plain.push('\\');
                rest = tail;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests;

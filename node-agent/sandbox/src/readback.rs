//! Reads what the kernel shows of a sealed job, once, through a directory of /proc opened by pid.
//!
//! In: the pid that init's children file names. Out: [`Observed`], which each lockdown step compares with its
//! plan. The job waits meanwhile, so nothing changes. Never trusts a word of the child. Source: proc(5).

mod filters;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::cgroup::{CgroupError, RunCgroup};
use crate::error::{Context, Layer, SandboxError};
use crate::facts::FiltersRead;
use crate::lockdown::Lockdown;
use crate::sys;

/// The namespaces a run must not share with us.
pub(crate) const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// Identities of the namespaces of a process, in the order of [`NAMESPACES`].
pub(crate) type NamespaceIds = [String; 7];

/// A sealed job as the kernel shows it.
#[derive(Debug)]
pub(crate) struct Observed {
    status: String,
    limits: String,
    /// Open descriptors, ascending.
    pub(crate) fds: Vec<i32>,
    cloexec: Vec<i32>,
    /// uid_map and gid_map, white space squeezed.
    pub(crate) id_maps: [String; 2],
    /// Its namespaces.
    pub(crate) namespaces: NamespaceIds,
    /// mountinfo, whole.
    pub(crate) mountinfo: String,
    /// /proc/PID/cgroup.
    pub(crate) cgroup: String,
}

impl Observed {
    /// The value of a field of /proc/PID/status, without surrounding white space.
    pub(crate) fn status(&self, field: &str) -> Option<&str> {
        self.status.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == field).then(|| value.trim())
        })
    }

    /// Refuses any other value of a status field than `wanted`.
    pub(crate) fn status_is(
        &self,
        field: &str,
        wanted: &str,
        layer: Layer,
    ) -> Result<(), SandboxError> {
        let found = self.status(field);
        if found == Some(wanted) {
            return Ok(());
        }
        Err(SandboxError::new(
            layer,
            format!("{field} should be {wanted:?} and reads back as {found:?}"),
        ))
    }

    /// Soft and hard limit of a line of /proc/PID/limits.
    pub(crate) fn limit(&self, name: &str) -> Option<(&str, &str)> {
        let line = self.limits.lines().find(|line| line.starts_with(name))?;
        let mut values = line.get(name.len()..)?.split_whitespace();
        Some((values.next()?, values.next()?))
    }

    /// Whether descriptor `fd` closes at execve.
    pub(crate) fn closes_at_exec(&self, fd: i32) -> bool {
        self.cloexec.contains(&fd)
    }
}

/// What a sealed job must look like.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) lockdown: &'a Lockdown<'a>,
    /// The line of both id maps.
    pub(crate) id_map: &'a str,
    /// Our own namespaces: the job shares none of them.
    pub(crate) namespaces: &'a NamespaceIds,
    /// The network namespace it was given.
    pub(crate) network: BorrowedFd<'a>,
    /// Mount points with the options each must have.
    pub(crate) mounts: Vec<(String, Vec<&'static str>)>,
    /// Host id of the job.
    pub(crate) owner: u32,
}

impl Expected<'_> {
    /// Reads the job of init `pid` and compares everything. The first difference is the error.
    pub(crate) fn check(
        &self,
        proc: BorrowedFd<'_>,
        init: i32,
        cgroup: &RunCgroup<'_>,
    ) -> Result<(), SandboxError> {
        let init_directory = open_process(proc, init)?;
        let job = open_process(proc, only_child(init_directory.as_fd(), init)?)?;
        let seen = observe(job.as_fd(), self.owner)?;
        self.compare(&seen, |text| cgroup.check_membership(text))
    }

    /// Whether the kernel holds the filters of that job as they were compiled.
    pub(crate) fn filters(&self, proc: BorrowedFd<'_>, init: i32) -> FiltersRead {
        let child = open_process(proc, init)
            .and_then(|init_directory| only_child(init_directory.as_fd(), init));
        let given = [self.lockdown.floor.filter, self.lockdown.seal.filter];
        child.map_or(FiltersRead::Unreadable(libc::ESRCH), |job| {
            filters::compare(job, &given)
        })
    }

    fn compare(
        &self,
        seen: &Observed,
        membership: impl FnOnce(&str) -> Result<(), CgroupError>,
    ) -> Result<(), SandboxError> {
        self.lockdown.verify(seen)?;
        self.namespaces_of(seen)?;
        self.mounts_of(seen)?;
        Ok(membership(&seen.cgroup)?)
    }

    fn namespaces_of(&self, seen: &Observed) -> Result<(), SandboxError> {
        for map in &seen.id_maps {
            if map != self.id_map {
                return Err(SandboxError::new(
                    Layer::Namespaces,
                    format!(
                        "id map should be {:?} and reads back as {map:?}",
                        self.id_map
                    ),
                ));
            }
        }
        for ((theirs, ours), name) in seen.namespaces.iter().zip(self.namespaces).zip(NAMESPACES) {
            if theirs == ours {
                return Err(SandboxError::new(
                    Layer::Namespaces,
                    format!("the job shares the {name} namespace {ours} with its builder"),
                ));
            }
        }
        let given = rustix::fs::fstat(self.network)
            .or_layer(Layer::Network, || "look at the network namespace".into())?;
        if !seen.namespaces.contains(&format!("net:[{}]", given.st_ino)) {
            return Err(SandboxError::new(
                Layer::Network,
                "the job is not in the network namespace it was given",
            ));
        }
        if !seen
            .status("NSpid")
            .is_some_and(|pids| pids.ends_with("\t2"))
        {
            return Err(SandboxError::new(
                Layer::Namespaces,
                "the job is not pid 2 of a namespace of its own",
            ));
        }
        Ok(())
    }

    fn mounts_of(&self, seen: &Observed) -> Result<(), SandboxError> {
        let wrong = |what: String| Err(SandboxError::new(Layer::Rootfs, what));
        let mut mounted = Vec::new();
        for line in seen.mountinfo.lines() {
            let mut fields = line.split(' ').skip(4);
            let (Some(point), Some(options)) = (fields.next(), fields.next()) else {
                return wrong(format!("mountinfo line {line:?} is not understood"));
            };
            let is_planned = |(planned, _): &&(String, _)| as_shown(planned) == point;
            let Some((_, wanted)) = self.mounts.iter().find(is_planned) else {
                return wrong(format!("{point} is mounted and not planned"));
            };
            // An overlay that lacks a right falls back to read-only, which only its last field tells.
            let file_system = line.rsplit(' ').next().unwrap_or_default();
            for option in wanted {
                let has = |options: &str| options.split(',').any(|given| given == *option);
                if !has(options) || (*option == "rw" && !has(file_system)) {
                    return wrong(format!("{point} is mounted without {option}: {line}"));
                }
            }
            mounted.push(point.to_owned());
        }
        let mut planned: Vec<_> = self
            .mounts
            .iter()
            .map(|(point, _)| as_shown(point))
            .collect();
        planned.sort_unstable();
        mounted.sort_unstable();
        if mounted != planned {
            return wrong(format!("mounted are {mounted:?}, planned {planned:?}"));
        }
        Ok(())
    }
}

/// A path as mountinfo shows it.
fn as_shown(path: &str) -> String {
    let escape = |character| match character {
        ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", u32::from(character)),
        _ => character.to_string(),
    };
    path.chars().map(escape).collect()
}

/// Opens the directory of process `pid` below `proc`.
pub(crate) fn open_process(proc: BorrowedFd<'_>, pid: i32) -> Result<OwnedFd, SandboxError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(proc, pid.to_string(), flags, Mode::empty())
        .or_layer(Layer::ReadBack, || format!("open /proc/{pid}"))
}

/// The only child of process `pid` (the job of an init).
pub(crate) fn only_child(process: BorrowedFd<'_>, pid: i32) -> Result<i32, SandboxError> {
    let path = format!("task/{pid}/children");
    let children = read(process, &path)?;
    children.trim().parse().map_err(|_| {
        SandboxError::new(
            Layer::ReadBack,
            format!("init should have one child and has {children:?}"),
        )
        .hint("the kernel needs CONFIG_PROC_CHILDREN")
    })
}

/// Namespace identities of the process whose directory this is.
pub(crate) fn namespaces(process: BorrowedFd<'_>) -> Result<NamespaceIds, SandboxError> {
    let mut ids = NamespaceIds::default();
    for (id, name) in ids.iter_mut().zip(NAMESPACES) {
        let path = format!("ns/{name}");
        let link = rustix::fs::readlinkat(process, &path, Vec::new())
            .or_layer(Layer::ReadBack, || format!("read the job's {path}"))?;
        *id = link.to_string_lossy().into_owned();
    }
    Ok(ids)
}

/// Reads everything. `owner` is the host id of the job: its /proc entries are read with that fsuid, which needs no
/// CAP_SYS_PTRACE and no DAC override.
pub(crate) fn observe(process: BorrowedFd<'_>, owner: u32) -> Result<Observed, SandboxError> {
    sys::with_fs_ids(owner, || observe_as_owner(process)).or_layer(Layer::ReadBack, || {
        format!("take fsuid {owner} and give it back")
    })?
}

fn observe_as_owner(process: BorrowedFd<'_>) -> Result<Observed, SandboxError> {
    let squeeze = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fds = list_fds(process)?;
    let mut cloexec = Vec::new();
    for fd in fds.iter().copied().filter(|fd| *fd > 2) {
        if read(process, &format!("fdinfo/{fd}"))
            .ok()
            .as_deref()
            .and_then(flags_of)
            .is_some_and(|flags| flags & 0o2_000_000 != 0)
        {
            cloexec.push(fd);
        }
    }
    Ok(Observed {
        status: read(process, "status")?,
        limits: read(process, "limits")?,
        fds,
        cloexec,
        id_maps: [
            squeeze(read(process, "uid_map")?),
            squeeze(read(process, "gid_map")?),
        ],
        namespaces: namespaces(process)?,
        mountinfo: read(process, "mountinfo")?,
        cgroup: read(process, "cgroup")?,
    })
}

fn flags_of(fdinfo: &str) -> Option<u32> {
    let line = fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

fn list_fds(process: BorrowedFd<'_>) -> Result<Vec<i32>, SandboxError> {
    let context = || "list the job's descriptors".to_owned();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(process, "fd", flags, Mode::empty())
        .or_layer(Layer::ReadBack, context)?;
    let mut fds = Vec::new();
    let entries = rustix::fs::Dir::read_from(&directory).or_layer(Layer::ReadBack, context)?;
    for entry in entries {
        let entry = entry.or_layer(Layer::ReadBack, context)?;
        if let Ok(fd) = entry.file_name().to_string_lossy().parse() {
            fds.push(fd);
        }
    }
    fds.sort_unstable();
    Ok(fds)
}

/// Reads a file of /proc below `directory`.
pub(crate) fn read(directory: BorrowedFd<'_>, path: &str) -> Result<String, SandboxError> {
    read_raw(directory, path).or_layer(Layer::ReadBack, || format!("read /proc/PID/{path}"))
}

fn read_raw(directory: BorrowedFd<'_>, path: &str) -> Result<String, Errno> {
    let file = rustix::fs::openat(
        directory,
        path,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut text = Vec::with_capacity(4096);
    loop {
        let mut chunk = [0; 4096];
        match rustix::io::read(file.as_fd(), &mut chunk) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Opens the machine's /proc as a directory.
pub(crate) fn open_proc() -> Result<OwnedFd, SandboxError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, "/proc", flags, Mode::empty())
        .or_layer(Layer::ReadBack, || "open /proc".into())
}

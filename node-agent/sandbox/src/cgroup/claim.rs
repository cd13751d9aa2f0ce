//! Our directory below the cgroup we were started in, and the removal of those that dead predecessors left.
//!
//! The directory is named `evaljob-PID-N` for the reader; whether its owner lives is told by a lock on it, which the
//! kernel drops with the last process that holds the handle (the spawner and its workers). A process id would lie
//! across pid namespaces and after reuse. It never touches a directory of another name, or one whose lock is held.
//! Source: `flock(2)`.

use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{AtFlags, FlockOperation};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::dir::{Dir, LOOK_AGAIN, wait_for};
use super::error::CgroupError;

const PREFIX: &str = "evaljob-";
/// How long killed processes and emptied directories may take to go.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Names to try before giving up; each is taken only by a live spawner with our process id in another pid namespace.
const NAMES_TRIED: u32 = 64;

/// A directory that is ours as long as the handle is open.
#[derive(Debug)]
pub(super) struct Claim {
    parent: Dir,
    name: String,
    dir: Dir,
}

impl Claim {
    /// Makes and locks a directory below `parent`.
    pub(super) fn new(parent: Dir) -> Result<Self, CgroupError> {
        let pid = rustix::process::getpid().as_raw_nonzero();
        for attempt in 0..NAMES_TRIED {
            let name = format!("{PREFIX}{pid}-{attempt}");
            match parent.try_make(&name) {
                Ok(()) => {}
                Err(Errno::EXIST) => continue,
                Err(errno) => {
                    return Err(CgroupError::Make {
                        dir: parent.path_of(&name),
                        errno,
                    });
                }
            }
            // Between mkdir and lock another spawner may take it for a leftover and remove it: then the next name.
            let Ok(dir) = parent.child(&name) else {
                continue;
            };
            if lock(&dir) && still_there(&parent, &name, &dir) {
                return Ok(Self { parent, name, dir });
            }
        }
        Err(CgroupError::Make {
            dir: parent.path_of(&format!("{PREFIX}{pid}-{NAMES_TRIED}")),
            errno: Errno::EXIST,
        })
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The cgroup we were started in.
    pub(super) fn parent(&self) -> &Dir {
        &self.parent
    }

    /// Kills what is in it (not in `keep`), and removes it.
    pub(super) fn remove(&self, keep: Option<&str>) -> Result<(), CgroupError> {
        remove_tree(&self.dir, keep, PATIENCE)?;
        self.parent.remove(&self.name, PATIENCE)
    }
}

/// Removes the directories of dead spawners below `parent`; those that resist come back as text for the log.
/// Processes in a child called `keep` are left alone, and the directory with them: the agent outlives a spawner.
pub(super) fn sweep(parent: &Dir, keep: Option<&str>) -> Result<Vec<String>, CgroupError> {
    let mut resisting = Vec::new();
    for name in parent.children()? {
        if !is_own_name(&name) {
            continue;
        }
        let Ok(dir) = parent.child(&name) else {
            continue;
        };
        if !lock(&dir) {
            continue;
        }
        let removed =
            remove_tree(&dir, keep, PATIENCE).and_then(|()| parent.remove(&name, Duration::ZERO));
        if let Err(error) = removed {
            resisting.push(error.to_string());
        }
    }
    Ok(resisting)
}

/// Kills every process below `dir` (v2: at once; v1: one by one, until none is left) and removes every child.
/// `dir` itself stays.
pub(super) fn remove_tree(
    dir: &Dir,
    keep: Option<&str>,
    patience: Duration,
) -> Result<(), CgroupError> {
    let deadline = Instant::now() + patience;
    for name in dir.children()? {
        let Ok(child) = dir.child(&name) else {
            continue;
        };
        if keep != Some(name.as_str()) {
            kill_all(&child, deadline, patience)?;
            remove_tree(
                &child,
                None,
                deadline.saturating_duration_since(Instant::now()),
            )?;
        }
        let left = if keep == Some(name.as_str()) {
            Duration::ZERO
        } else {
            PATIENCE
        };
        dir.remove(&name, left)?;
    }
    Ok(())
}

/// Removes a child without children; what still lives in it is killed first.
pub(super) fn remove_child(dir: &Dir, name: &str) -> Result<(), CgroupError> {
    match dir.remove(name, Duration::ZERO) {
        Err(CgroupError::Remove {
            errno: Errno::BUSY, ..
        }) => {
            if let Ok(child) = dir.child(name) {
                kill_all(&child, Instant::now() + PATIENCE, PATIENCE)?;
            }
            dir.remove(name, PATIENCE)
        }
        done => done,
    }
}

/// Kills the processes of one cgroup; on v2 those below it too.
fn kill_all(dir: &Dir, deadline: Instant, patience: Duration) -> Result<(), CgroupError> {
    if dir.has("cgroup.kill") {
        return dir.write("cgroup.kill", "1");
    }
    loop {
        let processes = dir.processes()?;
        if processes.is_empty() {
            return Ok(());
        }
        let killed = processes
            .iter()
            .filter(|pid| kill_and_wait(**pid, deadline))
            .count();
        // None is in reach (outside our pid namespace, or ourselves): waiting would not help.
        if killed == 0 || Instant::now() >= deadline {
            let processes = list(&processes);
            return Err(CgroupError::StillPopulated {
                dir: dir.path().to_owned(),
                waited: patience,
                processes,
            });
        }
        // A process reports its end a little before it leaves its cgroup.
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Says whether the process could be reached. By pidfd, so that the one waited for is the one that was killed.
fn kill_and_wait(pid: i32, deadline: Instant) -> bool {
    let own = rustix::process::getpid();
    let Some(pid) = Pid::from_raw(pid).filter(|pid| *pid != own) else {
        return false;
    };
    match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => rustix::process::pidfd_send_signal(&pidfd, Signal::KILL).is_ok_and(|()| {
            let _ = wait_for(&pidfd, PollFlags::IN, deadline);
            true
        }),
        Err(Errno::SRCH) => true,
        Err(_) => false,
    }
}

pub(super) fn list(processes: &[i32]) -> String {
    const SHOWN: usize = 16;
    let mut text: Vec<String> = processes
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if processes.len() > SHOWN {
        text.push(format!("and {} more", processes.len() - SHOWN));
    }
    text.join(" ")
}

/// The part of a cgroup path before the first directory of our making.
pub(super) fn without_own_directories(path: &str) -> &str {
    let mut end = 0;
    for component in path.split_inclusive('/') {
        if is_own_name(component.trim_end_matches('/')) {
            return &path[..end];
        }
        end += component.len();
    }
    path
}

/// `evaljob-`, digits, `-`, digits.
fn is_own_name(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(pid, attempt)| digits(pid) && digits(attempt))
}

fn lock(dir: &Dir) -> bool {
    rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive).is_ok()
}

fn still_there(parent: &Dir, name: &str, dir: &Dir) -> bool {
    let (Ok(named), Ok(held)) = (
        rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW),
        rustix::fs::fstat(dir),
    ) else {
        return false;
    };
    named.st_ino == held.st_ino && named.st_dev == held.st_dev
}

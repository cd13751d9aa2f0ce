//! What can go wrong with a cgroup: each error names the file, the value wanted, the value found, the errno, and
//! the way out where there is one. Nothing here is retried by the caller; every variant means that the layer is
//! missing and the run must not start.

use std::time::Duration;

use rustix::io::Errno;
use thiserror::Error;

/// A cgroup could not be found, limited, read or removed.
#[derive(Debug, Error)]
pub enum CgroupError {
    /// A file could not be read.
    #[error("cannot read {file}: {errno}")]
    Read {
        /// Its path.
        file: String,
        /// Why.
        errno: Errno,
    },
    /// A value was refused.
    #[error("cannot write {wanted:?} to {file}: {errno}{}", write_hint(*errno))]
    Write {
        /// Path of the file.
        file: String,
        /// The value.
        wanted: String,
        /// Why.
        errno: Errno,
    },
    /// The kernel took a value and shows another one.
    #[error(
        "{file} holds {found:?} after {wanted:?} was written (hint: another program manages this cgroup; give the agent one of its own)"
    )]
    ReadBack {
        /// Path of the file.
        file: String,
        /// The value written.
        wanted: String,
        /// The value read back.
        found: String,
    },
    /// The kernel's text was not understood.
    #[error("cannot understand {file}: {text:?}")]
    Malformed {
        /// Path of the file.
        file: String,
        /// What it holds.
        text: String,
    },
    /// A cgroup could not be made.
    #[error("cannot make cgroup {dir}: {errno}{}", make_hint(*errno))]
    Make {
        /// Its directory.
        dir: String,
        /// Why.
        errno: Errno,
    },
    /// A cgroup could not be removed.
    #[error("cannot remove cgroup {dir}: {errno}{}", remove_hint(*errno))]
    Remove {
        /// Its directory.
        dir: String,
        /// Why.
        errno: Errno,
    },
    /// No usable cgroup file system.
    #[error(
        "{mountinfo} shows no cgroup file system with our own cgroup in it (hint: mount cgroup2 at /sys/fs/cgroup; in a container, do not mask it)"
    )]
    NotMounted {
        /// The file that was read.
        mountinfo: String,
    },
    /// A controller that limits depend on is absent.
    #[error("cgroup {version} controller {controller} is not available in {place} (hint: {hint})")]
    ControllerMissing {
        /// `v1` or `v2`.
        version: &'static str,
        /// Its name.
        controller: &'static str,
        /// Where it was looked for.
        place: String,
        /// The way out.
        hint: &'static str,
    },
    /// The controllers are on v1 and nobody allowed that.
    #[error(
        "the cgroup controllers of this machine are on v1 (hint: boot with cgroup_no_v1=all or systemd.unified_cgroup_hierarchy=1, or accept v1 with --allow-cgroup-v1)"
    )]
    V1NotAllowed,
    /// v2 enables controllers only above a cgroup without processes of its own.
    #[error(
        "cannot enable {wanted:?} in {dir}: it holds other processes than the agent: {processes} (hint: give the agent a cgroup of its own, as a container does, or `systemd-run --scope -p Delegate=yes evaljob-agent ...`)"
    )]
    OtherProcesses {
        /// The cgroup.
        dir: String,
        /// What was to be enabled.
        wanted: String,
        /// Process ids.
        processes: String,
    },
    /// A cgroup mount stays read-only.
    #[error(
        "cannot make the mount {mount_point} writable: {errno} (hint: the spawner needs CAP_SYS_ADMIN, and hostUsers: true in a Pod)"
    )]
    ReadOnly {
        /// The mount.
        mount_point: String,
        /// Why.
        errno: Errno,
    },
    /// A private mount namespace could not be had.
    #[error(
        "cannot enter a private mount namespace: {errno} (hint: the spawner needs CAP_SYS_ADMIN)"
    )]
    PrivateMounts {
        /// Why.
        errno: Errno,
    },
    /// A memory event could not be subscribed to.
    #[error("cannot watch {file}: {errno}")]
    Watch {
        /// Path of the file.
        file: String,
        /// Why.
        errno: Errno,
    },
    /// Processes are left where none may be.
    #[error(
        "cgroup {dir} still holds processes after {waited:?}: {processes} (hint: a process in uninterruptible sleep dies only when the kernel lets it; look at /proc/PID/stack)"
    )]
    StillPopulated {
        /// The cgroup.
        dir: String,
        /// How long it was waited for.
        waited: Duration,
        /// Process ids.
        processes: String,
    },
    /// A process of a run is somewhere else.
    #[error("a process of the run is in cgroup {found:?} and should be in {dir}")]
    Elsewhere {
        /// The cgroup of the run.
        dir: String,
        /// What /proc/PID/cgroup says; empty: no line for the controller.
        found: String,
    },
    /// A run was opened outside a job.
    #[error("slot {slot} has no open job (hint: begin_job comes before begin_run)")]
    NoJob {
        /// The slot.
        slot: u32,
    },
}

fn write_hint(errno: Errno) -> &'static str {
    match errno {
        Errno::ROFS => " (hint: the cgroup mount is read-only; make_writable comes first)",
        Errno::ACCESS | Errno::PERM => {
            " (hint: the cgroup belongs to another user; the spawner must be root of the node, in a Pod with hostUsers: true)"
        }
        Errno::BUSY => {
            " (hint: more is in use than the new limit allows, or the cgroup holds processes)"
        }
        Errno::INVAL => {
            " (hint: the value is out of range here; for cpu.cfs_quota_us the container's own CPU limit is lower than the run's cpus)"
        }
        _ => "",
    }
}

fn make_hint(errno: Errno) -> &'static str {
    match errno {
        Errno::ROFS => " (hint: the cgroup mount is read-only; make_writable comes first)",
        Errno::ACCESS | Errno::PERM => {
            " (hint: the cgroup belongs to another user; the spawner must be root of the node, in a Pod with hostUsers: true)"
        }
        Errno::AGAIN => {
            " (hint: cgroup.max.descendants or cgroup.max.depth of a parent is reached)"
        }
        _ => "",
    }
}

fn remove_hint(errno: Errno) -> &'static str {
    match errno {
        Errno::BUSY => " (hint: it still holds processes or cgroups)",
        _ => "",
    }
}

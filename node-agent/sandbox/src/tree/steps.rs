//! What the steps of a job leave: a tmpfs that is built upon by each of its tests, and can be put into other slots' trees.
//!
//! Source: open_tree(2), move_mount(2).

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use super::mounts::tmpfs;
use crate::error::{Context, Layer, SandboxError};
use crate::sys;

/// What steps leave: /work, in a tmpfs of the workspace's size.
pub(super) fn make(at: &Path, workspace: u64, owner: u32) -> Result<(), SandboxError> {
    tmpfs(at, &workspace_options(workspace))?;
    let context = || format!("make a directory in {}", at.display());
    // By descriptor: the way there is closed to the owner.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let steps =
        rustix::fs::openat(CWD, at, flags, Mode::empty()).or_layer(Layer::Workspace, context)?;
    let make_work = || rustix::fs::mkdirat(&steps, "work", Mode::from_raw_mode(0o755));
    sys::with_fs_ids(owner, make_work)
        .or_layer(Layer::Workspace, || {
            format!("take fsuid {owner} and give it back")
        })?
        .or_layer(Layer::Workspace, context)
}

/// What the steps left, as a mount of its own.
pub(crate) fn clone_steps() -> Result<OwnedFd, SandboxError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    rustix::mount::open_tree(CWD, "/.p/steps", flags)
        .or_layer(Layer::Workspace, || "clone the steps' tree".into())
}

pub(super) fn attach(steps: BorrowedFd<'_>, at: &Path) -> Result<(), SandboxError> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(steps, "", CWD, at, flags)
        .or_layer(Layer::Workspace, || "attach the steps' tree".into())
}

/// Options of a workspace tmpfs. One inode per 2 KiB, so that small files are bounded by bytes and not by count.
pub(crate) fn workspace_options(size: u64) -> String {
    format!("mode=1777,size={size},nr_inodes={}", size / 2048 + 1024)
}

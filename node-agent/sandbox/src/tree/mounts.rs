//! What a tree is put together from: mounts and files, a function each, with errors that name the place.
//!
//! Sources: mount(2), mount_setattr(2), open_tree(2), pivot_root(2).

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};

use super::c_string;
use crate::error::{Context, Layer, SandboxError};
use crate::sys;

/// mount_setattr's MOUNT_ATTR_RDONLY.
pub(crate) const ATTR_RDONLY: u64 = 1;
pub(super) const ATTR_NOSUID: u64 = 2;
pub(super) const ATTR_NODEV: u64 = 4;
/// mount_setattr's MOUNT_ATTR_NOEXEC.
pub(crate) const ATTR_NOEXEC: u64 = 8;

/// Makes `at` the root and detaches the old one.
pub(super) fn become_root(at: &Path) -> Result<(), SandboxError> {
    rustix::process::chdir(at)
        .and_then(|()| rustix::process::pivot_root(".", "."))
        .and_then(|()| rustix::mount::unmount(".", UnmountFlags::DETACH))
        .and_then(|()| rustix::process::chdir("/"))
        .or_layer(Layer::Rootfs, || "pivot into the prepared tree".into())
}

pub(super) fn tmpfs(at: &Path, options: &str) -> Result<(), SandboxError> {
    let data = c_string(options)?;
    rustix::mount::mount(
        "tmpfs",
        at,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        data.as_c_str(),
    )
    .or_layer(Layer::Rootfs, || {
        format!("mount a tmpfs on {}", at.display())
    })
}

/// Binds one directory read-only and nosuid; submounts do not come along.
pub(super) fn bind(from: &Path, to: &Path, attributes: u64) -> Result<(), SandboxError> {
    rustix::mount::mount_bind(from, to)
        .or_layer(Layer::Rootfs, || format!("bind {}", from.display()))?;
    set_attributes(to, ATTR_RDONLY | ATTR_NOSUID | attributes)
}

/// Shows a program under this name.
pub(super) fn show_program(program: BorrowedFd<'_>, place: &Path) -> Result<(), SandboxError> {
    let context = || format!("show a program as {}", place.display());
    file(place, b"")?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let clone = rustix::mount::open_tree(program, "", flags).or_layer(Layer::Rootfs, context)?;
    let attributes = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV;
    sys::mount_setattr(clone.as_fd(), c"", attributes).or_layer(Layer::Rootfs, context)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&clone, "", CWD, place, flags).or_layer(Layer::Rootfs, context)
}

/// A path without reading what is there.
pub(crate) fn open_path(path: &Path) -> Result<OwnedFd, SandboxError> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .or_layer(Layer::Rootfs, || format!("open {}", path.display()))
}

pub(super) fn set_attributes(place: &Path, attributes: u64) -> Result<(), SandboxError> {
    let context = || format!("set attributes of mount {}", place.display());
    let fd = open_path(place)?;
    sys::mount_setattr(fd.as_fd(), c"", attributes).or_layer(Layer::Rootfs, context)
}

pub(super) fn directory(path: &Path, mode: u32) -> Result<(), SandboxError> {
    fs::DirBuilder::new()
        .mode(mode)
        .create(path)
        .or_layer(Layer::Rootfs, || format!("make {}", path.display()))
}

pub(super) fn directories(below: &Path, path: &str) -> Result<(), SandboxError> {
    let place = below.join(path);
    fs::DirBuilder::new()
        .mode(0o755)
        .recursive(true)
        .create(&place)
        .or_layer(Layer::Rootfs, || format!("make {}", place.display()))
}

pub(super) fn file(path: &Path, content: &[u8]) -> Result<(), SandboxError> {
    fs::write(path, content).or_layer(Layer::Rootfs, || format!("write {}", path.display()))
}

pub(super) fn link(target: &str, path: &Path) -> Result<(), SandboxError> {
    symlink(target, path).or_layer(Layer::Rootfs, || format!("link {}", path.display()))
}

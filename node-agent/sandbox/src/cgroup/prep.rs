//! Makes the cgroup mounts writable, where a container runtime gave them to us read-only.
//!
//! Only inside a mount namespace of our own: [`PrivateMounts`] is the proof. It changes the read-only flag of the
//! mounts the layout names and nothing else: no new mount, no file system option, no other mount.
//! Sources: `mount_setattr(2)`, `mount_namespaces(7)`; seen to work in a runc container with CAP_SYS_ADMIN.
#![expect(
    unsafe_code,
    reason = "mount_setattr has no wrapper in rustix or libc; unshare is unsafe for its FILES flag"
)]

use std::os::fd::AsRawFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use rustix::thread::UnshareFlags;

use super::error::CgroupError;
use super::layout::Layout;

/// Proof that this thread has a mount namespace of its own, from which nothing propagates.
#[derive(Debug)]
pub struct PrivateMounts(());

impl PrivateMounts {
    /// Leaves the mount namespace for a private copy; for a process with one thread.
    ///
    /// # Errors
    /// [`CgroupError::PrivateMounts`]: CAP_SYS_ADMIN is missing, or `user.max_mnt_namespaces` is reached.
    pub fn enter() -> Result<Self, CgroupError> {
        // SAFETY: NEWNS changes only what paths mean to this thread; memory and file descriptors stay shared.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }
            .and_then(|()| {
                rustix::mount::mount_change(
                    "/",
                    MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
                )
            })
            .map_err(|errno| CgroupError::PrivateMounts { errno })?;
        Ok(Self(()))
    }
}

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

const MOUNT_ATTR_RDONLY: u64 = 1;

impl Layout {
    /// Clears the read-only flag of the cgroup mounts that have it; returns how many had. Directories opened before
    /// keep what they had only if they were opened in this namespace.
    ///
    /// # Errors
    /// [`CgroupError::ReadOnly`] with the mount and the errno.
    pub fn make_writable(&self, _namespace: &PrivateMounts) -> Result<usize, CgroupError> {
        let mut changed = 0;
        for hierarchy in self
            .hierarchies()
            .iter()
            .filter(|hierarchy| hierarchy.read_only)
        {
            clear_read_only(&hierarchy.mount_point).map_err(|errno| CgroupError::ReadOnly {
                mount_point: hierarchy.mount_point.clone(),
                errno,
            })?;
            changed += 1;
        }
        Ok(changed)
    }
}

fn clear_read_only(mount_point: &str) -> Result<(), Errno> {
    let mount = rustix::fs::open(mount_point, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let attr = MountAttr {
        attr_set: 0,
        attr_clr: MOUNT_ATTR_RDONLY,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the empty path and `attr` live through the call; the kernel reads `size_of::<MountAttr>()` bytes of it.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    if done == 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error()
        .raw_os_error()
        .map_or(Errno::IO, Errno::from_raw_os_error))
}

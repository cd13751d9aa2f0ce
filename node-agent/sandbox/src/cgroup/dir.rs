//! A cgroup directory held open: read, write, read back, make and remove children, all relative to the directory.
//!
//! In: file names the kernel fixes, values we computed. Out: text without its newline, or an error that names the
//! whole path. It never follows a symbolic link and never writes without the caller naming the value.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::error::CgroupError;

/// Longest text read from a cgroup file: the cgroup.procs of a root cgroup may list every process of the machine.
const READ_MAX: usize = 1024 * 1024;
/// Pause between two looks at something the kernel does not notify.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// An open cgroup directory.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    path: String,
}

/// A file of a cgroup that is read often.
#[derive(Debug)]
pub(super) struct KeptFile {
    fd: OwnedFd,
    path: String,
}

impl Dir {
    /// Opens a directory by its absolute path, as mountinfo named it.
    pub(super) fn open(path: String) -> Result<Self, CgroupError> {
        match rustix::fs::open(
            path.as_str(),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(fd) => Ok(Self { fd, path }),
            Err(errno) => Err(CgroupError::Read { file: path, errno }),
        }
    }

    /// Opens a child.
    pub(super) fn child(&self, name: &str) -> Result<Self, CgroupError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Self {
                fd,
                path: self.path_of(name),
            }),
            Err(errno) => Err(CgroupError::Read {
                file: self.path_of(name),
                errno,
            }),
        }
    }

    /// Makes a child that must not exist.
    pub(super) fn make(&self, name: &str) -> Result<Self, CgroupError> {
        self.try_make(name).map_err(|errno| CgroupError::Make {
            dir: self.path_of(name),
            errno,
        })?;
        self.child(name)
    }

    /// Makes a child unless it exists.
    pub(super) fn make_or_open(&self, name: &str) -> Result<Self, CgroupError> {
        match self.try_make(name) {
            Ok(()) | Err(Errno::EXIST) => self.child(name),
            Err(errno) => Err(CgroupError::Make {
                dir: self.path_of(name),
                errno,
            }),
        }
    }

    pub(super) fn try_make(&self, name: &str) -> Result<(), Errno> {
        rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755))
    }

    /// Removes an empty child. A cgroup whose last process has just died stays busy for a moment: tried again until
    /// the deadline. A child that is gone is no error.
    pub(super) fn remove(&self, name: &str, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        loop {
            match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::BUSY | Errno::INTR) if Instant::now() < deadline => {
                    std::thread::sleep(LOOK_AGAIN)
                }
                Err(errno) => {
                    return Err(CgroupError::Remove {
                        dir: self.path_of(name),
                        errno,
                    });
                }
            }
        }
    }

    /// Names of the child cgroups.
    pub(super) fn children(&self) -> Result<Vec<String>, CgroupError> {
        let failed = |errno| CgroupError::Read {
            file: self.path.clone(),
            errno,
        };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type() == rustix::fs::FileType::Directory
                && let Ok(name) = entry.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Another handle on the same directory.
    pub(super) fn duplicate(&self) -> Result<Self, CgroupError> {
        let fd =
            rustix::io::fcntl_dupfd_cloexec(&self.fd, 0).map_err(|errno| CgroupError::Read {
                file: self.path.clone(),
                errno,
            })?;
        Ok(Self {
            fd,
            path: self.path.clone(),
        })
    }

    /// Opens a file to be read again and again; `writable` also to be written.
    pub(super) fn keep(&self, name: &str, writable: bool) -> Result<KeptFile, CgroupError> {
        let access = if writable {
            OFlags::RDWR
        } else {
            OFlags::RDONLY
        };
        match self.open_file(name, access) {
            Ok(fd) => Ok(KeptFile {
                fd,
                path: self.path_of(name),
            }),
            Err(errno) => Err(CgroupError::Read {
                file: self.path_of(name),
                errno,
            }),
        }
    }

    /// The content without white space at its end.
    pub(super) fn read(&self, name: &str) -> Result<String, CgroupError> {
        self.keep(name, false)?.read()
    }

    /// The content, or nothing where this kernel has no such file.
    pub(super) fn read_if_present(&self, name: &str) -> Result<Option<String>, CgroupError> {
        match self.read(name) {
            Ok(text) => Ok(Some(text)),
            Err(CgroupError::Read {
                errno: Errno::NOENT,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file that holds one number.
    pub(super) fn read_number(&self, name: &str) -> Result<u64, CgroupError> {
        let text = self.read(name)?;
        text.parse().map_err(|_| self.malformed(name, &text))
    }

    /// The number after `key` in a file of `key value` lines.
    pub(super) fn read_field(&self, name: &str, key: &str) -> Result<u64, CgroupError> {
        let text = self.read(name)?;
        field(&text, key).ok_or_else(|| self.malformed(name, &text))
    }

    /// Whether the file exists.
    pub(super) fn has(&self, name: &str) -> bool {
        rustix::fs::accessat(&self.fd, name, rustix::fs::Access::EXISTS, AtFlags::empty()).is_ok()
    }

    /// Writes without looking again: for orders, not for limits.
    pub(super) fn write(&self, name: &str, value: &str) -> Result<(), CgroupError> {
        self.try_write(name, value)
            .map_err(|errno| CgroupError::Write {
                file: self.path_of(name),
                wanted: value.to_owned(),
                errno,
            })
    }

    pub(super) fn try_write(&self, name: &str, value: &str) -> Result<(), Errno> {
        let fd = self.open_file(name, OFlags::WRONLY)?;
        // One write is one order to the kernel; EINTR cannot have done half of it.
        rustix::io::retry_on_intr(|| rustix::io::write(&fd, value.as_bytes())).map(drop)
    }

    /// Writes a limit and reads it back.
    pub(super) fn set(&self, name: &str, value: &str) -> Result<(), CgroupError> {
        self.write(name, value)?;
        let found = self.read(name)?;
        if found == value {
            return Ok(());
        }
        Err(CgroupError::ReadBack {
            file: self.path_of(name),
            wanted: value.to_owned(),
            found,
        })
    }

    /// [`Dir::set`] where this kernel has the file.
    pub(super) fn set_if_present(&self, name: &str, value: &str) -> Result<(), CgroupError> {
        match self.set(name, value) {
            Err(CgroupError::Write {
                errno: Errno::NOENT,
                ..
            }) => Ok(()),
            done => done,
        }
    }

    /// Process ids in this cgroup, without those of its children; 0 is a process outside our pid namespace.
    pub(super) fn processes(&self) -> Result<Vec<i32>, CgroupError> {
        let text = self.read("cgroup.procs")?;
        text.lines()
            .map(|line| {
                line.parse()
                    .map_err(|_| self.malformed("cgroup.procs", line))
            })
            .collect()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    pub(super) fn malformed(&self, name: &str, text: &str) -> CgroupError {
        CgroupError::Malformed {
            file: self.path_of(name),
            text: text.to_owned(),
        }
    }

    fn open_file(&self, name: &str, access: OFlags) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(
            &self.fd,
            name,
            access | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl KeptFile {
    /// The content without white space at its end, as it is now.
    pub(super) fn read(&self) -> Result<String, CgroupError> {
        let mut text = Vec::new();
        let mut part = [0_u8; 4096];
        while text.len() < READ_MAX {
            match rustix::io::pread(&self.fd, &mut part, text.len() as u64) {
                Ok(0) => break,
                Ok(more) => text.extend_from_slice(&part[..more]),
                Err(Errno::INTR) => {}
                Err(errno) => {
                    return Err(CgroupError::Read {
                        file: self.path.clone(),
                        errno,
                    });
                }
            }
        }
        let text = String::from_utf8_lossy(&text);
        Ok(text.trim_end().to_owned())
    }

    /// The first number that `find` sees in the content; one `pread` into a small buffer, for the hot path.
    pub(super) fn read_small(
        &self,
        find: impl Fn(&str) -> Option<u64>,
    ) -> Result<u64, CgroupError> {
        let mut buffer = [0_u8; 512];
        let length = rustix::io::retry_on_intr(|| rustix::io::pread(&self.fd, &mut buffer, 0))
            .map_err(|errno| CgroupError::Read {
                file: self.path.clone(),
                errno,
            })?;
        let text = String::from_utf8_lossy(&buffer[..length]);
        find(text.trim_end()).ok_or_else(|| CgroupError::Malformed {
            file: self.path.clone(),
            text: text.clone().into_owned(),
        })
    }

    /// Writes at the start of the file.
    pub(super) fn write(&self, value: &str) -> Result<(), Errno> {
        rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.fd, value.as_bytes(), 0)).map(drop)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl AsFd for KeptFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The number after `key` on a line of its own.
pub(super) fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        line.strip_prefix(key)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

/// Waits until `fd` reports one of `flags` or the deadline passes; says whether it did.
pub(super) fn wait_for(fd: impl AsFd, flags: PollFlags, deadline: Instant) -> Result<bool, Errno> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        });
        match rustix::event::poll(&mut [PollFd::new(&fd, flags)], Some(&timeout)) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

//! Bytes in memory behind a descriptor: written once, then sealed, then passed on.
//!
//! A sealed file cannot change any more, whoever holds it, so its reader may trust its size. Source: memfd_create(2).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags};

/// A file in memory that is being written.
#[derive(Debug)]
pub struct Memfile(File);

/// A file in memory that nobody can change any more.
#[derive(Debug)]
pub struct Sealed(OwnedFd);

impl Memfile {
    /// An empty one.
    ///
    /// # Errors
    /// When no descriptor or memory is left.
    pub fn new() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        Ok(Self(File::from(rustix::fs::memfd_create(
            "evaljob", flags,
        )?)))
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// errno of the kernel's refusal.
    pub fn seal(self) -> io::Result<Sealed> {
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&self.0, seals)?;
        Ok(Sealed(self.0.into()))
    }
}

impl Write for Memfile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sealed {
    /// A file with this content.
    ///
    /// # Errors
    /// When no descriptor or memory is left.
    pub fn new(content: &[u8]) -> io::Result<Self> {
        let mut file = Memfile::new()?;
        file.write_all(content)?;
        file.seal()
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Sealed> for OwnedFd {
    fn from(sealed: Sealed) -> Self {
        sealed.0
    }
}

/// Whether nobody can change what is behind this descriptor.
pub(crate) fn is_sealed(fd: impl AsFd) -> bool {
    rustix::fs::fcntl_get_seals(fd)
        .is_ok_and(|seals| seals.contains(SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK))
}

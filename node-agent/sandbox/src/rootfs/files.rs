//! What is written into a run's root before its program starts: the job's files in /work, a checker's in /judge.
//!
//! Compiled by the worker, written by init: prepared buffers only. Content comes from sealed memfds.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountFlags;

use super::open_directory;
use crate::error::{Layer, SandboxError};
use crate::memfile;
use crate::mutation::{Part, keeps};
use crate::plan::{FilePlan, JUDGE, JUDGE_FILES, JobPlan};
use crate::stage::{At, Failure, Stage};
use crate::sys;
use crate::tree::{ATTR_RDONLY, c_string};

/// The files of a job, compiled: C strings, and the memfd with their content.
#[derive(Debug, Default)]
pub(crate) struct Files {
    content: Option<OwnedFd>,
    files: Vec<CompiledFile>,
}

#[derive(Debug)]
struct CompiledFile {
    /// Directories above it, outermost first, each as a path below /work.
    parents: Vec<CString>,
    path: CString,
    mode: u32,
    offset: u64,
    length: u64,
}

impl Files {
    /// Checks the paths again and compiles them.
    pub(crate) fn compile(plans: &[FilePlan], content: OwnedFd) -> Result<Self, SandboxError> {
        let mut files = Vec::new();
        for plan in plans {
            let parts: Vec<&str> = plan.path.split('/').collect();
            let bad = |part: &&str| {
                part.is_empty() || *part == "." || *part == ".." || part.contains('\0')
            };
            if parts.iter().any(bad) {
                return Err(SandboxError::new(
                    Layer::Workspace,
                    format!("file path {:?} is not a clean relative path", plan.path),
                ));
            }
            let parents = (1..parts.len())
                .filter_map(|depth| parts.get(..depth))
                .map(|above| c_string(&above.join("/")))
                .collect::<Result<_, _>>()?;
            files.push(CompiledFile {
                parents,
                path: c_string(&plan.path)?,
                mode: if plan.executable { 0o755 } else { 0o644 },
                offset: plan.offset,
                length: plan.length,
            });
        }
        Ok(Self {
            content: Some(content),
            files,
        })
    }

    /// Path of the file with this index, for messages.
    pub(crate) fn path(&self, index: u32) -> String {
        let file = usize::try_from(index)
            .ok()
            .and_then(|index| self.files.get(index));
        file.map_or_else(String::new, |file| file.path.to_string_lossy().into_owned())
    }

    /// Writes them below `work`, which nobody but us has written to yet.
    pub(super) fn place(&self, work: BorrowedFd<'_>) -> Result<(), Failure> {
        let Some(content) = &self.content else {
            return Ok(());
        };
        for (index, file) in (0u32..).zip(&self.files) {
            file.place(work, content.as_fd()).at(Stage::File, index)?;
        }
        Ok(())
    }
}

/// What a checker is given: input, output and answer of another run, exact and read-only.
#[derive(Debug)]
pub(crate) struct JudgeFiles {
    /// Name, content and size of each.
    files: Vec<(CString, OwnedFd, u64)>,
    options: CString,
    target: CString,
}

impl JudgeFiles {
    /// Checks what came with a run of this job; `None` where it is none that checks.
    pub(crate) fn of(job: &JobPlan, fds: Vec<OwnedFd>) -> Result<Option<Self>, SandboxError> {
        let layer = Layer::Workspace;
        if fds.is_empty() {
            return Ok(None);
        }
        if !job.checker || fds.len() != JUDGE_FILES.len() || !fds.iter().all(memfile::is_sealed) {
            return Err(SandboxError::new(
                layer,
                "a checker comes with three sealed files, and nothing else does",
            ));
        }
        let mut files = Vec::new();
        let mut total = 0;
        for (name, fd) in JUDGE_FILES.into_iter().zip(fds) {
            let size = rustix::fs::fstat(&fd)
                .ok()
                .and_then(|stat| u64::try_from(stat.st_size).ok())
                .ok_or_else(|| SandboxError::new(layer, format!("{name} has no size")))?;
            total += size.next_multiple_of(rustix::param::page_size() as u64);
            files.push((c_string(name)?, fd, size));
        }
        Ok(Some(Self {
            files,
            // Rounded up: a size of 0 would mean no limit.
            options: c_string(&format!("mode=755,size={},nr_inodes=16", total + 65_536))?,
            target: c_string(JUDGE)?,
        }))
    }

    /// Mounts them. They belong to nobody the checker could become.
    pub(super) fn mount(&self) -> Result<(), Failure> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let target = self.target.as_c_str();
        rustix::mount::mount(c"tmpfs", target, c"tmpfs", flags, self.options.as_c_str())
            .at(Stage::Judge, 0)?;
        let place = open_directory(CWD, target).at(Stage::Judge, 1)?;
        for (index, (name, content, size)) in (2u32..).zip(&self.files) {
            write_from(place.as_fd(), name, 0o444, content.as_fd(), 0, *size)
                .at(Stage::Judge, index)?;
        }
        if keeps(Part::JudgeReadOnly) {
            sys::mount_setattr(place.as_fd(), c"", ATTR_RDONLY).at(Stage::Judge, 5)?;
        }
        Ok(())
    }
}

impl CompiledFile {
    fn place(&self, work: BorrowedFd<'_>, content: BorrowedFd<'_>) -> Result<(), Errno> {
        for parent in &self.parents {
            match rustix::fs::mkdirat(work, parent, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        let (path, mode) = (&self.path, self.mode);
        write_from(work, path, mode, content, self.offset, self.length)
    }
}

/// Makes a file of `length` bytes of `content`.
fn write_from(
    at: BorrowedFd<'_>,
    path: &CStr,
    mode: u32,
    content: BorrowedFd<'_>,
    mut offset: u64,
    length: u64,
) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(at, path, flags, Mode::from_raw_mode(mode))?;
    let end = offset.saturating_add(length);
    while offset < end {
        let count = usize::try_from(end - offset).unwrap_or(usize::MAX);
        if rustix::fs::sendfile(&file, content, Some(&mut offset), count)? == 0 {
            return Err(Errno::NODATA);
        }
    }
    Ok(())
}

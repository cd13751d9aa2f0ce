//! The mounts of one run, made by init in its copy of the prepared tree. Runs after the fork: prepared buffers only.
//!
//! Mounts belong to the initial user namespace, so the job has no right over them. Image directories are cloned by
//! descriptor without following a link; every other path lies in directories of our own making.
//! Sources: mount(2), open_tree(2), move_mount(2), proc(5) (subset, hidepid), overlayfs.rst (redirect_dir).

mod files;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};

use crate::error::SandboxError;
use crate::mutation::{Part, keeps};
use crate::plan::{JUDGE, RunKind};
use crate::probe;
use crate::run::Setting;
use crate::stage::{At, Failure, Stage};
use crate::sys;
use crate::tree::{ATTR_NOEXEC, Tree, c_string, workspace_options};

pub(crate) use files::{Files, JudgeFiles};

/// The writable places of a run: directory of the workspace, mount point, whether programs may be executed there.
const PLACES: [(&CStr, &CStr, bool); 4] = [
    (c"work", c"/work", true),
    (c"tmp", c"/tmp", true),
    (c"shm", c"/dev/shm", false),
    (c"home", c"/home", true),
];

/// Where the workspace of a run lies before its parts are mounted.
const RUN: &CStr = c"/.p/run";
const STEPS: &CStr = c"/.p/steps";

/// Everything init needs for the mounts of one run.
#[derive(Debug)]
pub(crate) struct RunRoot<'a> {
    tree: &'a Tree,
    layout: WorkLayout,
    options: CString,
    files: &'a Files,
    judge: Option<&'a JudgeFiles>,
    owner: u32,
}

/// Where /work comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkLayout {
    /// The steps' tree itself; `true`: the job's files are still to be placed. /tmp, /dev/shm and HOME are the step's
    /// own, as large as its memory: compilers need more room than they leave.
    Steps(bool),
    /// A fresh tmpfs with the job's files.
    Fresh,
    /// A fresh overlay over the steps' tree.
    OverSteps,
}

impl<'a> RunRoot<'a> {
    pub(crate) fn prepare(
        setting: &Setting<'a>,
        kind: RunKind,
        memory: u64,
        owner: u32,
    ) -> Result<Self, SandboxError> {
        let tree = setting.tree;
        let size = match kind {
            RunKind::Step => memory,
            RunKind::Test => setting.workspace,
        };
        let layout = match (kind, tree.steps) {
            (RunKind::Step, _) => WorkLayout::Steps(setting.place_files),
            (RunKind::Test, true) => WorkLayout::OverSteps,
            (RunKind::Test, false) => WorkLayout::Fresh,
        };
        Ok(Self {
            tree,
            layout,
            options: c_string(&workspace_options(size))?,
            files: setting.files,
            judge: setting.judge,
            owner,
        })
    }

    /// Mounts everything; returns the directories /work, for the collection of outputs, and /tmp.
    pub(crate) fn mount(&self) -> Result<[OwnedFd; 2], Failure> {
        self.image().at(Stage::Image, 0)?;
        for (index, volume) in (0u32..).zip(&self.tree.volumes) {
            let mut flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
            if !volume.executable && keeps(Part::VolumeNoExec) {
                flags |= MountFlags::NOEXEC;
            }
            rustix::mount::mount(
                c"overlay",
                volume.target.as_c_str(),
                c"overlay",
                flags,
                volume.overlay.as_c_str(),
            )
            .at(Stage::Volume, index)?;
        }
        self.workspace()?;
        if let Some(judge) = self.judge {
            judge.mount()?;
        }
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let flags = kept(Part::ProcFlags, flags);
        let options = match (keeps(Part::ProcSubset), keeps(Part::ProcHidePid)) {
            (true, true) => c"subset=pid,hidepid=invisible",
            (true, false) => c"subset=pid",
            (false, _) => c"hidepid=invisible",
        };
        rustix::mount::mount(c"proc", c"/proc", c"proc", flags, options).at(Stage::Proc, 0)?;
        if keeps(Part::Detach) {
            rustix::mount::unmount(c"/.p", UnmountFlags::DETACH).at(Stage::Detach, 0)?;
        }
        let work = open_directory(CWD, c"/work").at(Stage::Handover, 0)?;
        let tmp = open_directory(CWD, c"/tmp").at(Stage::Handover, 0)?;
        Ok([work, tmp])
    }

    fn image(&self) -> Result<(), Errno> {
        let flags = kept(Part::ImageReadOnly, MountFlags::RDONLY)
            | kept(Part::ImageNoSuid, MountFlags::NOSUID)
            | kept(Part::ImageNoDev, MountFlags::NODEV);
        rustix::mount::mount(
            c"overlay",
            c"/.p/image",
            c"overlay",
            flags,
            self.tree.overlay.as_c_str(),
        )?;
        let image = open_directory(CWD, c"/.p/image")?;
        for (name, target) in &self.tree.shown {
            show(image.as_fd(), name, target, 0)?;
        }
        Ok(())
    }

    fn workspace(&self) -> Result<(), Failure> {
        let flags = kept(Part::OwnPlacesNoSuid, MountFlags::NOSUID)
            | kept(Part::OwnPlacesNoDev, MountFlags::NODEV);
        rustix::mount::mount(c"tmpfs", RUN, c"tmpfs", flags, self.options.as_c_str())
            .at(Stage::Workspace, 0)?;
        let run = open_directory(CWD, RUN).at(Stage::Workspace, 1)?;
        let steps = open_directory(CWD, STEPS).at(Stage::Workspace, 1)?;
        let work = match self.layout {
            WorkLayout::Steps(_) => steps.as_fd(),
            WorkLayout::Fresh | WorkLayout::OverSteps => run.as_fd(),
        };
        let fill = || {
            self.directories(run.as_fd()).at(Stage::Workspace, 3)?;
            if matches!(self.layout, WorkLayout::Steps(true) | WorkLayout::Fresh) {
                let work = open_directory(work, c"work").at(Stage::Workspace, 4)?;
                self.files.place(work.as_fd())?;
            }
            Ok(())
        };
        sys::with_fs_ids(self.owner, fill).at(Stage::Workspace, 2)??;
        self.show_places(work, run.as_fd()).at(Stage::Workspace, 6)
    }

    fn directories(&self, base: BorrowedFd<'_>) -> Result<(), Errno> {
        for (name, _, _) in PLACES {
            rustix::fs::mkdirat(base, name, Mode::from_raw_mode(0o755))?;
        }
        if self.layout == WorkLayout::OverSteps {
            rustix::fs::mkdirat(base, c"upper", Mode::from_raw_mode(0o755))?;
            rustix::fs::mkdirat(base, c"overlay", Mode::from_raw_mode(0o700))?;
        }
        Ok(())
    }

    fn show_places(&self, work: BorrowedFd<'_>, run: BorrowedFd<'_>) -> Result<(), Errno> {
        for (name, target, executable) in PLACES {
            let from = if name == c"work" { work } else { run };
            if name == c"work" && self.layout == WorkLayout::OverSteps {
                rustix::mount::mount(
                    c"overlay",
                    target,
                    c"overlay",
                    MountFlags::NOSUID | MountFlags::NODEV,
                    c"lowerdir=/.p/steps/work,upperdir=/.p/run/upper,workdir=/.p/run/overlay,redirect_dir=on",
                )?;
            } else {
                let data = !executable && keeps(Part::SharedMemoryNoExec);
                show(from, name, target, if data { ATTR_NOEXEC } else { 0 })?;
            }
        }
        Ok(())
    }

    /// The mounts a job must see, in the form `MOUNT_POINT OPTION...`: every one of them and no other.
    pub(crate) fn expected(&self) -> Vec<(String, Vec<&'static str>)> {
        let mut mounts = vec![("/".to_owned(), vec!["ro", "nosuid", "nodev"])];
        for device in crate::tree::DEVICES {
            mounts.push((format!("/dev/{device}"), vec!["ro", "nosuid", "noexec"]));
        }
        let image = self.tree.shown.iter().map(|(_, target)| target);
        for target in image {
            mounts.push((
                target.to_string_lossy().into_owned(),
                vec!["ro", "nosuid", "nodev"],
            ));
        }
        for volume in &self.tree.volumes {
            let mut options = vec!["ro", "nosuid", "nodev"];
            if !volume.executable {
                options.push("noexec");
            }
            mounts.push((volume.target.to_string_lossy().into_owned(), options));
        }
        if self.tree.probe {
            mounts.push((probe::PATH.into(), vec!["ro", "nosuid", "nodev"]));
        }
        if self.judge.is_some() {
            mounts.push((JUDGE.into(), vec!["ro", "nosuid", "nodev", "noexec"]));
        }
        for (_, target, executable) in PLACES {
            let mut options = vec!["rw", "nosuid", "nodev"];
            if !executable {
                options.push("noexec");
            }
            mounts.push((target.to_string_lossy().into_owned(), options));
        }
        mounts.push(("/proc".into(), vec!["nosuid", "nodev", "noexec"]));
        mounts
    }
}

/// `flags`, unless a test leaves them out.
fn kept(part: Part, flags: MountFlags) -> MountFlags {
    if keeps(part) {
        flags
    } else {
        MountFlags::empty()
    }
}

/// Mounts directory `name` of `from` on `target`, with further attributes.
fn show(from: BorrowedFd<'_>, name: &CStr, target: &CStr, attributes: u64) -> Result<(), Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let clone = rustix::mount::open_tree(from, name, flags)?;
    if attributes != 0 {
        sys::mount_setattr(clone.as_fd(), c"", attributes)?;
    }
    rustix::mount::move_mount(
        clone.as_fd(),
        c"",
        CWD,
        target,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
}

fn open_directory(at: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty())
}

/// Whether the workspace behind `work` has no free block or no free inode left.
pub(crate) fn is_full(work: BorrowedFd<'_>) -> bool {
    rustix::fs::fstatfs(work).is_ok_and(|stat| stat.f_bfree == 0 || stat.f_ffree == 0)
}

/// Opens an output below `work` without following anything a job could have made.
pub(crate) fn open_output(work: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;
    rustix::fs::openat2(
        work,
        path,
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV,
    )
}

/// The attributes of an opened output.
pub(crate) fn output_size(file: BorrowedFd<'_>) -> Result<Option<u64>, Errno> {
    let stat = rustix::fs::fstat(file)?;
    let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    Ok(if regular {
        u64::try_from(stat.st_size).ok()
    } else {
        None
    })
}

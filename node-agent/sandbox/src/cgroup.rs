//! Control groups: the hard limits of a run, and what it used.
//!
//! The spawner prepares once ([`Layout::discover`], [`Layout::make_writable`], [`Cgroups::prepare`]); each worker then
//! takes its slot ([`Cgroups::slot`], after the fork) and opens one [`RunCgroup`] per run. v2 gives each run a fresh
//! leaf, entered by `CLONE_INTO_CGROUP`; v1 keeps two cgroups per slot, entered by init ([`Entry::enter`]) before it
//! does anything else. Agent, spawner and workers are never in a run's cgroup. Everything lies below the cgroup the spawner was started in, in one directory named
//! `evaljob-PID-N`, and every limit that is written is read back.
//!
//! It never mounts, never touches a cgroup that is not its own, never follows a path a run could have made, and never
//! waits without a deadline. Sources: the kernel's `admin-guide/cgroup-v2.rst` and `admin-guide/cgroup-v1/`.
//!
//! ```text
//! v2  OURS/evaljob-PID-N/agent           the agent and the spawner
//!                       /job-ID          memory.max: all runs of the job at once, and its workspace
//!                       /job-ID/run-K-M  one run; made ahead, removed after
//! v1  OURS/evaljob-PID-N/slot-K/runs     a test of slot K
//!                       /slot-K/steps    a step of slot K, and what the steps leave in memory
//! ```

mod claim;
mod dir;
mod error;
mod layout;
mod prep;
mod quota;
mod v1;
mod v2;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::UnshareFlags;

pub use error::CgroupError;
pub use layout::{Hierarchy, Layout, Sources};
pub use prep::PrivateMounts;
pub use quota::cpus;

use crate::facts::CgroupVersion;
use crate::mutation::{Part, keeps};
use crate::plan::{RunKind, RunLimits};

/// The cgroups of one spawner, made at its start and removed at its end.
///
/// Dropping it removes them too (in the process that made it; a forked worker's copy does nothing), but only
/// [`Cgroups::remove`] says what went wrong.
#[derive(Debug)]
pub struct Cgroups {
    kind: Kind<v1::Machine, v2::Machine>,
    leftovers: Vec<String>,
    owner: Pid,
    removed: bool,
}

/// Number of the `count`th job that runs on this slot alone. Those of crews are above all of them.
pub(crate) fn job_of(slot: u32, count: u64) -> u64 {
    u64::from(slot) << 32 | count
}

/// Number of a job that runs on several slots.
pub(crate) fn job_of_crew(id: u64) -> u64 {
    1 << 63 | id
}

/// The slot that a job runs on alone; no slot's number for one of a crew.
fn slot_of(job: u64) -> u64 {
    job >> 32
}

/// The cgroups of one slot; belongs to the worker of that slot.
#[derive(Debug)]
pub struct SlotCgroup {
    kind: Kind<v1::Slot, v2::Slot>,
}

/// The cgroup of the run in progress. One at a time per slot.
///
/// Dropped without [`RunCgroup::finish`], its figures are lost; its processes are the caller's to end.
#[derive(Debug)]
pub struct RunCgroup<'s> {
    kind: Kind<v1::Run<'s>, v2::Run<'s>>,
}

#[derive(Debug)]
enum Kind<A, B> {
    V1(A),
    V2(B),
}

/// What a run used, from [`RunCgroup::start`] to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all its processes, living and dead.
    pub cpu: Duration,
    /// Highest memory in bytes, kernel memory and tmpfs pages included.
    pub memory_peak: u64,
    /// Whether the peak was reset at start; if not (v2 before Linux 6.12) it includes the set-up, below 1 MiB.
    pub peak_from_start: bool,
    /// Processes that the kernel's OOM killer ended, since the cgroup was opened for the run; v2 ends the whole run
    /// and counts the first victim twice.
    pub oom_kills: u64,
    /// Forks refused at the process limit, since the cgroup was opened for the run.
    pub pids_hits: u64,
    /// Time in which runnable threads had to wait for CPU bandwidth.
    pub throttled: Duration,
}

/// What to watch for memory events; add it to an epoll set with exactly these flags.
#[derive(Debug)]
pub struct Notifier<'a> {
    /// v1: an eventfd. v2: `memory.events`.
    pub fd: BorrowedFd<'a>,
    /// v1: `IN`. v2: `PRI` (a kernfs file is always readable).
    pub flags: EventFlags,
}

/// How the first process of a run gets into its cgroup.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    tasks: &'a [dir::KeptFile],
}

impl Entry<'_> {
    /// Moves the calling thread in (v2: it was born there) and makes the run's cgroup the root of all that it and its
    /// children see of cgroups. For the child of clone3, as the first thing it does: a system call or two per
    /// hierarchy, no allocation, no lock.
    ///
    /// # Errors
    /// errno. The child must exit.
    #[expect(unsafe_code, reason = "unshare is unsafe for its FILES flag")]
    pub fn enter(self) -> Result<(), Errno> {
        if keeps(Part::CgroupEntry) {
            self.tasks.iter().try_for_each(|tasks| tasks.write("0"))?;
        }
        if !keeps(Part::CgroupNamespace) {
            return Ok(());
        }
        // SAFETY: NEWCGROUP changes only how paths of cgroups are shown.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWCGROUP) }
    }
}

impl Cgroups {
    /// Removes what dead predecessors left, makes our directory, and on v2 moves `ours` (the agent and the spawner)
    /// into a leaf of it and enables cpu, memory and pids above it.
    ///
    /// # Errors
    /// The file, the value and the errno; [`CgroupError::OtherProcesses`] when the cgroup holds processes that are
    /// not in `ours` (v2 distributes controllers only from a cgroup without processes).
    pub fn prepare(layout: &Layout, ours: &[Pid]) -> Result<Self, CgroupError> {
        let (kind, leftovers) = match layout.version() {
            CgroupVersion::V1 => {
                let (machine, leftovers) = v1::Machine::prepare(layout)?;
                (Kind::V1(machine), leftovers)
            }
            CgroupVersion::V2 => {
                let (machine, leftovers) = v2::Machine::prepare(layout, ours)?;
                (Kind::V2(machine), leftovers)
            }
        };
        Ok(Self {
            kind,
            leftovers,
            owner: rustix::process::getpid(),
            removed: false,
        })
    }

    /// Which version the controllers are on.
    #[must_use]
    pub fn version(&self) -> CgroupVersion {
        match self.kind {
            Kind::V1(_) => CgroupVersion::V1,
            Kind::V2(_) => CgroupVersion::V2,
        }
    }

    /// Directories of dead predecessors that could not be removed, and why; for the log.
    #[must_use]
    pub fn leftovers(&self) -> &[String] {
        &self.leftovers
    }

    /// The cgroups of slot `index`, to be called in the worker after the fork. What an earlier worker of the slot
    /// left is killed and removed first.
    ///
    /// # Errors
    /// The file, the value and the errno.
    pub fn slot(&self, index: u32) -> Result<SlotCgroup, CgroupError> {
        let kind = match &self.kind {
            Kind::V1(machine) => Kind::V1(machine.slot(index)?),
            Kind::V2(machine) => Kind::V2(machine.slot(index)?),
        };
        Ok(SlotCgroup { kind })
    }

    /// Removes everything: runs that still live are killed, on v2 the processes moved at the start go back and the
    /// controllers that were enabled are disabled. Call it when all workers have been waited for.
    ///
    /// # Errors
    /// The first thing that could not be undone; the rest is undone all the same.
    pub fn remove(mut self) -> Result<(), CgroupError> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<(), CgroupError> {
        if self.removed || self.owner != rustix::process::getpid() {
            return Ok(());
        }
        self.removed = true;
        match &mut self.kind {
            Kind::V1(machine) => machine.remove(),
            Kind::V2(machine) => machine.remove(),
        }
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        // Who wants to know calls `remove`; what stays is found and removed by the next start.
        let _ = self.take_down();
    }
}

impl SlotCgroup {
    /// Opens the cgroup of a job before its first run. `memory` bounds all of it: the largest run times its
    /// parallelism, and the workspace when there are steps. Slots that name the same job share it.
    ///
    /// v1 has no cgroup per job: there admission alone counts the sum.
    ///
    /// # Errors
    /// The file, the value and the errno.
    pub fn begin_job(&mut self, job: u64, memory: u64) -> Result<(), CgroupError> {
        match &mut self.kind {
            Kind::V1(_) => Ok(()),
            Kind::V2(slot) => slot.begin_job(job, memory),
        }
    }

    /// Opens the cgroup of a run with its limits written and read back: memory rounded down to whole pages, swap off,
    /// one process more than `limits` says, for the run's init. Then clone3 with [`RunCgroup::clone_into`], and
    /// [`RunCgroup::entry`] in the child.
    ///
    /// # Errors
    /// The file, the value and the errno.
    pub fn begin_run(
        &mut self,
        kind: RunKind,
        limits: &RunLimits,
    ) -> Result<RunCgroup<'_>, CgroupError> {
        let kind = match &mut self.kind {
            Kind::V1(slot) => Kind::V1(slot.begin_run(kind, limits)?),
            Kind::V2(slot) => Kind::V2(slot.begin_run(limits)?),
        };
        Ok(RunCgroup { kind })
    }

    /// Brings the slot back to its clean state after a run and prepares the next one; call it when the result has
    /// been sent. What still lives of the run is killed. v2: removes the leaf, makes the next. v1: remakes the cgroup
    /// where more than 1 MiB stays charged. [`SlotCgroup::begin_run`] does it first where it was left out.
    ///
    /// # Errors
    /// The file, the value and the errno. The slot must not be used again then.
    pub fn tidy(&mut self) -> Result<(), CgroupError> {
        match &mut self.kind {
            Kind::V1(slot) => slot.tidy(),
            Kind::V2(slot) => slot.tidy(),
        }
    }

    /// Closes the job's cgroup, after the job's mounts are gone (what its steps left in memory is charged to it).
    ///
    /// # Errors
    /// The file, the value and the errno. The slot must not be used again then.
    pub fn end_job(&mut self) -> Result<(), CgroupError> {
        match &mut self.kind {
            Kind::V1(slot) => slot.end_job(),
            Kind::V2(slot) => slot.end_job(),
        }
    }
}

impl RunCgroup<'_> {
    /// v2: the directory for `CLONE_INTO_CGROUP`. v1: `None`.
    #[must_use]
    pub fn clone_into(&self) -> Option<BorrowedFd<'_>> {
        match &self.kind {
            Kind::V1(_) => None,
            Kind::V2(run) => Some(run.clone_into()),
        }
    }

    /// What the child calls first of all, on both versions.
    #[must_use]
    pub fn entry(&self) -> Entry<'_> {
        match &self.kind {
            Kind::V1(run) => run.entry(),
            Kind::V2(_) => Entry { tasks: &[] },
        }
    }

    /// Compares a process of the run with the plan: `text` is its /proc/PID/cgroup, read from outside.
    ///
    /// # Errors
    /// [`CgroupError::Elsewhere`].
    pub fn check_membership(&self, text: &str) -> Result<(), CgroupError> {
        match &self.kind {
            Kind::V1(run) => run.check_membership(text),
            Kind::V2(run) => run.check_membership(text),
        }
    }

    /// Says go: CPU time and throttling are counted from here; the peak is reset where the kernel can.
    ///
    /// # Errors
    /// The file and the errno.
    pub fn start(&mut self) -> Result<(), CgroupError> {
        match &mut self.kind {
            Kind::V1(run) => run.start(),
            Kind::V2(run) => run.start(),
        }
    }

    /// CPU time of all processes since [`RunCgroup::start`]; one `pread`. A running thread is behind by at most a
    /// scheduler tick.
    ///
    /// # Errors
    /// The file and the errno.
    pub fn cpu_usage(&self) -> Result<Duration, CgroupError> {
        match &self.kind {
            Kind::V1(run) => run.cpu_usage(),
            Kind::V2(run) => run.cpu_usage(),
        }
    }

    /// Anonymous memory of all processes in bytes, as it is now: files, shared memory and the kernel's own are apart.
    /// The kernel counts it in stocks of 64 pages for each CPU and keeps no peak of it.
    ///
    /// # Errors
    /// The file and the errno.
    pub fn anonymous_memory(&self) -> Result<u64, CgroupError> {
        match &self.kind {
            Kind::V1(run) => run.anonymous_memory(),
            Kind::V2(run) => run.anonymous_memory(),
        }
    }

    /// What becomes ready when the kernel reports a memory event; then call [`RunCgroup::oom_killed`].
    #[must_use]
    pub fn notifier(&self) -> Notifier<'_> {
        match &self.kind {
            Kind::V1(run) => run.notifier(),
            Kind::V2(run) => run.notifier(),
        }
    }

    /// Clears the notification and says whether the OOM killer has ended a process of this run.
    ///
    /// v1 notifies before it kills: call it at each timer tick too, or a kill that came after the look is seen only
    /// by [`RunCgroup::finish`].
    ///
    /// # Errors
    /// The file and the errno.
    pub fn oom_killed(&mut self) -> Result<bool, CgroupError> {
        match &mut self.kind {
            Kind::V1(run) => run.oom_killed(),
            Kind::V2(run) => run.oom_killed(),
        }
    }

    /// v2: kills every process of the run and returns `true`. v1: `false`; kill the run's init (pid 1 of its pid
    /// namespace) instead.
    ///
    /// # Errors
    /// The file and the errno.
    pub fn kill(&self) -> Result<bool, CgroupError> {
        match &self.kind {
            Kind::V1(_) => Ok(false),
            Kind::V2(run) => run.kill().map(|()| true),
        }
    }

    /// Reads what the run used, when its init has been waited for. v2: waits until the leaf is empty, at most for
    /// `patience`.
    ///
    /// # Errors
    /// The file and the errno; [`CgroupError::StillPopulated`] when processes are left at the deadline.
    pub fn finish(self, patience: Duration) -> Result<Usage, CgroupError> {
        match self.kind {
            Kind::V1(run) => run.finish(),
            Kind::V2(run) => run.finish(patience),
        }
    }
}

/// The kernel counts memory in pages and shows a limit rounded down to them.
fn whole_pages(bytes: u64) -> u64 {
    let page = rustix::param::page_size() as u64;
    bytes - bytes % page
}

/// Whether a path of /proc/PID/cgroup is that of `dir`. The two may be seen from different roots; our directory, the
/// slot's or the job's, and the run's are the last three components of both.
fn check_member(dir: &dir::Dir, shown: Option<&str>) -> Result<(), CgroupError> {
    let shown = shown.unwrap_or_default();
    let ours = dir.path().rsplit('/').take(3);
    if ours.eq(shown.rsplit('/').take(3)) {
        return Ok(());
    }
    Err(CgroupError::Elsewhere {
        dir: dir.path().to_owned(),
        found: shown.to_owned(),
    })
}

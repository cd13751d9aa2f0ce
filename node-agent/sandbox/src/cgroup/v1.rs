//! cgroup v1: two kept cgroups per slot, in each hierarchy; init enters by writing itself to their `tasks` files.
//!
//! Moving a process through `cgroup.procs` waits for an RCU grace period (11 ms). A thread that moves itself by
//! writing 0 to `tasks` does not (0.03 ms for all hierarchies): init does that first of all, and what it forks is born
//! there. Limits are written only where they differ from the last ones, and figures are differences between two
//! readings. A cgroup in which more than 1 MiB stays charged is remade: that keeps the page cache of the image, which
//! `memory.force_empty` would throw away. The tree that steps leave in memory stays charged to `steps`; a step's limit is therefore set above what
//! the cgroup holds when it begins.
//! For build machines and old nodes; it never kills and never writes `memory.oom_control`.
//! Sources: the kernel's `admin-guide/cgroup-v1/{cgroups,memory,pids,cpuacct}.rst`, `scheduler/sched-bwc.rst`.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use super::claim::{self, Claim, PATIENCE};
use super::dir::{Dir, KeptFile, field};
use super::error::CgroupError;
use super::layout::{Layout, NEEDED_V1, membership};
use super::{Entry, Notifier, Usage, check_member};
use crate::mutation::{Part, keeps};
use crate::plan::{RunKind, RunLimits};

/// What may stay charged between runs (stocks that each CPU keeps, kernel objects freed later).
const REST_MAX: u64 = 1024 * 1024;
/// Bandwidth period in microseconds, the kernel's default.
const CPU_PERIOD: u64 = 100_000;

/// The hierarchies, each with our directory in it.
#[derive(Debug)]
pub(super) struct Machine {
    claims: Vec<Claim>,
    index: Index,
}

/// For each controller of [`NEEDED_V1`], in that order, which hierarchy carries it.
type Index = [usize; NEEDED_V1.len()];

/// Position of a controller in [`NEEDED_V1`].
#[derive(Debug, Clone, Copy)]
enum Controller {
    Memory = 0,
    Pids = 1,
    Cpu = 2,
    Cpuacct = 3,
}

impl Machine {
    pub(super) fn prepare(layout: &Layout) -> Result<(Self, Vec<String>), CgroupError> {
        let mut leftovers = Vec::new();
        let mut claims = Vec::new();
        let mut index = Index::default();
        for (position, hierarchy) in layout.hierarchies().iter().enumerate() {
            let own = Dir::open(hierarchy.own_directory())?;
            leftovers.extend(claim::sweep(&own, None)?);
            claims.push(Claim::new(own)?);
            for (slot, controller) in index.iter_mut().zip(NEEDED_V1) {
                if hierarchy.controllers.contains(&controller) {
                    *slot = position;
                }
            }
        }
        Ok((Self { claims, index }, leftovers))
    }

    pub(super) fn slot(&self, index: u32) -> Result<Slot, CgroupError> {
        let name = format!("slot-{index}");
        let mut dirs = Vec::new();
        for claim in &self.claims {
            if let Ok(old) = claim.dir().child(&name) {
                claim::remove_tree(&old, None, PATIENCE)?;
                claim.dir().remove(&name, PATIENCE)?;
            }
            dirs.push(claim.dir().make(&name)?);
        }
        let home = Group {
            dirs,
            index: self.index,
        };
        let tests = Cell::make(&home, "runs")?;
        let steps = Cell::make(&home, "steps")?;
        Ok(Slot {
            home,
            tests,
            steps,
            used: None,
        })
    }

    pub(super) fn remove(&mut self) -> Result<(), CgroupError> {
        // All of them, whatever the first says.
        let done: Vec<_> = self.claims.iter().map(|claim| claim.remove(None)).collect();
        done.into_iter().collect()
    }
}

/// One cgroup: the same directory in each hierarchy.
#[derive(Debug)]
struct Group {
    dirs: Vec<Dir>,
    index: Index,
}

impl Group {
    fn at(&self, controller: Controller) -> &Dir {
        &self.dirs[self.index[controller as usize]]
    }

    fn make(&self, name: &str) -> Result<Self, CgroupError> {
        let dirs = self
            .dirs
            .iter()
            .map(|dir| dir.make(name))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            dirs,
            index: self.index,
        })
    }

    /// Removes a child; what still lives in it (a run that was given up) is killed.
    fn remove(&self, name: &str) -> Result<(), CgroupError> {
        self.dirs
            .iter()
            .try_for_each(|dir| claim::remove_child(dir, name))
    }

    /// One writable `tasks` file per hierarchy.
    fn tasks(&self) -> Result<Vec<KeptFile>, CgroupError> {
        self.dirs
            .iter()
            .map(|dir| dir.keep("tasks", true))
            .collect()
    }
}

/// A cgroup that runs are born in, with what is read of it often.
#[derive(Debug)]
struct Cell {
    name: &'static str,
    group: Group,
    cpu: KeptFile,
    memory_stat: KeptFile,
    oom: KeptFile,
    oom_events: OwnedFd,
    /// What init writes itself to.
    tasks: Vec<KeptFile>,
    has_memsw: bool,
    /// The limits in force, where known.
    memory: Option<u64>,
    pids: Option<u64>,
    quota: Option<u64>,
}

impl Cell {
    fn make(home: &Group, name: &'static str) -> Result<Self, CgroupError> {
        let group = home.make(name)?;
        let memory = group.at(Controller::Memory);
        let oom = memory.keep("memory.oom_control", false)?;
        let oom_events = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| CgroupError::Watch {
                file: oom.path().to_owned(),
                errno,
            })?;
        let order = format!("{} {}", oom_events.as_raw_fd(), oom.as_fd().as_raw_fd());
        memory.write("cgroup.event_control", &order)?;
        // No swap: anonymous pages stay, whatever memory.memsw allows.
        memory.set_if_present("memory.swappiness", "0")?;
        let has_memsw = memory.has("memory.memsw.limit_in_bytes");
        group
            .at(Controller::Cpu)
            .set("cpu.cfs_period_us", &CPU_PERIOD.to_string())?;
        let cpu = group.at(Controller::Cpuacct).keep("cpuacct.usage", false)?;
        let memory_stat = memory.keep("memory.stat", false)?;
        let tasks = group.tasks()?;
        Ok(Self {
            name,
            group,
            cpu,
            memory_stat,
            oom,
            oom_events,
            tasks,
            has_memsw,
            memory: None,
            pids: None,
            quota: None,
        })
    }

    fn limit(&mut self, memory: u64, pids: u64, quota: u64) -> Result<(), CgroupError> {
        if self.memory != Some(memory) && keeps(Part::MemoryLimit) {
            self.memory = None;
            self.limit_memory(memory)?;
            self.memory = Some(memory);
        }
        if self.pids != Some(pids) && keeps(Part::ProcessLimit) {
            self.pids = None;
            self.group
                .at(Controller::Pids)
                .set("pids.max", &pids.to_string())?;
            self.pids = Some(pids);
        }
        if self.quota != Some(quota) {
            self.quota = None;
            self.group
                .at(Controller::Cpu)
                .set("cpu.cfs_quota_us", &quota.to_string())?;
            self.quota = Some(quota);
        }
        Ok(())
    }

    /// The kernel refuses a memory limit above the memory+swap limit, so the order follows the direction.
    fn limit_memory(&self, limit: u64) -> Result<(), CgroupError> {
        const MEMORY: &str = "memory.limit_in_bytes";
        const MEMORY_AND_SWAP: &str = "memory.memsw.limit_in_bytes";
        let dir = self.group.at(Controller::Memory);
        let value = limit.to_string();
        if !self.has_memsw {
            return dir.set(MEMORY, &value);
        }
        let raising = limit > dir.read_number(MEMORY_AND_SWAP)?;
        let order = if raising {
            [MEMORY_AND_SWAP, MEMORY]
        } else {
            [MEMORY, MEMORY_AND_SWAP]
        };
        order.into_iter().try_for_each(|name| dir.set(name, &value))
    }

    fn charged(&self) -> Result<u64, CgroupError> {
        self.group
            .at(Controller::Memory)
            .read_number("memory.usage_in_bytes")
    }

    /// Whether a process is left in it, dead but not waited for included.
    fn is_inhabited(&self) -> Result<bool, CgroupError> {
        let current = self
            .group
            .at(Controller::Pids)
            .read_number("pids.current")?;
        Ok(current != 0)
    }

    fn cpu(&self) -> Result<Duration, CgroupError> {
        self.cpu
            .read_small(|text| text.parse().ok())
            .map(Duration::from_nanos)
    }

    fn oom_kills(&self) -> Result<u64, CgroupError> {
        self.oom.read_small(|text| field(text, "oom_kill"))
    }

    fn pids_hits(&self) -> Result<u64, CgroupError> {
        self.group
            .at(Controller::Pids)
            .read_field("pids.events", "max")
    }

    fn throttled(&self) -> Result<Duration, CgroupError> {
        self.group
            .at(Controller::Cpu)
            .read_field("cpu.stat", "throttled_time")
            .map(Duration::from_nanos)
    }
}

/// The two cells of a slot.
#[derive(Debug)]
pub(super) struct Slot {
    home: Group,
    tests: Cell,
    steps: Cell,
    /// What ran since the last look at what it left.
    used: Option<RunKind>,
}

impl Slot {
    pub(super) fn begin_run(
        &mut self,
        kind: RunKind,
        limits: &RunLimits,
    ) -> Result<Run<'_>, CgroupError> {
        self.tidy()?;
        let cell = match kind {
            RunKind::Step => &mut self.steps,
            RunKind::Test => &mut self.tests,
        };
        let before = match kind {
            RunKind::Step => cell.charged()?,
            RunKind::Test => 0,
        };
        // What may stay charged anyway is no tree.
        let before = if before > REST_MAX { before } else { 0 };
        let memory = super::whole_pages(limits.memory.saturating_add(before));
        let pids = u64::from(limits.processes) + 1;
        cell.limit(memory, pids, u64::from(limits.cpus) * CPU_PERIOD)?;
        self.used = Some(kind);
        let base = Reading {
            cpu: cell.cpu()?,
            throttled: cell.throttled()?,
            oom_kills: cell.oom_kills()?,
            pids_hits: cell.pids_hits()?,
            memory: before,
        };
        let run = Run { cell, base };
        run.clear_events()?;
        Ok(run)
    }

    pub(super) fn tidy(&mut self) -> Result<(), CgroupError> {
        let Some(kind) = self.used else {
            return Ok(());
        };
        let dirty = match kind {
            // The steps' tree belongs to the job.
            RunKind::Step => self.steps.is_inhabited()?,
            RunKind::Test => self.tests.is_inhabited()? || self.tests.charged()? > REST_MAX,
        };
        if dirty {
            self.remake(kind)?;
        }
        self.used = None;
        Ok(())
    }

    pub(super) fn end_job(&mut self) -> Result<(), CgroupError> {
        self.tidy()?;
        if self.steps.charged()? > REST_MAX {
            self.remake(RunKind::Step)?;
        }
        Ok(())
    }

    fn remake(&mut self, kind: RunKind) -> Result<(), CgroupError> {
        let cell = match kind {
            RunKind::Step => &mut self.steps,
            RunKind::Test => &mut self.tests,
        };
        self.home.remove(cell.name)?;
        *cell = Cell::make(&self.home, cell.name)?;
        Ok(())
    }
}

/// Readings at the start, to be subtracted.
#[derive(Debug)]
struct Reading {
    cpu: Duration,
    throttled: Duration,
    oom_kills: u64,
    pids_hits: u64,
    memory: u64,
}

/// One run.
#[derive(Debug)]
pub(super) struct Run<'s> {
    cell: &'s mut Cell,
    base: Reading,
}

impl Run<'_> {
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            tasks: &self.cell.tasks,
        }
    }

    pub(super) fn check_membership(&self, text: &str) -> Result<(), CgroupError> {
        NEEDED_V1.into_iter().try_for_each(|controller| {
            let position = NEEDED_V1
                .iter()
                .position(|name| *name == controller)
                .unwrap_or_default();
            let dir = &self.cell.group.dirs[self.cell.group.index[position]];
            check_member(dir, membership(text, controller))
        })
    }

    pub(super) fn start(&mut self) -> Result<(), CgroupError> {
        self.cell
            .group
            .at(Controller::Memory)
            .write("memory.max_usage_in_bytes", "0")?;
        self.base.throttled = self.cell.throttled()?;
        self.base.cpu = self.cell.cpu()?;
        Ok(())
    }

    pub(super) fn cpu_usage(&self) -> Result<Duration, CgroupError> {
        Ok(self.cell.cpu()?.saturating_sub(self.base.cpu))
    }

    /// v1 calls it the resident set, and that of a tmpfs is cache.
    pub(super) fn anonymous_memory(&self) -> Result<u64, CgroupError> {
        self.cell.memory_stat.read_small(|text| field(text, "rss"))
    }

    pub(super) fn notifier(&self) -> Notifier<'_> {
        Notifier {
            fd: self.cell.oom_events.as_fd(),
            flags: EventFlags::IN,
        }
    }

    pub(super) fn oom_killed(&mut self) -> Result<bool, CgroupError> {
        self.clear_events()?;
        Ok(self.cell.oom_kills()? > self.base.oom_kills)
    }

    pub(super) fn finish(self) -> Result<Usage, CgroupError> {
        let cell = &self.cell;
        let peak = cell
            .group
            .at(Controller::Memory)
            .read_number("memory.max_usage_in_bytes")?;
        Ok(Usage {
            cpu: self.cpu_usage()?,
            memory_peak: peak.saturating_sub(self.base.memory),
            peak_from_start: true,
            oom_kills: cell.oom_kills()?.saturating_sub(self.base.oom_kills),
            pids_hits: cell.pids_hits()?.saturating_sub(self.base.pids_hits),
            throttled: cell.throttled()?.saturating_sub(self.base.throttled),
        })
    }

    fn clear_events(&self) -> Result<(), CgroupError> {
        let mut count = [0_u8; 8];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.cell.oom_events, &mut count)) {
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => Err(CgroupError::Watch {
                file: self.cell.oom.path().to_owned(),
                errno,
            }),
        }
    }
}

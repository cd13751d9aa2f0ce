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

mod cell;

use std::time::Duration;

use rustix::event::epoll::EventFlags;

use cell::{Cell, Group, Index};

use super::claim::{self, Claim, PATIENCE};
use super::dir::Dir;
use super::error::CgroupError;
use super::layout::{Layout, NEEDED_V1, membership};
use super::{Entry, Notifier, Usage, check_member};
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
        run.cell.clear_events()?;
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
        self.cell.forget_peak()?;
        self.base.throttled = self.cell.throttled()?;
        self.base.cpu = self.cell.cpu()?;
        Ok(())
    }

    pub(super) fn cpu_usage(&self) -> Result<Duration, CgroupError> {
        Ok(self.cell.cpu()?.saturating_sub(self.base.cpu))
    }

    pub(super) fn anonymous_memory(&self) -> Result<u64, CgroupError> {
        self.cell.anonymous_memory()
    }

    pub(super) fn notifier(&self) -> Notifier<'_> {
        Notifier {
            fd: self.cell.oom_events(),
            flags: EventFlags::IN,
        }
    }

    pub(super) fn oom_killed(&mut self) -> Result<bool, CgroupError> {
        self.cell.clear_events()?;
        Ok(self.cell.oom_kills()? > self.base.oom_kills)
    }

    pub(super) fn finish(self) -> Result<Usage, CgroupError> {
        let cell = &self.cell;
        let peak = cell.peak()?;
        Ok(Usage {
            cpu: self.cpu_usage()?,
            memory_peak: peak.saturating_sub(self.base.memory),
            peak_from_start: true,
            oom_kills: cell.oom_kills()?.saturating_sub(self.base.oom_kills),
            pids_hits: cell.pids_hits()?.saturating_sub(self.base.pids_hits),
            throttled: cell.throttled()?.saturating_sub(self.base.throttled),
        })
    }
}

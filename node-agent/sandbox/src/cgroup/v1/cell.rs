//! A cgroup of v1: one directory in each hierarchy, and the files of it that every run needs.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::io::Errno;

use super::CPU_PERIOD;
use crate::cgroup::claim;
use crate::cgroup::dir::{Dir, KeptFile, field};
use crate::cgroup::error::CgroupError;
use crate::cgroup::layout::NEEDED_V1;
use crate::mutation::{Part, keeps};

/// For each controller of [`NEEDED_V1`], in that order, which hierarchy carries it.
pub(super) type Index = [usize; NEEDED_V1.len()];

/// Position of a controller in [`NEEDED_V1`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Controller {
    Memory = 0,
    Pids = 1,
    Cpu = 2,
    Cpuacct = 3,
}

/// One cgroup: the same directory in each hierarchy.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) dirs: Vec<Dir>,
    pub(super) index: Index,
}

impl Group {
    pub(super) fn at(&self, controller: Controller) -> &Dir {
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
    pub(super) fn remove(&self, name: &str) -> Result<(), CgroupError> {
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

/// A cgroup that runs are born in, with what is read of it for each run: opening a file costs five times as much as
/// reading it.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) name: &'static str,
    pub(super) group: Group,
    cpu: KeptFile,
    cpu_stat: KeptFile,
    memory_stat: KeptFile,
    charged: KeptFile,
    peak: KeptFile,
    pids_current: KeptFile,
    pids_events: KeptFile,
    oom: KeptFile,
    oom_events: OwnedFd,
    /// What init writes itself to.
    pub(super) tasks: Vec<KeptFile>,
    has_memsw: bool,
    /// The limits in force, where known.
    memory: Option<u64>,
    pids: Option<u64>,
    quota: Option<u64>,
}

impl Cell {
    pub(super) fn make(home: &Group, name: &'static str) -> Result<Self, CgroupError> {
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
        let (cpu, pids) = (group.at(Controller::Cpu), group.at(Controller::Pids));
        cpu.set("cpu.cfs_period_us", &CPU_PERIOD.to_string())?;
        Ok(Self {
            name,
            cpu: group.at(Controller::Cpuacct).keep("cpuacct.usage", false)?,
            cpu_stat: cpu.keep("cpu.stat", false)?,
            memory_stat: memory.keep("memory.stat", false)?,
            charged: memory.keep("memory.usage_in_bytes", false)?,
            peak: memory.keep("memory.max_usage_in_bytes", true)?,
            pids_current: pids.keep("pids.current", false)?,
            pids_events: pids.keep("pids.events", false)?,
            oom,
            oom_events,
            tasks: group.tasks()?,
            group,
            has_memsw,
            memory: None,
            pids: None,
            quota: None,
        })
    }

    /// Writes the limits that differ from those in force.
    pub(super) fn limit(&mut self, memory: u64, pids: u64, quota: u64) -> Result<(), CgroupError> {
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

    /// Bytes that are charged to it now.
    pub(super) fn charged(&self) -> Result<u64, CgroupError> {
        self.charged.read_small(number)
    }

    /// Whether a process is left in it, dead but not waited for included.
    pub(super) fn is_inhabited(&self) -> Result<bool, CgroupError> {
        Ok(self.pids_current.read_small(number)? != 0)
    }

    pub(super) fn cpu(&self) -> Result<Duration, CgroupError> {
        self.cpu.read_small(number).map(Duration::from_nanos)
    }

    /// v1 calls it the resident set, and that of a tmpfs is cache.
    pub(super) fn anonymous_memory(&self) -> Result<u64, CgroupError> {
        self.memory_stat.read_small(|text| field(text, "rss"))
    }

    /// The most that was charged since [`Cell::forget_peak`].
    pub(super) fn peak(&self) -> Result<u64, CgroupError> {
        self.peak.read_small(number)
    }

    pub(super) fn forget_peak(&self) -> Result<(), CgroupError> {
        self.peak.write("0").map_err(|errno| CgroupError::Write {
            file: self.peak.path().to_owned(),
            wanted: "0".to_owned(),
            errno,
        })
    }

    pub(super) fn oom_kills(&self) -> Result<u64, CgroupError> {
        self.oom.read_small(|text| field(text, "oom_kill"))
    }

    pub(super) fn pids_hits(&self) -> Result<u64, CgroupError> {
        self.pids_events.read_small(|text| field(text, "max"))
    }

    pub(super) fn throttled(&self) -> Result<Duration, CgroupError> {
        let time = self
            .cpu_stat
            .read_small(|text| field(text, "throttled_time"));
        time.map(Duration::from_nanos)
    }

    /// Becomes readable when the OOM killer came.
    pub(super) fn oom_events(&self) -> BorrowedFd<'_> {
        self.oom_events.as_fd()
    }

    /// Forgets that the OOM killer came.
    pub(super) fn clear_events(&self) -> Result<(), CgroupError> {
        let mut count = [0_u8; 8];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.oom_events, &mut count)) {
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => Err(CgroupError::Watch {
                file: self.oom.path().to_owned(),
                errno,
            }),
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

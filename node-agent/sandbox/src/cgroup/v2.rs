//! cgroup v2: a directory per job, a fresh leaf per run below it, made ahead, removed after.
//!
//! The kernel distributes controllers only from a cgroup without processes, so the agent and the spawner first move
//! into a leaf of their own. A run enters its leaf at clone time and leaves it only by dying; every figure of a leaf
//! is therefore the run's own. Nothing of a leaf is used twice.
//! Source: the kernel's `admin-guide/cgroup-v2.rst`; exercised by tests/vm on a kernel with the unified hierarchy.

use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::process::Pid;

use super::claim::{self, Claim, PATIENCE};
use super::dir::{Dir, KeptFile, field, wait_for};
use super::error::CgroupError;
use super::layout::{Layout, NEEDED_V2, membership};
use super::{Notifier, Usage, check_member};
use crate::mutation::{Part, keeps};
use crate::plan::RunLimits;

/// Where the agent and the spawner live.
const AGENT: &str = "agent";
/// Prefix of a job's directory.
const JOB: &str = "job-";
const SUBTREE: &str = "cgroup.subtree_control";
const KILL: &str = "cgroup.kill";
const PEAK: &str = "memory.peak";
/// Bandwidth period in microseconds, the kernel's default.
const CPU_PERIOD: u64 = 100_000;

/// Our directory, and what has to be undone at the end.
#[derive(Debug)]
pub(super) struct Machine {
    claim: Claim,
    moved: Vec<Pid>,
    /// Controllers that were not enabled before us.
    enabled: Vec<&'static str>,
}

impl Machine {
    pub(super) fn prepare(
        layout: &Layout,
        ours: &[Pid],
    ) -> Result<(Self, Vec<String>), CgroupError> {
        let [hierarchy] = layout.hierarchies() else {
            return Err(CgroupError::NotMounted {
                mountinfo: "the layout".to_owned(),
            });
        };
        let claim = Claim::new(Dir::open(hierarchy.own_directory())?)?;
        let mut machine = Self {
            claim,
            moved: Vec::new(),
            enabled: Vec::new(),
        };
        match machine.settle(ours) {
            Ok(leftovers) => Ok((machine, leftovers)),
            Err(error) => {
                // The first cause counts; what cannot be undone either is removed by the next start.
                let _ = machine.remove();
                Err(error)
            }
        }
    }

    fn settle(&mut self, ours: &[Pid]) -> Result<Vec<String>, CgroupError> {
        let agent = self.claim.dir().make(AGENT)?;
        for pid in ours {
            agent.write("cgroup.procs", &pid.as_raw_nonzero().to_string())?;
            self.moved.push(*pid);
        }
        // Only now: a predecessor's directory may be the one we have just left.
        let leftovers = claim::sweep(self.claim.parent(), Some(AGENT))?;
        self.enable_in_parent()?;
        enable(self.claim.dir())?;
        Ok(leftovers)
    }

    fn enable_in_parent(&mut self) -> Result<(), CgroupError> {
        let parent = self.claim.parent();
        let before = parent.read(SUBTREE)?;
        let absent: Vec<_> = NEEDED_V2
            .into_iter()
            .filter(|name| !has_word(&before, name))
            .collect();
        match enable(parent) {
            Err(CgroupError::Write {
                wanted,
                errno: Errno::BUSY,
                ..
            }) => Err(CgroupError::OtherProcesses {
                dir: parent.path().to_owned(),
                wanted,
                processes: claim::list(&parent.processes()?),
            }),
            done => done.map(|()| self.enabled = absent),
        }
    }

    pub(super) fn slot(&self, index: u32) -> Result<Slot, CgroupError> {
        let root = self.claim.dir().duplicate()?;
        // An earlier worker of this slot may have died inside a run.
        for job in root.children()?.iter().filter(|name| name.starts_with(JOB)) {
            let dir = root.child(job)?;
            let mine = Leaf::prefix(index);
            let mut leaves = dir.children()?;
            leaves.retain(|name| name.starts_with(&mine));
            for leaf in &leaves {
                claim::remove_child(&dir, leaf)?;
            }
            // Another slot may have made its job's directory a moment ago, and no leaf in it yet.
            let id = job.strip_prefix(JOB).and_then(|id| id.parse().ok());
            if !leaves.is_empty() || id.is_some_and(|id: u64| super::slot_of(id) == index.into()) {
                close_job(&root, job)?;
            }
        }
        Ok(Slot {
            index,
            root,
            job: None,
            next: None,
            done: None,
            count: 0,
        })
    }

    pub(super) fn remove(&mut self) -> Result<(), CgroupError> {
        let parent = self.claim.parent();
        // Jobs first; the agent's leaf is still inhabited.
        let jobs =
            claim::remove_tree(self.claim.dir(), Some(AGENT), PATIENCE).or_else(
                |error| match error {
                    CgroupError::Remove {
                        errno: Errno::BUSY, ..
                    } => Ok(()),
                    error => Err(error),
                },
            );
        let own = self.claim.dir().write(SUBTREE, "-cpu -memory -pids");
        // Another spawner in the same cgroup may still need them: busy then, and left.
        for controller in self.enabled.drain(..) {
            let _ = parent.try_write(SUBTREE, &format!("-{controller}"));
        }
        let mut back = Ok(());
        for pid in self.moved.drain(..) {
            match parent.try_write("cgroup.procs", &pid.as_raw_nonzero().to_string()) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => {
                    let wanted = pid.as_raw_nonzero().to_string();
                    back = Err(CgroupError::Write {
                        file: parent.path_of("cgroup.procs"),
                        wanted,
                        errno,
                    });
                }
            }
        }
        let gone = self.claim.remove(Some(AGENT));
        jobs.and(own).and(back).and(gone)
    }
}

/// Lets the children of `dir` have the controllers.
fn enable(dir: &Dir) -> Result<(), CgroupError> {
    let wanted = NEEDED_V2.map(|name| format!("+{name}")).join(" ");
    dir.write(SUBTREE, &wanted)?;
    let found = dir.read(SUBTREE)?;
    if NEEDED_V2.into_iter().all(|name| has_word(&found, name)) {
        return Ok(());
    }
    Err(CgroupError::ReadBack {
        file: dir.path_of(SUBTREE),
        wanted,
        found,
    })
}

fn has_word(text: &str, word: &str) -> bool {
    text.split_whitespace().any(|found| found == word)
}

/// Removes a job's directory unless another slot still has a leaf in it.
fn close_job(root: &Dir, name: &str) -> Result<(), CgroupError> {
    match root.remove(name, Duration::ZERO) {
        Err(CgroupError::Remove {
            errno: Errno::BUSY, ..
        }) if !root.child(name)?.children()?.is_empty() => Ok(()),
        done => done,
    }
}

/// The job and the leaves of one slot.
#[derive(Debug)]
pub(super) struct Slot {
    index: u32,
    root: Dir,
    job: Option<(String, Dir)>,
    next: Option<Leaf>,
    done: Option<String>,
    count: u64,
}

impl Slot {
    pub(super) fn begin_job(&mut self, job: u64, memory: u64) -> Result<(), CgroupError> {
        self.end_job()?;
        let name = format!("{JOB}{job}");
        let dir = self.root.make_or_open(&name)?;
        self.job = Some((name, dir.duplicate()?));
        dir.set("memory.max", &super::whole_pages(memory).to_string())?;
        enable(&dir)?;
        self.tidy()
    }

    pub(super) fn begin_run(&mut self, limits: &RunLimits) -> Result<Run<'_>, CgroupError> {
        self.tidy()?;
        let Some(leaf) = self.next.take() else {
            return Err(CgroupError::NoJob { slot: self.index });
        };
        // From here on it may hold processes: whatever happens, it is removed before the next run.
        self.done = Some(leaf.name.clone());
        leaf.limit(limits)?;
        // The file reports once after it was opened; reading it makes the first report a real one.
        leaf.oom_kills()?;
        Ok(Run {
            leaf,
            cpu: Duration::ZERO,
            throttled: Duration::ZERO,
            peak: None,
            slot: PhantomData,
        })
    }

    pub(super) fn tidy(&mut self) -> Result<(), CgroupError> {
        let Some((_, job)) = &self.job else {
            return Ok(());
        };
        if let Some(done) = &self.done {
            claim::remove_child(job, done)?;
            self.done = None;
        }
        if self.next.is_none() {
            self.count += 1;
            self.next = Some(Leaf::make(
                job,
                format!("{}{}", Leaf::prefix(self.index), self.count),
            )?);
        }
        Ok(())
    }

    pub(super) fn end_job(&mut self) -> Result<(), CgroupError> {
        let Some((name, job)) = self.job.take() else {
            return Ok(());
        };
        let leaves = self
            .done
            .take()
            .into_iter()
            .chain(self.next.take().map(|leaf| leaf.name));
        for leaf in leaves {
            claim::remove_child(&job, &leaf)?;
        }
        close_job(&self.root, &name)
    }
}

/// The cgroup of one run.
#[derive(Debug)]
struct Leaf {
    name: String,
    dir: Dir,
    cpu: KeptFile,
    memory_stat: KeptFile,
    memory_events: KeptFile,
}

impl Leaf {
    fn prefix(slot: u32) -> String {
        format!("run-{slot}-")
    }

    /// Makes it with what is the same for every run.
    fn make(job: &Dir, name: String) -> Result<Self, CgroupError> {
        let dir = job.make(&name)?;
        dir.set_if_present("memory.swap.max", "0")?;
        dir.set_if_present("memory.zswap.max", "0")?;
        dir.set("memory.oom.group", "1")?;
        let cpu = dir.keep("cpu.stat", false)?;
        let memory_stat = dir.keep("memory.stat", false)?;
        let memory_events = dir.keep("memory.events", false)?;
        Ok(Self {
            name,
            dir,
            cpu,
            memory_stat,
            memory_events,
        })
    }

    fn limit(&self, limits: &RunLimits) -> Result<(), CgroupError> {
        if keeps(Part::MemoryLimit) {
            self.dir
                .set("memory.max", &super::whole_pages(limits.memory).to_string())?;
        }
        if keeps(Part::ProcessLimit) {
            self.dir
                .set("pids.max", &(u64::from(limits.processes) + 1).to_string())?;
        }
        let quota = u64::from(limits.cpus) * CPU_PERIOD;
        self.dir.set("cpu.max", &format!("{quota} {CPU_PERIOD}"))
    }

    fn wait_until_empty(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        let events = self.dir.keep("cgroup.events", false)?;
        while events.read_small(|text| field(text, "populated"))? != 0 {
            let reported = wait_for(&events, PollFlags::PRI, deadline).map_err(|errno| {
                CgroupError::Watch {
                    file: events.path().to_owned(),
                    errno,
                }
            })?;
            if !reported {
                let processes = claim::list(&self.dir.processes()?);
                return Err(CgroupError::StillPopulated {
                    dir: self.dir.path().to_owned(),
                    waited: patience,
                    processes,
                });
            }
        }
        Ok(())
    }

    fn cpu_field(&self, key: &str) -> Result<Duration, CgroupError> {
        self.cpu
            .read_small(|text| field(text, key))
            .map(Duration::from_micros)
    }

    fn oom_kills(&self) -> Result<u64, CgroupError> {
        self.memory_events
            .read_small(|text| field(text, "oom_kill"))
    }
}

/// One run.
#[derive(Debug)]
pub(super) struct Run<'s> {
    leaf: Leaf,
    cpu: Duration,
    throttled: Duration,
    /// A reset counts for the handle it was written to, so the peak is read from this one.
    peak: Option<KeptFile>,
    /// One run at a time.
    slot: PhantomData<&'s mut Slot>,
}

impl Run<'_> {
    pub(super) fn clone_into(&self) -> BorrowedFd<'_> {
        self.leaf.dir.as_fd()
    }

    pub(super) fn check_membership(&self, text: &str) -> Result<(), CgroupError> {
        check_member(&self.leaf.dir, membership(text, ""))
    }

    pub(super) fn start(&mut self) -> Result<(), CgroupError> {
        // Before Linux 6.12 the file cannot be opened for writing, or refuses the value.
        self.peak = self
            .leaf
            .dir
            .keep(PEAK, true)
            .ok()
            .filter(|peak| peak.write("reset").is_ok());
        self.throttled = self.leaf.cpu_field("throttled_usec")?;
        self.cpu = self.leaf.cpu_field("usage_usec")?;
        Ok(())
    }

    pub(super) fn cpu_usage(&self) -> Result<Duration, CgroupError> {
        Ok(self.leaf.cpu_field("usage_usec")?.saturating_sub(self.cpu))
    }

    pub(super) fn anonymous_memory(&self) -> Result<u64, CgroupError> {
        self.leaf.memory_stat.read_small(|text| field(text, "anon"))
    }

    pub(super) fn notifier(&self) -> Notifier<'_> {
        Notifier {
            fd: self.leaf.memory_events.as_fd(),
            flags: EventFlags::PRI,
        }
    }

    pub(super) fn oom_killed(&mut self) -> Result<bool, CgroupError> {
        // Reading is what clears the notification.
        Ok(self.leaf.oom_kills()? > 0)
    }

    pub(super) fn kill(&self) -> Result<(), CgroupError> {
        self.leaf.dir.write(KILL, "1")
    }

    pub(super) fn finish(self, patience: Duration) -> Result<Usage, CgroupError> {
        self.leaf.wait_until_empty(patience)?;
        let memory_peak = match &self.peak {
            Some(peak) => peak.read_small(|text| text.parse().ok())?,
            None => self.leaf.dir.read_number(PEAK)?,
        };
        Ok(Usage {
            cpu: self.cpu_usage()?,
            memory_peak,
            peak_from_start: self.peak.is_some(),
            oom_kills: self.leaf.oom_kills()?,
            pids_hits: self.leaf.dir.read_field("pids.events", "max")?,
            throttled: self
                .leaf
                .cpu_field("throttled_usec")?
                .saturating_sub(self.throttled),
        })
    }
}

//! What has been seen of one run so far, and what that comes to when it is over.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::anonymous::Anonymous;
use crate::cgroup::Usage;
use crate::error::SandboxError;
use crate::facts::{Breach, Ending, Enforcement, Phases, RunFacts};
use crate::stage;
use crate::sys::Death;

/// Each time and event is kept as it was first seen.
#[derive(Debug)]
pub(super) struct Seen {
    /// The order of the agent.
    begun: Instant,
    /// Init has been cloned.
    born: Instant,
    pub(super) sealed: Option<Instant>,
    pub(super) started: Option<Instant>,
    pub(super) ended: Option<Instant>,
    pub(super) death: Option<Death>,
    pub(super) not_started: Option<(i32, String)>,
    pub(super) breach: Option<Breach>,
    pub(super) memory_event: Option<Instant>,
    pub(super) anonymous: Anonymous,
    pub(super) fault: Option<SandboxError>,
    pub(super) work: Option<OwnedFd>,
    pub(super) tmp: Option<OwnedFd>,
    pub(super) disk_full: bool,
    pub(super) enforced: bool,
    pub(super) agent_gone: bool,
}

impl Seen {
    /// Nothing yet, of a run that was ordered at `begun` and whose init has just been cloned.
    pub(super) fn new(begun: Instant) -> Self {
        Self {
            begun,
            born: Instant::now(),
            sealed: None,
            started: None,
            ended: None,
            death: None,
            not_started: None,
            breach: None,
            memory_event: None,
            anonymous: Anonymous::default(),
            fault: None,
            work: None,
            tmp: None,
            disk_full: false,
            enforced: false,
            agent_gone: false,
        }
    }

    /// Since init has been cloned.
    pub(super) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// Keeps the first fault.
    pub(super) fn fault(&mut self, error: SandboxError) {
        self.fault.get_or_insert(error);
    }

    /// The facts; `signal` is what ended init.
    pub(super) fn facts(
        mut self,
        usage: &Usage,
        signal: Option<i32>,
        enforcement: Enforcement,
    ) -> Result<(RunFacts, Option<OwnedFd>), SandboxError> {
        let ending = match (self.not_started.take(), self.death) {
            (Some((errno, path)), _) => Ending::NotStarted { errno, path },
            (None, Some(death)) if death.code == libc::CLD_EXITED => Ending::Exited(death.status),
            (None, Some(death)) => Ending::Signaled(death.status),
            (None, None) if self.breach.is_some() || usage.oom_kills > 0 => Ending::Killed,
            (None, None) => return Err(stage::unreported(signal)),
        };
        let phases = self.phases();
        let facts = RunFacts {
            ending,
            breach: self.breach,
            cpu_time: if self.started.is_some() {
                usage.cpu
            } else {
                Duration::ZERO
            },
            wall_time: phases.program,
            memory_peak: Some(usage.memory_peak),
            memory_anonymous: self.anonymous.highest(),
            oom_kills: usage.oom_kills,
            pids_hits: usage.pids_hits,
            disk_full: self.disk_full,
            throttled: Some(usage.throttled),
            involuntary_switches: self
                .death
                .and_then(|death| u64::try_from(death.involuntary_switches).ok()),
            stdout_bytes: 0,
            stderr_bytes: 0,
            enforcement: self.enforced.then_some(enforcement),
            phases,
        };
        Ok((facts, self.work))
    }

    fn phases(&self) -> Phases {
        let between = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
            (Some(from), Some(to)) => to.saturating_duration_since(from),
            _ => Duration::ZERO,
        };
        Phases {
            prepare: between(Some(self.begun), Some(self.born)),
            build: between(Some(self.born), self.sealed),
            read_back: between(self.sealed, self.started),
            program: between(self.started, self.ended),
            end: between(self.ended, Some(Instant::now())),
        }
    }
}

//! The event loop of one run: from the fork of init until nothing of the run is alive.
//!
//! In: what init and job report, the clock, the cgroup, the agent's orders. Out: [`RunFacts`], or the layer that
//! could not be put in place. Whatever ends the run from outside is recorded when it happens; the first cause
//! counts. EINTR and a closed pipe are normal here.

mod seen;

use std::ffi::CString;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::Timespec;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::process::{Signal, WaitId, WaitIdOptions};
use rustix::thread::CpuSet;

use crate::cgroup::RunCgroup;
use crate::error::{Context, Layer, SandboxError};
use crate::facts::{Breach, Enforcement, RunFacts};
use crate::frame::{self, FrameError, ToWorker};
use crate::init::{self, REPORT};
use crate::mutation::{Part, keeps};
use crate::netns::Networks;
use crate::plan::RunPlan;
use crate::readback::Expected;
use crate::rootfs::{Files, is_full};
use crate::stage::{Failure, RECORD, Stage};

use seen::Seen;

/// Longest time from fork to go. A machine that needs more is in trouble, and the run would be, too.
const SETUP_PATIENCE: Duration = Duration::from_secs(30);
/// Longest time for the cgroup to report that it is empty after init has been reaped.
const EMPTY_PATIENCE: Duration = Duration::from_secs(10);
/// Shortest time between two looks at the CPU time.
const TICK: Duration = Duration::from_millis(1);
/// How long a memory event is followed up at every tick: cgroup v1 announces a kill before it happens.
const OOM_PATIENCE: Duration = Duration::from_secs(1);

/// A run in progress.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    pub(crate) plan: &'a RunPlan,
    pub(crate) candidates: &'a [CString],
    pub(crate) files: &'a Files,
    pub(crate) expected: &'a Expected<'a>,
    pub(crate) enforcement: Enforcement,
    /// Whether its filters are read back instruction by instruction, which takes a stop of the job.
    pub(crate) compare_filters: bool,
    pub(crate) proc: BorrowedFd<'a>,
    pub(crate) init: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) error: OwnedFd,
    pub(crate) go: Option<OwnedFd>,
    pub(crate) report: OwnedFd,
    pub(crate) socket: BorrowedFd<'a>,
    /// Where the worker may be while the program runs.
    pub(crate) cpus: &'a CpuSet,
    pub(crate) networks: &'a mut Networks,
    pub(crate) cgroup: RunCgroup<'a>,
    /// When the agent's order came.
    pub(crate) begun: Instant,
}

/// Sources of events.
const PIDFD: u64 = 0;
const ERROR: u64 = 1;
const REPORTED: u64 = 2;
const MEMORY: u64 = 3;
const SOCKET: u64 = 4;

impl Watch<'_> {
    /// Watches until init has been reaped, and says what happened.
    pub(crate) fn follow(mut self) -> Result<(RunFacts, Option<OwnedFd>), SandboxError> {
        let mut seen = Seen::new(self.begun);
        let poll = match self.poll_set() {
            Ok(poll) => poll,
            Err(error) => {
                self.kill();
                self.reap();
                return Err(error);
            }
        };
        let mut events = Vec::with_capacity(8);
        while !self.step(&poll, &mut events, &mut seen) {}
        let signal = self.reap();
        seen.ended.get_or_insert_with(Instant::now);
        // What init wrote just before it died may still be in the pipes.
        self.read_report(&mut seen);
        self.read_errors(&mut seen);
        if seen.agent_gone {
            return Err(FrameError::Closed.into());
        }
        if let Some(fault) = seen.fault {
            return Err(fault);
        }
        let usage = self.cgroup.finish(EMPTY_PATIENCE)?;
        seen.facts(&usage, signal, self.enforcement)
    }

    fn poll_set(&self) -> Result<OwnedFd, SandboxError> {
        let context = || "set up the event loop".to_owned();
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).or_layer(Layer::Spawner, context)?;
        let notifier = self.cgroup.notifier();
        let sources = [
            (self.pidfd.as_fd(), PIDFD, EventFlags::IN),
            (self.error.as_fd(), ERROR, EventFlags::IN),
            (self.report.as_fd(), REPORTED, EventFlags::IN),
            (notifier.fd, MEMORY, notifier.flags),
            (self.socket, SOCKET, EventFlags::IN),
        ];
        for (fd, source, flags) in sources {
            epoll::add(&poll, fd, EventData::new_u64(source), flags)
                .or_layer(Layer::Spawner, context)?;
        }
        Ok(poll)
    }

    /// Waits once and handles what came; `true` when init is dead.
    fn step(&mut self, poll: &OwnedFd, events: &mut Vec<epoll::Event>, seen: &mut Seen) -> bool {
        events.clear();
        let timeout = self.next_look(seen);
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let spare = rustix::buffer::spare_capacity(events);
        if let Err(errno) = epoll::wait(poll, spare, Some(&timeout))
            && errno != Errno::INTR
        {
            seen.fault(SandboxError::new(Layer::Spawner, format!("epoll: {errno}")));
            self.kill();
            return true;
        }
        let mut dead = false;
        for event in events.iter() {
            match event.data.u64() {
                PIDFD => dead = true,
                ERROR => {
                    if self.read_errors(seen) {
                        let _ = epoll::delete(poll, &self.error);
                        self.networks.look();
                    }
                }
                REPORTED => {
                    if self.read_report(seen) {
                        let _ = epoll::delete(poll, &self.report);
                    }
                }
                MEMORY => {
                    seen.memory_event = Some(Instant::now());
                    seen.anonymous.look(&self.cgroup);
                    self.look_at_memory(seen);
                }
                _ => {
                    if self.obey(seen) {
                        let _ = epoll::delete(poll, self.socket);
                    }
                }
            }
        }
        if !dead {
            self.look_at_limits(seen);
        }
        dead
    }

    /// How long nothing needs to be looked at.
    fn next_look(&self, seen: &Seen) -> Duration {
        let Some(started) = seen.started else {
            return SETUP_PATIENCE.saturating_sub(seen.age()).max(TICK);
        };
        if seen.breach.is_some() || seen.ended.is_some() {
            return EMPTY_PATIENCE;
        }
        if seen
            .memory_event
            .is_some_and(|event| event.elapsed() < OOM_PATIENCE)
        {
            return TICK;
        }
        let wall = self.plan.limits.wall_time.saturating_sub(started.elapsed());
        let used = self.cgroup.cpu_usage().unwrap_or_default();
        // With n CPUs the rest of the CPU time lasts at least this long.
        let cpu = self.plan.limits.cpu_time.saturating_sub(used) / self.plan.limits.cpus.max(1);
        wall.min(cpu).min(seen.anonymous.pause()).max(TICK)
    }

    fn look_at_limits(&mut self, seen: &mut Seen) {
        let Some(started) = seen.started else {
            if seen.age() >= SETUP_PATIENCE {
                seen.fault(SandboxError::new(
                    Layer::Spawner,
                    format!("a run was not ready after {} s", SETUP_PATIENCE.as_secs()),
                ));
                self.kill();
            }
            return;
        };
        if seen.breach.is_some() || seen.ended.is_some() {
            return;
        }
        if seen.anonymous.pause().is_zero() {
            seen.anonymous.look(&self.cgroup);
        }
        self.look_at_memory(seen); // v1 notifies before it kills
        match self.cgroup.cpu_usage() {
            Ok(used) if used >= self.plan.limits.cpu_time => self.end(seen, Breach::CpuTime),
            Ok(_) if started.elapsed() >= self.plan.limits.wall_time => {
                self.end(seen, Breach::WallTime);
            }
            Ok(_) => {}
            Err(error) => {
                seen.fault(error.into());
                self.kill();
            }
        }
    }

    fn look_at_memory(&mut self, seen: &mut Seen) {
        match self.cgroup.oom_killed() {
            Ok(true) => self.end(seen, Breach::Memory),
            Ok(false) => {}
            Err(error) => {
                seen.fault(error.into());
                self.kill();
            }
        }
    }

    /// Ends the run for a reason; the first reason is kept.
    fn end(&mut self, seen: &mut Seen, breach: Breach) {
        // What a main process that has already ended did is not the doing of a limit.
        if seen.death.is_none() && seen.breach.is_none() {
            seen.breach = Some(breach);
            seen.anonymous.look(&self.cgroup);
        }
        self.kill();
    }

    fn kill(&self) {
        // ESRCH: it is dead already.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = self.cgroup.kill();
    }

    /// Waits for init; the signal that ended it.
    fn reap(&self) -> Option<i32> {
        let wait = WaitId::PidFd(self.pidfd.as_fd());
        loop {
            match rustix::process::waitid(wait.clone(), WaitIdOptions::EXITED) {
                Err(Errno::INTR) => {}
                ended => return ended.ok()??.terminating_signal(),
            }
        }
    }

    /// An order of the agent; `true` when it closed the socket.
    fn obey(&mut self, seen: &mut Seen) -> bool {
        match frame::receive::<ToWorker>(self.socket) {
            Ok(received) => {
                if let ToWorker::Kill(breach) = received.frame {
                    self.end(seen, breach);
                } else {
                    seen.fault(SandboxError::new(Layer::Spawner, "an order out of turn"));
                    self.kill();
                }
                false
            }
            Err(error) => {
                seen.agent_gone = true;
                seen.fault(error.into());
                self.kill();
                true
            }
        }
    }

    /// Reads the error pipe; `true` at its end, which means that execve has happened (or that all are dead).
    fn read_errors(&mut self, seen: &mut Seen) -> bool {
        let mut record = [0; RECORD];
        match rustix::io::read(&self.error, &mut record) {
            Ok(0) => true,
            Ok(RECORD) => {
                self.heed(seen, record);
                false
            }
            Ok(_) => {
                seen.fault(SandboxError::new(Layer::Spawner, "a short record"));
                self.kill();
                true
            }
            Err(Errno::INTR | Errno::AGAIN) => false,
            Err(_) => true,
        }
    }

    /// A record of init or job.
    fn heed(&mut self, seen: &mut Seen, record: [u8; RECORD]) {
        match Failure::decode(record) {
            Some(Failure::SEALED) => self.sealed(seen),
            Some(failure) => self.failed(seen, failure),
            None => seen.fault(SandboxError::new(Layer::Spawner, "an unknown record")),
        }
        if seen.fault.is_some() {
            self.kill();
        }
    }

    /// The job is sealed: compare it with the plan, then say go.
    fn sealed(&mut self, seen: &mut Seen) {
        if seen.started.is_some() || seen.fault.is_some() {
            return;
        }
        seen.sealed = Some(Instant::now());
        let compared = if keeps(Part::ReadBack) {
            self.expected.check(self.proc, self.init, &self.cgroup)
        } else {
            Ok(())
        };
        let checked = compared.and_then(|()| self.cgroup.start().map_err(SandboxError::from));
        if let Err(error) = checked {
            seen.fault(error);
            return;
        }
        if self.compare_filters {
            self.enforcement.filters = self.expected.filters(self.proc, self.init);
        }
        seen.enforced = true;
        if let Some(go) = self.go.take() {
            seen.started = Some(Instant::now());
            seen.anonymous.begin();
            // A job that died while it waited is reported by init.
            let _ = rustix::io::write(&go, b"g");
            // Limits are kept from wherever there is room, not from behind the program.
            let _ = rustix::thread::sched_setaffinity(None, self.cpus);
        }
    }

    /// A record of failure: the program could not be started, or a layer could not be put in place.
    fn failed(&self, seen: &mut Seen, failure: Failure) {
        let errno = Errno::from_raw_os_error(failure.errno);
        let candidate = |index: u32| {
            let path = usize::try_from(index)
                .ok()
                .and_then(|index| self.candidates.get(index));
            path.map(|path| path.to_string_lossy().into_owned())
        };
        let program = self.plan.argv.first().cloned().unwrap_or_default();
        let cause = match (failure.stage, errno) {
            (Stage::Exec, Errno::NOENT) if self.candidates.len() > 1 => Some(program),
            (Stage::Exec, _) => Some(candidate(failure.detail).unwrap_or(program)),
            (Stage::WorkingDirectory, _) => Some(self.plan.working_dir.clone()),
            (Stage::File, Errno::NOSPC | Errno::NOTDIR | Errno::ISDIR) => {
                Some(self.files.path(failure.detail))
            }
            _ => None,
        };
        match cause {
            Some(path) => {
                seen.not_started.get_or_insert((failure.errno, path));
            }
            None => seen.fault(failure.into()),
        }
    }

    /// Reads init's socket: /work, then the report or a failure; `true` at its end.
    fn read_report(&mut self, seen: &mut Seen) -> bool {
        let mut bytes = [0; REPORT];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let mut into = [IoSliceMut::new(&mut bytes)];
        let received = rustix::net::recvmsg(&self.report, &mut into, &mut control, flags);
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut fds) = message {
                seen.work = fds.next();
                seen.tmp = fds.next();
            }
        }
        match received {
            Ok(message) if message.bytes == REPORT => {
                seen.ended = Some(Instant::now());
                seen.death = Some(init::decode(bytes));
                let mut places = seen.work.iter().chain(&seen.tmp);
                seen.disk_full = places.any(|place| is_full(place.as_fd()));
                false
            }
            Ok(message) => {
                if message.bytes == RECORD
                    && let Some(record) = bytes.first_chunk()
                {
                    self.heed(seen, *record);
                }
                message.bytes == 0
            }
            Err(Errno::INTR | Errno::AGAIN) => false,
            Err(_) => true,
        }
    }
}

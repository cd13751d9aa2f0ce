//! One place for runs: orders to its worker, and the streams of a run.
//!
//! A [`Slot`] belongs to one thread and runs one job at a time. [`Slot::run`] is one event loop: it feeds standard
//! input as the program takes it, drains both outputs always, counts them exactly and orders the end of a run whose
//! output exceeds its limit.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::EventfdFlags;

use crate::error::{Context, Layer, SandboxError};
use crate::facts::RunFacts;
use crate::frame::{self, Found, FrameError, FromSpawner, FromWorker, ToSpawner, ToWorker};
use crate::memfile::Sealed;
use crate::plan::{JobPlan, RunPlan};
use crate::streams::Streams;

/// One place for a run. Belongs to one thread.
#[derive(Debug)]
pub struct Slot {
    pub(super) number: u32,
    pub(super) link: Arc<Mutex<Option<OwnedFd>>>,
    pub(super) worker: Option<OwnedFd>,
    pub(super) own_tree: bool,
}

/// Where the streams of a run come from and go to.
pub struct RunIo<'a> {
    /// Standard input; end of file follows.
    pub stdin: &'a [u8],
    /// Gets every byte of stdout as it comes, up to a buffer beyond the output limit.
    pub stdout: &'a mut dyn FnMut(&[u8]),
    /// The same for stderr.
    pub stderr: &'a mut dyn FnMut(&[u8]),
    /// Ends the run when it fires.
    pub interrupt: &'a Interrupt,
}

impl std::fmt::Debug for RunIo<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunIo")
            .field("stdin", &self.stdin.len())
            .finish_non_exhaustive()
    }
}

/// Ends runs from another thread. Clones share one state; once fired it stays fired.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<OwnedFd>);

impl Interrupt {
    /// A fresh one.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self(Arc::new(rustix::event::eventfd(0, flags)?)))
    }

    /// Ends the run in progress, and every later one that is given this interrupt.
    pub fn fire(&self) {
        // A full counter means that it has fired already.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// One that counts as fired when any of these has.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn any(interrupts: &[&Self]) -> io::Result<Self> {
        use rustix::event::epoll;
        let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for interrupt in interrupts {
            let data = epoll::EventData::new_u64(0);
            epoll::add(&set, &*interrupt.0, data, epoll::EventFlags::IN)?;
        }
        Ok(Self(Arc::new(set)))
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

/// One collected output.
#[derive(Debug)]
pub enum Collected {
    /// A regular file, open for reading.
    File {
        /// The file.
        file: File,
        /// Its size in bytes; at most the size asked for.
        size: u64,
    },
    /// Nothing has that name.
    NotFound,
    /// A directory, link, device, socket or FIFO, or the way leads through one.
    NotRegular,
    /// Larger than asked for.
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
}

impl Slot {
    /// Begins a job. `content` holds the bytes of its files, as `plan.files` lays them out.
    ///
    /// # Errors
    /// The layer that failed. The slot can be used again.
    pub fn begin(&mut self, plan: &JobPlan, content: &[u8]) -> Result<(), SandboxError> {
        self.begin_with(plan, content, None)
    }

    /// Begins a job on a further slot, with what its steps left on the first one ([`Slot::share_steps`]).
    ///
    /// # Errors
    /// As [`Slot::begin`].
    pub fn join(
        &mut self,
        plan: &JobPlan,
        content: &[u8],
        steps: BorrowedFd<'_>,
    ) -> Result<(), SandboxError> {
        self.begin_with(plan, content, Some(steps))
    }

    fn begin_with(
        &mut self,
        plan: &JobPlan,
        content: &[u8],
        steps: Option<BorrowedFd<'_>>,
    ) -> Result<(), SandboxError> {
        let memfd = frame::sealed(content).or_layer(Layer::Workspace, || {
            "put the job's files into memory".into()
        })?;
        self.own_tree = plan.has_own_tree();
        let begin = ToWorker::Begin(plan.clone());
        let kept = self.worker.is_some();
        let fds: Vec<_> = std::iter::once(memfd.as_fd()).chain(steps).collect();
        let mut sent = self.order(&begin, &fds);
        if kept && self.worker.is_none() {
            sent = self.order(&begin, &fds); // it had died between two jobs
        }
        sent?;
        match self.answer() {
            Ok(FromWorker::Begun) => Ok(()),
            Ok(other) => Err(self.out_of_turn(&other)),
            // A worker that failed to build a tree of its own has left the common one, and ends.
            Err(error) if self.own_tree => Err(self.lost(error)),
            Err(error) => Err(error),
        }
    }

    /// Runs one program to its end; blocks.
    ///
    /// # Errors
    /// The layer that failed; nothing of the program's behaviour is an error.
    pub fn run(&mut self, plan: &RunPlan, io: RunIo<'_>) -> Result<RunFacts, SandboxError> {
        self.run_with(plan, io, &[])
    }

    /// Runs a checker; it finds `files` (input, output, answer) below [`crate::plan::JUDGE`].
    ///
    /// # Errors
    /// As [`Slot::run`].
    pub fn check(
        &mut self,
        plan: &RunPlan,
        io: RunIo<'_>,
        files: [&Sealed; 3],
    ) -> Result<RunFacts, SandboxError> {
        self.run_with(plan, io, &files.map(AsFd::as_fd))
    }

    fn run_with(
        &mut self,
        plan: &RunPlan,
        io: RunIo<'_>,
        files: &[BorrowedFd<'_>],
    ) -> Result<RunFacts, SandboxError> {
        let worker = self.worker()?;
        match run_on(worker, plan, io, files) {
            Ok(outcome) => outcome,
            Err(lost) => Err(self.lost(lost)),
        }
    }

    /// What the steps of the job left, for the other slots of its crew.
    ///
    /// # Errors
    /// The layer that failed.
    pub fn share_steps(&mut self) -> Result<OwnedFd, SandboxError> {
        self.order(&ToWorker::Share, &[])?;
        let worker = self.worker()?;
        let received = match frame::receive::<FromWorker>(worker) {
            Ok(received) => received,
            Err(error) => return Err(self.lost(error.into())),
        };
        match (received.frame, received.fds.into_iter().next()) {
            (FromWorker::Shared, Some(tree)) => Ok(tree),
            (FromWorker::Failed(error), _) => Err(error),
            (other, _) => Err(self.out_of_turn(&other)),
        }
    }

    /// Opens outputs of the last run: path below /work and largest size. Nothing of the run is alive any more.
    ///
    /// # Errors
    /// The layer that failed.
    pub fn collect(&mut self, paths: &[(String, u64)]) -> Result<Vec<Collected>, SandboxError> {
        self.order(&ToWorker::Collect(paths.to_vec()), &[])?;
        let worker = self.worker()?;
        let received = match frame::receive::<FromWorker>(worker) {
            Ok(received) => received,
            Err(error) => return Err(self.lost(error.into())),
        };
        let found = match received.frame {
            FromWorker::Collected(found) if found.len() == paths.len() => found,
            FromWorker::Failed(error) => return Err(error),
            other => return Err(self.out_of_turn(&other)),
        };
        let mut files = received.fds.into_iter();
        let mut collected = Vec::new();
        for one in found {
            collected.push(match one {
                Found::File { size } => match files.next() {
                    Some(fd) => Collected::File {
                        file: File::from(fd),
                        size,
                    },
                    None => {
                        let error = SandboxError::new(Layer::Spawner, "an output without a file");
                        return Err(self.lost(error));
                    }
                },
                Found::Nothing => Collected::NotFound,
                Found::NotRegular => Collected::NotRegular,
                Found::TooLarge { size } => Collected::TooLarge { size },
            });
        }
        Ok(collected)
    }

    /// Ends the job and drops everything of it.
    ///
    /// # Errors
    /// The layer that failed; the next job gets a new worker.
    pub fn end(&mut self) -> Result<(), SandboxError> {
        if self.worker.is_none() {
            return Ok(());
        }
        self.order(&ToWorker::End, &[])?;
        let answer = self.answer()?;
        if self.own_tree {
            self.worker = None; // it ends with the job
        }
        match answer {
            FromWorker::Ended => Ok(()),
            other => Err(self.out_of_turn(&other)),
        }
    }

    /// The worker's socket; a worker is forked where there is none.
    fn worker(&mut self) -> Result<&OwnedFd, SandboxError> {
        if self.worker.is_none() {
            let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
            let link = link
                .as_ref()
                .ok_or_else(|| SandboxError::new(Layer::Spawner, "the spawner has been ended"))?;
            frame::send(link, &ToSpawner::Worker { slot: self.number }, &[])?;
            let received = frame::receive::<FromSpawner>(link)?;
            match (received.frame, received.fds.into_iter().next()) {
                (FromSpawner::Worker, Some(socket)) => self.worker = Some(socket),
                (FromSpawner::Failed(error), _) => return Err(error),
                _ => return Err(SandboxError::new(Layer::Spawner, "an answer out of turn")),
            }
        }
        self.worker
            .as_ref()
            .ok_or_else(|| SandboxError::new(Layer::Spawner, "no worker"))
    }

    /// Sends an order; a worker that cannot be reached is lost.
    fn order(&mut self, order: &ToWorker, fds: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
        let sent = frame::send(self.worker()?, order, fds);
        sent.map_err(|error| match error {
            FrameError::Closed | FrameError::Socket(_) => self.lost(error.into()),
            _ => error.into(), // nothing was sent
        })
    }

    fn answer(&mut self) -> Result<FromWorker, SandboxError> {
        let worker = self.worker()?;
        match frame::receive::<FromWorker>(worker) {
            Ok(received) => match received.frame {
                FromWorker::Failed(error) => Err(error),
                answer => Ok(answer),
            },
            Err(error) => Err(self.lost(error.into())),
        }
    }

    /// The worker is of no use any more; the next job gets a new one.
    fn lost(&mut self, error: SandboxError) -> SandboxError {
        self.worker = None;
        error
    }

    fn out_of_turn(&mut self, answer: &FromWorker) -> SandboxError {
        self.lost(SandboxError::new(
            Layer::Spawner,
            format!("the worker answered out of turn: {answer:?}"),
        ))
    }
}

/// Runs on a worker. The outer error means that the worker is lost, the inner one is its own refusal.
fn run_on(
    worker: &OwnedFd,
    plan: &RunPlan,
    io: RunIo<'_>,
    files: &[BorrowedFd<'_>],
) -> Result<Result<RunFacts, SandboxError>, SandboxError> {
    frame::send(worker, &ToWorker::Run(Box::new(plan.clone())), files)?;
    let received = frame::receive::<FromWorker>(worker)?;
    match received.frame {
        FromWorker::Running => {}
        FromWorker::Failed(error) => return Ok(Err(error)),
        other => {
            return Err(SandboxError::new(
                Layer::Spawner,
                format!("the worker answered out of turn: {other:?}"),
            ));
        }
    }
    let [stdin, stdout, stderr] = received
        .fds
        .try_into()
        .map_err(|_| SandboxError::new(Layer::Spawner, "a run without streams"))?;
    Streams::new(
        worker.as_fd(),
        stdin,
        stdout,
        stderr,
        plan.limits.output,
        io,
    )?
    .carry()
}

//! A worker: the process of one slot. One thread, one frame at a time, one run at a time.
//!
//! It holds the spawner's capabilities and the prepared tree, and forks an init per run. A job with steps or volumes
//! gets a tree of its own: the worker then builds it in a mount namespace of its own and ends with that job, so that
//! everything the job left goes with one unmount and nothing is ever walked.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::cgroup::{self, SlotCgroup};
use crate::error::{Context, Layer, SandboxError};
use crate::facts::CgroupVersion;
use crate::frame::{self, Found, FrameError, FromWorker, ToWorker};
use crate::image::Image;
use crate::lockdown::capabilities::Capabilities;
use crate::lockdown::identity::JOB_ID;
use crate::lockdown::landlock::Handled;
use crate::lockdown::seccomp::Filters;
use crate::mutation::{Part, keeps};
use crate::netns::{self, Networks};
use crate::plan::{JobPlan, NodeDirectory, RunKind, RunPlan};
use crate::readback::NamespaceIds;
use crate::rootfs::{Files, JudgeFiles, open_output, output_size};
use crate::run::{Setting, Slot};
use crate::tree::{self, Tree};

/// Ids of a slot: `FIRST_ID + slot * IDS` and the following.
const FIRST_ID: u32 = 1_000_000;
/// Ids of one slot.
pub(crate) const IDS: u32 = 65_536;
/// Most slots; their ids stay below 2^31.
pub(crate) const MAX_SLOTS: u32 = 4096;

/// First id of a slot.
pub(crate) fn first_id(slot: u32) -> u32 {
    let slot = if keeps(Part::OwnIds) { slot } else { 0 };
    FIRST_ID + slot * IDS
}

/// Uid and gid of the runs of a slot.
fn owner(slot: u32) -> u32 {
    first_id(slot) + JOB_ID
}

/// What all workers inherit from the spawner.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) proc: OwnedFd,
    pub(crate) tree: Tree,
    pub(crate) image: Image,
    pub(crate) filters: Filters,
    pub(crate) landlock: Handled,
    pub(crate) cgroup: CgroupVersion,
    pub(crate) capabilities: Capabilities,
    pub(crate) namespaces: NamespaceIds,
    pub(crate) node_directories: Vec<NodeDirectory>,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker<'m> {
    machine: &'m Machine,
    slot: Slot<'m>,
    cgroup: SlotCgroup,
    networks: Networks,
    socket: OwnedFd,
    number: u32,
    jobs: u64,
    job: Option<Current>,
    /// Whether it has left the prepared tree for one of a job's own, or tried to.
    moved: bool,
}

/// The job in progress.
#[derive(Debug)]
struct Current {
    plan: JobPlan,
    tree: Option<Tree>,
    files: Files,
    placed: bool,
    work: Option<OwnedFd>,
}

impl<'m> Worker<'m> {
    pub(crate) fn new(
        machine: &'m Machine,
        number: u32,
        cgroup: SlotCgroup,
        networks: Networks,
        socket: OwnedFd,
    ) -> Result<Self, SandboxError> {
        Ok(Self {
            slot: Slot::new(machine, number)?,
            machine,
            cgroup,
            networks,
            socket,
            number,
            jobs: 0,
            job: None,
            moved: false,
        })
    }

    /// Serves the agent until it closes the socket, or until the end of a job with a tree of its own, or until such a
    /// tree could not be built.
    pub(crate) fn serve(&mut self) -> Result<(), SandboxError> {
        loop {
            let received = match frame::receive::<ToWorker>(&self.socket) {
                Ok(received) => received,
                Err(FrameError::Closed) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let ending = matches!(received.frame, ToWorker::End);
            if let Err(error) = self.handle(received.frame, received.fds) {
                frame::send(&self.socket, &FromWorker::Failed(error), &[])?;
            }
            if self.moved && (ending || self.job.is_none()) {
                return Ok(());
            }
        }
    }

    fn handle(&mut self, frame: ToWorker, fds: Vec<OwnedFd>) -> Result<(), SandboxError> {
        match frame {
            ToWorker::Begin(plan) => {
                self.begin(plan, fds)?;
                self.send(&FromWorker::Begun)
            }
            ToWorker::Run(plan) => self.run(&plan, fds),
            ToWorker::Share => {
                let steps = self.share_steps()?;
                Ok(frame::send(
                    &self.socket,
                    &FromWorker::Shared,
                    &[steps.as_fd()],
                )?)
            }
            // It crossed the end of the run on its way; the facts have been sent.
            ToWorker::Kill(_) => Ok(()),
            ToWorker::Collect(paths) => self.collect(&paths),
            ToWorker::End => {
                self.job_ended()?;
                self.send(&FromWorker::Ended)
            }
        }
    }

    fn send(&self, frame: &FromWorker) -> Result<(), SandboxError> {
        Ok(frame::send(&self.socket, frame, &[])?)
    }

    fn current(job: &mut Option<Current>) -> Result<&mut Current, SandboxError> {
        job.as_mut()
            .ok_or_else(|| SandboxError::new(Layer::Spawner, "no job has begun on this slot"))
    }

    fn run(&mut self, plan: &RunPlan, files: Vec<OwnedFd>) -> Result<(), SandboxError> {
        let job = Self::current(&mut self.job)?;
        let judge = JudgeFiles::of(&job.plan, files)?;
        job.work = None; // the last run's files; nothing of them may count for this one
        let place_files = plan.kind == RunKind::Step && !job.placed;
        let setting = Setting {
            tree: job.tree.as_ref().unwrap_or(&self.machine.tree),
            files: &job.files,
            place_files,
            workspace: job.plan.workspace,
            judge: judge.as_ref(),
            crew: job.plan.crew.as_ref(),
            network: job.plan.network,
        };
        let outcome = self.slot.run(
            plan,
            &setting,
            &mut self.cgroup,
            &mut self.networks,
            &self.socket,
        )?;
        job.placed |= place_files;
        job.work = outcome.work;
        self.networks.give_back(outcome.network);
        self.send(&FromWorker::Done(Box::new(outcome.facts)))
    }

    fn collect(&mut self, paths: &[(String, u64)]) -> Result<(), SandboxError> {
        if paths.len() > frame::MAX_FDS {
            return Err(SandboxError::new(Layer::Spawner, "too many outputs"));
        }
        let job = Self::current(&mut self.job)?;
        let mut fds = Vec::new();
        let found = paths
            .iter()
            .map(|(path, max_size)| match &job.work {
                Some(work) => open(work, path, *max_size, &mut fds),
                None => Found::Nothing,
            })
            .collect();
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        Ok(frame::send(
            &self.socket,
            &FromWorker::Collected(found),
            &fds,
        )?)
    }

    fn job_ended(&mut self) -> Result<(), SandboxError> {
        if let Some(job) = &mut self.job {
            job.work = None;
        }
        self.cgroup.tidy()?;
        self.cgroup.end_job()?;
        if self.job.as_ref().is_some_and(|job| job.tree.is_none()) {
            self.job = None;
        }
        Ok(())
    }

    fn begin(&mut self, plan: JobPlan, mut fds: Vec<OwnedFd>) -> Result<(), SandboxError> {
        let joins = plan.crew.as_ref().is_some_and(|crew| crew.joins);
        let shared = if joins { fds.pop() } else { None };
        let content = fds
            .pop()
            .filter(|_| fds.is_empty() && shared.is_some() == joins)
            .ok_or_else(|| {
                SandboxError::new(
                    Layer::Spawner,
                    "a job comes with one memfd and what it joins",
                )
            })?;
        let files = Files::compile(&plan.files, content)?;
        let tree = if plan.has_own_tree() {
            Some(self.own_tree(&plan, shared.as_ref())?)
        } else {
            None
        };
        self.jobs += 1;
        let id = match &plan.crew {
            Some(crew) => cgroup::job_of_crew(crew.id),
            None => cgroup::job_of(self.number, self.jobs),
        };
        self.cgroup.begin_job(id, plan.memory)?;
        self.job = Some(Current {
            plan,
            tree,
            files,
            placed: false,
            work: None,
        });
        Ok(())
    }

    /// The steps' tree as a mount that other workers can put into theirs.
    fn share_steps(&mut self) -> Result<OwnedFd, SandboxError> {
        let job = Self::current(&mut self.job)?;
        if !job.tree.as_ref().is_some_and(|tree| tree.steps) {
            return Err(SandboxError::new(Layer::Workspace, "the job has no steps"));
        }
        tree::clone_steps()
    }

    fn own_tree(&mut self, plan: &JobPlan, shared: Option<&OwnedFd>) -> Result<Tree, SandboxError> {
        self.moved = true;
        netns::unshare_mounts()
            .or_layer(Layer::Namespaces, || "unshare the mount namespace".into())?;
        let node_directories: Vec<_> = self
            .machine
            .node_directories
            .iter()
            .map(|node| NodeDirectory {
                name: node.name.clone(),
                path: format!("/.p/node/{}", node.name),
            })
            .collect();
        let program = tree::open_path(Path::new("/.p/probe"))?;
        let source = tree::Source {
            at: Path::new("/.m"),
            base: PathBuf::from("/.p/base"),
            ours: Some(Path::new("/.p/ours")),
            node_directories: &node_directories,
            steps: shared.map(AsFd::as_fd),
            program: program.as_fd(),
        };
        let lead = plan.crew.as_ref().map_or(self.number, |crew| crew.lead);
        tree::build(&source, &self.machine.image, plan, owner(lead))
    }
}

/// Opens one output below the last run's /work.
fn open(work: &OwnedFd, path: &str, max_size: u64, fds: &mut Vec<OwnedFd>) -> Found {
    let file = match open_output(work.as_fd(), path) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Found::Nothing,
        Err(_) => return Found::NotRegular,
    };
    match output_size(file.as_fd()) {
        Ok(Some(size)) if size <= max_size => {
            fds.push(file);
            Found::File { size }
        }
        Ok(Some(size)) => Found::TooLarge { size },
        Ok(None) | Err(_) => Found::NotRegular,
    }
}

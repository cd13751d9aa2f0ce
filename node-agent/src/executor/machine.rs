//! What runs jobs on this machine: the sandbox, behind two small traits.
//!
//! In: a job for a slot. Out: its status. A [`Machine`] may be started again after it failed; [`Benches`] then has
//! new judges, and the old ones go with the jobs that still have them. Decides nothing.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use evaljob_crds::EvalJobStatus;
use evaljob_crds::job::Job;
use evaljob_sandbox::plan::HostPlan;
use evaljob_sandbox::{Launcher, SandboxError, Slot, Spawner};
use k8s_openapi::jiff::Timestamp;

use crate::executor::book::{Missing, Resources};
use crate::executor::keeper::Order;
use crate::judge::Stop;
use crate::lanes::{self, Lanes};

/// Judges jobs on one slot, one at a time.
pub trait Judge: Send {
    /// Takes a job to its end on the slots it holds, the first of them this one. Blocks. `started`: the wall clock now.
    fn judge(&mut self, held: &[u32], job: &Job, stop: &Stop, started: Timestamp) -> EvalJobStatus;
}

/// Makes judges.
pub trait Machine: Send {
    /// Prepares the machine, anew if it was prepared before; then nothing of before may be in use.
    ///
    /// # Errors
    /// The layer that cannot be enforced.
    fn start(&mut self) -> Result<Resources, Missing>;

    /// A judge for a slot; `None` while the machine is not started.
    fn judge(&self, slot: u32) -> Option<Box<dyn Judge>>;

    /// Tries what no program may do.
    ///
    /// # Errors
    /// The layer that let something through.
    fn probe(&mut self) -> Result<(), Missing>;

    /// Sends `order` once what was started last has ended, also where it was to end.
    ///
    /// # Errors
    /// When nobody would.
    fn watch(&self, keeper: mpsc::Sender<Order>, order: Order) -> io::Result<()>;
}

impl Judge for Arc<Lanes> {
    fn judge(&mut self, held: &[u32], job: &Job, stop: &Stop, started: Timestamp) -> EvalJobStatus {
        Lanes::judge(self, held, job, stop, started)
    }
}

/// The sandbox of this machine.
#[derive(Debug)]
pub struct SandboxMachine {
    plan: HostPlan,
    reserve: u64,
    // Ends before the launcher does.
    started: Option<Started>,
    launcher: Launcher,
}

#[derive(Debug)]
struct Started {
    lanes: Arc<Lanes>,
    /// Where the machine tests itself.
    probe: Slot,
    // Ends last.
    spawner: Spawner,
}

impl SandboxMachine {
    /// A machine that is not started, with the slots of `plan`. `reserve`: bytes of the memory budget that runs never get.
    pub fn new(launcher: Launcher, plan: HostPlan, reserve: u64) -> Self {
        Self {
            plan,
            reserve,
            started: None,
            launcher,
        }
    }
}

impl Machine for SandboxMachine {
    fn start(&mut self) -> Result<Resources, Missing> {
        // The old one first: it removes its cgroups.
        self.started = None;
        let plan = HostPlan {
            slots: lanes::sandbox_slots(self.plan.slots) + 1,
            ..self.plan.clone()
        };
        let spawner = self.launcher.spawn(plan);
        let spawner = spawner.map_err(|error| missing(&error))?;
        let facts = spawner.facts();
        facts.capable().map_err(|error| missing(&error))?;
        for leftover in &facts.leftovers {
            tracing::warn!(
                leftover,
                "a cgroup of an earlier agent could not be removed"
            );
        }
        let resources = Resources {
            landlock_abi: facts.landlock_abi,
            memory: facts.memory_budget.saturating_sub(self.reserve),
            default_rootfs: facts.default_rootfs,
        };
        tracing::info!(
            pid = facts.spawner_pid,
            cgroup = ?facts.cgroup,
            landlock_abi = resources.landlock_abi,
            memory = resources.memory,
            default_rootfs = resources.default_rootfs,
            "spawner started"
        );
        if resources.memory == 0 {
            tracing::warn!(
                budget = facts.memory_budget,
                reserve = self.reserve,
                "no memory is left for runs (hint: raise the memory limit, or lower --memory-reserve)"
            );
        }
        let lanes = Arc::new(Lanes::new(&spawner, self.plan.slots));
        self.started = Some(Started {
            lanes,
            probe: spawner.slot(lanes::sandbox_slots(self.plan.slots)),
            spawner,
        });
        Ok(resources)
    }

    fn judge(&self, _slot: u32) -> Option<Box<dyn Judge>> {
        let started = self.started.as_ref()?;
        Some(Box::new(started.lanes.clone()))
    }

    fn probe(&mut self) -> Result<(), Missing> {
        let Some(started) = &mut self.started else {
            return Ok(());
        };
        let (_, findings) = started.probe.probe().map_err(|error| missing(&error))?;
        match findings.into_iter().find(|finding| !finding.holds) {
            Some(finding) => Err(Missing {
                layer: finding.layer.to_string(),
                message: format!("a program tried what none may do: {}", finding.text),
            }),
            None => Ok(()),
        }
    }

    fn watch(&self, keeper: mpsc::Sender<Order>, order: Order) -> io::Result<()> {
        let Some(started) = &self.started else {
            return Ok(());
        };
        match started.spawner.watch()? {
            // The keeper may have ended before.
            Some(end) => end.then(move || {
                let _ = keeper.send(order);
            }),
            None => Ok(()),
        }
    }
}

fn missing(error: &SandboxError) -> Missing {
    let layer = error.layer.to_string();
    let text = error.to_string();
    let message = text.strip_prefix(&format!("{layer}: ")).unwrap_or(&text);
    Missing {
        message: message.to_owned(),
        layer,
    }
}

/// One judge per slot, lent for the time of a job.
#[derive(Default)]
pub struct Benches(Mutex<State>);

#[derive(Default)]
struct State {
    generation: u64,
    judges: Vec<Option<Box<dyn Judge>>>,
}

impl std::fmt::Debug for Benches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Benches").finish_non_exhaustive()
    }
}

impl Benches {
    /// Replaces every judge.
    pub fn replace(&self, judges: Vec<Option<Box<dyn Judge>>>) {
        let mut state = self.lock();
        state.generation += 1;
        state.judges = judges;
    }

    /// Judges a job on the slots it holds; `None` where there is no judge for the first of them.
    pub fn judge(
        &self,
        held: &[u32],
        job: &Job,
        stop: &Stop,
        started: Timestamp,
    ) -> Option<EvalJobStatus> {
        let index = usize::try_from(*held.first()?).ok()?;
        let (generation, mut judge) = {
            let mut state = self.lock();
            (state.generation, state.judges.get_mut(index)?.take()?)
        };
        let status = judge.judge(held, job, stop, started);
        let mut state = self.lock();
        if state.generation == generation {
            state.judges[index] = Some(judge);
        }
        Some(status)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What judging asks of a sandbox slot, and the slots that one job holds.

use std::os::fd::{BorrowedFd, OwnedFd};

use evaljob_sandbox::facts::RunFacts;
use evaljob_sandbox::plan::{JobPlan, RunPlan};
use evaljob_sandbox::{Collected, RunIo, SandboxError, Sealed, Slot};

/// A sandbox slot: runs the programs of one job at a time.
///
/// Every error names the layer that failed; nothing that a program does is one.
pub trait Sandbox: Send {
    /// Begins a job whose files have this content; `steps`: what its steps left on another slot.
    ///
    /// # Errors
    /// The layer that failed.
    fn begin(
        &mut self,
        plan: &JobPlan,
        content: &[u8],
        steps: Option<BorrowedFd<'_>>,
    ) -> Result<(), SandboxError>;

    /// Hands out what the steps of the job left.
    ///
    /// # Errors
    /// The layer that failed.
    fn share_steps(&mut self) -> Result<OwnedFd, SandboxError>;

    /// Runs one program to its end; a checker gets input, output and answer of another one.
    ///
    /// # Errors
    /// The layer that failed.
    fn run(
        &mut self,
        plan: &RunPlan,
        io: RunIo<'_>,
        judge: Option<[&Sealed; 3]>,
    ) -> Result<RunFacts, SandboxError>;

    /// Opens files below /work of the last run, each with the largest size that is wanted.
    ///
    /// # Errors
    /// The layer that failed.
    fn collect(&mut self, paths: &[(String, u64)]) -> Result<Vec<Collected>, SandboxError>;

    /// Ends the job, if one has begun.
    ///
    /// # Errors
    /// The layer that failed.
    fn end(&mut self) -> Result<(), SandboxError>;
}

impl Sandbox for Slot {
    fn begin(
        &mut self,
        plan: &JobPlan,
        content: &[u8],
        steps: Option<BorrowedFd<'_>>,
    ) -> Result<(), SandboxError> {
        match steps {
            Some(steps) => Self::join(self, plan, content, steps),
            None => Self::begin(self, plan, content),
        }
    }

    fn share_steps(&mut self) -> Result<OwnedFd, SandboxError> {
        Self::share_steps(self)
    }

    fn run(
        &mut self,
        plan: &RunPlan,
        io: RunIo<'_>,
        judge: Option<[&Sealed; 3]>,
    ) -> Result<RunFacts, SandboxError> {
        match judge {
            Some(files) => Self::check(self, plan, io, files),
            None => Self::run(self, plan, io),
        }
    }

    fn collect(&mut self, paths: &[(String, u64)]) -> Result<Vec<Collected>, SandboxError> {
        Self::collect(self, paths)
    }

    fn end(&mut self) -> Result<(), SandboxError> {
        Self::end(self)
    }
}

/// Where one test runs at a time: a slot for the program and one, with ids of its own, for what checks it.
pub struct Lane {
    /// Runs the program.
    pub program: Place,
    /// Runs the checker, if it is a program.
    pub checker: Place,
    /// Numbers of the slots whose CPUs its runs use, best first.
    pub cpus: Vec<u32>,
}

/// A slot and its number.
pub struct Place {
    /// Its number.
    pub number: u32,
    /// The slot.
    pub sandbox: Box<dyn Sandbox>,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("program", &self.program.number)
            .field("checker", &self.checker.number)
            .field("cpus", &self.cpus)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

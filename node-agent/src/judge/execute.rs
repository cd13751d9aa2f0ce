//! One run in a sandbox, with everything that listens to its output.

use std::io::Write;

use evaljob_crds::job::{Job, Stream};
use evaljob_sandbox::facts::RunFacts;
use evaljob_sandbox::plan::RunPlan;
use evaljob_sandbox::{Interrupt, Memfile, RunIo, Sealed};

use super::{Halt, Sandbox, outputs};
use crate::checker::Comparison;
use crate::results::RunRecord;
use crate::stream::{Captured, Recorder};
use crate::verdict::{Judged, Outcome};

/// A run that was not stopped.
pub(super) struct Ran {
    pub(super) facts: RunFacts,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
}

impl Ran {
    pub(super) fn record(self, judged: Judged) -> RunRecord {
        RunRecord {
            judged,
            checker_message: None,
            facts: self.facts,
            stdout: self.stdout,
            stderr: self.stderr,
        }
    }
}

/// What goes into a run beside its plan.
pub(super) struct Input<'a> {
    pub(super) stdin: &'a [u8],
    pub(super) judge: Option<[&'a Sealed; 3]>,
    pub(super) interrupt: &'a Interrupt,
}

/// What listens to stdout beside the recorder.
pub(super) enum Listener<'a> {
    Nobody,
    Comparison(Box<Comparison<'a>>),
    /// Keeps all of it for a checker: at most the run's output limit and a buffer.
    File(Memfile),
}

/// Runs one program of a job; its output goes to the recorders and the listener as it comes.
pub(super) fn execute(
    sandbox: &mut dyn Sandbox,
    job: &Job,
    plan: &RunPlan,
    input: &Input<'_>,
    listener: &mut Listener<'_>,
) -> Result<Ran, Halt> {
    let mut stdout = Recorder::new(outputs::wanted(&job.outputs, Stream::Stdout));
    let mut stderr = Recorder::new(outputs::wanted(&job.outputs, Stream::Stderr));
    let mut kept = Ok(());
    let io = RunIo {
        stdin: input.stdin,
        stdout: &mut |chunk| {
            stdout.push(chunk);
            match listener {
                Listener::Nobody => {}
                Listener::Comparison(comparison) => comparison.push(chunk),
                Listener::File(file) if kept.is_ok() => kept = file.write_all(chunk),
                Listener::File(_) => {}
            }
        },
        stderr: &mut |chunk| stderr.push(chunk),
        interrupt: input.interrupt,
    };
    let facts = sandbox.run(plan, io, input.judge)?;
    kept.map_err(|error| Halt::failed(format!("cannot keep the output for the checker: {error}")))?;
    Ok(Ran {
        facts,
        stdout: stdout.finish(),
        stderr: stderr.finish(),
    })
}

/// What a run says, or why nothing can be said.
pub(super) fn judged(outcome: Outcome) -> Result<Judged, Halt> {
    match outcome {
        Outcome::Judged(judged) => Ok(judged),
        Outcome::Interrupted => Err(Halt::Stopped),
        Outcome::Unexplained => Err(Halt::failed(
            "the run was killed from outside of its sandbox, no limit of it was reached".to_owned(),
        )),
    }
}

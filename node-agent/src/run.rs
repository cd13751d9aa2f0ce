//! `evaljob-agent run`: the same manifests on this machine, without a cluster.
//!
//! In: files with EvalJobs and the ConfigMaps they refer to. Out: a status each, in the order of the documents, and
//! an exit code. Every document is validated before anything runs; jobs then run side by side on all slots, as far
//! as memory allows. A machine that cannot enforce gives InfrastructureError, never a weaker run.

mod progress;
mod room;
mod table;

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use evaljob_crds::job::Job;
use evaljob_crds::manifest::{self, Document, Documents};
use evaljob_crds::status::VerdictClass;
use evaljob_crds::{EvalJobStatus, FieldError};
use evaljob_sandbox::plan::HostPlan;
use evaljob_sandbox::{SandboxError, Spawner};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use crate::judge::{Stop, StopReason};
use crate::lanes::{self, Lanes};
use crate::report;
use crate::serve::NamedDirectory;
use progress::Progress;
use room::Room;
pub(crate) use room::too_few_slots;

/// Longest that a job may take here: a day, as a cluster has it by default.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How a machine that runs jobs is set up.
#[derive(Debug, Clone, Args)]
pub struct HostOptions {
    /// Root file system of jobs; absent: the system directories of this machine, read-only
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
    /// Accept a machine whose cgroup controllers are on cgroup v1
    #[arg(long)]
    pub allow_cgroup_v1: bool,
    /// A directory that jobs may mount by this name; may be given more than once
    #[arg(long = "node-directory", value_name = "NAME=DIR")]
    pub node_directories: Vec<NamedDirectory>,
    /// Runs side by side; absent: one for each CPU that this container's limit and affinity leave
    #[arg(long)]
    pub slots: Option<NonZeroU32>,
}

impl HostOptions {
    /// Slots for jobs.
    pub fn slots(&self) -> u32 {
        self.slots
            .map_or_else(evaljob_sandbox::cpus, NonZeroU32::get)
    }

    /// What the sandbox is told.
    pub fn host_plan(&self) -> HostPlan {
        HostPlan {
            rootfs: self
                .rootfs
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            node_directories: self
                .node_directories
                .iter()
                .map(|directory| directory.0.clone())
                .collect(),
            allow_cgroup_v1: self.allow_cgroup_v1,
            slots: lanes::sandbox_slots(self.slots()),
        }
    }
}

/// Runs EvalJobs on this machine, without a cluster.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Manifests: EvalJobs and the ConfigMaps they refer to; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Form of the result; default: wide on a terminal, yaml elsewhere
    #[arg(short = 'o', long = "output")]
    pub output: Option<Format>,
    /// The machine
    #[command(flatten)]
    pub host: HostOptions,
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table.
    Wide,
    /// One document for each job.
    Yaml,
    /// One object a line.
    Json,
}

/// A job's name and status.
#[derive(Debug, Serialize)]
struct Finished<'a> {
    name: &'a str,
    status: &'a EvalJobStatus,
}

/// Why nothing was run, or the result could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The result cannot be shown.
    #[error("cannot write the result")]
    Write(#[source] io::Error),
    /// The result has no such form.
    #[error("cannot encode the result: {0}")]
    Encode(String),
    /// A thread or descriptor is missing.
    #[error("cannot start a slot")]
    Slot(#[source] io::Error),
}

impl RunError {
    /// 1 would say that a program failed.
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Read { .. } => INVALID,
            Self::Write(_) | Self::Encode(_) | Self::Slot(_) => NOT_PROGRAM,
        }
    }
}

/// Exit code of an invalid manifest, or of one that cannot be read.
const INVALID: u8 = 2;
/// Exit code of an end that is no program's fault.
const NOT_PROGRAM: u8 = 3;

/// Runs everything; the exit code is the one of api.md. What is wrong with a manifest or with this machine is printed.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    judge(options).unwrap_or_else(|error| {
        let cause = std::error::Error::source(&error);
        complain(&cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")));
        ExitCode::from(error.exit_code())
    })
}

fn judge(options: &Options) -> Result<ExitCode, RunError> {
    let texts = options
        .files
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    let documents = match manifest::parse(texts.iter().map(String::as_str)) {
        Ok(documents) => documents,
        Err(errors) => {
            for error in errors {
                complain(&error.to_string());
            }
            return Ok(ExitCode::from(INVALID));
        }
    };
    if documents.jobs.is_empty() {
        complain(
            "no document is an EvalJob (hint: apiVersion: evaljob.dev/v1alpha1, kind: EvalJob)",
        );
        return Ok(ExitCode::from(INVALID));
    }
    let jobs = match prepare(&documents) {
        Ok(jobs) => jobs,
        Err(errors) => {
            for error in errors {
                complain(&error);
            }
            return Ok(ExitCode::from(INVALID));
        }
    };
    let started = Spawner::start(options.host.host_plan());
    let started = started.and_then(|spawner| {
        spawner.facts().capable()?;
        spawner.facts().root_for_all()?;
        Ok(spawner)
    });
    let statuses = match started {
        Ok(spawner) => on_slots(&spawner, options.host.slots(), &documents.jobs, &jobs)?,
        Err(error) => jobs.iter().map(|job| refused(job, &error)).collect(),
    };
    let default = if io::stdout().is_terminal() {
        Format::Wide
    } else {
        Format::Yaml
    };
    show(
        &documents.jobs,
        &statuses,
        options.output.unwrap_or(default),
    )?;
    Ok(exit_code(&statuses))
}

fn read(path: &PathBuf) -> Result<String, RunError> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(path).map(|content| text = content)
    };
    read.map(|()| text).map_err(|source| RunError::Read {
        path: path.display().to_string(),
        source,
    })
}

/// Builds every job, or names what is wrong with each document.
fn prepare(documents: &Documents) -> Result<Vec<Job>, Vec<String>> {
    let mut jobs = Vec::new();
    let mut errors = Vec::new();
    for document in &documents.jobs {
        let spec = &document.job.spec;
        let built = if spec.suspend == Some(true) {
            Err(vec![FieldError {
                path: "spec.suspend".to_owned(),
                message: "a suspended job waits for ever here (hint: remove it)".to_owned(),
            }])
        } else {
            evaljob_crds::job::build(spec, &documents.inputs(spec))
        };
        match built {
            Ok(job) => jobs.push(job),
            Err(found) => {
                errors.extend(found.into_iter().map(|error| {
                    format!("document {} ({}): {error}", document.number, document.name)
                }))
            }
        }
    }
    if errors.is_empty() {
        Ok(jobs)
    } else {
        Err(errors)
    }
}

/// Runs the jobs side by side, begun in order; statuses in the order of the documents.
fn on_slots(
    spawner: &Spawner,
    slots: u32,
    documents: &[Document],
    jobs: &[Job],
) -> Result<Vec<EvalJobStatus>, RunError> {
    let room = Room::new(slots, spawner.facts().memory_budget);
    let lanes = Lanes::new(spawner, slots);
    let (sender, receiver) = mpsc::channel();
    let mut statuses: Vec<Option<EvalJobStatus>> = vec![None; jobs.len()];
    std::thread::scope(|scope| -> Result<(), RunError> {
        let (room, lanes) = (&room, &lanes);
        let begin = move || {
            for (index, (document, job)) in documents.iter().zip(jobs).enumerate() {
                let sender = sender.clone();
                let share = match room.take(job.needs()) {
                    Ok(share) => share,
                    Err(missing) => {
                        let _ = sender.send((index, report::infrastructure(job, None, missing)));
                        continue;
                    }
                };
                let work = move || {
                    let status = one(lanes, &share.slots, document, job);
                    drop(share);
                    // Nobody waits for it any more only where this function has failed.
                    let _ = sender.send((index, status));
                };
                std::thread::Builder::new()
                    .name("job".to_owned())
                    .spawn_scoped(scope, work)?;
            }
            Ok(())
        };
        let begun = std::thread::Builder::new()
            .name("order".to_owned())
            .spawn_scoped(scope, begin)
            .map_err(RunError::Slot)?;
        let mut progress = Progress::new(jobs.len());
        for (index, status) in receiver {
            progress.finished(&status);
            if let Some(place) = statuses.get_mut(index) {
                *place = Some(status);
            }
        }
        progress.clear();
        match begun.join() {
            Ok(begun) => begun.map_err(RunError::Slot),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    // What an operator says in a cluster: there is one attempt, and nothing is tried again here.
    let first = |status: EvalJobStatus| EvalJobStatus {
        attempt: Some(1),
        infrastructure_failures: Some(0),
        ..status
    };
    Ok(statuses.into_iter().flatten().map(first).collect())
}

/// One job, with its deadline.
fn one(lanes: &Lanes, held: &[u32], document: &Document, job: &Job) -> EvalJobStatus {
    let started = Timestamp::now();
    let stop = match Stop::new() {
        Ok(stop) => stop,
        Err(error) => {
            let message = format!("cannot make an interrupt: {error}");
            return report::infrastructure(job, None, message);
        }
    };
    let spec = &document.job.spec;
    if spec.cancel == Some(true) {
        stop.order(StopReason::Cancelled);
    }
    let deadline = evaljob_crds::active_deadline(spec, LONGEST);
    let (done, over) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            if over.recv_timeout(deadline) == Err(mpsc::RecvTimeoutError::Timeout) {
                stop.order(StopReason::Deadline);
            }
        });
        let status = lanes.judge(held, job, stop, started);
        drop(done);
        status
    })
}

fn refused(job: &Job, error: &SandboxError) -> EvalJobStatus {
    report::infrastructure(job, Some(error.layer.to_string()), error.to_string())
}

fn show(
    documents: &[Document],
    statuses: &[EvalJobStatus],
    format: Format,
) -> Result<(), RunError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let all = documents
        .iter()
        .zip(statuses)
        .map(|(document, status)| Finished {
            name: &document.name,
            status,
        });
    let encode = |error: &dyn std::fmt::Display| RunError::Encode(error.to_string());
    match format {
        Format::Wide => {
            let rows = documents.iter().zip(statuses);
            let text = table::wide(rows.map(|(document, status)| (&*document.name, status)));
            out.write_all(text.as_bytes()).map_err(RunError::Write)?;
        }
        Format::Yaml => {
            for finished in all {
                let text = serde_saphyr::to_string(&finished).map_err(|error| encode(&error))?;
                write!(out, "---\n{text}").map_err(RunError::Write)?;
            }
        }
        Format::Json => {
            for finished in all {
                let text = serde_json::to_string(&finished).map_err(|error| encode(&error))?;
                writeln!(out, "{text}").map_err(RunError::Write)?;
            }
        }
    }
    out.flush().map_err(RunError::Write)
}

/// 0 all accepted or completed, 1 some program's verdict, 3 some end that is not the program's; 3 wins.
fn exit_code(statuses: &[EvalJobStatus]) -> ExitCode {
    let code = statuses
        .iter()
        .map(
            |status| match status.verdict().map(evaljob_crds::Verdict::class) {
                Some(VerdictClass::Success) => 0,
                Some(VerdictClass::Program) => 1,
                Some(VerdictClass::NotProgram) | None => NOT_PROGRAM,
            },
        )
        .max();
    ExitCode::from(code.unwrap_or(0))
}

#[expect(
    clippy::print_stderr,
    reason = "errors of a command go to standard error"
)]
fn complain(message: &str) {
    eprintln!("error: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_programs_end_never_has_a_programs_exit_code() {
        let read = read(&PathBuf::from("/nowhere/job.yaml")).unwrap_err();
        assert_eq!(read.exit_code(), INVALID);
        let broken = || io::Error::from(io::ErrorKind::StorageFull);
        for error in [
            RunError::Write(broken()),
            RunError::Slot(broken()),
            RunError::Encode(String::new()),
        ] {
            assert_eq!(error.exit_code(), NOT_PROGRAM);
        }
    }
}

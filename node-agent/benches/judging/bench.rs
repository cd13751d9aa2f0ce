//! Jobs on the slots of this machine, and the program that uses known amounts.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evaljob_agent::judge::Stop;
use evaljob_agent::lanes::{Lanes, sandbox_slots};
use evaljob_crds::job::{Job, build};
use evaljob_crds::{EvalJobStatus, manifest};
use evaljob_sandbox::Spawner;
use evaljob_sandbox::plan::HostPlan;
use k8s_openapi::jiff::Timestamp;

/// Why nothing could be measured; ends the benchmark.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Slots that jobs may hold; the one behind them is for bare runs.
const SLOTS: u32 = 2;

/// The machine, and the compiled program.
pub(crate) struct Bench {
    pub(crate) spawner: Spawner,
    lanes: Lanes,
    directory: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Result<Self, Failure> {
        let spawner = Spawner::start(HostPlan {
            rootfs: None,
            node_directories: Vec::new(),
            allow_cgroup_v1: true,
            slots: sandbox_slots(SLOTS) + 1,
        })?;
        spawner.facts().capable()?;
        let lanes = Lanes::new(&spawner, SLOTS);
        let directory = tempfile::tempdir()?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/judging/meter.c");
        let mut gcc = Command::new("gcc");
        gcc.args(["-O1", "-s", "-o"])
            .arg(directory.path().join("meter"))
            .arg(source);
        if !gcc.status()?.success() {
            return Err(format!("{gcc:?} failed").into());
        }
        Ok(Self {
            spawner,
            lanes,
            directory,
        })
    }

    /// The program.
    pub(crate) fn meter(&self) -> PathBuf {
        self.directory.path().join("meter")
    }

    /// The slot that no job has, on the same CPU as the first one.
    pub(crate) fn bare_slot(&self) -> u32 {
        sandbox_slots(SLOTS)
    }

    /// A job whose spec is this YAML; `@meter@` stands for the program.
    pub(crate) fn job(&self, spec: &str) -> Result<Job, Failure> {
        let binary = STANDARD.encode(std::fs::read(self.meter())?);
        let spec = spec.replace("@meter@", &binary);
        let text = format!(
            "apiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {{name: bench}}\nspec: {spec}\n"
        );
        let documents = manifest::parse([text.as_str()]).map_err(|errors| {
            errors
                .iter()
                .map(|error| format!("{error}\n"))
                .collect::<String>()
        })?;
        let document = documents.jobs.first().ok_or("no job")?;
        let spec = &document.job.spec;
        build(spec, &documents.inputs(spec)).map_err(|errors| format!("{errors:?}").into())
    }

    /// A job that runs the program once with these arguments.
    pub(crate) fn metered(&self, arguments: &str, limits: &str) -> Result<Job, Failure> {
        self.job(&format!(
            "{{files: [{{path: meter, executable: true, contentBase64: '@meter@'}}], command: [./meter, {arguments}], limits: {{{limits}}}}}"
        ))
    }

    /// Judges a job, and says how long that took.
    pub(crate) fn judge(&self, job: &Job) -> Result<(EvalJobStatus, Duration), Failure> {
        let held: Vec<u32> = (0..job.needs().slots).collect();
        let stop = Stop::new()?;
        let begun = Instant::now();
        let status = self.lanes.judge(&held, job, &stop, Timestamp::now());
        Ok((status, begun.elapsed()))
    }
}

/// The program's own figure: what it printed.
pub(crate) fn printed(status: &EvalJobStatus) -> Result<f64, Failure> {
    let run = status.run.as_ref().ok_or("no run")?;
    let text = run
        .stdout
        .as_ref()
        .and_then(|stdout| stdout.text.as_deref());
    let text = text.unwrap_or_default().trim();
    text.parse()
        .map_err(|_| format!("not a figure: {text:?}, {:?}", status.message).into())
}

/// Milliseconds of CPU time, of wall time, and mebibytes of the peak.
pub(crate) fn figures(status: &EvalJobStatus) -> Result<[f64; 3], Failure> {
    let usage = status
        .usage
        .as_ref()
        .ok_or_else(|| format!("no usage: {:?}", status.message))?;
    let peak = usage
        .memory_peak
        .as_deref()
        .and_then(|text| text.strip_suffix("Ki"));
    let peak: f64 = peak.unwrap_or_default().parse()?;
    let milliseconds = |figure: Option<i64>| -> Result<f64, Failure> {
        Ok(f64::from(i32::try_from(
            figure.ok_or("a figure is absent")?,
        )?))
    };
    Ok([
        milliseconds(usage.cpu_time_milliseconds)?,
        milliseconds(usage.wall_time_milliseconds)?,
        peak / 1024.0,
    ])
}

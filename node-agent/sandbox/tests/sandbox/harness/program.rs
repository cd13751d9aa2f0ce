//! A program to be run in the sandbox, its job, and what became of it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use evaljob_sandbox::facts::{Breach, Ending, RunFacts};
use evaljob_sandbox::plan::{
    FilePlan, JobPlan, RunKind, RunLimits, RunPlan, SeccompProfile, VolumePlan,
};
use evaljob_sandbox::{Interrupt, RunIo, SandboxError, Sealed, Slot};

use super::{pool, sources};

pub(crate) const MIB: u64 = 1 << 20;

/// The environment of a run unless the test gives another one.
pub(crate) const ENVIRONMENT: [&str; 4] = [
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "HOME=/home",
    "TMPDIR=/tmp",
    "LANG=C.UTF-8",
];

/// A job: files and volumes, shared by its runs.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) plan: JobPlan,
    content: Vec<u8>,
}

impl Job {
    pub(crate) fn new() -> Self {
        let plan = JobPlan {
            workspace: 64 * MIB,
            memory: 512 * MIB,
            ..JobPlan::default()
        };
        Self {
            plan,
            content: Vec::new(),
        }
    }

    pub(crate) fn steps(mut self) -> Self {
        self.plan.steps = true;
        self
    }

    pub(crate) fn workspace(mut self, bytes: u64) -> Self {
        self.plan.workspace = bytes;
        self
    }

    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.add(path, content.as_ref(), false);
        self
    }

    pub(crate) fn executable(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.add(path, content.as_ref(), true);
        self
    }

    pub(crate) fn volume(mut self, name: &str, mount_path: &str, executable: bool) -> Self {
        self.plan.volumes.push(VolumePlan {
            node_directory: name.to_owned(),
            mount_path: mount_path.to_owned(),
            executable,
        });
        self
    }

    fn add(&mut self, path: &str, content: &[u8], executable: bool) {
        let (offset, length) = (self.content.len() as u64, content.len() as u64);
        self.plan.files.push(FilePlan {
            path: path.to_owned(),
            executable,
            offset,
            length,
        });
        self.content.extend_from_slice(content);
    }

    pub(crate) fn begin(&self, slot: &mut Slot) {
        slot.begin(&self.plan, &self.content)
            .unwrap_or_else(|error| panic!("begin: {error}"));
    }

    /// Begins it on a further slot, with what its steps left on the first.
    pub(crate) fn join(&self, slot: &mut Slot, steps: &OwnedFd) {
        slot.join(&self.plan, &self.content, steps.as_fd())
            .unwrap_or_else(|error| panic!("join: {error}"));
    }

    pub(crate) fn try_begin(&self, slot: &mut Slot) -> Result<(), SandboxError> {
        slot.begin(&self.plan, &self.content)
    }
}

/// One program with its job, streams and limits.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) job: Job,
    pub(crate) plan: RunPlan,
    stdin: Vec<u8>,
}

impl Program {
    /// A command line.
    pub(crate) fn new(argv: &[&str]) -> Self {
        let plan = RunPlan {
            kind: RunKind::Test,
            argv: argv.iter().map(ToString::to_string).collect(),
            env: ENVIRONMENT.iter().map(ToString::to_string).collect(),
            working_dir: "/work".into(),
            limits: limits(),
            profile: SeccompProfile::Default,
            minimum_landlock_abi: 2,
        };
        Self {
            job: Job::new(),
            plan,
            stdin: Vec::new(),
        }
    }

    /// A Python program given as text.
    pub(crate) fn python(source: &str) -> Self {
        // -S: without the site directories it starts in a third of the time.
        Self::new(&["/usr/bin/python3", "-S", "-c", source])
    }

    /// A shell command.
    pub(crate) fn shell(command: &str) -> Self {
        Self::new(&["/bin/sh", "-c", command])
    }

    /// A C program of `tests/programs`, with its arguments.
    pub(crate) fn compiled(name: &str, arguments: &[&str]) -> Self {
        let path = format!("./{name}");
        let argv: Vec<_> = [path.as_str()]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let mut program = Self::new(&argv);
        program.job = program
            .job
            .executable(name, sources::binary(name).as_slice());
        program
    }

    pub(crate) fn limit(mut self, change: impl FnOnce(&mut RunLimits)) -> Self {
        change(&mut self.plan.limits);
        self
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut RunPlan)) -> Self {
        change(&mut self.plan);
        self
    }

    pub(crate) fn job(mut self, change: impl FnOnce(Job) -> Job) -> Self {
        self.job = change(self.job);
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.stdin = stdin.into();
        self
    }

    pub(crate) fn strict(mut self) -> Self {
        self.plan.profile = SeccompProfile::Strict;
        self
    }

    pub(crate) fn step(mut self) -> Self {
        self.plan.kind = RunKind::Step;
        self
    }

    /// Runs it as a job of its own on a shared slot.
    pub(crate) fn run(&self) -> Report {
        self.run_on(&mut pool::slot())
    }

    /// Runs it as a job of its own on this slot.
    pub(crate) fn run_on(&self, slot: &mut Slot) -> Report {
        self.job.begin(slot);
        let report = self.run_in(slot);
        slot.end().unwrap_or_else(|error| panic!("end: {error}"));
        report
    }

    /// Runs it in the job that has begun on this slot.
    pub(crate) fn run_in(&self, slot: &mut Slot) -> Report {
        self.try_run_in(slot)
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.plan.argv))
    }

    pub(crate) fn try_run_in(&self, slot: &mut Slot) -> Result<Report, SandboxError> {
        self.watch_in(slot, &Interrupt::new().expect("a descriptor"), &mut |_| ())
    }

    /// Runs it as a checker, in the job that has begun on this slot.
    pub(crate) fn check_in(&self, slot: &mut Slot, files: [&Sealed; 3]) -> Report {
        self.try_check_in(slot, files)
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.plan.argv))
    }

    pub(crate) fn try_check_in(
        &self,
        slot: &mut Slot,
        files: [&Sealed; 3],
    ) -> Result<Report, SandboxError> {
        let interrupt = Interrupt::new().expect("a descriptor");
        self.carry(&interrupt, &mut |_| (), |plan, io| {
            slot.check(plan, io, files)
        })
    }

    /// Runs it; `seen` gets stdout as it comes.
    pub(crate) fn watch_in(
        &self,
        slot: &mut Slot,
        interrupt: &Interrupt,
        seen: &mut dyn FnMut(&[u8]),
    ) -> Result<Report, SandboxError> {
        self.carry(interrupt, seen, |plan, io| slot.run(plan, io))
    }

    fn carry(
        &self,
        interrupt: &Interrupt,
        seen: &mut dyn FnMut(&[u8]),
        run: impl FnOnce(&RunPlan, RunIo<'_>) -> Result<RunFacts, SandboxError>,
    ) -> Result<Report, SandboxError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        // Kept in bounds: a flood is counted, not stored.
        let keep = |into: &mut Vec<u8>, bytes: &[u8]| {
            let room = (4usize << 20).saturating_sub(into.len()).min(bytes.len());
            into.extend_from_slice(&bytes[..room]);
        };
        let io = RunIo {
            stdin: &self.stdin,
            stdout: &mut |bytes| {
                keep(&mut stdout, bytes);
                seen(bytes);
            },
            stderr: &mut |bytes| keep(&mut stderr, bytes),
            interrupt,
        };
        let facts = run(&self.plan, io)?;
        Ok(Report {
            facts,
            stdout,
            stderr,
        })
    }
}

fn limits() -> RunLimits {
    RunLimits {
        cpu_time: Duration::from_secs(20),
        wall_time: Duration::from_secs(60),
        cpus: 1,
        memory: 256 * MIB,
        processes: 64,
        open_files: 1024,
        file_size: 64 * MIB,
        stack: 8 * MIB,
        output: 16 * MIB,
    }
}

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) facts: RunFacts,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Report {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Everything, for messages.
    pub(crate) fn all(&self) -> String {
        format!(
            "{:#?}\nstdout: {}\nstderr: {}",
            self.facts,
            self.text(),
            String::from_utf8_lossy(&self.stderr)
        )
    }

    /// It ended by itself with status 0, without a breach.
    pub(crate) fn passed(self) -> Self {
        assert_eq!(self.facts.ending, Ending::Exited(0), "{}", self.all());
        assert_eq!(self.facts.breach, None, "{}", self.all());
        self
    }

    /// This signal ended it, and no limit did.
    pub(crate) fn signaled(self, signal: i32) -> Self {
        assert_eq!(
            self.facts.ending,
            Ending::Signaled(signal),
            "{}",
            self.all()
        );
        assert_eq!(self.facts.breach, None, "{}", self.all());
        self
    }

    /// It was ended for this reason.
    pub(crate) fn breached(self, breach: Breach) -> Self {
        assert_eq!(self.facts.breach, Some(breach), "{}", self.all());
        self
    }

    /// It printed exactly this.
    pub(crate) fn printed(self, text: &str) -> Self {
        assert_eq!(self.text(), text, "{}", self.all());
        self
    }
}

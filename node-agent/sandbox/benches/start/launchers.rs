//! The three ways to start a program that are compared: posix_spawn, the sandbox, bubblewrap.
//!
//! Each [`Launcher`] starts `true` once, waits for it and fails unless it ended with 0. bubblewrap gets all of its
//! namespaces and a root of /usr, but no filter, no limits and no read-back: less than a run of the sandbox.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Duration;

use evaljob_sandbox::facts::Ending;
use evaljob_sandbox::plan::{JobPlan, RunKind, RunLimits, RunPlan, SeccompProfile};
use evaljob_sandbox::{Interrupt, RunIo, Slot, Spawner};

const TRUE: &str = "/usr/bin/true";

/// Why a start failed; ends the benchmark.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// A way to start a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// What every launcher costs at least.
    PosixSpawn,
    /// The whole sequence, read-back included.
    Sandbox,
    /// The peer.
    Bubblewrap,
}

impl Way {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 3] = [Self::PosixSpawn, Self::Sandbox, Self::Bubblewrap];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PosixSpawn => "posix_spawn + wait",
            Self::Sandbox => "sandbox, one run",
            Self::Bubblewrap => "bubblewrap",
        }
    }

    /// A launcher that shares nothing with others; `number` is its slot.
    pub(crate) fn launcher(self, spawner: &Spawner, number: u32) -> Result<Launcher, Failure> {
        Ok(match self {
            Self::PosixSpawn => Launcher::Command(Command::new(TRUE)),
            Self::Bubblewrap => Launcher::Command(bubblewrap()),
            Self::Sandbox => Launcher::Sandbox(Box::new(Sandbox::new(spawner, number)?)),
        })
    }
}

/// Starts one program at a time.
pub(crate) enum Launcher {
    /// By the standard library, which uses posix_spawn.
    Command(Command),
    /// Through a slot.
    Sandbox(Box<Sandbox>),
}

impl Launcher {
    /// Starts `true` and waits for its end.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        match self {
            Self::Command(command) => spawn(command),
            Self::Sandbox(sandbox) => sandbox.run(),
        }
    }
}

fn spawn(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {status}").into())
    }
}

fn bubblewrap() -> Command {
    let mut command = Command::new("bwrap");
    command
        .args(["--unshare-all", "--die-with-parent", "--new-session"])
        .args(["--cap-drop", "ALL", "--ro-bind", "/usr", "/usr"])
        .args(["--symlink", "usr/bin", "/bin"])
        .args(["--symlink", "usr/lib", "/lib"])
        .args(["--symlink", "usr/lib64", "/lib64"])
        .args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", TRUE]);
    command
}

/// A slot with a job that has begun.
pub(crate) struct Sandbox {
    slot: Slot,
    plan: RunPlan,
    interrupt: Interrupt,
}

impl Sandbox {
    fn new(spawner: &Spawner, number: u32) -> Result<Self, Failure> {
        let mut slot = spawner.slot(number);
        let job = JobPlan {
            workspace: 64 << 20,
            memory: 256 << 20,
            ..JobPlan::default()
        };
        slot.begin(&job, &[])?;
        Ok(Self {
            slot,
            plan: plan(),
            interrupt: Interrupt::new()?,
        })
    }

    fn run(&mut self) -> Result<(), Failure> {
        let io = RunIo {
            stdin: &[],
            stdout: &mut |_| (),
            stderr: &mut |_| (),
            interrupt: &self.interrupt,
        };
        match self.slot.run(&self.plan, io)?.ending {
            Ending::Exited(0) => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    }
}

fn plan() -> RunPlan {
    RunPlan {
        kind: RunKind::Test,
        argv: vec![TRUE.into()],
        env: vec![
            "PATH=/usr/bin:/bin".into(),
            "HOME=/home".into(),
            "LANG=C.UTF-8".into(),
        ],
        working_dir: "/work".into(),
        limits: RunLimits {
            cpu_time: Duration::from_secs(10),
            wall_time: Duration::from_secs(21),
            cpus: 1,
            memory: 256 << 20,
            processes: 64,
            open_files: 1024,
            file_size: 64 << 20,
            stack: 8 << 20,
            output: 16 << 20,
        },
        profile: SeccompProfile::Default,
        minimum_landlock_abi: 2,
    }
}

//! The three ways to start a program that are compared: posix_spawn, the sandbox, bubblewrap.
//!
//! Each [`Launcher`] starts its program once, waits for it and fails unless it ended with 0 and printed what it should.
//! bubblewrap gets all of its namespaces, a root of /usr and the profile of the sandbox as its filter, but no limits and no
//! read-back: less than a run of the sandbox.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use evaljob_sandbox::facts::{Ending, Phases};
use evaljob_sandbox::plan::{JobPlan, RunKind, RunLimits, RunPlan, SeccompProfile};
use evaljob_sandbox::seccomp::{Arch, profile};
use evaljob_sandbox::{Interrupt, RunIo, Slot, Spawner};

/// A program that is started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its name in the table.
    pub(crate) name: &'static str,
    argv: &'static [&'static str],
    /// What it prints, which is read through a pipe and compared; empty: nothing is read.
    prints: &'static str,
}

/// The first is the one whose throughput and phases are measured, too.
pub(crate) const PROGRAMS: [Program; 3] = [
    Program {
        name: "true",
        argv: &["/usr/bin/true"],
        prints: "",
    },
    Program {
        name: "echo hi",
        argv: &["/usr/bin/echo", "hi"],
        prints: "hi\n",
    },
    Program {
        name: "python3",
        argv: &["/usr/bin/python3", "-c", "print(1)"],
        prints: "1\n",
    },
];

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
            Self::Bubblewrap => "bubblewrap --seccomp",
        }
    }

    /// A launcher that shares nothing with others; `number` is its slot.
    pub(crate) fn launcher(
        self,
        program: &'static Program,
        spawner: &Spawner,
        number: u32,
    ) -> Result<Launcher, Failure> {
        let command = |mut command: Command, words: &[&str], input| {
            command.args(words);
            Launcher::Command(Box::new(command), program.prints, input)
        };
        Ok(match self {
            Self::PosixSpawn => match program.argv {
                [first, rest @ ..] => command(Command::new(first), rest, None),
                [] => return Err("a program without a name".into()),
            },
            Self::Bubblewrap => command(bubblewrap(), program.argv, Some(filter()?)),
            Self::Sandbox => Launcher::Sandbox(Box::new(Sandbox::new(program, spawner, number)?)),
        })
    }
}

/// Starts one program at a time.
pub(crate) enum Launcher {
    /// By the standard library, which uses posix_spawn; with what it must print and what it reads.
    Command(Box<Command>, &'static str, Option<File>),
    /// Through a slot.
    Sandbox(Box<Sandbox>),
}

impl Launcher {
    /// Starts the program and waits for its end; says where the time went, where that is known.
    pub(crate) fn start(&mut self) -> Result<Option<Phases>, Failure> {
        match self {
            Self::Command(command, prints, input) => {
                command.stdin(match input {
                    Some(file) => File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?.into(),
                    None => Stdio::null(),
                });
                spawn(command, prints).map(|()| None)
            }
            Self::Sandbox(sandbox) => sandbox.run().map(Some),
        }
    }
}

fn spawn(command: &mut Command, prints: &str) -> Result<(), Failure> {
    command.stderr(Stdio::null());
    let (status, printed) = if prints.is_empty() {
        (command.stdout(Stdio::null()).status()?, Vec::new())
    } else {
        let output = command.stdout(Stdio::piped()).output()?;
        (output.status, output.stdout)
    };
    if status.success() && printed == prints.as_bytes() {
        Ok(())
    } else {
        Err(format!("{command:?}: {status}, {printed:?}").into())
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
        .args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"])
        .args(["--seccomp", "0"]);
    command
}

/// The profile as bubblewrap reads it: instructions of eight bytes each, filter.h(7).
fn filter() -> Result<File, Failure> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::memfd_create(c"filter", flags)?);
    for instruction in profile(SeccompProfile::Default, Arch::native()).program() {
        file.write_all(&instruction.code.to_ne_bytes())?;
        file.write_all(&[instruction.jt, instruction.jf])?;
        file.write_all(&instruction.k.to_ne_bytes())?;
    }
    Ok(file)
}

/// A slot with a job that has begun.
pub(crate) struct Sandbox {
    slot: Slot,
    plan: RunPlan,
    prints: &'static str,
    interrupt: Interrupt,
}

impl Sandbox {
    fn new(program: &Program, spawner: &Spawner, number: u32) -> Result<Self, Failure> {
        let mut slot = spawner.slot(number);
        let job = JobPlan {
            workspace: 64 << 20,
            memory: 256 << 20,
            ..JobPlan::default()
        };
        slot.begin(&job, &[])?;
        Ok(Self {
            slot,
            plan: plan(program.argv),
            prints: program.prints,
            interrupt: Interrupt::new()?,
        })
    }

    fn run(&mut self) -> Result<Phases, Failure> {
        let mut printed = Vec::new();
        let io = RunIo {
            stdin: &[],
            stdout: &mut |bytes| printed.extend_from_slice(bytes),
            stderr: &mut |_| (),
            interrupt: &self.interrupt,
        };
        let facts = self.slot.run(&self.plan, io)?;
        if facts.ending == Ending::Exited(0) && printed == self.prints.as_bytes() {
            Ok(facts.phases)
        } else {
            Err(format!("{:?}, {printed:?}", facts.ending).into())
        }
    }
}

fn plan(argv: &[&str]) -> RunPlan {
    RunPlan {
        kind: RunKind::Test,
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
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

//! Start of a program in the sandbox beside posix_spawn and bubblewrap, measured side by side in one run.
//!
//! Every round takes all entries in a rotating order, warms each up and times a short batch; medians and 99th
//! percentiles are over all rounds, throughput is two launchers at once. Figures are printed, never asserted.
//! `cargo bench -p evaljob-sandbox --bench start`; needs root and bubblewrap. Environment: ROUNDS (20), BATCH (20).

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use evaljob_sandbox::plan::{HostPlan, JobPlan, RunKind, RunLimits, RunPlan, SeccompProfile};
use evaljob_sandbox::{Interrupt, RunIo, SandboxError, Slot, Spawner};

const TRUE: &str = "/usr/bin/true";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    evaljob_sandbox::maybe_become_spawner();
    let spawner = Spawner::start(HostPlan {
        rootfs: None,
        node_directories: Vec::new(),
        allow_cgroup_v1: true,
        slots: 2,
    })?;
    let rounds = setting("ROUNDS", 20);
    let batch = setting("BATCH", 20);
    let mut sandbox = Sandbox::new(&spawner, 0)?;
    let mut entries: Vec<Entry<'_>> = vec![
        Entry::new(
            "posix_spawn + wait",
            Box::new(|| spawn(&mut Command::new(TRUE))),
        ),
        Entry::new("sandbox, one run", Box::new(|| sandbox.run())),
        Entry::new("bubblewrap", Box::new(|| spawn(&mut bubblewrap()))),
    ];
    for round in 0..rounds {
        let count = entries.len();
        for turn in 0..count {
            let Some(entry) = entries.get_mut((turn + round) % count) else {
                continue;
            };
            for _ in 0..2 {
                (entry.start)()?;
            }
            for _ in 0..batch {
                let begun = Instant::now();
                (entry.start)()?;
                entry.times.push(begun.elapsed());
            }
        }
    }
    print_table(&mut entries);
    drop(entries);
    throughput(&spawner)?;
    memory(&spawner)?;
    Ok(())
}

struct Entry<'a> {
    name: &'static str,
    start: Box<dyn FnMut() -> Result<(), Box<dyn std::error::Error>> + 'a>,
    times: Vec<Duration>,
}

impl<'a> Entry<'a> {
    fn new(
        name: &'static str,
        start: Box<dyn FnMut() -> Result<(), Box<dyn std::error::Error>> + 'a>,
    ) -> Self {
        Self {
            name,
            start,
            times: Vec::new(),
        }
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn print_table(entries: &mut [Entry<'_>]) {
    println!(
        "{:<22} {:>9} {:>9} {:>9} {:>9}",
        "true", "p50 ms", "p99 ms", "x p50", "x p99"
    );
    let mut base = None;
    for entry in entries {
        entry.times.sort_unstable();
        let at = |percent: usize| {
            let index = entry.times.len().saturating_sub(1) * percent / 100;
            entry
                .times
                .get(index)
                .map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        let (p50, p99) = (at(50), at(99));
        let (b50, b99) = *base.get_or_insert((p50, p99));
        println!(
            "{:<22} {p50:>9.3} {p99:>9.3} {:>9.2} {:>9.2}",
            entry.name,
            p50 / b50,
            p99 / b99
        );
    }
}

/// Runs per second of two launchers at once, and CPU time of a run.
#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn throughput(spawner: &Spawner) -> Result<(), Box<dyn std::error::Error>> {
    let window = Duration::from_secs(2);
    let mut counts = [0u64; 2];
    let cpu_before = machine_cpu()?;
    std::thread::scope(|scope| -> Result<(), SandboxError> {
        let mut threads = Vec::new();
        for (number, count) in (0u32..).zip(counts.iter_mut()) {
            let mut sandbox = Sandbox::new(spawner, number)?;
            threads.push(scope.spawn(move || {
                let begun = Instant::now();
                while begun.elapsed() < window && sandbox.run().is_ok() {
                    *count += 1;
                }
            }));
        }
        Ok(())
    })?;
    let runs: u64 = counts.iter().sum();
    let cpu = machine_cpu()? - cpu_before;
    println!(
        "two slots for {} s: {:.0} runs/s, {:.2} CPU-ms a run (whole machine)",
        window.as_secs(),
        f64::from(u32::try_from(runs)?) / window.as_secs_f64(),
        cpu * 1e3 / f64::from(u32::try_from(runs)?.max(1))
    );
    Ok(())
}

/// Busy CPU seconds of the whole machine.
fn machine_cpu() -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .flat_map(str::parse)
        .collect();
    let busy = fields.iter().sum::<f64>()
        - fields.get(3).copied().unwrap_or(0.0)
        - fields.get(4).copied().unwrap_or(0.0);
    Ok(busy / 100.0)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn memory(spawner: &Spawner) -> Result<(), Box<dyn std::error::Error>> {
    let pid = spawner.facts().spawner_pid;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    println!(
        "spawner: resident {}, of it anonymous {}",
        line("VmRSS:"),
        line("RssAnon:")
    );
    Ok(())
}

fn spawn(command: &mut Command) -> Result<(), Box<dyn std::error::Error>> {
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
    command.args([
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--ro-bind",
        "/usr",
        "/usr",
        "--symlink",
        "usr/bin",
        "/bin",
        "--symlink",
        "usr/lib",
        "/lib",
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        "/tmp",
        TRUE,
    ]);
    command
}

struct Sandbox {
    slot: Slot,
    plan: RunPlan,
    interrupt: Interrupt,
}

impl Sandbox {
    fn new(spawner: &Spawner, number: u32) -> Result<Self, SandboxError> {
        let mut slot = spawner.slot(number);
        let job = JobPlan {
            workspace: 64 << 20,
            memory: 256 << 20,
            ..JobPlan::default()
        };
        slot.begin(&job, &[])?;
        let interrupt = Interrupt::new().map_err(|_| SandboxError {
            layer: evaljob_sandbox::Layer::Spawner,
            cause: "no descriptor left".into(),
            way_out: String::new(),
        })?;
        Ok(Self {
            slot,
            plan: plan(),
            interrupt,
        })
    }

    fn run(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let io = RunIo {
            stdin: &[],
            stdout: &mut |_| (),
            stderr: &mut |_| (),
            interrupt: &self.interrupt,
        };
        let facts = self.slot.run(&self.plan, io)?;
        match facts.ending {
            evaljob_sandbox::facts::Ending::Exited(0) => Ok(()),
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

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

//! Start of a program in the sandbox beside posix_spawn and bubblewrap, measured side by side in one run.
//!
//! Latency: every round takes all entries in a rotating order, warms each up and times a short batch; medians and 99th
//! percentiles are over all rounds. Throughput: two launchers at once for a window, all entries in turn, the median of
//! the windows; the CPU time of the whole machine in these windows, divided by the runs, is the cost of a run.
//! Figures and whether they meet their bars are printed, never asserted.
//! `cargo bench -p evaljob-sandbox --bench start`; needs root and bubblewrap. Environment: ROUNDS (30), BATCH (20),
//! WINDOWS (3), SECONDS (2).

mod launchers;
mod machine;

use std::time::{Duration, Instant};

use evaljob_sandbox::Spawner;
use evaljob_sandbox::plan::HostPlan;

use launchers::{Failure, Way};

/// Launchers at once where throughput is measured.
const LAUNCHERS: u32 = 2;
/// Highest p50 of a run, in p50 of posix_spawn.
const BAR_SPAWN: f64 = 4.1;
/// Highest p50 of a run, in p50 of bubblewrap.
const BAR_BUBBLEWRAP: f64 = 1.0;

/// What one way of starting `true` came to.
struct Row {
    way: Way,
    times: Vec<Duration>,
    windows: Vec<Window>,
}

/// Two launchers at once.
struct Window {
    runs: u32,
    seconds: f64,
    cpu_seconds: f64,
}

fn main() -> Result<(), Failure> {
    evaljob_sandbox::maybe_become_spawner();
    let spawner = Spawner::start(HostPlan {
        rootfs: None,
        node_directories: Vec::new(),
        allow_cgroup_v1: true,
        slots: LAUNCHERS,
    })?;
    let busy = machine::busy_share(Duration::from_secs(1))?;
    let mut rows = Way::ALL.map(|way| Row {
        way,
        times: Vec::new(),
        windows: Vec::new(),
    });
    latency(&spawner, &mut rows)?;
    throughput(&spawner, &mut rows)?;
    print(&rows, busy)
}

fn latency(spawner: &Spawner, rows: &mut [Row]) -> Result<(), Failure> {
    let (rounds, batch) = (setting("ROUNDS", 30), setting("BATCH", 20));
    let mut launchers = Vec::new();
    for way in Way::ALL {
        launchers.push(way.launcher(spawner, 0)?);
    }
    let count = rows.len();
    for round in 0..rounds {
        for turn in 0..count {
            let entry = (turn + round) % count;
            let (Some(launcher), Some(row)) = (launchers.get_mut(entry), rows.get_mut(entry))
            else {
                continue;
            };
            for _ in 0..2 {
                launcher.start()?;
            }
            for _ in 0..batch {
                let begun = Instant::now();
                launcher.start()?;
                row.times.push(begun.elapsed());
            }
        }
    }
    for row in rows {
        row.times.sort_unstable();
    }
    Ok(())
}

fn throughput(spawner: &Spawner, rows: &mut [Row]) -> Result<(), Failure> {
    let length = Duration::from_secs(u64::try_from(setting("SECONDS", 2))?);
    for _ in 0..setting("WINDOWS", 3) {
        for row in rows.iter_mut() {
            row.windows.push(window(row.way, spawner, length)?);
        }
    }
    for row in rows {
        row.windows
            .sort_by(|left, right| left.rate().total_cmp(&right.rate()));
    }
    Ok(())
}

fn window(way: Way, spawner: &Spawner, length: Duration) -> Result<Window, Failure> {
    let mut launchers = Vec::new();
    for number in 0..LAUNCHERS {
        let mut launcher = way.launcher(spawner, number)?;
        launcher.start()?;
        launchers.push(launcher);
    }
    let (begun, cpu) = (Instant::now(), machine::busy_seconds()?);
    let runs = std::thread::scope(|scope| {
        let threads: Vec<_> = launchers
            .iter_mut()
            .map(|launcher| {
                scope.spawn(move || -> Result<u32, Failure> {
                    let mut runs = 0;
                    while begun.elapsed() < length {
                        launcher.start()?;
                        runs += 1;
                    }
                    Ok(runs)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err("a launcher panicked".into()))
            })
            .sum::<Result<u32, Failure>>()
    })?;
    Ok(Window {
        runs,
        seconds: begun.elapsed().as_secs_f64(),
        cpu_seconds: machine::busy_seconds()? - cpu,
    })
}

impl Window {
    fn rate(&self) -> f64 {
        f64::from(self.runs) / self.seconds
    }
}

impl Row {
    /// Milliseconds at a percentile.
    fn at(&self, percent: usize) -> f64 {
        let index = self.times.len().saturating_sub(1) * percent / 100;
        self.times
            .get(index)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }

    /// Runs a second in the median window.
    fn rate(&self) -> f64 {
        self.windows
            .get(self.windows.len() / 2)
            .map_or(f64::NAN, Window::rate)
    }

    /// CPU milliseconds of the machine per run.
    fn cpu(&self) -> f64 {
        let cpu: f64 = self.windows.iter().map(|window| window.cpu_seconds).sum();
        let runs: u32 = self.windows.iter().map(|window| window.runs).sum();
        cpu * 1e3 / f64::from(runs)
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn print(rows: &[Row; 3], busy: f64) -> Result<(), Failure> {
    let [spawn, sandbox, bubblewrap] = rows;
    println!("Start of `true`, and its end awaited");
    println!("machine: {}", machine::describe()?);
    println!(
        "method:  {} starts a row, batches interleaved; throughput: {LAUNCHERS} launchers at once; before it began the machine was {:.0} % busy",
        spawn.times.len(),
        busy * 100.0
    );
    println!();
    println!(
        "{:<20} {:>8} {:>8} {:>9} {:>9} {:>9} {:>11}",
        "", "p50 ms", "p99 ms", "x p50", "x p99", "runs/s", "CPU-ms/run"
    );
    for row in rows {
        println!(
            "{:<20} {:>8.2} {:>8.2} {:>9.2} {:>9.2} {:>9.0} {:>11.2}",
            row.way.name(),
            row.at(50),
            row.at(99),
            row.at(50) / spawn.at(50),
            row.at(99) / spawn.at(99),
            row.rate(),
            row.cpu()
        );
    }
    println!();
    println!("{:<44} {:>9} {:>12}", "bar", "measured", "");
    let p50 = sandbox.at(50);
    for (peer, most) in [(spawn, BAR_SPAWN), (bubblewrap, BAR_BUBBLEWRAP)] {
        let name = format!("p50 over {}, at most {most:.1}", peer.way.name());
        let ratio = p50 / peer.at(50);
        let met = if ratio <= most { "met" } else { "not met" };
        println!("{name:<44} {ratio:>9.2} {met:>12}");
    }
    Ok(())
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

//! Start of programs in the sandbox beside posix_spawn and bubblewrap, measured side by side in one run.
//!
//! Latency: every round takes all entries in a rotating order, warms each up and times a short batch; medians and 99th
//! percentiles are over all rounds. Throughput, of `true` alone: two launchers at once for a window, all entries in turn, the
//! median of the windows; the CPU time of the whole machine in these windows, divided by the runs, is the cost of a run.
//! Phases are the worker's own stamps; what they leave of the whole is the agent's part: orders, streams, wake-ups.
//! Figures and whether they meet their bars are printed, never asserted.
//! `cargo bench --workspace --bench start`; needs root, bubblewrap and python3. Environment: ROUNDS (30), BATCH (20),
//! WINDOWS (3), SECONDS (2), PICTURE (a file for the medians as SVG).

mod launchers;
mod machine;
mod picture;
mod rows;

use std::time::{Duration, Instant};

use evaljob_sandbox::Spawner;
use evaljob_sandbox::plan::HostPlan;

use launchers::{Failure, Launcher, PROGRAMS, Program, Way};
use rows::{PARTS, Row, Window};

/// Launchers at once where throughput is measured.
const LAUNCHERS: u32 = 2;

fn main() -> Result<(), Failure> {
    evaljob_sandbox::maybe_become_spawner();
    let spawner = Spawner::start(HostPlan {
        rootfs: None,
        node_directories: Vec::new(),
        allow_cgroup_v1: true,
        slots: LAUNCHERS,
    })?;
    let busy = machine::busy_share(Duration::from_secs(1))?;
    let mut rows = Vec::new();
    for program in &PROGRAMS {
        let first = rows.len();
        rows.extend(Way::ALL.map(|way| Row::new(program, way)));
        latency(&spawner, rows.get_mut(first..).unwrap_or_default())?;
    }
    let trivial = rows.get_mut(..Way::ALL.len()).unwrap_or_default();
    throughput(&spawner, trivial)?;
    print(&rows, busy)?;
    if let Some(path) = std::env::var_os("PICTURE") {
        let shown: Vec<&Row> = rows.iter().take(Way::ALL.len()).collect();
        std::fs::write(path, picture::draw(&shown, &machine::describe()?)?)?;
    }
    Ok(())
}

fn latency(spawner: &Spawner, rows: &mut [Row]) -> Result<(), Failure> {
    let (rounds, batch) = (setting("ROUNDS", 30), setting("BATCH", 20));
    let mut launchers = Vec::new();
    for row in rows.iter() {
        launchers.push(row.way.launcher(row.program, spawner, 0)?);
    }
    let count = rows.len();
    for round in 0..rounds {
        for turn in 0..count {
            let entry = (turn + round) % count;
            if let (Some(launcher), Some(row)) = (launchers.get_mut(entry), rows.get_mut(entry)) {
                time(launcher, row, batch)?;
            }
        }
    }
    for row in rows {
        row.times.sort_unstable();
    }
    Ok(())
}

/// A batch, after two starts that do not count.
fn time(launcher: &mut Launcher, row: &mut Row, batch: usize) -> Result<(), Failure> {
    for _ in 0..2 {
        launcher.start()?;
    }
    for _ in 0..batch {
        let begun = Instant::now();
        let phases = launcher.start()?;
        row.times.push(begun.elapsed());
        row.phases.extend(phases);
    }
    Ok(())
}

fn throughput(spawner: &Spawner, rows: &mut [Row]) -> Result<(), Failure> {
    let length = Duration::from_secs(u64::try_from(setting("SECONDS", 2))?);
    for _ in 0..setting("WINDOWS", 3) {
        for row in rows.iter_mut() {
            row.windows
                .push(window(row.way, row.program, spawner, length)?);
        }
    }
    for row in rows {
        row.windows
            .sort_by(|left, right| left.rate().total_cmp(&right.rate()));
    }
    Ok(())
}

fn window(
    way: Way,
    program: &'static Program,
    spawner: &Spawner,
    length: Duration,
) -> Result<Window, Failure> {
    let mut launchers = Vec::new();
    for number in 0..LAUNCHERS {
        let mut launcher = way.launcher(program, spawner, number)?;
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

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn print(rows: &[Row], busy: f64) -> Result<(), Failure> {
    println!("Start of a program, and its end awaited");
    println!("machine: {}", machine::describe()?);
    println!(
        "method:  {} starts a row, batches interleaved; throughput: {LAUNCHERS} launchers at once; before it began the machine was {:.0} % busy",
        rows.first().map_or(0, |row| row.times.len()),
        busy * 100.0
    );
    println!();
    println!(
        "{:<8} {:<20} {:>8} {:>8} {:>8} {:>8} {:>8} {:>11}",
        "", "", "p50 ms", "p99 ms", "x p50", "x p99", "runs/s", "CPU-ms/run"
    );
    for group in rows.chunks(Way::ALL.len()) {
        let Some(spawn) = group.first() else { continue };
        for row in group {
            print!(
                "{:<8} {:<20} {:>8.2} {:>8.2} {:>8.2} {:>8.2}",
                row.program.name,
                row.way.name(),
                row.at(50),
                row.at(99),
                row.at(50) / spawn.at(50),
                row.at(99) / spawn.at(99)
            );
            if row.windows.is_empty() {
                println!();
            } else {
                println!(" {:>8.0} {:>11.2}", row.rate(), row.cpu());
            }
        }
    }
    if let [spawn, sandbox, bubblewrap, .., slow_spawn, slow, _] = rows {
        println!();
        phases(rows);
        println!();
        println!("{:<52} {:>9} {:>12}", "bar", "measured", "");
        let ratio = |of: fn(&Row) -> f64| of(sandbox) / of(spawn);
        bar(
            "p50 over posix_spawn, at most 4.1",
            ratio(|row| row.at(50)),
            |x| x <= 4.1,
        );
        bar(
            "p99 over posix_spawn, at most 8",
            ratio(|row| row.at(99)),
            |x| x <= 8.0,
        );
        bar(
            "runs/s of posix_spawn's, at least 0.23",
            ratio(Row::rate),
            |x| x >= 0.23,
        );
        bar(
            "CPU of a run over posix_spawn's, at most 4.4",
            ratio(Row::cpu),
            |x| x <= 4.4,
        );
        let python = slow.at(50) / slow_spawn.at(50);
        bar(
            "p50 of python3 over posix_spawn, at most 1.15",
            python,
            |x| x <= 1.15,
        );
        let peer = bubblewrap.at(50) / sandbox.at(50);
        bar("p50 of bubblewrap over it, at least 1.9", peer, |x| {
            x >= 1.9
        });
    }
    Ok(())
}

/// A line for each phase, a column for each program.
#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn phases(rows: &[Row]) {
    let sandboxed: Vec<&Row> = rows.iter().filter(|row| row.way == Way::Sandbox).collect();
    let cell = |text: &str| print!(" {text:>9}");
    print!("{:<24}", "phases of a run, µs");
    sandboxed.iter().for_each(|row| cell(row.program.name));
    println!();
    let columns: Vec<_> = sandboxed.iter().map(|row| row.parts()).collect();
    for (at, (name, _)) in columns.iter().flatten().take(PARTS).enumerate() {
        print!("  {name:<22}");
        let times = columns.iter().filter_map(|parts| parts.get(at));
        times.for_each(|(_, time)| cell(&format!("{time:.0}")));
        println!();
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn bar(name: &str, figure: f64, is_met: fn(f64) -> bool) {
    let met = if is_met(figure) { "met" } else { "not met" };
    println!("{name:<52} {figure:>9.2} {met:>12}");
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

//! What judging measures beside known amounts and beside /usr/bin/time -v, how far runs get beyond their limits, and
//! what a job of many tests costs beside bare runs of the sandbox.
//!
//! All through `judge`, as the agent does it; figures of EvalJob are those of a status, in whole milliseconds. Rows are
//! taken in turn. Printed with their bars, never asserted. Debian 12 packages no other judge's meter (isolate is in none
//! of its archives).
//! `cargo bench -p evaljob-agent --bench judging`; needs root, gcc and Debian's package time. Environment: ROUNDS (10).

mod bench;
#[path = "../../sandbox/benches/start/machine.rs"]
mod machine;
mod overhead;
mod peer;

use std::time::Duration;

use bench::{Bench, Failure, figures, printed};

/// A figure of EvalJob and of /usr/bin/time for a known amount.
struct Row {
    name: String,
    /// Distance from the known amount in each round, in the unit of the name.
    ours: Vec<f64>,
    theirs: Vec<f64>,
    bar: f64,
}

/// How far beyond a limit the figure of a run is that met it.
struct Overshoot {
    name: &'static str,
    beyond: Vec<f64>,
}

/// Highest milliseconds beyond a limit, on an idle machine.
const BAR_OVERSHOOT: f64 = 20.0;

fn main() -> Result<(), Failure> {
    evaljob_sandbox::maybe_become_spawner();
    let rounds = std::env::var("ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let rounds = rounds.unwrap_or(10);
    let bench = Bench::new()?;
    let busy = machine::busy_share(Duration::from_secs(1))?;
    let accuracy = accuracy(&bench, rounds)?;
    let overshoots = overshoots(&bench, rounds)?;
    let overhead = overhead::measure(&bench, rounds)?;
    print(&accuracy, &overshoots, &overhead, busy)
}

/// What is measured: name, arguments of the program, which figure, the unit of what the program prints in that of the
/// figure, the share of the amount and the least that the bar allows.
const KNOWN: [(&str, &str, &str, usize, f64, f64, f64); 7] = [
    ("CPU time", "cpu", "20", 0, 1e3, 0.01, 2.0),
    ("CPU time", "cpu", "200", 0, 1e3, 0.01, 2.0),
    ("CPU time", "cpu", "1000", 0, 1e3, 0.01, 2.0),
    ("wall time", "sleep", "20", 1, 1e3, 0.0, 2.0),
    ("wall time", "sleep", "500", 1, 1e3, 0.0, 2.0),
    ("peak", "memory", "8", 2, 1_048_576.0, 0.02, 1.0),
    ("peak", "memory", "128", 2, 1_048_576.0, 0.02, 1.0),
];

fn accuracy(bench: &Bench, rounds: usize) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (name, what, amount, figure, unit, share, least) in KNOWN {
        let job = bench.metered(&format!("{what}, '{amount}'"), "cpuTimeMilliseconds: 10000")?;
        let unit_name = if figure == 2 { "MiB" } else { "ms" };
        let mut row = Row {
            name: format!("{name}, {amount} {unit_name}"),
            ours: Vec::new(),
            theirs: Vec::new(),
            bar: (share * amount.parse::<f64>()?).max(least),
        };
        // The first pair warms the page cache and does not count.
        for round in 0..=rounds {
            let (status, _) = bench.judge(&job)?;
            let ours = value(&figures(&status)?, figure) - printed(&status)? / unit;
            let (theirs, own) = peer::time(&bench.meter(), &[what, amount])?;
            if round > 0 {
                row.ours.push(ours);
                row.theirs.push(value(&theirs, figure) - own / unit);
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

fn value(figures: &[f64; 3], index: usize) -> f64 {
    figures.get(index).copied().unwrap_or(f64::NAN)
}

fn overshoots(bench: &Bench, rounds: usize) -> Result<Vec<Overshoot>, Failure> {
    let cpu = "cpuTimeMilliseconds: 200, wallTimeMilliseconds: 20000";
    let wall = "cpuTimeMilliseconds: 10000, wallTimeMilliseconds: 200";
    let both = |limits| format!("{limits}, cpus: 2");
    let rows = [
        ("CPU limit, 1 spinning", "spin, '1'", cpu.to_owned(), 0),
        ("CPU limit, 16 spinning", "spin, '16'", cpu.to_owned(), 0),
        ("CPU limit, 16 spinning, 2 CPUs", "spin, '16'", both(cpu), 0),
        ("wall limit, waiting", "sleep, '60000'", wall.to_owned(), 1),
        ("wall limit, 1 spinning", "spin, '1'", wall.to_owned(), 1),
    ];
    let mut overshoots = Vec::new();
    for (name, arguments, limits, figure) in rows {
        let job = bench.metered(arguments, &limits)?;
        let mut beyond = Vec::new();
        for _ in 0..rounds {
            let (status, _) = bench.judge(&job)?;
            beyond.push(value(&figures(&status)?, figure) - 200.0);
        }
        overshoots.push(Overshoot { name, beyond });
    }
    Ok(overshoots)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn print(
    accuracy: &[Row],
    overshoots: &[Overshoot],
    overhead: &overhead::Overhead,
    busy: f64,
) -> Result<(), Failure> {
    println!("Figures of a status beside known amounts");
    println!("machine: {}", machine::describe()?);
    let rounds = accuracy.first().map_or(0, |row| row.ours.len());
    println!(
        "method:  {rounds} rounds a row, in turn; distances from the amount, median and worst; before it began the machine was {:.0} % busy",
        busy * 100.0
    );
    println!();
    println!(
        "{:<32} {:>9} {:>9} {:>12} {:>11} {:>9} {:>9}",
        "", "median", "worst", "time -v med", "time -v wor", "bar", ""
    );
    for row in accuracy {
        println!(
            "{:<32} {:>9.2} {:>9.2} {:>12.2} {:>11.2} {:>9.2} {:>9}",
            row.name,
            median(&row.ours),
            worst(&row.ours),
            median(&row.theirs),
            worst(&row.theirs),
            row.bar,
            met(worst(&row.ours).abs() <= row.bar)
        );
    }
    for row in overshoots {
        println!(
            "{:<32} {:>9.2} {:>9.2} {:>12} {:>11} {:>9.2} {:>9}",
            format!("beyond {}, ms", row.name),
            median(&row.beyond),
            worst(&row.beyond),
            "-",
            "-",
            BAR_OVERSHOOT,
            met(worst(&row.beyond) <= BAR_OVERSHOOT)
        );
    }
    overhead.print();
    Ok(())
}

/// Whether a bar was reached, in words.
pub(crate) fn met(met: bool) -> &'static str {
    if met { "met" } else { "not met" }
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The one farthest from zero.
fn worst(values: &[f64]) -> f64 {
    let farthest = values
        .iter()
        .copied()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()));
    farthest.unwrap_or(f64::NAN)
}

//! What machine a figure belongs to, and how busy it is; all from /proc.

use std::fs;
use std::io;
use std::time::Duration;

/// One line: CPUs, memory, kernel.
pub(crate) fn describe() -> io::Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |rest| {
            rest.trim_start_matches(['\t', ' ', ':'])
        });
    let count = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!("{count} x {model}, Linux {}", kernel.trim()))
}

/// Seconds that all CPUs together have worked since the machine started.
pub(crate) fn busy_seconds() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .take(8) // guest time is counted in user time
        .flat_map(str::parse)
        .collect();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    Ok((ticks.iter().sum::<f64>() - idle) / 100.0)
}

/// The share of all CPUs that was in use over `length`, 0 to 1.
pub(crate) fn busy_share(length: Duration) -> io::Result<f64> {
    let before = busy_seconds()?;
    std::thread::sleep(length);
    let busy = busy_seconds()? - before;
    let cpus = f64::from(u32::try_from(std::thread::available_parallelism()?.get()).unwrap_or(1));
    Ok(busy / (length.as_secs_f64() * cpus))
}

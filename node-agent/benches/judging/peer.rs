//! /usr/bin/time -v, which people measure programs with by hand.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::bench::Failure;

/// What it says of one run: milliseconds of CPU time, of wall time, mebibytes of the peak; and what the program printed.
pub(crate) fn time(meter: &Path, arguments: &[&str]) -> Result<([f64; 3], f64), Failure> {
    let output = Command::new("/usr/bin/time")
        .arg("-v")
        .arg(meter)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("/usr/bin/time: {error}; apt-get install time"))?;
    let report = String::from_utf8(output.stderr)?;
    let field = |name: &str| -> Result<&str, Failure> {
        let line = report
            .lines()
            .find_map(|line| line.trim().strip_prefix(name));
        Ok(line
            .ok_or_else(|| format!("no {name:?} in {report}"))?
            .trim())
    };
    let user: f64 = field("User time (seconds):")?.parse()?;
    let system: f64 = field("System time (seconds):")?.parse()?;
    // m:ss.cc
    let (minutes, seconds) = field("Elapsed (wall clock) time (h:mm:ss or m:ss):")?
        .split_once(':')
        .ok_or("no elapsed time")?;
    let wall = 60.0 * minutes.parse::<f64>()? + seconds.parse::<f64>()?;
    let peak: f64 = field("Maximum resident set size (kbytes):")?.parse()?;
    let own = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(([(user + system) * 1e3, wall * 1e3, peak / 1024.0], own))
}

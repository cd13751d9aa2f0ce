//! Resident memory and CPU time of processes, as the kernel has them in /proc.
//!
//! In: process ids of the own PID namespace. Out: bytes and seconds. A process that ends while it is looked at is left
//! out; it is never an error that one is gone, except where a single one is asked for.

use std::fs;

use anyhow::{Context, Result};

/// Clock ticks a second of /proc/PID/stat: 100 on every Linux architecture (USER_HZ).
const TICKS: f64 = 100.0;

/// What /proc/PID/stat says.
#[derive(Debug, Clone, PartialEq)]
struct Stat {
    name: String,
    parent: u32,
    cpu_seconds: f64,
}

/// Bytes of memory that are resident now.
///
/// # Errors
/// The process is gone.
pub fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone"))?;
    resident_in(&status).with_context(|| format!("process {pid} has no memory"))
}

/// Bytes of memory that are its share: what it has with others is divided among them.
///
/// # Errors
/// The process is gone.
pub fn proportional(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .with_context(|| format!("process {pid} is gone"))?;
    kibibytes_in(&rollup, "Pss:").with_context(|| format!("process {pid} has no memory"))
}

fn resident_in(status: &str) -> Option<u64> {
    kibibytes_in(status, "VmRSS:")
}

/// Bytes of the line that begins so.
fn kibibytes_in(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes = line.trim().strip_suffix(" kB")?.trim();
    Some(kibibytes.parse::<u64>().ok()? << 10)
}

/// The children of a process.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let all = all().into_iter();
    all.filter(|(_, stat)| stat.parent == pid)
        .map(|(child, _)| child)
        .collect()
}

/// A process and everything below it.
#[must_use]
pub fn tree(pid: u32) -> Vec<u32> {
    let all = all();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let below = all.iter().filter(|(_, stat)| stat.parent == parent);
        found.extend(below.map(|(child, _)| *child));
        next += 1;
    }
    found
}

/// Processes of this name, which the kernel cuts to 15 bytes.
#[must_use]
pub fn named(name: &str) -> Vec<u32> {
    let all = all().into_iter();
    all.filter(|(_, stat)| stat.name == name)
        .map(|(pid, _)| pid)
        .collect()
}

/// CPU seconds of these processes and of the children they have waited for.
#[must_use]
pub fn cpu_seconds(pids: &[u32]) -> f64 {
    pids.iter()
        .filter_map(|pid| Some(stat(*pid)?.cpu_seconds))
        .sum()
}

fn all() -> Vec<(u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// proc_pid_stat(5); the name may hold anything, a closing parenthesis too.
fn parse(text: &str) -> Option<Stat> {
    let (head, rest) = text.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11..15)?; // utime, stime, cutime, cstime
    let ticks: f64 = ticks
        .iter()
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Some(Stat {
        name: name.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        cpu_seconds: ticks / TICKS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name_holds() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 25 75 20 0 1 0 99 0 0";
        let expected = Stat {
            name: "a) b (c".into(),
            parent: 7,
            cpu_seconds: 3.0,
        };
        assert_eq!(parse(line), Some(expected));
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    9 kB\nVmRSS:\t    1832 kB\nRssAnon:\t 2 kB\n";
        assert_eq!(resident_in(status), Some(1832 << 10));
    }

    #[test]
    fn a_process_is_in_its_own_tree_with_its_children() -> Result<()> {
        let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
        let me = std::process::id();
        let (tree, below) = (tree(me), children(me));
        let memory = resident(child.id());
        child.kill()?;
        child.wait()?;
        assert!(tree.contains(&me) && tree.contains(&child.id()));
        assert!(below.contains(&child.id()));
        assert!(memory? > 0);
        Ok(())
    }
}

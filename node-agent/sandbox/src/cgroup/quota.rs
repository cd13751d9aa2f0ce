//! How many CPUs this container may use: its own limit and its affinity.
//!
//! In: the cgroup we were started in and its ancestors, as far as they are visible. Out: whole CPUs, at least one: a
//! run that holds a slot is to have a CPU. Sources: the kernel's `admin-guide/cgroup-v2.rst` (cpu.max),
//! `scheduler/sched-bwc.rst` (cpu.cfs_quota_us), sched_getaffinity(2).

use super::dir::Dir;
use super::error::CgroupError;
use super::layout::{Hierarchy, Layout, Sources};
use crate::facts::CgroupVersion;

/// CPUs that this process and its children may use side by side.
#[must_use]
pub fn cpus() -> u32 {
    let affinity = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
    // On a machine that is refused later the number does not matter.
    let limit = Layout::discover(&Sources::default(), true).and_then(|layout| layout.cpu_limit());
    let limit = limit.ok().flatten().unwrap_or(u32::MAX);
    affinity.min(limit).max(1)
}

impl Layout {
    /// Whole CPUs that the lowest limit of our cgroup and of its visible ancestors leaves; `None` without a limit.
    ///
    /// # Errors
    /// The file and the errno.
    pub fn cpu_limit(&self) -> Result<Option<u32>, CgroupError> {
        let carries = |hierarchy: &&Hierarchy| hierarchy.controllers.contains(&"cpu");
        let Some(hierarchy) = self.hierarchies().iter().find(carries) else {
            return Ok(None);
        };
        let mut lowest: Option<u32> = None;
        for directory in hierarchy.up() {
            let dir = Dir::open(directory)?;
            let limit = match self.version() {
                CgroupVersion::V2 => dir.read_if_present("cpu.max")?,
                CgroupVersion::V1 => v1(&dir)?,
            };
            if let Some(limit) = limit.as_deref().and_then(whole) {
                lowest = Some(lowest.map_or(limit, |lowest| lowest.min(limit)));
            }
        }
        Ok(lowest)
    }
}

/// Quota and period in the form of cpu.max.
fn v1(dir: &Dir) -> Result<Option<String>, CgroupError> {
    let quota = dir.read_if_present("cpu.cfs_quota_us")?;
    let period = dir.read_if_present("cpu.cfs_period_us")?;
    Ok(quota
        .zip(period)
        .map(|(quota, period)| format!("{quota} {period}")))
}

/// Whole CPUs of `QUOTA PERIOD`; `None` for `max` or -1.
fn whole(text: &str) -> Option<u32> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    u32::try_from(quota.checked_div(period)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_whole_cpus_and_its_absence_none() {
        let rows = [
            ("max 100000", None),
            ("-1 100000", None),
            ("400000 100000", Some(4)),
            ("250000 100000", Some(2)),
            ("50000 100000", Some(0)),
            ("50000 0", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(whole(text), expected, "{text:?}");
        }
    }

    #[test]
    fn there_is_always_a_cpu() {
        assert!(cpus() >= 1);
    }
}

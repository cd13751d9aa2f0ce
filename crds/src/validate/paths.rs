//! Rules for paths a manifest names. All are about text; no file system is asked.

use crate::bounds;
use crate::field::{Path, Report};
use crate::spec::{File, Volume};

/// Places of the run's own, which no volume may cover or enter.
pub(crate) const RESERVED: [&str; 7] = ["/work", "/tmp", "/dev", "/proc", "/sys", "/home", "/etc"];

/// A path relative to /work.
pub(crate) fn workspace_path(report: &mut Report, at: &Path<'_>, path: &str) {
    if path.starts_with('/') {
        report.add(at, format!("must be relative to /work, is {path:?}"));
        return;
    }
    components(report, at, path, path);
}

/// An absolute path without surprises; true when it is one.
pub(crate) fn absolute_path(report: &mut Report, at: &Path<'_>, path: &str) -> bool {
    match path.strip_prefix('/') {
        Some("") => true,
        Some(rest) => components(report, at, path, rest),
        None => {
            report.add(at, format!("must be an absolute path, is {path:?}"));
            false
        }
    }
}

fn components(report: &mut Report, at: &Path<'_>, path: &str, relative: &str) -> bool {
    let before = report.errors.len();
    report.bytes(at, path, bounds::PATH);
    let clean = relative
        .split('/')
        .all(|component| !matches!(component, "" | "." | ".."));
    report.check(clean, at, || {
        format!("must have no empty, `.` or `..` component, is {path:?}")
    });
    report.check(!path.chars().any(char::is_control), at, || {
        format!("must have no control character, is {path:?}")
    });
    let longest = relative.split('/').map(str::len).max().unwrap_or(0);
    report.check(longest <= bounds::COMPONENT, at, || {
        format!(
            "must have components of at most {} bytes, has one of {longest}",
            bounds::COMPONENT
        )
    });
    report.errors.len() == before
}

/// Where a volume may be mounted.
pub(crate) fn mount_path(report: &mut Report, at: &Path<'_>, path: &str) {
    if !absolute_path(report, at, path) {
        return;
    }
    report.check(path != "/", at, || "must not be /".to_owned());
    if let Some(place) = RESERVED.iter().find(|place| is_within(path, place)) {
        report.add(
            at,
            format!("must not be {place} or below it, is {path:?} (hint: /opt, /mnt, /data)"),
        );
    }
}

/// Volumes lie side by side, never one in another.
pub(crate) fn separate_mounts(report: &mut Report, list: &Path<'_>, volumes: &[Volume]) {
    for (index, volume) in volumes.iter().enumerate() {
        let inside = volumes.iter().enumerate().find(|(other, outer)| {
            *other != index
                && is_within(&volume.mount_path, &outer.mount_path)
                // Of two equal paths the later one is wrong.
                && (volume.mount_path != outer.mount_path || *other < index)
        });
        if let Some((_, outer)) = inside {
            report.add(
                &list.index(index).field("mountPath"),
                format!(
                    "must not be inside the volume {:?} at {:?}",
                    outer.name, outer.mount_path
                ),
            );
        }
    }
}

/// Every path once, and none both file and directory.
pub(crate) fn distinct_files(report: &mut Report, list: &Path<'_>, files: &[File]) {
    for (index, file) in files.iter().enumerate() {
        let at = list.index(index);
        let same = files
            .iter()
            .take(index)
            .any(|other| other.path == file.path);
        report.check(!same, &at.field("path"), || {
            format!("must be unique, {:?} is there already", file.path)
        });
        let directory = files
            .iter()
            .find(|other| other.path != file.path && is_within(&other.path, &file.path));
        if let Some(other) = directory {
            report.add(
                &at.field("path"),
                format!(
                    "{:?} cannot be both a file and a directory, which {:?} makes it",
                    file.path, other.path
                ),
            );
        }
    }
}

/// Whether `path` is `outer` or below it.
fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

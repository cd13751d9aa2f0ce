//! What a run sees of an image: its top-level directories and links, and our own files of /etc.
//!
//! Two kinds: the machine's system directories, of whose /etc only one short list is shown, and a directory given
//! by `--rootfs`, shown whole but for the places that are the run's own.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::XattrFlags;

use crate::error::{Context, Layer, SandboxError};

/// Top-level directories of a machine that hold programs and libraries.
const SYSTEM: [&str; 8] = [
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc",
];

/// What a run without image sees of the machine's /etc; a trailing `*` stands for any ending.
const MACHINE_ETC: [&str; 6] = [
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "java-*",
    "python3*",
];

/// Top-level entries of a rootfs directory that the run has as its own, or must not see.
const RESERVED: [&str; 12] = [
    "dev",
    "proc",
    "sys",
    "work",
    "tmp",
    "home",
    "run",
    "root",
    "boot",
    "mnt",
    "media",
    "lost+found",
];

const PASSWD: &str = "root:x:0:0:root:/root:/usr/sbin/nologin\njob:x:1000:1000:job:/home:/bin/sh\n\
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\njob:x:1000:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 job\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files\n";

/// An image, described.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// Top-level directories that are shown.
    pub(crate) directories: Vec<String>,
    /// Top-level symbolic links: name and target.
    pub(crate) links: Vec<(String, String)>,
    machine: bool,
}

impl Image {
    /// The machine's system directories.
    pub(crate) fn machine() -> Result<Self, SandboxError> {
        Self::describe(Path::new("/"), true)
    }

    /// A directory.
    pub(crate) fn directory(path: &Path) -> Result<Self, SandboxError> {
        Self::describe(path, false)
            .map_err(|error| error.hint("--rootfs takes a directory with the files of an image"))
    }

    fn describe(root: &Path, machine: bool) -> Result<Self, SandboxError> {
        let context = || format!("read the root file system {}", root.display());
        let mut directories = Vec::new();
        let mut links = Vec::new();
        for entry in fs::read_dir(root).or_layer(Layer::Rootfs, context)? {
            let entry = entry.or_layer(Layer::Rootfs, context)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let shown = if machine {
                SYSTEM.contains(&name.as_str())
            } else {
                !RESERVED.contains(&name.as_str()) && !name.starts_with('.')
            };
            let kind = entry.file_type().or_layer(Layer::Rootfs, context)?;
            if shown && kind.is_dir() {
                directories.push(name);
            } else if shown && kind.is_symlink() {
                let target = fs::read_link(entry.path()).or_layer(Layer::Rootfs, context)?;
                if let Ok(target) = target.into_os_string().into_string() {
                    links.push((name, target));
                }
            }
        }
        // Ours exists in every image: it holds passwd, group, hosts and nsswitch.conf.
        if !directories.iter().any(|name| name == "etc") {
            directories.push("etc".into());
        }
        directories.sort();
        links.sort();
        links.retain(|(name, _)| name != "etc");
        Ok(Self {
            directories,
            links,
            machine,
        })
    }

    /// Whether there is anything beside /etc, which every container has.
    pub(crate) fn has_programs(&self) -> bool {
        self.directories.iter().any(|name| name != "etc") || !self.links.is_empty()
    }

    /// Whether `name` is one of its top-level directories.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.directories.iter().any(|known| known == name)
    }

    /// `path` (relative) with a leading top-level link replaced by its target.
    pub(crate) fn resolve(&self, path: &str) -> String {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match self.links.iter().find(|(name, _)| name == first) {
            Some((_, target)) => {
                let target = target.trim_start_matches('/');
                if rest.is_empty() {
                    target.to_owned()
                } else {
                    format!("{target}/{rest}")
                }
            }
            None => path.to_owned(),
        }
    }

    /// Writes the layer that lies over the image: our files of /etc, and for the machine the listed ones.
    pub(crate) fn write_ours(&self, layer: &Path) -> Result<(), SandboxError> {
        let etc = layer.join("etc");
        let context = || "write the run's /etc".to_owned();
        fs::create_dir(&etc).or_layer(Layer::Rootfs, context)?;
        if self.machine {
            // Opaque: of the machine's own /etc nothing else shows through.
            rustix::fs::setxattr(&etc, "trusted.overlay.opaque", b"y", XattrFlags::empty())
                .or_layer(Layer::Rootfs, context)?;
            for entry in fs::read_dir("/etc").or_layer(Layer::Rootfs, context)? {
                let entry = entry.or_layer(Layer::Rootfs, context)?;
                let name = entry.file_name();
                if name.to_str().is_some_and(is_listed) {
                    copy(&entry.path(), &etc.join(&name)).or_layer(Layer::Rootfs, context)?;
                }
            }
        }
        let files = [
            ("passwd", PASSWD),
            ("group", GROUP),
            ("hosts", HOSTS),
            ("nsswitch.conf", NSSWITCH),
        ];
        for (name, content) in files {
            fs::write(etc.join(name), content).or_layer(Layer::Rootfs, context)?;
        }
        Ok(())
    }
}

fn is_listed(name: &str) -> bool {
    MACHINE_ETC
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *pattern,
        })
}

/// Copies a tree; files that are not world-readable are left out, for a run could not have read them either.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let kind = fs::symlink_metadata(from)?;
    if kind.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if kind.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if kind.is_file() && kind.permissions().mode() & 0o004 != 0 {
        fs::copy(from, to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_entries_of_the_machines_etc_are_shown() {
        for name in [
            "alternatives",
            "ld.so.conf.d",
            "java-17-openjdk",
            "python3.11",
        ] {
            assert!(is_listed(name), "{name}");
        }
        for name in [
            "shadow",
            "passwd",
            "ssh",
            "ld.so.preload",
            "kubernetes",
            "python2",
        ] {
            assert!(!is_listed(name), "{name}");
        }
    }

    #[test]
    fn an_empty_image_is_no_root_file_system() {
        let image = |directories: &[&str], links: &[&str]| Image {
            directories: directories.iter().map(|&name| name.into()).collect(),
            links: links
                .iter()
                .map(|&name| (name.into(), "usr".into()))
                .collect(),
            machine: true,
        };
        assert!(!image(&["etc"], &[]).has_programs());
        assert!(image(&["bin", "etc"], &[]).has_programs());
        assert!(image(&["etc"], &["bin"]).has_programs());
    }

    #[test]
    fn a_mount_path_below_a_link_is_resolved() {
        let image = Image {
            directories: vec!["usr".into()],
            links: vec![("lib".into(), "usr/lib".into())],
            machine: true,
        };
        assert_eq!(image.resolve("lib/x/y"), "usr/lib/x/y");
        assert_eq!(image.resolve("opt/x"), "opt/x");
        assert_eq!(image.resolve("lib"), "usr/lib");
    }
}

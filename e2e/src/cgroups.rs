//! The cgroups of a run's nodes: one directory of our own in every hierarchy, and all Pods below it.
//!
//! In: a name, chosen by the outer process. Out: directories for kubelets; at the end, or where an earlier run was
//! killed, none of them is left. It never moves a process, and never touches a cgroup that is not below its own.
//! Sources: the kernel's `admin-guide/cgroup-v1/` (cpuset's files are empty at first) and `cgroup-v2.rst`.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

use anyhow::{Context, Result, bail};

/// Set for the inner process: name of the run's directory in every hierarchy.
pub(crate) const NAME: &str = "EVALJOB_E2E_CGROUP";
const PREFIX: &str = "evaljob-e2e-";

/// The directory of this run.
#[derive(Debug)]
pub struct Root {
    name: String,
    hierarchies: Vec<PathBuf>,
}

/// A name no other run has, which says whose it is: PID namespace and PID of the outer process.
pub(crate) fn new_name() -> Result<String> {
    Ok(format!("{}{}", own_prefix()?, std::process::id()))
}

/// PIDs mean something only beside the namespace they are of.
fn own_prefix() -> Result<String> {
    let namespace = fs::read_link("/proc/self/ns/pid")?;
    let namespace = namespace.to_string_lossy();
    let number: String = namespace.chars().filter(char::is_ascii_digit).collect();
    Ok(format!("{PREFIX}{number}-"))
}

impl Root {
    /// Makes it in every hierarchy.
    ///
    /// # Errors
    /// This is not the inner process, or the directories cannot be made.
    pub fn of_this_run() -> Result<Self> {
        let name = env::var(NAME).context("not inside the namespaces of a run")?;
        let root = Self {
            name: name.clone(),
            hierarchies: hierarchies()?,
        };
        root.make(Path::new(&name))?;
        Ok(root)
    }

    /// Makes a cgroup below it; returns its path from the hierarchies' roots, with a leading slash.
    ///
    /// # Errors
    /// The directories cannot be made.
    pub fn child(&self, name: &str) -> Result<PathBuf> {
        let path = Path::new(&self.name).join(name);
        self.make(&path)?;
        Ok(Path::new("/").join(path))
    }

    fn make(&self, path: &Path) -> Result<()> {
        for hierarchy in &self.hierarchies {
            let directory = hierarchy.join(path);
            fs::create_dir_all(&directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
            let parent = directory.parent().unwrap_or(hierarchy);
            for file in ["cpuset.cpus", "cpuset.mems"] {
                // v1 alone: there a cpuset without CPUs takes no process.
                if hierarchy.join("cgroup.procs").is_file() && hierarchy.ends_with("cpuset") {
                    fs::write(directory.join(file), fs::read(parent.join(file))?)?;
                }
            }
            let controllers = fs::read_to_string(directory.join("cgroup.controllers"));
            for controller in controllers.unwrap_or_default().split_ascii_whitespace() {
                fs::write(
                    directory.join("cgroup.subtree_control"),
                    format!("+{controller}"),
                )?;
            }
        }
        Ok(())
    }
}

/// Mount points of all hierarchies, v1 and v2.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let found: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let kind = after.split(' ').next()?;
            let mut fields = before.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            (kind.starts_with("cgroup") && root == "/").then(|| PathBuf::from(point))
        })
        .collect();
    if found.is_empty() {
        bail!(
            "no cgroup hierarchy is mounted with its root (hint: a kubelet needs the machine's own cgroups)"
        );
    }
    Ok(found)
}

/// PIDs below a cgroup that [`Root::child`] made, each once.
///
/// # Errors
/// A hierarchy cannot be read.
pub fn processes(cgroup: &Path) -> Result<Vec<i32>> {
    let path = cgroup.strip_prefix("/").unwrap_or(cgroup);
    let mut found = Vec::new();
    for hierarchy in hierarchies()? {
        for directory in tree(&hierarchy.join(path)) {
            let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Removes the run's cgroups, and those of runs whose outer process is no longer there.
///
/// # Errors
/// One of the run's own is still there after some seconds.
pub(crate) fn remove(name: &str) -> Result<()> {
    let prefix = own_prefix()?;
    for hierarchy in hierarchies().unwrap_or_default() {
        for entry in fs::read_dir(&hierarchy)?.filter_map(Result::ok) {
            let other = entry.file_name().to_string_lossy().into_owned();
            let abandoned = other
                .strip_prefix(&prefix)
                .and_then(|pid| pid.parse::<u32>().ok())
                .is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
            if abandoned && other != name {
                // A foreign leftover that cannot go is not this run's failure.
                let _still_used = remove_tree(&entry.path());
            }
        }
        let own = hierarchy.join(name);
        remove_tree(&own).with_context(|| format!("cannot remove {}", own.display()))?;
    }
    Ok(())
}

/// The kernel lets go of a cgroup a moment after its last process was reaped.
fn remove_tree(top: &Path) -> io::Result<()> {
    for _ in 0..100 {
        let mut result = Ok(());
        for directory in tree(top) {
            match fs::remove_dir(&directory) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => result = Err(error),
            }
        }
        if result.is_ok() {
            return result;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::remove_dir(top)
}

/// All directories, the deepest first.
fn tree(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(top) else {
        return found;
    };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(tree(&entry.path()));
        }
    }
    found.push(top.to_owned());
    found
}

//! The prepared tree: a mount namespace whose root is what every run's root starts from.
//!
//! Built once by the spawner, and once more by the keeper of a job that has steps or volumes. Init copies it with
//! CLONE_NEWNS, so nothing here is mounted per run. `/.p` holds what is needed only for mounting (image layers,
//! node directories, the steps' tree); init detaches it before the job exists.
//!
//! ```text
//! /               tmpfs, read-only: dev/ proc/ work/ tmp/ home/ and an empty directory per top-level entry of the image
//! /dev/null ...   five binds
//! /.p             tmpfs, 0700: probe (this binary), base (image), ours (our /etc), points (mount points of volumes), image, run, node/NAME, steps
//! ```
//! Sources: mount(2), pivot_root(2), Documentation/filesystems/overlayfs.rst.

mod mounts;
mod steps;

use std::ffi::CString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::error::{Context, Layer, SandboxError};
use crate::image::Image;
use crate::lockdown::landlock::{Access, Rule};
use crate::mutation::{Part, keeps};
use crate::plan::{JUDGE, JobPlan, NodeDirectory};
use crate::probe;

use mounts::{
    ATTR_NODEV, ATTR_NOSUID, become_root, bind, directories, directory, file, link, set_attributes,
    show_program, tmpfs,
};
pub(crate) use mounts::{ATTR_NOEXEC, ATTR_RDONLY, open_path};
pub(crate) use steps::{clone_steps, workspace_options};

/// The checker's directory, as a top-level name. What an image has there is not shown to a checker.
const JUDGE_NAME: &str = "judge";

/// The five device files of a run.
pub(crate) const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// A tree that is this process's root.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// The same directories as init mounts them: name below the overlay, and mount point.
    pub(crate) shown: Vec<(CString, CString)>,
    /// Data of the overlay that shows the image.
    pub(crate) overlay: CString,
    /// Volumes in the order of the job.
    pub(crate) volumes: Vec<VolumeMount>,
    /// Whether `/.p/steps` holds the steps' tree.
    pub(crate) steps: bool,
    /// Whether the program of the node's own test is there.
    pub(crate) probe: bool,
    /// Landlock rules that are the same for every run.
    pub(crate) rules: Vec<Rule>,
}

/// How init mounts a volume.
#[derive(Debug, Clone)]
pub(crate) struct VolumeMount {
    /// Data of its overlay.
    pub(crate) overlay: CString,
    /// Where it goes.
    pub(crate) target: CString,
    /// Whether programs in it may be executed.
    pub(crate) executable: bool,
}

/// Where the parts of a tree come from.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// Directory over which the new root is mounted before it becomes the root.
    pub(crate) at: &'a Path,
    /// The image.
    pub(crate) base: PathBuf,
    /// Our own /etc, as a tree; `None`: to be written.
    pub(crate) ours: Option<&'a Path>,
    /// Named directories of the node.
    pub(crate) node_directories: &'a [NodeDirectory],
    /// The steps' tree of the slot that ran them; `None`: the job's steps run in this tree, if it has any.
    pub(crate) steps: Option<BorrowedFd<'a>>,
    /// This binary, for the node's own test.
    pub(crate) program: BorrowedFd<'a>,
}

/// Builds the tree in this process's private mount namespace and makes it the root.
pub(crate) fn build(
    source: &Source<'_>,
    image: &Image,
    job: &JobPlan,
    owner: u32,
) -> Result<Tree, SandboxError> {
    let at = source.at;
    tmpfs(at, "mode=755,size=1m,nr_inodes=400")?;
    let volumes = plan_volumes(image, job, source.node_directories)?;
    skeleton(at, image, &volumes)?;
    if job.checker && !image.contains(JUDGE_NAME) {
        directory(&at.join(JUDGE_NAME), 0o755)?;
    }
    if job.probe {
        show_program(
            source.program,
            &at.join(probe::PATH.trim_start_matches('/')),
        )?;
    }
    let private = at.join(".p");
    tmpfs(&private, "mode=700,size=64m,nr_inodes=16384")?;
    for name in [
        "base", "ours", "points", "image", "run", "node", "steps", "empty",
    ] {
        directory(&private.join(name), 0o700)?;
    }
    bind(&source.base, &private.join("base"), ATTR_NODEV)?;
    show_program(source.program, &private.join("probe"))?;
    match source.ours {
        Some(ours) => bind(ours, &private.join("ours"), ATTR_NODEV)?,
        None => image.write_ours(&private.join("ours"))?,
    }
    for node in source.node_directories {
        let place = private.join("node").join(&node.name);
        directory(&place, 0o700)?;
        bind(Path::new(&node.path), &place, ATTR_NODEV)?;
    }
    for volume in &volumes {
        if image.contains(first_component(&volume.path)) {
            directories(&private.join("points"), &volume.path)?;
        }
    }
    devices(at)?;
    match source.steps {
        Some(steps) => steps::attach(steps, &private.join("steps"))?,
        None if job.steps => steps::make(&private.join("steps"), job.workspace, owner)?,
        None => {}
    }
    set_attributes(&private, ATTR_RDONLY)?;
    if keeps(Part::RootReadOnly) {
        set_attributes(at, ATTR_RDONLY)?;
    }
    become_root(at)?;
    let shown = image
        .directories
        .iter()
        .filter(|name| !(job.checker && *name == JUDGE_NAME))
        .map(|name| Ok((c_string(name)?, c_string(&format!("/{name}"))?)))
        .collect::<Result<_, SandboxError>>()?;
    Ok(Tree {
        shown,
        rules: rules(image, &volumes, job),
        volumes: volumes.into_iter().map(|volume| volume.mount).collect(),
        overlay: c_string("lowerdir=/.p/points:/.p/ours:/.p/base")?,
        steps: job.steps,
        probe: job.probe,
    })
}

struct PlannedVolume {
    path: String,
    mount: VolumeMount,
}

fn plan_volumes(
    image: &Image,
    job: &JobPlan,
    known: &[NodeDirectory],
) -> Result<Vec<PlannedVolume>, SandboxError> {
    let mut planned = Vec::new();
    for volume in &job.volumes {
        if !known.iter().any(|node| node.name == volume.node_directory) {
            return Err(SandboxError::new(
                Layer::Rootfs,
                format!(
                    "node directory {:?} is not known here",
                    volume.node_directory
                ),
            )
            .hint("start the agent with --node-directory NAME=DIR"));
        }
        let path = image.resolve(volume.mount_path.trim_start_matches('/'));
        planned.push(PlannedVolume {
            mount: VolumeMount {
                // An overlay without an upper layer needs two; the first gives the directory its owner and mode.
                overlay: c_string(&format!(
                    "lowerdir=/.p/node/{}:/.p/empty",
                    volume.node_directory
                ))?,
                target: c_string(&format!("/{path}"))?,
                executable: volume.executable,
            },
            path,
        });
    }
    Ok(planned)
}

/// Directories, symbolic links and empty files of the root.
fn skeleton(at: &Path, image: &Image, volumes: &[PlannedVolume]) -> Result<(), SandboxError> {
    for name in ["dev", "dev/shm", "proc", "work", "tmp", "home"] {
        directory(&at.join(name), 0o755)?;
    }
    directory(&at.join(".p"), 0o700)?;
    directory(&at.join(".m"), 0o700)?;
    for device in DEVICES {
        file(&at.join("dev").join(device), b"")?;
    }
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    for (name, target) in links {
        link(target, &at.join("dev").join(name))?;
    }
    for name in &image.directories {
        directory(&at.join(name), 0o755)?;
    }
    for (name, target) in &image.links {
        link(target, &at.join(name))?;
    }
    for volume in volumes {
        if !image.contains(first_component(&volume.path)) {
            directories(at, &volume.path)?;
        }
    }
    Ok(())
}

fn devices(at: &Path) -> Result<(), SandboxError> {
    for device in DEVICES {
        let host = Path::new("/dev").join(device);
        let place = at.join("dev").join(device);
        rustix::mount::mount_bind(&host, &place)
            .or_layer(Layer::Rootfs, || format!("bind {}", host.display()))?;
        let read_only = if keeps(Part::DevicesReadOnly) {
            ATTR_RDONLY
        } else {
            0
        };
        set_attributes(&place, read_only | ATTR_NOSUID | ATTR_NOEXEC)?;
    }
    Ok(())
}

fn rules(image: &Image, volumes: &[PlannedVolume], job: &JobPlan) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut add = |path: String, access| {
        if let Ok(path) = CString::new(path) {
            rules.push((path, access));
        }
    };
    if job.checker {
        add(JUDGE.into(), Access::Read);
    }
    if job.probe {
        add(probe::PATH.into(), Access::Program);
    }
    let judge = |name: &&String| job.checker && *name == JUDGE_NAME;
    for name in image.directories.iter().filter(|name| !judge(name)) {
        let access = if name == "etc" {
            Access::Read
        } else {
            Access::Execute
        };
        add(format!("/{name}"), access);
    }
    for device in DEVICES {
        add(format!("/dev/{device}"), Access::Device);
    }
    add("/proc".into(), Access::Read);
    for place in ["/work", "/tmp", "/home"] {
        add(place.into(), Access::Own);
    }
    add("/dev/shm".into(), Access::OwnData);
    for volume in volumes {
        let access = if volume.mount.executable {
            Access::Execute
        } else {
            Access::Read
        };
        add(format!("/{}", volume.path), access);
    }
    rules
}

fn first_component(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// A C string, or an error that names the text.
pub(crate) fn c_string(text: &str) -> Result<CString, SandboxError> {
    CString::new(text)
        .map_err(|_| SandboxError::new(Layer::Spawner, format!("{text:?} holds a zero byte")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::VolumePlan;

    #[test]
    fn each_place_has_the_rule_that_fits_it_and_the_root_has_none() {
        let job = JobPlan {
            volumes: [("yes", true), ("no", false)]
                .map(|(name, executable)| VolumePlan {
                    node_directory: "data".into(),
                    mount_path: format!("/{name}"),
                    executable,
                })
                .to_vec(),
            ..JobPlan::default()
        };
        let known = NodeDirectory {
            name: "data".into(),
            path: "/srv".into(),
        };
        let image = Image::machine().expect("this machine");
        let volumes = plan_volumes(&image, &job, &[known]).expect("it is known");
        let rules = rules(&image, &volumes, &job);
        let of = |path: &str| {
            let rule = rules.iter().find(|(known, _)| known.to_str() == Ok(path));
            rule.map(|(_, access)| *access)
        };
        let rows = [
            ("/", None),
            ("/dev", None),
            ("/.p", None),
            ("/usr", Some(Access::Execute)),
            ("/etc", Some(Access::Read)),
            ("/proc", Some(Access::Read)),
            ("/dev/null", Some(Access::Device)),
            ("/dev/shm", Some(Access::OwnData)),
            ("/work", Some(Access::Own)),
            ("/tmp", Some(Access::Own)),
            ("/home", Some(Access::Own)),
            ("/yes", Some(Access::Execute)),
            ("/no", Some(Access::Read)),
        ];
        for (path, access) in rows {
            assert_eq!(of(path), access, "{path}");
        }
    }
}

//! Chooses the node for a job: what it needs against what nodes have and what is free.
//!
//! In: a [`Shape`] (the needs that placement knows of) and one [`Site`] per connected agent. Out: [`Choice`]. Pure;
//! it neither waits nor remembers. A node that can never run the job is told apart from one that is only full,
//! because the first is something a person has to mend.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::names::NodeName;

/// What a job needs of a node. Jobs with equal shapes are interchangeable for placement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Shape {
    /// Slots held while it runs.
    pub slots: u32,
    /// Memory that admission counts; bytes.
    pub memory: u64,
    /// Labels the node must carry.
    pub node_selector: BTreeMap<String, String>,
    /// Image reference; `None`: the agent's default root file system.
    pub image: Option<String>,
    /// Node directories it mounts.
    pub node_directories: BTreeSet<String>,
    /// Lowest Landlock ABI.
    pub landlock_abi: u32,
}

/// What an agent can do at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Runs side by side.
    pub slots: u32,
    /// Memory for runs; bytes.
    pub memory: u64,
    /// Whether jobs without an image can run.
    pub default_rootfs: bool,
    /// ABI of its kernel.
    pub landlock_abi: u32,
    /// Names of its node directories.
    pub node_directories: BTreeSet<String>,
    /// Images it has.
    pub images: BTreeSet<String>,
    /// Identities it holds at most.
    pub credits: u32,
}

/// A node with a connected agent, as it is now.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// Its name.
    pub node: &'a NodeName,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// The layer it cannot enforce, if any.
    pub missing_layer: Option<&'a str>,
    /// What its agent can do.
    pub capacity: &'a Capacity,
    /// Slots without a run.
    pub free_slots: u32,
    /// Memory without a run.
    pub free_memory: u64,
    /// Whether it takes another identity at all.
    pub open: bool,
    /// Whether a job may be sent to wait there (its runs are so short that the way there would leave it idle).
    pub prefetch: bool,
}

/// Where a job goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Send it there.
    Fit(NodeName),
    /// Some node could run it, but not now; the one that is nearest to it.
    Full(NodeName),
    /// No node can, until somebody changes something.
    Never(Obstacles),
}

/// Why nodes cannot run a job, each node counted once, under its first obstacle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Obstacles {
    /// Connected agents.
    pub agents: u32,
    /// Nodes that are cordoned.
    pub cordoned: u32,
    /// Nodes whose labels do not match.
    pub selector: u32,
    /// Nodes that cannot enforce a layer, and one such layer.
    pub layer: Option<(u32, String)>,
    /// Nodes without a default root file system (the job names no image).
    pub rootfs: u32,
    /// Nodes without one of its node directories, and one such directory.
    pub directory: Option<(u32, String)>,
    /// Nodes with an older Landlock ABI.
    pub landlock: u32,
    /// Nodes that are too small: slots or memory.
    pub size: u32,
}

/// The first thing that keeps a node from ever running the job.
enum Obstacle<'a> {
    Cordoned,
    Selector,
    Layer(&'a str),
    Rootfs,
    Directory(&'a str),
    Landlock,
    Size,
}

/// Chooses among `sites`, of which `claimed` are kept free for jobs that have waited long.
#[must_use]
pub fn choose<'a>(
    shape: &Shape,
    sites: impl Iterator<Item = Site<'a>>,
    claimed: &BTreeSet<NodeName>,
) -> Choice {
    let mut best: Option<(Rank, &NodeName)> = None;
    let mut nearest: Option<(u32, &NodeName)> = None;
    let mut obstacles = Obstacles::default();
    for site in sites {
        obstacles.agents += 1;
        if let Some(obstacle) = obstacle(shape, &site) {
            obstacles.count(&obstacle);
            continue;
        }
        if nearest.is_none_or(|(free, _)| site.free_slots > free) {
            nearest = Some((site.free_slots, site.node));
        }
        if claimed.contains(site.node) {
            continue;
        }
        if let Some(rank) = rank(shape, &site)
            && best.is_none_or(|(other, _)| rank > other)
        {
            best = Some((rank, site.node));
        }
    }
    match (best, nearest) {
        (Some((_, node)), _) => Choice::Fit(node.clone()),
        (None, Some((_, node))) => Choice::Full(node.clone()),
        (None, None) => Choice::Never(obstacles),
    }
}

/// Larger is better: a free slot before a place to wait, the image at hand, then the emptiest node.
type Rank = (bool, bool, u32, u64);

/// `None` where the job does not fit now.
fn rank(shape: &Shape, site: &Site<'_>) -> Option<Rank> {
    let free = site.free_slots >= shape.slots;
    if !site.open || site.free_memory < shape.memory || !(free || site.prefetch) {
        return None;
    }
    let local = shape
        .image
        .as_ref()
        .is_none_or(|image| site.capacity.images.contains(image));
    Some((free, local, site.free_slots, site.free_memory))
}

fn obstacle<'a>(shape: &'a Shape, site: &Site<'a>) -> Option<Obstacle<'a>> {
    let capacity = site.capacity;
    let matches = |(key, value): (&String, &String)| site.labels.get(key) == Some(value);
    if !shape.node_selector.iter().all(matches) {
        return Some(Obstacle::Selector);
    }
    if site.cordoned {
        return Some(Obstacle::Cordoned);
    }
    if let Some(layer) = site.missing_layer {
        return Some(Obstacle::Layer(layer));
    }
    if shape.image.is_none() && !capacity.default_rootfs {
        return Some(Obstacle::Rootfs);
    }
    let absent = |name: &&String| !capacity.node_directories.contains(*name);
    if let Some(name) = shape.node_directories.iter().find(absent) {
        return Some(Obstacle::Directory(name));
    }
    if shape.landlock_abi > capacity.landlock_abi {
        return Some(Obstacle::Landlock);
    }
    (shape.slots > capacity.slots || shape.memory > capacity.memory).then_some(Obstacle::Size)
}

impl Obstacles {
    fn count(&mut self, obstacle: &Obstacle<'_>) {
        let named = |entry: &mut Option<(u32, String)>, name: &str| match entry {
            Some((count, _)) => *count += 1,
            None => *entry = Some((1, name.to_owned())),
        };
        match obstacle {
            Obstacle::Cordoned => self.cordoned += 1,
            Obstacle::Selector => self.selector += 1,
            Obstacle::Layer(layer) => named(&mut self.layer, layer),
            Obstacle::Rootfs => self.rootfs += 1,
            Obstacle::Directory(name) => named(&mut self.directory, name),
            Obstacle::Landlock => self.landlock += 1,
            Obstacle::Size => self.size += 1,
        }
    }

    /// What stands in the way and how it is removed, in one line.
    #[must_use]
    pub fn message(&self, shape: &Shape) -> String {
        if self.agents == 0 {
            return "no node agent is connected (hint: look at the evaljob-agent Pods and their logs; their nodes \
                    must be allowed to run them)"
                .to_owned();
        }
        let mut text = format!(
            "none of {} nodes with an agent can run this job:",
            self.agents
        );
        let mut part = |count: u32, what: &str| {
            if count > 0 {
                let _ = write!(text, " {count} {what};");
            }
        };
        part(
            self.selector,
            "do not match nodeSelector (hint: label them)",
        );
        part(self.cordoned, "cordoned (hint: kubectl uncordon)");
        if let Some((count, layer)) = &self.layer {
            part(
                *count,
                &format!("cannot enforce {layer} (hint: evaljob-agent doctor says what to change)"),
            );
        }
        part(
            self.rootfs,
            "have no default root file system (hint: set agent.toolbox or agent.rootfs of the chart)",
        );
        if let Some((count, name)) = &self.directory {
            part(
                *count,
                &format!("have no node directory {name:?} (hint: agent flag --node-directory)"),
            );
        }
        part(
            self.landlock,
            &format!(
                "have a Landlock ABI below {} (hint: lower sandbox.minimumLandlockABI)",
                shape.landlock_abi
            ),
        );
        part(
            self.size,
            &format!(
                "are too small for {} CPUs and {} MiB (hint: lower limits.cpus or limits.memory)",
                shape.slots,
                shape.memory.div_ceil(1 << 20)
            ),
        );
        if text.ends_with(';') {
            text.pop();
        }
        text
    }
}

#[cfg(test)]
mod tests;

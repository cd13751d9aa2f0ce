//! What a test can change in the sequence: leave out a part of the protection, to see that some case then goes red,
//! or stop a run at one step, to see what a death at just that moment leaves.
//!
//! Without the feature `mutation`, which no binary of the product has, every part is kept and nothing stops: [`keeps`]
//! is a constant, [`passed`] is empty, and nothing of this remains in the program. With it, the environment of the
//! process that starts a spawner says what: [`VARIABLE`] names the parts to leave out, separated by commas,
//! [`STOP`] the step.

#[cfg(not(feature = "mutation"))]
use crate::stage::Stage;

/// Names the parts to leave out.
#[cfg(feature = "mutation")]
pub const VARIABLE: &str = "EVALJOB_LEAVE_OUT";

/// Names the step to stop after, as `STAGE DETAIL`: init or job then waits for ever and has [`STOPPED`] as its name.
/// Only runs of the first worker of a spawner stop, so that what comes after a death can be seen.
#[cfg(feature = "mutation")]
pub const STOP: &str = "EVALJOB_STOP_AT";

/// What a process that has stopped is called in /proc.
#[cfg(feature = "mutation")]
pub const STOPPED: &str = "stopped-at-step";

macro_rules! parts {
    ($($(#[$doc:meta])* $part:ident = $name:literal),* $(,)?) => {
        /// A part of the protection, by the name a test gives it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Part {
            $($(#[$doc])* $part),*
        }

        /// Every part with its name.
        #[cfg(feature = "mutation")]
        const PARTS: &[(Part, &str)] = &[$((Part::$part, $name)),*];

        /// The names of all parts.
        #[cfg(feature = "mutation")]
        pub const NAMES: &[&str] = &[$($name),*];
    };
}

parts! {
    /// The comparison with the plan before go, which sees most other parts missing.
    ReadBack = "read-back",

    // Namespaces.
    UserNamespace = "user namespace",
    MountNamespace = "mount namespace",
    PidNamespace = "pid namespace",
    IpcNamespace = "ipc namespace",
    UtsNamespace = "uts namespace",
    CgroupNamespace = "cgroup namespace",
    NetworkNamespace = "network namespace",
    /// Of the used ones only those are used again that are as new.
    NetworkNew = "network namespace: as new",
    /// Ids that no other slot has.
    OwnIds = "ids of the slot's own",

    // What init gives up.
    InitCapabilities = "init: capabilities",
    InitNoNewPrivs = "init: no_new_privs",
    InitDescriptors = "init: descriptors",
    InitFilter = "init: filter",

    // The ordered lockdown.
    Session = "0 session",
    Groups = "0 groups",
    Ids = "0 ids",
    Securebits = "0 securebits",
    DeathSignal = "0 death signal",
    NoNewPrivs = "0 no_new_privs",
    Landlock = "1 Landlock",
    LandlockNetwork = "1 Landlock: TCP",
    LandlockScopes = "1 Landlock: scopes",
    Floor = "2 seccomp floor",
    Rlimits = "3 rlimits",
    BoundingSet = "4 bounding set",
    Capabilities = "4 capabilities",
    Descriptors = "5 close fds",
    Profile = "6 seccomp profile",
    /// The filter that was compiled, and not another one.
    ProfileAsCompiled = "6 seccomp profile: as compiled",

    // The root.
    RootReadOnly = "root: read-only",
    ImageReadOnly = "image: read-only",
    ImageNoSuid = "image: nosuid",
    ImageNoDev = "image: nodev",
    OwnPlacesNoSuid = "own places: nosuid",
    OwnPlacesNoDev = "own places: nodev",
    SharedMemoryNoExec = "/dev/shm: noexec",
    DevicesReadOnly = "devices: read-only",
    ProcSubset = "/proc: subset",
    ProcHidePid = "/proc: hidepid",
    ProcFlags = "/proc: flags",
    VolumeNoExec = "volume: noexec",
    JudgeReadOnly = "/judge: read-only",
    Detach = "detach what only mounting needs",

    // The cgroup.
    CgroupEntry = "cgroup: entry",
    MemoryLimit = "cgroup: memory",
    ProcessLimit = "cgroup: processes",
}

/// Whether this part is in place: always, but in a test of what its absence does.
#[cfg(not(feature = "mutation"))]
pub(crate) const fn keeps(_part: Part) -> bool {
    true
}

/// A step was passed, in init or job: nothing, but in a test of what a death at this moment leaves.
#[cfg(not(feature = "mutation"))]
pub(crate) const fn passed(_stage: Stage, _detail: u32) {}

#[cfg(feature = "mutation")]
pub use with_feature::stages;
#[cfg(feature = "mutation")]
pub(crate) use with_feature::{forked_worker, inherit, keeps, learn, passed};

#[cfg(feature = "mutation")]
mod with_feature {
    use std::process::Command;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{PARTS, Part, STOP, VARIABLE};
    use crate::stage::{STAGES, Stage};

    /// A bit for each part left out. Written once, before anything is forked.
    static LEFT_OUT: AtomicU64 = AtomicU64::new(0);
    /// Stage and detail to stop after, as [`place`] puts them together; 0: nowhere.
    static STOP_AFTER: AtomicU64 = AtomicU64::new(0);

    /// The names of all stages, in order.
    #[must_use]
    pub fn stages() -> Vec<String> {
        STAGES.iter().map(|stage| format!("{stage:?}")).collect()
    }

    fn place(stage: Stage, detail: u32) -> u64 {
        u64::from(stage as u32) << 32 | u64::from(detail)
    }

    /// Stops here if a test said so, visibly, until somebody kills this process.
    pub(crate) fn passed(stage: Stage, detail: u32) {
        if STOP_AFTER.load(Ordering::Relaxed) != place(stage, detail) {
            return;
        }
        let _ = rustix::thread::set_name(c"stopped-at-step");
        loop {
            let _ = rustix::event::poll(&mut [], None);
        }
    }

    /// In the spawner: later workers do not stop.
    pub(crate) fn forked_worker() {
        STOP_AFTER.store(0, Ordering::Relaxed);
    }

    fn stop_after() -> Option<u64> {
        let text = std::env::var(STOP).ok()?;
        let (name, detail) = text.split_once(' ').unwrap_or_else(|| crate::sys::exit(74));
        let stage = STAGES.iter().find(|stage| format!("{stage:?}") == name);
        match (stage, detail.parse()) {
            (Some(stage), Ok(detail)) => Some(place(*stage, detail)),
            _ => crate::sys::exit(74),
        }
    }

    pub(crate) fn keeps(part: Part) -> bool {
        LEFT_OUT.load(Ordering::Relaxed) & 1 << part as u32 == 0
    }

    /// Reads the names. An unknown one ends the process: a test must not pass because of a typing error.
    pub(crate) fn learn() {
        let names = std::env::var(VARIABLE).unwrap_or_default();
        let bits = names
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| {
                let part = PARTS.iter().find(|(_, known)| *known == name);
                part.map_or_else(|| crate::sys::exit(74), |(part, _)| 1 << *part as u32)
            })
            .fold(0, |all: u64, bit: u64| all | bit);
        LEFT_OUT.store(bits, Ordering::Relaxed);
        STOP_AFTER.store(stop_after().unwrap_or(0), Ordering::Relaxed);
    }

    /// Hands the names down to a process that starts with an empty environment.
    pub(crate) fn inherit(command: &mut Command) {
        for name in [VARIABLE, STOP] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
    }
}

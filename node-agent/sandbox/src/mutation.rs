//! The parts of the protection that a test can leave out, to see that some case then goes red.
//!
//! Without the feature `mutation`, which no binary of the product has, every part is kept: [`keeps`] is a constant
//! and nothing of this remains in the program. With it, the environment variable [`VARIABLE`] of the process that
//! starts a spawner names the parts to leave out, separated by commas.

/// Names the parts to leave out.
#[cfg(feature = "mutation")]
pub const VARIABLE: &str = "EVALJOB_LEAVE_OUT";

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

#[cfg(feature = "mutation")]
pub(crate) use with_feature::keeps;
#[cfg(feature = "mutation")]
pub(crate) use with_feature::{inherit, learn};

#[cfg(feature = "mutation")]
mod with_feature {
    use std::process::Command;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{PARTS, Part, VARIABLE};

    /// A bit for each part left out. Written once, before anything is forked.
    static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

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
    }

    /// Hands the names down to a process that starts with an empty environment.
    pub(crate) fn inherit(command: &mut Command) {
        if let Ok(names) = std::env::var(VARIABLE) {
            command.env(VARIABLE, names);
        }
    }
}

//! Locks the agent itself in, after the launcher was started: what talks to a network holds no right over the node.
//!
//! In: an unprivileged uid, paths and ports. Out: this process under that uid, without a capability, with
//! no_new_privs, Landlock and a seccomp filter, which every thread made from here on inherits; so it must be called
//! while there is one thread. What the kernel shows of it is read back, and one forbidden path is tried. Nothing of it
//! can be undone. The bounding set stays where CAP_SETPCAP is missing: with no_new_privs nothing is ever gained from
//! it. Sources: credentials(7), capabilities(7), Documentation/userspace-api/{landlock,seccomp_filter}.rst.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, Gid, Uid};

use crate::error::{Context, Layer, SandboxError};
use crate::lockdown::capabilities;
use crate::lockdown::landlock::{BIND_TCP, CONNECT_TCP, Handled, MINIMUM_ABI, Own};
use crate::privileges;
use crate::seccomp::{self, Arch};
use crate::sys;

/// How an agent is locked in.
#[derive(Debug, Clone, Default)]
pub struct Confinement {
    /// uid and gid to go on with; 0 is refused. A process that is not root keeps its own.
    pub id: u32,
    /// Files and directories to read; one that does not exist is left out.
    pub read: Vec<PathBuf>,
    /// Directories to change.
    pub write: Vec<PathBuf>,
    /// TCP ports to listen on; 0: any that the kernel chooses.
    pub bind: Vec<u16>,
    /// TCP ports to connect to.
    pub connect: Vec<u16>,
}

/// What holds from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confined {
    /// The uid.
    pub uid: u32,
    /// The ABI that Landlock is in force with; `None`: the kernel has none that runs could use either, so this node
    /// runs nothing.
    pub landlock_abi: Option<u32>,
}

/// Locks this process in.
///
/// # Errors
/// The layer that could not be put in place. The process is then to end: part of it may be in force.
pub fn confine(plan: &Confinement) -> Result<Confined, SandboxError> {
    // Its content is made when it is read; later it could not be opened any more.
    let mut status = File::open("/proc/thread-self/status")
        .or_layer(Layer::ReadBack, || "open our own status".into())?;
    let text = read_again(&mut status)?;
    if field(&text, "Threads") != Some("1") {
        let cause = "the agent has threads already, which would not be locked in";
        return Err(SandboxError::new(Layer::Seccomp, cause));
    }
    let filter = seccomp::agent(Arch::native());
    let abi = sys::landlock_abi().ok().filter(|abi| *abi >= MINIMUM_ABI);
    // Paths are looked up with the rights we still have.
    let landlock = abi.map(|abi| ruleset(plan, abi)).transpose()?;
    let uid = take_id(plan.id)?;
    rustix::thread::set_no_new_privs(true)
        .or_layer(Layer::Identity, || "set no_new_privs".into())?;
    if let Some(landlock) = &landlock {
        sys::landlock_restrict(landlock.as_fd())
            .or_layer(Layer::Landlock, || "lock the agent in".into())?;
    }
    sys::seccomp_filter(filter.program())
        .or_layer(Layer::Seccomp, || "load the agent's filter".into())?;
    verify(&read_again(&mut status)?, uid)?;
    if landlock.is_some() && File::open("/proc").is_ok() {
        let cause = "the agent can open /proc, for which it has no rule";
        return Err(SandboxError::new(Layer::Landlock, cause));
    }
    Ok(Confined {
        uid,
        landlock_abi: abi,
    })
}

fn ruleset(plan: &Confinement, abi: u32) -> Result<OwnedFd, SandboxError> {
    let handled = Handled::by_abi(abi);
    let ruleset = handled
        .create()
        .or_layer(Layer::Landlock, || "make the agent's ruleset".into())?;
    let reads = plan.read.iter().map(|path| (path, Own::Read));
    let writes = plan.write.iter().map(|path| (path, Own::Change));
    for (path, access) in reads.chain(writes) {
        let Some((fd, directory)) = lookup(path)? else {
            continue;
        };
        sys::landlock_add_path(ruleset.as_fd(), fd.as_fd(), handled.own(access, directory))
            .or_layer(Layer::Landlock, || format!("allow {}", path.display()))?;
    }
    if handled.ruleset.net != 0 {
        let binds = plan.bind.iter().map(|port| (*port, BIND_TCP));
        let connects = plan.connect.iter().map(|port| (*port, CONNECT_TCP));
        for (port, access) in binds.chain(connects) {
            sys::landlock_add_port(ruleset.as_fd(), port, access)
                .or_layer(Layer::Landlock, || format!("allow port {port}"))?;
        }
    }
    Ok(ruleset)
}

/// What a path leads to, links followed: their target is what is opened later.
fn lookup(path: &Path) -> Result<Option<(OwnedFd, bool)>, SandboxError> {
    let what = || format!("look {} up", path.display());
    let fd = match rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(errno).or_layer(Layer::Landlock, what),
    };
    let stat = rustix::fs::fstat(&fd).or_layer(Layer::Landlock, what)?;
    let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    Ok(Some((fd, directory)))
}

/// Leaves root for `id`, without groups and capabilities.
fn take_id(id: u32) -> Result<u32, SandboxError> {
    let own = rustix::process::geteuid();
    let uid = if own.is_root() {
        if id == 0 {
            return Err(SandboxError::new(
                Layer::Identity,
                "the agent must not be uid 0",
            ));
        }
        become_id(id)
            .or_layer(Layer::Identity, || format!("become uid {id}"))
            .map_err(|error| privileges::explained("the agent", error))?;
        id
    } else {
        own.as_raw()
    };
    capabilities::clear_all().or_layer(Layer::Capabilities, || "give up capabilities".into())?;
    Ok(uid)
}

fn become_id(id: u32) -> Result<(), Errno> {
    rustix::thread::set_thread_groups(&[])?;
    let gid = Gid::from_raw(id);
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    // The bounding set while there may still be CAP_SETPCAP, which goes with uid 0.
    capabilities::shrink_bounding(CapabilitySet::empty())?;
    let uid = Uid::from_raw(id);
    rustix::thread::set_thread_res_uid(uid, uid, uid)
}

/// Compares what the kernel shows with what was to be.
fn verify(status: &str, uid: u32) -> Result<(), SandboxError> {
    let none = "0000000000000000";
    let ids = format!("{uid}\t{uid}\t{uid}\t{uid}");
    let rows = [
        ("Uid", ids.as_str(), Layer::Identity),
        ("NoNewPrivs", "1", Layer::Identity),
        ("CapInh", none, Layer::Capabilities),
        ("CapPrm", none, Layer::Capabilities),
        ("CapEff", none, Layer::Capabilities),
        ("CapAmb", none, Layer::Capabilities),
        ("Seccomp", "2", Layer::Seccomp),
    ];
    for (name, wanted, layer) in rows {
        let found = field(status, name);
        if found != Some(wanted) {
            return Err(SandboxError::new(
                layer,
                format!("the agent has {name} {found:?} instead of {wanted}"),
            ));
        }
    }
    Ok(())
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found == name).then(|| value.trim())
    })
}

fn read_again(status: &mut File) -> Result<String, SandboxError> {
    let mut text = String::new();
    status
        .rewind()
        .and_then(|()| status.read_to_string(&mut text))
        .or_layer(Layer::ReadBack, || "read our own status".into())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Uid:\t7\t7\t7\t7\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n\
                        CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";

    #[test]
    fn a_process_that_kept_anything_is_found_out() {
        verify(GOOD, 7).unwrap();
        let rows = [
            ("another uid", "\t7\n", "\t0\n", Layer::Identity),
            (
                "no_new_privs",
                "NoNewPrivs:\t1",
                "NoNewPrivs:\t0",
                Layer::Identity,
            ),
            ("no filter", "Seccomp:\t2", "Seccomp:\t0", Layer::Seccomp),
            (
                "a right",
                "CapEff:\t0000000000000000",
                "CapEff:\t0000000000200000",
                Layer::Capabilities,
            ),
            (
                "one to take",
                "CapPrm:\t0000000000000000",
                "CapPrm:\t0000000000000001",
                Layer::Capabilities,
            ),
            ("silence", "CapInh", "CapXnh", Layer::Capabilities),
        ];
        for (row, from, to, layer) in rows {
            let error = verify(&GOOD.replace(from, to), 7).expect_err(row);
            assert_eq!(error.layer, layer, "{row}: {error}");
        }
    }
}

//! The spawner: prepares the machine once, then forks a worker whenever the agent asks for one.
//!
//! The same binary, executed again before it has any thread. It holds the capabilities and nothing else: no token,
//! no environment, no network client. It ends, with everything below it, when the agent closes its socket.

use std::fs;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, Signal, WaitOptions};

use crate::cgroup::{Cgroups, Layout, PrivateMounts, Sources};
use crate::error::{Context, Layer, SandboxError};
use crate::frame::{self, FrameError, FromSpawner, HostFacts, ToSpawner};
use crate::image::Image;
use crate::lockdown::capabilities::Capabilities;
use crate::lockdown::landlock::{Handled, MINIMUM_ABI};
use crate::lockdown::seccomp::Filters;
use crate::netns::Networks;
use crate::plan::{HostPlan, JobPlan};
use crate::privileges;
use crate::readback;
use crate::sys::{self, Forked};
use crate::tree;
use crate::worker::{MAX_SLOTS, Machine, Worker};

/// Descriptors below this number are kept occupied, so that every later one can be moved onto 0 to 4 in a child.
const LOW_FDS: i32 = 10;

/// The life of the spawner; `socket` leads to the agent, `launcher` is the process that forked it, where that was not
/// the agent. Returns the exit status.
pub(crate) fn run(socket: OwnedFd, launcher: Option<Pid>) -> i32 {
    sys::reset_signals();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let Ok(socket) = leave_low_descriptors(socket) else {
        return 70;
    };
    if privileges::keep_needed().is_err() {
        return 73;
    }
    let (plan, agent) = match frame::receive::<ToSpawner>(&socket) {
        Ok(received) => match received.frame {
            ToSpawner::Start { plan, agent_pid } => (plan, agent_pid),
            ToSpawner::Worker { .. } => return 71,
        },
        Err(_) => return 71,
    };
    let ours: Vec<Pid> = Pid::from_raw(agent).into_iter().chain(launcher).collect();
    match prepare(&plan, ours).map_err(|error| privileges::explained("the spawner", error)) {
        Ok((spawner, facts)) => {
            if frame::send(&socket, &FromSpawner::Ready(facts), &[]).is_err() {
                return 72;
            }
            spawner.serve(&socket);
            0
        }
        Err(error) => {
            let _ = frame::send(&socket, &FromSpawner::Failed(error), &[]);
            1
        }
    }
}

/// Moves the socket up and fills the low numbers with /dev/null.
fn leave_low_descriptors(socket: OwnedFd) -> Result<OwnedFd, Errno> {
    let socket = rustix::io::fcntl_dupfd_cloexec(&socket, LOW_FDS)?;
    loop {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let null = rustix::fs::open("/dev/null", flags, Mode::empty())?;
        let number = null.into_raw_fd(); // kept for good
        if number >= LOW_FDS {
            return Ok(socket);
        }
    }
}

#[derive(Debug)]
struct Spawner {
    machine: Machine,
    cgroups: Cgroups,
    networks: Networks,
    slots: u32,
    /// Workers, and the helpers of the network.
    children: Vec<Pid>,
}

/// `ours`: the processes of the agent beside this one.
fn prepare(plan: &HostPlan, mut ours: Vec<Pid>) -> Result<(Spawner, HostFacts), SandboxError> {
    if plan.slots == 0 || plan.slots > MAX_SLOTS {
        return Err(SandboxError::new(
            Layer::Spawner,
            format!("{} slots are not between 1 and {MAX_SLOTS}", plan.slots),
        ));
    }
    // While /proc is here: before Linux 6.4 rustix finds page size and vDSO by /proc/self/auxv, once.
    let _ = rustix::param::page_size();
    let abi = landlock_abi()?;
    let layout = Layout::discover(&Sources::default(), plan.allow_cgroup_v1)?;
    let memory_budget = layout.memory_budget()?;
    let private = PrivateMounts::enter()?;
    layout.make_writable(&private)?;
    let me = rustix::process::getpid();
    ours.push(me);
    let cgroups = Cgroups::prepare(&layout, &ours)?;
    let proc = readback::open_proc()?;
    let own = readback::open_process(proc.as_fd(), me.as_raw_pid())?;
    let namespaces = readback::namespaces(own.as_fd())?;
    let inherited = inherited_filters(&readback::read(own.as_fd(), "status")?);
    let last = read_number("/proc/sys/kernel/cap_last_cap")?;
    let core_pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let (image, base) = match &plan.rootfs {
        Some(path) => (Image::directory(Path::new(path))?, PathBuf::from(path)),
        None => (Image::machine()?, PathBuf::from("/")),
    };
    let program = own_program()?;
    let source = tree::Source {
        at: Path::new("/proc"),
        base,
        ours: None,
        node_directories: &plan.node_directories,
        steps: None,
        program: program.as_fd(),
    };
    let tree = tree::build(&source, &image, &JobPlan::default(), 0)?;
    let (networks, helpers) = Networks::start(proc.as_fd(), plan.slots)?;
    let facts = HostFacts {
        landlock_abi: abi,
        cgroup: cgroups.version(),
        memory_budget,
        default_rootfs: image.has_programs(),
        piped_core_pattern: is_piped(&core_pattern)?,
        leftovers: cgroups.leftovers().to_vec(),
        lacking: privileges::lacking()
            .or_layer(Layer::Capabilities, || "read our own capabilities".into())?,
        spawner_pid: me.as_raw_pid(),
    };
    let machine = Machine {
        proc,
        tree,
        image,
        filters: Filters::compile(inherited),
        landlock: Handled::by_abi(abi),
        cgroup: cgroups.version(),
        capabilities: Capabilities::prepare(last + 1),
        namespaces,
        node_directories: plan.node_directories.clone(),
    };
    let spawner = Spawner {
        machine,
        cgroups,
        networks,
        slots: plan.slots,
        children: helpers.into(),
    };
    Ok((spawner, facts))
}

/// This binary by its path: what /proc/self/exe leads to belongs to the mount namespace that was left.
fn own_program() -> Result<OwnedFd, SandboxError> {
    let link = "/proc/self/exe";
    let known = || format!("find our own program by {link}");
    let path = fs::read_link(link).or_layer(Layer::Spawner, known)?;
    let same = |program: &OwnedFd| -> Result<bool, Errno> {
        let (ours, found) = (rustix::fs::stat(link)?, rustix::fs::fstat(program)?);
        Ok((ours.st_dev, ours.st_ino) == (found.st_dev, found.st_ino))
    };
    let hint = "restart the agent: its program was replaced or removed";
    let program = tree::open_path(&path).map_err(|error| error.hint(hint))?;
    if same(&program).or_layer(Layer::Spawner, known)? {
        return Ok(program);
    }
    let text = format!("{} is not the program that runs", path.display());
    Err(SandboxError::new(Layer::Spawner, text).hint(hint))
}

fn landlock_abi() -> Result<u32, SandboxError> {
    let hint = "boot with a kernel of 6.1 or newer that lists landlock in lsm=";
    let abi = sys::landlock_abi()
        .or_layer(Layer::Landlock, || "use Landlock".into())
        .map_err(|error| error.hint(hint))?;
    if abi < MINIMUM_ABI {
        return Err(SandboxError::new(
            Layer::Landlock,
            format!("the kernel has ABI {abi}, the lowest that works is {MINIMUM_ABI}"),
        )
        .hint(hint));
    }
    Ok(abi)
}

/// Whether crashes are handed to a program, which RLIMIT_CORE 1 keeps from starting for a run.
///
/// # Errors
/// Where they are handed to a socket: no limit stops that, and the listener would get the memory of hostile programs.
fn is_piped(core_pattern: &str) -> Result<bool, SandboxError> {
    if core_pattern.starts_with('@') {
        return Err(SandboxError::new(
            Layer::Rlimits,
            format!(
                "kernel.core_pattern {:?} hands every crash to a socket, whatever its limits",
                core_pattern.trim_end()
            ),
        )
        .hint("set kernel.core_pattern to a file name, or to a program by `|`"));
    }
    Ok(core_pattern.starts_with('|'))
}

fn inherited_filters(status: &str) -> u32 {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp_filters:"));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

fn read_number(path: &str) -> Result<u32, SandboxError> {
    let context = || format!("read {path}");
    let text = fs::read_to_string(path).or_layer(Layer::Capabilities, context)?;
    text.trim().parse().or_layer(Layer::Capabilities, context)
}

impl Spawner {
    /// Forks workers until the agent is gone, then takes everything down.
    fn serve(mut self, socket: &OwnedFd) {
        loop {
            let slot = match frame::receive::<ToSpawner>(socket) {
                Ok(received) => match received.frame {
                    ToSpawner::Worker { slot } => slot,
                    ToSpawner::Start { .. } => break,
                },
                Err(FrameError::Closed | FrameError::Socket(_)) => break,
                Err(_) => continue,
            };
            self.reap();
            let sent = match self.worker(slot, socket) {
                Ok(theirs) => frame::send(socket, &FromSpawner::Worker, &[theirs.as_fd()]),
                Err(error) => frame::send(socket, &FromSpawner::Failed(error), &[]),
            };
            if sent.is_err() {
                break;
            }
        }
        self.take_down();
    }

    /// Forks the worker of a slot; returns the agent's end of its socket.
    fn worker(&mut self, slot: u32, agent: &OwnedFd) -> Result<OwnedFd, SandboxError> {
        if slot >= self.slots {
            return Err(SandboxError::new(
                Layer::Spawner,
                format!("slot {slot} is not below {}", self.slots),
            ));
        }
        let (theirs, ours) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .or_layer(Layer::Spawner, || "make a worker's socket".into())?;
        match sys::fork().or_layer(Layer::Spawner, || "fork a worker".into())? {
            Forked::Child => {
                drop(theirs);
                sys::exit(self.become_worker(slot, ours, agent))
            }
            Forked::Parent { pid, .. } => {
                #[cfg(feature = "mutation")]
                crate::mutation::forked_worker();
                self.children.extend(Pid::from_raw(pid));
                Ok(theirs)
            }
        }
    }

    fn become_worker(&self, slot: u32, socket: OwnedFd, agent: &OwnedFd) -> i32 {
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        // The agent's end of file must not depend on workers.
        sys::close_in_child(agent);
        let refuse = |error: SandboxError| {
            let _ = frame::send(&socket, &frame::FromWorker::Failed(error), &[]);
            1
        };
        let (cgroup, networks) = match (self.cgroups.slot(slot), self.networks.share()) {
            (Ok(cgroup), Ok(networks)) => (cgroup, networks),
            (Err(error), _) => return refuse(error.into()),
            (_, Err(error)) => return refuse(error),
        };
        let socket = match socket.try_clone() {
            Ok(socket) => socket,
            Err(_) => return 73,
        };
        match Worker::new(&self.machine, slot, cgroup, networks, socket) {
            Ok(mut worker) => i32::from(worker.serve().is_err()),
            Err(error) => refuse(error),
        }
    }

    /// Forgets children that have ended.
    fn reap(&mut self) {
        self.children.retain(|pid| {
            matches!(
                rustix::process::waitpid(Some(*pid), WaitOptions::NOHANG),
                Ok(None)
            )
        });
    }

    /// Ends the workers, and with them their runs, and the helpers; removes the cgroups.
    fn take_down(mut self) {
        for pid in self.children.drain(..) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            while let Err(Errno::INTR) = rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            }
        }
        let _ = self.cgroups.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_hands_crashes_to_a_socket_is_refused() {
        assert_eq!(is_piped("core\n"), Ok(false));
        assert_eq!(is_piped("|/usr/lib/handler %P\n"), Ok(true));
        let refused = is_piped("@/run/cores.sock\n").unwrap_err();
        assert_eq!(refused.layer, Layer::Rlimits);
        assert!(refused.cause.contains("\"@/run/cores.sock\""), "{refused}");
    }
}

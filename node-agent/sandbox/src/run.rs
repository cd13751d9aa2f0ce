//! One run, from the slot's side: prepare, fork init, watch until everything of it is dead, report the facts.
//!
//! The event loop (epoll over pidfd, error pipe, report socket, timer, memory events and the agent's socket) never
//! waits for one thing alone. Whatever ends a run from outside is recorded at that moment, and only the first cause
//! counts. Killing means killing init: the kernel then ends every process of its pid namespace.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use rustix::thread::CpuSet;

use crate::cgroup::SlotCgroup;
use crate::error::{Context, Layer, SandboxError};
use crate::facts::{CgroupVersion, Enforcement, FiltersRead, RunFacts};
use crate::frame::{self, FromWorker};
use crate::init::{CLONE_CLEAR_SIGHAND, Init};
use crate::job::Job;
use crate::lockdown::Lockdown;
use crate::lockdown::identity::{JOB_ID, SECUREBITS};
use crate::lockdown::landlock::Landlock;
use crate::lockdown::seal::FILTERS;
use crate::mutation::{Part, keeps};
use crate::netns::{self, Networks};
use crate::plan::{Crew, Network, RunPlan};
use crate::readback::Expected;
use crate::rootfs::{Files, JudgeFiles, RunRoot};
use crate::sys::{self, Forked, StringArray};
use crate::tree::{Tree, c_string};
use crate::watch::Watch;
use crate::worker::{IDS, Machine, first_id};

/// What a worker keeps from run to run.
#[derive(Debug)]
pub(crate) struct Slot<'m> {
    machine: &'m Machine,
    number: u32,
    cpus: Vec<usize>,
    /// All of them.
    everywhere: CpuSet,
}

/// What a run takes from its job.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) files: &'a Files,
    pub(crate) place_files: bool,
    pub(crate) workspace: u64,
    /// What a checker is given.
    pub(crate) judge: Option<&'a JudgeFiles>,
    /// The slots it runs on, where there are several.
    pub(crate) crew: Option<&'a Crew>,
    pub(crate) network: Network,
}

/// What is left of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) facts: RunFacts,
    /// Its /work.
    pub(crate) work: Option<OwnedFd>,
    /// The network namespace it was in.
    pub(crate) network: netns::Network,
}

/// Our ends of what connects us with init and job.
struct Ends {
    error: OwnedFd,
    go: OwnedFd,
    report: OwnedFd,
}

/// Their ends.
struct ChildEnds {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    error: OwnedFd,
    go: OwnedFd,
    report: OwnedFd,
}

impl<'m> Slot<'m> {
    pub(crate) fn new(machine: &'m Machine, number: u32) -> Result<Self, SandboxError> {
        let everywhere = rustix::thread::sched_getaffinity(None)
            .or_layer(Layer::Spawner, || "read the CPU affinity".into())?;
        let cpus: Vec<_> = (0..CpuSet::MAX_CPU)
            .filter(|cpu| everywhere.is_set(*cpu))
            .collect();
        Ok(Self {
            machine,
            number,
            cpus,
            everywhere,
        })
    }

    /// Where a run starts.
    fn own_cpu(&self, crew: Option<&Crew>) -> usize {
        let slot = crew.and_then(|crew| crew.cpus.first());
        let chosen = choose_cpus(&self.cpus, &[*slot.unwrap_or(&self.number)], 1);
        chosen.and_then(|cpus| cpus.first().copied()).unwrap_or(0)
    }

    /// The CPUs a run sees: as many as it may use, first those of the slots it holds.
    fn affinity(&self, count: u32, crew: Option<&Crew>) -> Result<CpuSet, SandboxError> {
        let own = std::slice::from_ref(&self.number);
        let slots = crew.map_or(own, |crew| crew.cpus.as_slice());
        let chosen = choose_cpus(&self.cpus, slots, count).ok_or_else(|| {
            let has = self.cpus.len();
            SandboxError::new(
                Layer::Cgroup,
                format!("the run needs {count} CPUs, this machine lets runs use {has}"),
            )
            .hint("lower limits.cpus, or choose a larger node")
        })?;
        let mut set = CpuSet::new();
        for cpu in chosen {
            set.set(cpu);
        }
        Ok(set)
    }

    /// Runs `plan` to its end.
    pub(crate) fn run(
        &mut self,
        plan: &RunPlan,
        setting: &Setting<'_>,
        cgroup: &mut SlotCgroup,
        networks: &mut Networks,
        socket: &OwnedFd,
    ) -> Result<Outcome, SandboxError> {
        let begun = Instant::now();
        let machine = self.machine;
        let first_id = first_id(setting.crew.map_or(self.number, |crew| crew.lead));
        let (owner, id_map) = (first_id + JOB_ID, format!("0 {first_id} {IDS}"));
        let cpus = self.affinity(plan.limits.cpus, setting.crew)?;
        let own = self.own_cpu(setting.crew);
        stay_on(own)?;
        let landlock = Landlock::prepare(
            machine.landlock.with(setting.network),
            plan.minimum_landlock_abi,
            &setting.tree.rules,
        )?;
        let lockdown = Lockdown::prepare(
            plan,
            owner,
            landlock,
            &machine.filters,
            machine.capabilities,
        );
        let root = RunRoot::prepare(setting, plan.kind, plan.limits.memory, owner)?;
        let candidates = candidates(plan)?;
        let (argv, env) = (strings(&plan.argv)?, strings(&plan.env)?);
        let (child, ends) = connect(owner, socket)?;
        let network = networks.take(setting.network, own)?;
        let cgroup = cgroup.begin_run(plan.kind, &plan.limits)?;
        let expected = Expected {
            lockdown: &lockdown,
            id_map: &id_map,
            namespaces: &machine.namespaces,
            network: network.as_fd(),
            mounts: root.expected(),
            owner,
        };
        let init = Init {
            cgroup: cgroup.entry(),
            network: network.as_fd(),
            root,
            id_map: id_map.as_bytes(),
            filter: machine.filters.init(),
            cpus: &self.everywhere,
            error: child.error.as_fd(),
            report: child.report.as_fd(),
            job: Job {
                stdin: child.stdin.as_fd(),
                stdout: child.stdout.as_fd(),
                stderr: child.stderr.as_fd(),
                go: child.go.as_fd(),
                cpus,
                oom_first: machine.cgroup == CgroupVersion::V1,
                working_dir: c_string(&plan.working_dir)?,
                lockdown: &lockdown,
                candidates: &candidates,
                argv,
                env,
            },
        };
        let forked = sys::clone3(namespaces(), true, cgroup.clone_into())
            .or_layer(Layer::Namespaces, || {
                "clone init into its namespaces".into()
            })?;
        let (pid, pidfd) = match forked {
            Forked::Child => init.run(),
            Forked::Parent { pid, pidfd } => (pid, pidfd),
        };
        drop(init);
        drop(child); // or end of file would never come
        let pidfd = pidfd
            .ok_or_else(|| SandboxError::new(Layer::Namespaces, "clone3 returned no pidfd"))?;
        let enforcement = Enforcement {
            landlock_abi: machine.landlock.abi,
            landlock_fs: lockdown.landlock.handled().fs,
            landlock_net: lockdown.landlock.handled().net,
            landlock_scoped: lockdown.landlock.handled().scoped,
            seccomp_profile: plan.profile,
            seccomp_filters: machine.filters.inherited() + FILTERS,
            securebits: SECUREBITS,
            uid: owner,
            cgroup: machine.cgroup,
            filters: FiltersRead::NotAsked,
        };
        let watch = Watch {
            plan,
            candidates: &candidates,
            files: setting.files,
            expected: &expected,
            enforcement,
            compare_filters: setting.tree.probe,
            proc: machine.proc.as_fd(),
            init: pid,
            pidfd,
            error: ends.error,
            go: Some(ends.go),
            report: ends.report,
            socket: socket.as_fd(),
            cpus: &self.everywhere,
            networks,
            cgroup,
            begun,
        };
        let (facts, work) = watch.follow()?;
        Ok(Outcome {
            facts,
            work,
            network,
        })
    }
}

/// Worker, init and job take turns until the program starts: on one CPU none waits for another to wake up.
fn stay_on(cpu: usize) -> Result<(), SandboxError> {
    let mut set = CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set)
        .or_layer(Layer::Spawner, || format!("stay on CPU {cpu}"))
}

/// Makes the pipes and hands the agent its ends. Streams belong to the run, so that it can open them again by
/// way of /dev/stdin or /proc/self/fd.
fn connect(owner: u32, socket: &OwnedFd) -> Result<(ChildEnds, Ends), SandboxError> {
    let streams = || Ok::<_, SandboxError>((pipe()?, pipe()?, pipe()?));
    let ((stdin, stdin_agent), (stdout_agent, stdout), (stderr_agent, stderr)) =
        sys::with_fs_ids(owner, streams).or_layer(Layer::Descriptors, || {
            format!("take fsuid {owner} and give it back")
        })??;
    let agent = [
        stdin_agent.as_fd(),
        stdout_agent.as_fd(),
        stderr_agent.as_fd(),
    ];
    frame::send(socket, &FromWorker::Running, &agent)?;
    let (error_ours, error) = pipe()?;
    // Read once more when init is dead: a process that outlived it must not hold the worker up.
    rustix::fs::fcntl_setfl(&error_ours, OFlags::NONBLOCK)
        .or_layer(Layer::Descriptors, || "make a pipe non-blocking".into())?;
    let (go, go_ours) = pipe()?;
    let (report_ours, report) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .or_layer(Layer::Descriptors, || "make the report socket".into())?;
    let child = ChildEnds {
        stdin,
        stdout,
        stderr,
        error,
        go,
        report,
    };
    let ends = Ends {
        error: error_ours,
        go: go_ours,
        report: report_ours,
    };
    Ok((child, ends))
}

/// `count` of the CPUs in `all`: that of each slot first, then the following ones. `None` where there are fewer.
fn choose_cpus(all: &[usize], slots: &[u32], count: u32) -> Option<Vec<usize>> {
    let count = usize::try_from(count.max(1)).ok()?;
    let of_slot = |slot: &u32| usize::try_from(*slot).unwrap_or(0);
    let first = slots.first().map_or(0, of_slot);
    let following = (0..all.len()).map(|offset| first + offset);
    let mut chosen = Vec::with_capacity(count);
    for at in slots.iter().map(of_slot).chain(following) {
        let cpu = *all.get(at % all.len().max(1))?;
        if chosen.len() < count && !chosen.contains(&cpu) {
            chosen.push(cpu);
        }
    }
    (chosen.len() == count).then_some(chosen)
}

fn pipe() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
        .or_layer(Layer::Descriptors, || "make a pipe".into())
}

/// The namespaces of init. The network namespace is joined, the job's user namespace is made by init.
fn namespaces() -> u64 {
    const FLAGS: [(Part, libc::c_int); 5] = [
        (Part::PidNamespace, libc::CLONE_NEWPID),
        (Part::MountNamespace, libc::CLONE_NEWNS),
        (Part::IpcNamespace, libc::CLONE_NEWIPC),
        (Part::UtsNamespace, libc::CLONE_NEWUTS),
        (Part::CgroupNamespace, libc::CLONE_NEWCGROUP),
    ];
    let kept = FLAGS.iter().filter(|(part, _)| keeps(*part));
    kept.fold(CLONE_CLEAR_SIGHAND, |all, (_, flag)| {
        all | u64::from(flag.unsigned_abs())
    })
}

/// The paths to try for `argv[0]`: itself where it holds a slash, else below each directory of PATH.
fn candidates(plan: &RunPlan) -> Result<Vec<CString>, SandboxError> {
    let program = plan
        .argv
        .first()
        .filter(|program| !program.is_empty())
        .ok_or_else(|| SandboxError::new(Layer::Spawner, "the command is empty"))?;
    if program.contains('/') {
        return Ok(vec![c_string(program)?]);
    }
    let path = plan
        .env
        .iter()
        .find_map(|entry| entry.strip_prefix("PATH="));
    path.unwrap_or("/usr/local/bin:/usr/bin:/bin")
        .split(':')
        .map(|directory| match directory {
            "" => c_string(&format!("./{program}")),
            _ => c_string(&format!("{directory}/{program}")),
        })
        .collect()
}

fn strings(texts: &[String]) -> Result<StringArray, SandboxError> {
    let strings = texts
        .iter()
        .map(|text| c_string(text))
        .collect::<Result<_, _>>()?;
    Ok(StringArray::new(strings))
}

#[cfg(test)]
mod tests {
    use super::choose_cpus;

    #[test]
    fn a_run_sees_the_cpus_of_its_slots_and_exactly_as_many_as_it_asks_for() {
        let all = [2, 3, 5, 7];
        type Row = (&'static str, &'static [u32], u32, Option<&'static [usize]>);
        let rows: [Row; 7] = [
            ("its own", &[1], 1, Some(&[3])),
            ("slots beyond the CPUs begin again", &[6], 1, Some(&[5])),
            ("those it holds", &[0, 3], 2, Some(&[2, 7])),
            ("the first of those it holds", &[3, 0], 1, Some(&[7])),
            ("two slots on one CPU", &[0, 4], 2, Some(&[2, 3])),
            ("more than it holds", &[2], 4, Some(&[5, 7, 2, 3])),
            ("more than there are", &[0], 5, None),
        ];
        for (row, slots, count, expected) in rows {
            assert_eq!(
                choose_cpus(&all, slots, count).as_deref(),
                expected,
                "{row}"
            );
        }
    }
}

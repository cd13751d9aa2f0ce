//! What a program must not be able to do, tried by a program: the node's own test of the sandbox.
//!
//! In: a slot. Out: a [`Finding`] per attempt. The program is this binary, shown to the run read-only at [`PATH`], so the
//! root file system needs nothing for it. It makes each attempt in a child of its own, since some must be killed, and
//! prints how each ended; what that means is decided outside, by the same table. Ids are those of the hostile corpus
//! (docs/security.md). Source: the manual page of each call.
#![expect(
    unsafe_code,
    reason = "makes system calls by number; the sandbox is what must refuse them"
)]

use std::ffi::CStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use libc::{c_int, c_long};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrV4, SocketType};

use crate::client::{Interrupt, RunIo, Slot};
use crate::error::{Context, Layer, SandboxError};
use crate::facts::{Ending, Enforcement, FiltersRead, RunFacts};
use crate::plan::{JobPlan, Network, RunKind, RunLimits, RunPlan, SeccompProfile};
use crate::sys::{self, Forked};

/// Where a run finds the program.
pub(crate) const PATH: &str = "/evaljob-probe";

/// How an attempt must end.
#[derive(Debug, Clone, Copy)]
enum Must {
    /// With one of these errors.
    Fail(&'static [c_int]),
    /// By SIGSYS.
    BeKilled,
    /// Without an error: it shows that the attempts are made at all.
    Work,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Worked,
    Failed(c_int),
    Killed(c_int),
}

/// One attempt.
struct Attempt {
    id: &'static str,
    what: &'static str,
    /// The layer that must refuse it.
    layer: Layer,
    body: Body,
    must: Must,
}

enum Body {
    Call(c_long, [Argument; 3]),
    Function(fn() -> Result<(), Errno>),
}

#[derive(Debug, Clone, Copy)]
enum Argument {
    Number(c_long),
    Text(&'static CStr),
}

use Argument::{Number as N, Text as S};

const fn call(
    id: &'static str,
    what: &'static str,
    layer: Layer,
    number: c_long,
    arguments: [Argument; 3],
    must: Must,
) -> Attempt {
    let body = Body::Call(number, arguments);
    Attempt {
        id,
        what,
        layer,
        body,
        must,
    }
}

const fn open(id: &'static str, what: &'static str, layer: Layer, path: &'static CStr) -> Attempt {
    let arguments = [N(libc::AT_FDCWD as c_long), S(path), N(0)];
    // What an image may hold is closed by its modes, all else is not there.
    let must = Must::Fail(&[libc::ENOENT, libc::EACCES]);
    call(id, what, layer, libc::SYS_openat, arguments, must)
}

const NONE: Argument = N(0);
const CREATE: Argument = N((libc::O_CREAT | libc::O_WRONLY) as c_long);
const HERE: Argument = N(libc::AT_FDCWD as c_long);
const NEW_USER: Argument = N(libc::CLONE_NEWUSER as c_long);

#[rustfmt::skip]
static ATTEMPTS: &[Attempt] = &[
    call("control", "ask for the own uid", Layer::Spawner, libc::SYS_getuid, [NONE; 3], Must::Work),
    call("E1", "make a user namespace", Layer::Seccomp, libc::SYS_unshare, [NEW_USER, NONE, NONE], Must::Fail(&[libc::EPERM])),
    call("E1", "clone by a structure no filter sees", Layer::Seccomp, libc::SYS_clone3, [NONE; 3], Must::Fail(&[libc::ENOSYS])),
    call("E2", "mount", Layer::Seccomp, libc::SYS_mount, [S(c"tmpfs"), S(c"/work"), S(c"tmpfs")], Must::BeKilled),
    call("E2", "open a file system", Layer::Seccomp, libc::SYS_fsopen, [S(c"tmpfs"), NONE, NONE], Must::BeKilled),
    call("E3", "change the root", Layer::Seccomp, libc::SYS_chroot, [S(c"/work"), NONE, NONE], Must::Fail(&[libc::EPERM])),
    call("N1", "join a namespace", Layer::Seccomp, libc::SYS_setns, [N(-1), NONE, NONE], Must::BeKilled),
    call("K1", "set up io_uring", Layer::Seccomp, libc::SYS_io_uring_setup, [N(1), NONE, NONE], Must::Fail(&[libc::ENOSYS])),
    call("K2", "load a BPF map", Layer::Seccomp, libc::SYS_bpf, [NONE; 3], Must::BeKilled),
    call("K2", "handle page faults", Layer::Seccomp, libc::SYS_userfaultfd, [NONE; 3], Must::BeKilled),
    call("K2", "use the kernel's keys", Layer::Seccomp, libc::SYS_keyctl, [NONE, N(-1), N(1)], Must::BeKilled),
    call("K2", "count performance events", Layer::Seccomp, libc::SYS_perf_event_open, [NONE; 3], Must::Fail(&[libc::EPERM])),
    call("K3", "trace a process", Layer::Seccomp, libc::SYS_ptrace, [NONE; 3], Must::Fail(&[libc::EPERM])),
    call("E13", "signal init", Layer::Identity, libc::SYS_kill, [N(1), NONE, NONE], Must::Fail(&[libc::EPERM])),
    call("E11", "become root", Layer::Identity, libc::SYS_setuid, [NONE; 3], Must::Fail(&[libc::EPERM])),
    open("F1", "read the node's passwords", Layer::Rootfs, c"/etc/shadow"),
    open("F1", "read a service account's token", Layer::Rootfs, c"/var/run/secrets/kubernetes.io/serviceaccount/token"),
    open("F1", "look into the kubelet's directory", Layer::Rootfs, c"/var/lib/kubelet"),
    open("F1", "look into root's home", Layer::Rootfs, c"/root/."),
    call("F2", "add a program", Layer::Rootfs, libc::SYS_openat, [HERE, S(c"/usr/evaljob-probe"), CREATE], Must::Fail(&[libc::EROFS, libc::EACCES, libc::ENOENT])),
    call("F2", "add to the root", Layer::Rootfs, libc::SYS_openat, [HERE, S(c"/new"), CREATE], Must::Fail(&[libc::EROFS, libc::EACCES])),
    // No wall but Landlock: the directory's mode lets everybody list it.
    call("F3", "list the root", Layer::Landlock, libc::SYS_openat, [HERE, S(c"/"), N(0)], Must::Fail(&[libc::EACCES])),
    open("P1", "read the kernel's memory", Layer::Rootfs, c"/proc/kcore"),
    open("P1", "read the kernel's symbols", Layer::Rootfs, c"/proc/kallsyms"),
    open("P1", "set the handler of crashes", Layer::Rootfs, c"/proc/sys/kernel/core_pattern"),
    open("P1", "see init", Layer::Rootfs, c"/proc/1/status"),
    open("P2", "look at control groups", Layer::Rootfs, c"/sys/fs/cgroup"),
    Attempt { id: "W1", what: "connect by TCP", layer: Layer::Network, body: Body::Function(|| connect(SocketType::STREAM)), must: Must::Fail(&[libc::EACCES, libc::ENETUNREACH]) },
    Attempt { id: "W1", what: "reach another network by UDP", layer: Layer::Network, body: Body::Function(|| connect(SocketType::DGRAM)), must: Must::Fail(&[libc::ENETUNREACH]) },
];

fn connect(kind: SocketType) -> Result<(), Errno> {
    let socket = rustix::net::socket(AddressFamily::INET, kind, None)?;
    // The address where clouds keep the credentials of a node.
    let metadata = SocketAddrV4::new(std::net::Ipv4Addr::new(169, 254, 169, 254), 80);
    rustix::net::connect(&socket, &metadata)
}

/// What one attempt showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it ended as it must.
    pub holds: bool,
    /// The layer that must refuse it.
    pub layer: Layer,
    /// Its id in the corpus, what was tried, and how it ended.
    pub text: String,
}

/// The life of the program. Returns the exit status.
pub(crate) fn run() -> i32 {
    let mut report = String::new();
    for attempt in ATTEMPTS {
        let line = match attempt.make() {
            End::Worked => "worked".to_owned(),
            End::Failed(errno) => format!("failed {errno}"),
            End::Killed(signal) => format!("killed {signal}"),
        };
        let _ = writeln!(report, "{line}");
    }
    i32::from(std::io::stdout().write_all(report.as_bytes()).is_err())
}

impl Attempt {
    fn make(&self) -> End {
        match sys::fork() {
            Ok(Forked::Child) => {
                let errno = match self.body {
                    Body::Call(number, arguments) => make_call(number, arguments),
                    Body::Function(function) => function(),
                };
                sys::exit(errno.map_or_else(Errno::raw_os_error, |()| 0))
            }
            Ok(Forked::Parent { .. }) => match sys::wait_any() {
                Ok(death) if death.code == libc::CLD_EXITED && death.status == 0 => End::Worked,
                Ok(death) if death.code == libc::CLD_EXITED => End::Failed(death.status),
                Ok(death) => End::Killed(death.status),
                Err(errno) => End::Failed(errno.raw_os_error()),
            },
            Err(errno) => End::Failed(errno.raw_os_error()),
        }
    }

    fn finding(&self, end: Option<End>) -> Finding {
        let holds = match (self.must, end) {
            (Must::Fail(errors), Some(End::Failed(errno))) => errors.contains(&errno),
            (Must::BeKilled, Some(End::Killed(signal))) => signal == libc::SIGSYS,
            (Must::Work, Some(End::Worked)) => true,
            _ => false,
        };
        let ended = match end {
            None => "was not made".to_owned(),
            Some(End::Worked) => "works".to_owned(),
            Some(End::Failed(errno)) => std::io::Error::from_raw_os_error(errno).to_string(), // any number, unlike Errno
            Some(End::Killed(libc::SIGSYS)) => "killed by the filter".to_owned(),
            Some(End::Killed(signal)) => format!("killed by signal {signal}"),
        };
        Finding {
            holds,
            layer: self.layer,
            text: format!("{} {}: {ended}", self.id, self.what),
        }
    }
}

fn make_call(number: c_long, arguments: [Argument; 3]) -> Result<(), Errno> {
    let [a, b, c] = arguments.map(|argument| match argument {
        Argument::Number(number) => number,
        Argument::Text(text) => text.as_ptr() as c_long,
    });
    // SAFETY: pointers lead to static strings, all other pointers are null; no call of the table writes to memory or
    // changes this process's, which exits next.
    if unsafe { libc::syscall(number, a, b, c, 0, 0, 0) } == -1 {
        return Err(Errno::from_raw_os_error(
            std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
        ));
    }
    Ok(())
}

impl std::str::FromStr for End {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let number = |text: &str| text.parse().map_err(drop);
        match line.split_once(' ') {
            None if line == "worked" => Ok(Self::Worked),
            Some(("failed", errno)) => number(errno).map(Self::Failed),
            Some(("killed", signal)) => number(signal).map(Self::Killed),
            _ => Err(()),
        }
    }
}

/// What the program's report says. An attempt without a line was not made.
pub(crate) fn findings(report: &str) -> Vec<Finding> {
    let mut lines = report.lines().map(str::parse);
    ATTEMPTS
        .iter()
        .map(|attempt| attempt.finding(lines.next().and_then(Result::ok)))
        .collect()
}

impl Slot {
    /// Tries on this slot, which has no job, what no program may do; with the facts of that run.
    ///
    /// # Errors
    /// The layer that failed, as for every job; [`Layer::Spawner`] when the program did not come to its end.
    pub fn probe(&mut self) -> Result<(RunFacts, Vec<Finding>), SandboxError> {
        let interrupt = Interrupt::new()
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::MFILE))
            .or_layer(Layer::Spawner, || "make an interrupt".into())?;
        self.begin(&job(), &[])?;
        let mut report = Vec::new();
        let io = RunIo {
            stdin: &[],
            stdout: &mut |bytes| report.extend_from_slice(bytes),
            stderr: &mut |_| (),
            interrupt: &interrupt,
        };
        let outcome = self.run(&program(), io);
        let ended = self.end();
        let facts = outcome?;
        ended?;
        if facts.ending != Ending::Exited(0) {
            return Err(SandboxError::new(
                Layer::Spawner,
                format!("the probe ended with {:?}", facts.ending),
            ));
        }
        let mut findings = findings(&String::from_utf8_lossy(&report));
        findings.extend(facts.enforcement.as_ref().map(of_filters));
        Ok((facts, findings))
    }
}

/// What comparing the filters in the kernel with the compiled ones showed.
fn of_filters(enforcement: &Enforcement) -> Finding {
    let text = match enforcement.filters {
        FiltersRead::Same => "the kernel holds floor and profile as compiled".to_owned(),
        FiltersRead::Other => "the kernel holds other filters than were compiled".to_owned(),
        FiltersRead::NotAsked => "filters were not compared".to_owned(),
        // A kernel may be built without it; what the filters do has been tried.
        FiltersRead::Unreadable(errno) => format!(
            "filters cannot be read back: {}",
            std::io::Error::from_raw_os_error(errno)
        ),
    };
    Finding {
        holds: enforcement.filters.holds(),
        layer: Layer::Seccomp,
        text,
    }
}

fn job() -> JobPlan {
    JobPlan {
        workspace: 1 << 20,
        memory: 64 << 20,
        probe: true,
        network: Network::None,
        ..JobPlan::default()
    }
}

pub(crate) fn program() -> RunPlan {
    RunPlan {
        kind: RunKind::Test,
        argv: vec![PATH.to_owned()],
        env: Vec::new(),
        working_dir: "/work".to_owned(),
        limits: RunLimits {
            cpu_time: Duration::from_secs(10),
            wall_time: Duration::from_secs(60),
            cpus: 1,
            memory: 64 << 20,
            processes: 8,
            open_files: 64,
            file_size: 1 << 20,
            stack: 8 << 20,
            output: 64 << 10,
        },
        profile: SeccompProfile::Default,
        minimum_landlock_abi: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(line: impl Fn(&Attempt) -> String) -> String {
        ATTEMPTS
            .iter()
            .map(|attempt| line(attempt) + "\n")
            .collect()
    }

    fn as_it_must(attempt: &Attempt) -> String {
        match attempt.must {
            Must::Fail(errors) => format!("failed {}", errors[0]),
            Must::BeKilled => format!("killed {}", libc::SIGSYS),
            Must::Work => "worked".to_owned(),
        }
    }

    #[test]
    fn a_report_as_it_must_be_holds() {
        let found = findings(&report(as_it_must));
        assert_eq!(found.len(), ATTEMPTS.len());
        assert!(found.iter().all(|finding| finding.holds), "{found:#?}");
    }

    #[test]
    fn each_attempt_that_ends_otherwise_is_found_and_names_its_layer() {
        for wrong in ATTEMPTS {
            for end in ["worked", "failed 4095", "killed 9", "nonsense"] {
                if end == as_it_must(wrong) {
                    continue;
                }
                let found = findings(&report(|attempt| {
                    if std::ptr::eq(attempt, wrong) {
                        end.to_owned()
                    } else {
                        as_it_must(attempt)
                    }
                }));
                let broken: Vec<_> = found.iter().filter(|finding| !finding.holds).collect();
                assert_eq!(broken.len(), 1, "{} {end}", wrong.what);
                assert_eq!(broken[0].layer, wrong.layer);
                assert!(broken[0].text.contains(wrong.what), "{}", broken[0].text);
            }
        }
    }

    #[test]
    fn an_attempt_that_was_not_made_does_not_hold() {
        let whole = report(as_it_must);
        let cut = whole.lines().next().unwrap();
        let found = findings(cut);
        assert_eq!(found.iter().filter(|finding| finding.holds).count(), 1);
        assert!(found[1].text.ends_with("was not made"), "{}", found[1].text);
    }
}

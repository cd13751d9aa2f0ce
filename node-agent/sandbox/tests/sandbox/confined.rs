//! What the agent itself is denied once it is locked in, each attempt beside the same one of a process that is not.
//!
//! Both are this binary, as root and alone in fresh namespaces; they differ in one call of `confine`. A process that
//! is locked in starts no program, so the attempts are made by its own thread.
#![expect(
    unsafe_code,
    clippy::print_stdout,
    reason = "calls that no library offers, as an agent that was taken over would make them; a test tells their ends"
)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use evaljob_sandbox::{Confinement, confine};
use libc::{EACCES, EPERM};
use libtest_mimic::Trial;

use crate::harness::attempts::End::{self, Fails, Works};
use crate::harness::{Case, cases, control, isolated};

/// Role: tries everything, locked in.
pub(crate) const LOCKED: &str = "agent-locked-in";
/// Role: tries everything with the rights of the tests.
pub(crate) const FREE: &str = "agent-free";

pub(crate) fn trials() -> Vec<Trial> {
    cases("confined", CASES).collect()
}

const CASES: &[Case] = &[(
    "an agent that was taken over reaches neither node nor files nor other processes",
    everything_is_denied,
)];

/// uid of the locked-in process, and of what it owns.
const ID: u32 = 65_532;

/// What both processes find before they begin.
struct Ground {
    directory: PathBuf,
    neighbour: Child,
    given: TcpListener,
    other: TcpListener,
    abstract_name: UnixAddress,
    _abstract: UnixListener,
}

type Attempt = (&'static str, fn(&Ground) -> io::Result<()>, End, End);

/// Name, attempt, end of it locked in, end without.
const ATTEMPTS: &[Attempt] = &[
    (
        "change its cache",
        |ground| fs::write(ground.directory.join("cache/file"), "x"),
        Works,
        Works,
    ),
    (
        "read its token",
        |ground| read(&ground.directory.join("given/token")),
        Works,
        Works,
    ),
    (
        "change its token",
        |ground| append(&ground.directory.join("given/token")),
        Fails(EACCES),
        Works,
    ),
    (
        "read what all may read",
        |ground| read(&ground.directory.join("elsewhere/file")),
        Fails(EACCES),
        Works,
    ),
    (
        "make a file where all may",
        |ground| fs::write(ground.directory.join("elsewhere/new"), "x"),
        Fails(EACCES),
        Works,
    ),
    (
        "read /etc/shadow",
        |_| read(Path::new("/etc/shadow")),
        Fails(EACCES),
        Works,
    ),
    (
        "read /etc/passwd",
        |_| read(Path::new("/etc/passwd")),
        Fails(EACCES),
        Works,
    ),
    (
        "list /",
        |_| fs::read_dir("/").map(drop),
        Fails(EACCES),
        Works,
    ),
    (
        "open its memory as a file",
        |_| append(Path::new("/proc/self/mem")),
        Fails(EACCES),
        Works,
    ),
    (
        "make a device",
        |ground| {
            let path = text(&ground.directory.join("cache/null"));
            let null = i64::try_from(libc::makedev(1, 3)).expect("it is small");
            let mode = i64::from(libc::S_IFCHR | 0o666);
            raw(
                libc::SYS_mknodat,
                [i64::from(libc::AT_FDCWD), at(&path), mode, null],
            )
        },
        Fails(EPERM),
        Works,
    ),
    (
        "mount",
        |ground| {
            let path = text(&ground.directory.join("cache"));
            raw(
                libc::SYS_mount,
                [at(b"none\0"), at(&path), at(b"tmpfs\0"), 0],
            )
        },
        Fails(EPERM),
        Works,
    ),
    (
        "change its root",
        |_| raw(libc::SYS_chroot, [at(b"/\0"), 0, 0, 0]),
        Fails(EPERM),
        Works,
    ),
    (
        "trace a process",
        |ground| {
            let seize = i64::from(libc::PTRACE_SEIZE);
            raw(libc::SYS_ptrace, [seize, neighbour(ground), 0, 0])
        },
        Fails(EPERM),
        Works,
    ),
    (
        "read a process's memory",
        |ground| raw(libc::SYS_process_vm_readv, [neighbour(ground), 0, 0, 0]),
        Fails(EPERM),
        // Reached: of no buffers nothing is read.
        Fails(libc::EINVAL),
    ),
    (
        "signal a process",
        |ground| raw(libc::SYS_kill, [neighbour(ground), 0, 0, 0]),
        Fails(EPERM),
        Works,
    ),
    (
        "hold on to a process",
        |ground| raw(libc::SYS_pidfd_open, [neighbour(ground), 0, 0, 0]),
        Fails(EPERM),
        Works,
    ),
    (
        "read a process's limits",
        |ground| raw(libc::SYS_prlimit64, [neighbour(ground), 0, 0, 0]),
        Fails(EPERM),
        Works,
    ),
    (
        "start a program",
        |_| Command::new("/bin/true").status().map(drop),
        Fails(EPERM),
        Works,
    ),
    (
        "become a program",
        |_| raw(libc::SYS_execve, [at(b"/nothing\0"), 0, 0, 0]),
        Fails(EPERM),
        Fails(libc::ENOENT),
    ),
    (
        "become root",
        |_| raw(libc::SYS_setuid, [0; 4]),
        Fails(EPERM),
        Works,
    ),
    (
        "load BPF",
        |_| {
            // BPF_MAP_CREATE: an array with one element; kind, size of keys and values, elements.
            let map: [u32; 4] = [2, 4, 4, 1];
            let size = i64::try_from(size_of_val(&map)).expect("it is small");
            raw(libc::SYS_bpf, [0, address(map.as_ptr()), size, 0])
        },
        Fails(EPERM),
        Works,
    ),
    ("listen on its port", |_| listen(PAGES), Works, Works),
    (
        "listen on another port",
        |_| listen(PAGES + 1),
        Fails(EACCES),
        Works,
    ),
    (
        "connect to the operator",
        |ground| connect(&ground.given),
        Works,
        Works,
    ),
    (
        "connect to another server",
        |ground| connect(&ground.other),
        Fails(EACCES),
        Works,
    ),
    (
        "connect to an abstract socket",
        |ground| UnixStream::connect_addr(&ground.abstract_name).map(drop),
        Fails(EPERM),
        Works,
    ),
    (
        "open a raw socket",
        |_| {
            let (family, kind) = (i64::from(libc::AF_INET), i64::from(libc::SOCK_RAW));
            raw(
                libc::SYS_socket,
                [family, kind, i64::from(libc::IPPROTO_ICMP), 0],
            )
        },
        Fails(EPERM),
        Works,
    ),
    // The last one: a process is another one after it.
    (
        "make a user namespace",
        |_| raw(libc::SYS_unshare, [i64::from(libc::CLONE_NEWUSER), 0, 0, 0]),
        Fails(EPERM),
        Works,
    ),
];

/// Port of its pages.
const PAGES: u16 = 18_080;

fn everything_is_denied() {
    let ends = [LOCKED, FREE].map(|role| {
        let output = isolated::own_world(role).output().expect("unshare starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{role}: {}",
            control::describe(&output)
        );
        said
    });
    let mut wrong = Vec::new();
    for (name, _, locked, free) in ATTEMPTS {
        for (place, said, wanted) in [("locked in", &ends[0], locked), ("free", &ends[1], free)] {
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
            if line != Some(&*wanted.to_string()) {
                wrong.push(format!("{name}, {place}: it {line:?}, not {wanted}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub(crate) fn be_locked() {
    let ground = Ground::make();
    let port = |listener: &TcpListener| listener.local_addr().expect("it listens").port();
    let plan = Confinement {
        id: ID,
        read: vec![ground.directory.join("given")],
        write: vec![ground.directory.join("cache")],
        bind: vec![PAGES],
        connect: vec![port(&ground.given)],
    };
    confine(&plan).unwrap_or_else(|error| panic!("{error}"));
    ground.try_all();
}

pub(crate) fn be_free() {
    Ground::make().try_all();
}

impl Ground {
    fn make() -> Self {
        let directory = isolated::scratch().join(isolated::role().expect("this is one"));
        for (name, mode) in [
            ("", 0o755),
            ("cache", 0o700),
            ("given", 0o755),
            ("elsewhere", 0o777),
        ] {
            let path = directory.join(name);
            fs::create_dir(&path).expect("a directory");
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        for file in ["given/token", "elsewhere/file"] {
            let path = directory.join(file);
            fs::write(&path, "text").expect("our own directory");
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("it is ours");
        }
        std::os::unix::fs::chown(directory.join("cache"), Some(ID), Some(ID)).expect("we are root");
        let up = Command::new("/sbin/ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.expect("iproute2").success());
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let abstract_name = UnixAddress::from_abstract_name("evaljob").expect("a name");
        Self {
            directory,
            neighbour: Command::new("/bin/sleep")
                .arg("1000")
                .spawn()
                .expect("it starts"),
            given: TcpListener::bind(local).expect("a port"),
            other: TcpListener::bind(local).expect("a port"),
            _abstract: UnixListener::bind_addr(&abstract_name).expect("a name of its own"),
            abstract_name,
        }
    }

    /// The namespaces end with this process, and the neighbour with them.
    fn try_all(&self) {
        for (name, attempt, _, _) in ATTEMPTS {
            let end = match attempt(self) {
                Ok(()) => Works,
                Err(error) => Fails(error.raw_os_error().expect("the kernel's")),
            };
            println!("{name}\t{end}");
        }
    }
}

fn read(path: &Path) -> io::Result<()> {
    File::open(path).map(drop)
}

fn append(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path).map(drop)
}

fn listen(port: u16) -> io::Result<()> {
    TcpListener::bind(("127.0.0.1", port)).map(drop)
}

fn connect(listener: &TcpListener) -> io::Result<()> {
    TcpStream::connect(listener.local_addr()?).map(drop)
}

fn neighbour(ground: &Ground) -> i64 {
    i64::from(ground.neighbour.id())
}

/// A path with its zero byte.
fn text(path: &Path) -> Vec<u8> {
    let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// The address of these bytes, as an argument.
fn at(bytes: &[u8]) -> i64 {
    address(bytes.as_ptr())
}

fn address<T>(pointer: *const T) -> i64 {
    i64::try_from(pointer.expose_provenance()).expect("addresses are positive")
}

fn raw(number: i64, [a, b, c, d]: [i64; 4]) -> io::Result<()> {
    // SAFETY: every address among the arguments is of bytes that live longer than the call; none is written to.
    match unsafe { libc::syscall(number, a, b, c, d, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

//! The private world of the tests: the same binary again, as the first process of fresh namespaces.
//!
//! `outside` enters cgroups and starts `first` by unshare(1); `first` is pid 1, starts `tests`, reaps what becomes
//! orphaned and ends as it ended. Other roles are started by tests that must be alone (to count what is left).

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rustix::process::WaitOptions;

use super::ground::{self, Ground};

const ROLE: &str = "EVALJOB_TEST_ROLE";
/// Start of the names of our cgroups and scratch directory; the process id follows.
const NAME: &str = "evaljob-tests-";
const SCRATCH: &str = "EVALJOB_TEST_SCRATCH";

/// Pid 1 of the tests' namespaces.
pub(crate) const FIRST: &str = "first";
/// The tests themselves.
pub(crate) const TESTS: &str = "tests";

/// What this process was started as; `None` by cargo or a person.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A directory for compiled programs and the like, removed at the end of all tests.
pub(crate) fn scratch() -> PathBuf {
    PathBuf::from(std::env::var_os(SCRATCH).expect("set by the outermost process"))
}

/// This binary in another role, in this process's namespaces.
pub(crate) fn same_world(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("our own path"));
    command.args(std::env::args_os().skip(1)).env(ROLE, role);
    command
}

/// `program`, to be run as pid 1 of fresh namespaces, of which nothing outlives it or us. Arguments follow.
pub(crate) fn alone(program: impl Into<std::ffi::OsString>) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command
        .args([
            "--pdeathsig",
            "KILL",
            "--",
            "/usr/bin/unshare",
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(program.into());
    command
}

/// This binary in another role, as pid 1 of fresh namespaces.
pub(crate) fn own_world(role: &str) -> Command {
    let mut command = alone(std::env::current_exe().expect("our own path"));
    command.args(std::env::args_os().skip(1)).env(ROLE, role);
    command
}

/// The tests again with these arguments, below a pid 1 of fresh namespaces, with a scratch directory of their own.
#[cfg(feature = "mutation")]
pub(crate) fn own_world_for(arguments: &[&str]) -> Command {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let scratch = scratch().join(format!("world-{number}"));
    std::fs::create_dir(&scratch).expect("a directory for this run");
    let mut command = alone(std::env::current_exe().expect("our own path"));
    command
        .args(arguments)
        .env(ROLE, FIRST)
        .env(SCRATCH, scratch);
    command
}

/// Runs this binary in a role that shows something by not panicking, alone in fresh namespaces; what it told on
/// standard error.
pub(crate) fn assert_role(role: &str) -> String {
    let output = own_world(role).output().expect("unshare starts");
    assert!(
        output.status.success(),
        "{role}: {}",
        super::control::describe(&output)
    );
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The outermost process: everything that must be cleaned after the namespaces are gone.
pub(crate) fn be_outside() -> ExitCode {
    ground::sweep(NAME, &std::env::temp_dir());
    let name = format!("{NAME}{}", std::process::id());
    let scratch = std::env::temp_dir().join(&name);
    std::fs::create_dir(&scratch).expect("a directory for this run");
    let ground = Ground::enter(&name);
    let status = own_world(FIRST).env(SCRATCH, &scratch).status();
    let left = ground.below();
    ground.leave();
    std::fs::remove_dir_all(&scratch).expect("our own directory");
    let status = status.expect("unshare starts");
    if left.is_empty() && status.success() {
        return ExitCode::SUCCESS;
    }
    if !left.is_empty() {
        eprintln!("cgroups are left after all tests: {left:?}");
    }
    ExitCode::FAILURE
}

/// Pid 1: starts the tests, reaps orphans.
#[expect(
    clippy::zombie_processes,
    reason = "waited for by waitpid, among the orphans"
)]
pub(crate) fn be_first() -> ExitCode {
    let tests = same_world(TESTS).spawn().expect("the tests start");
    let tests = i32::try_from(tests.id()).expect("a pid");
    loop {
        match rustix::process::waitpid(None, WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_pid() == tests => {
                return if status.exit_status() == Some(0) {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                };
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => panic!("waitpid: {errno}"),
        }
    }
}

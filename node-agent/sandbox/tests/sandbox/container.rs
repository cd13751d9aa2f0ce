//! The sandbox in a plain runc container: where it lives in a cluster.
//!
//! Root of the container is an overlay over this machine's, read-only, as of a container image; /proc is masked,
//! cgroups are mounted read-only, and of all capabilities there are six. In it this binary runs most of its tests
//! again. Without one of the six something does not work; the table says what.

use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use evaljob_sandbox::needed_capabilities;
use evaljob_sandbox::plan::Network;
use libtest_mimic::{Arguments, Trial};
use rustix::mount::MountFlags;
use serde_json::{Value, json};

use crate::corpus;
use crate::harness::program::{Job, Program};
use crate::harness::{Case, cases, control, isolated, pool, sources};

/// Role: makes the container and runs this binary in it.
pub(crate) const AROUND: &str = "around-a-container";
/// Role: this binary in the container.
pub(crate) const INSIDE: &str = "inside-a-container";

/// Capabilities of the container, comma-separated.
const CAPABILITIES: &str = "EVALJOB_TEST_CAPABILITIES";
/// Which tests run in it; a part of their names, kinds included.
const FILTER: &str = "EVALJOB_TEST_FILTER";
/// Name of the container, for its directory and cgroup.
const NAME: &str = "EVALJOB_TEST_CONTAINER";

/// Memory limit of the container in bytes.
const MEMORY: u64 = 4 << 30;

pub(crate) fn trials() -> Vec<Trial> {
    cases("container", CASES).collect()
}

const CASES: &[Case] = &[
    (
        "everything runs in a plain container with six capabilities",
        everything_runs,
    ),
    ("each of the six capabilities is needed", each_is_needed),
];

/// Kinds of tests that need no control beside them, or leave theirs out here.
const KINDS: [&str; 15] = [
    "endings",
    "starts",
    "streams",
    "files",
    "steps",
    "volumes",
    "checkers",
    "probe",
    "collect",
    "leftovers",
    "memory",
    "processes",
    "storage",
    "rlimits",
    "corpus",
];

fn contain(name: &str, capabilities: &[&str], filter: &str) -> Output {
    // The container has no compiler.
    ["eat", "many", "stack", "ids"]
        .into_iter()
        .for_each(|name| drop(sources::binary(name)));
    corpus::compile("");
    let mut command = isolated::own_world(AROUND);
    command
        .env(NAME, name)
        .env(CAPABILITIES, capabilities.join(","))
        .env(FILTER, filter);
    command.output().expect("unshare starts")
}

fn everything_runs() {
    let output = contain("container-whole", &needed_capabilities(), "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", control::describe(&output));
    for kind in KINDS.iter().chain(&["inside"]) {
        assert!(
            text.contains(&format!("[{kind}]")),
            "no test of kind {kind} ran: {text}"
        );
    }
}

/// What is said without each capability.
const WITHOUT: [(&str, &str); 6] = [
    ("SYS_ADMIN", "Operation not permitted"),
    ("SETUID", "take fsuid"),
    ("SETGID", "take fsuid"),
    ("DAC_OVERRIDE", "/work is mounted without rw"),
    ("CHOWN", "cannot move"),
    ("FOWNER", "changing permissions"),
];

fn each_is_needed() {
    let brief = "a container holds what a job with steps needs";
    let output = contain("container-six", &needed_capabilities(), brief);
    assert!(
        output.status.success(),
        "all six: {}",
        control::describe(&output)
    );
    for (missing, says) in WITHOUT {
        let rest: Vec<&str> = needed_capabilities()
            .into_iter()
            .filter(|name| *name != missing)
            .collect();
        let output = contain(&format!("container-without-{missing}"), &rest, brief);
        let text = control::describe(&output);
        assert!(
            !output.status.success(),
            "it runs without {missing}: {text}"
        );
        assert!(
            text.contains(says),
            "without {missing} it should say {says:?}: {text}"
        );
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Pid 1 of a world of its own: what is mounted here goes with it.
pub(crate) fn be_around() {
    let name = variable(NAME);
    let bundle = isolated::scratch().join(&name);
    fs::create_dir(&bundle).expect("a directory of its own");
    rustix::mount::mount("tmpfs", &bundle, "tmpfs", MountFlags::empty(), c"size=64m")
        .expect("a tmpfs");
    for part in ["rootfs", "upper", "overlay", "state"] {
        fs::create_dir(bundle.join(part)).expect("a directory");
    }
    let layers = format!(
        "lowerdir=/,upperdir={0}/upper,workdir={0}/overlay",
        bundle.display()
    );
    let layers = CString::new(layers).expect("no zero byte");
    rustix::mount::mount(
        "overlay",
        bundle.join("rootfs"),
        "overlay",
        MountFlags::empty(),
        layers.as_c_str(),
    )
    .expect("an overlay over the machine's root");
    let runc = |arguments: &[&str]| {
        let mut command = Command::new("/usr/sbin/runc");
        command
            .arg("--root")
            .arg(bundle.join("state"))
            .args(arguments)
            .arg("--bundle")
            .arg(&bundle);
        command
    };
    assert!(runc(&["spec"]).status().expect("runc starts").success());
    let path = bundle.join("config.json");
    let mut spec: Value =
        serde_json::from_slice(&fs::read(&path).expect("runc made it")).expect("JSON");
    edit(&mut spec, &name);
    fs::write(&path, spec.to_string()).expect("our own directory");
    let status = runc(&["run"]).arg(&name).status().expect("runc starts");
    assert!(status.success(), "the container: {status}");
}

/// From runc's default to the agent's container.
fn edit(spec: &mut Value, name: &str) {
    let capabilities: Vec<_> = variable(CAPABILITIES)
        .split(',')
        .map(|name| format!("CAP_{name}"))
        .collect();
    let program = std::env::current_exe().expect("our own path");
    let directory = program.parent().expect("a file").to_path_buf();
    let environment = [
        ("EVALJOB_TEST_ROLE", INSIDE.to_owned()),
        (
            "EVALJOB_TEST_SCRATCH",
            isolated::scratch().to_string_lossy().into_owned(),
        ),
        (FILTER, variable(FILTER)),
        ("PATH", "/usr/bin:/bin".to_owned()),
    ];
    spec["process"]["terminal"] = json!(false);
    spec["process"]["noNewPrivileges"] = json!(false);
    spec["process"]["args"] = json!([program]);
    spec["process"]["env"] = environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    spec["process"]["capabilities"] =
        json!({"bounding": capabilities, "effective": capabilities, "permitted": capabilities});
    spec["linux"]["cgroupsPath"] = json!(name);
    spec["linux"]["resources"]["memory"] = json!({"limit": MEMORY});
    let mounts = spec["mounts"]
        .as_array_mut()
        .expect("runc's default has mounts");
    for (place, flag) in [(directory, "ro"), (isolated::scratch(), "rw")] {
        mounts.push(bind(&place, flag));
    }
}

fn bind(place: &Path, flag: &str) -> Value {
    json!({"destination": place, "source": place, "type": "bind", "options": ["bind", flag]})
}

/// In the container.
pub(crate) fn be_inside() -> ExitCode {
    let inside: &[Case] = &[
        ("a container holds what a job with steps needs", steps),
        // Where the agent has no right over the node's network.
        ("a run has a loopback device of its own", loopback),
        ("the memory budget is the container's", || {
            assert_eq!(pool::facts().memory_budget, MEMORY);
        }),
    ];
    let inside: Vec<Trial> =
        cases("inside", Box::leak(inside.to_vec().into_boxed_slice())).collect();
    let all = crate::trials()
        .into_iter()
        .filter(|trial| KINDS.contains(&trial.kind()));
    let filter = variable(FILTER);
    let arguments = Arguments {
        filter: (!filter.is_empty()).then_some(filter),
        test_threads: Some(pool::SLOTS as usize),
        ..Arguments::default()
    };
    let conclusion = libtest_mimic::run(&arguments, inside.into_iter().chain(all).collect());
    pool::close();
    conclusion.exit_code()
}

fn loopback() {
    let source = "import socket\nserver = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen()\n\
        client = socket.create_connection(server.getsockname()); client.sendall(b'x'); print(server.accept()[0].recv(1))";
    let mut program = Program::python(source);
    program.job.plan.network = Network::Loopback;
    program.run().passed().printed("b'x'\n");
}

/// Mounts, maps, limits, read-back, an overlay with copy-up, renaming, and a change of mode.
fn steps() {
    let mut slot = pool::slot();
    Job::new().steps().file("file", "text\n").begin(&mut slot);
    let step = Program::shell("mkdir directory; mv file directory; chmod 700 directory").step();
    let report = step.run_in(&mut slot).passed();
    assert!(report.facts.enforcement.is_some(), "{}", report.all());
    let test = "set -e; mv directory moved; chmod 755 moved; chmod 600 moved/file; echo more >>moved/file; cat moved/file";
    Program::shell(test)
        .run_in(&mut slot)
        .passed()
        .printed("text\nmore\n");
}

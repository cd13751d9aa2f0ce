//! What the sandbox refuses, each by a typed error that names the layer, the cause and the way out.

use evaljob_sandbox::plan::{HostPlan, NodeDirectory};
use evaljob_sandbox::{Layer, SandboxError, Spawner};
use libtest_mimic::Trial;

use crate::harness::program::{Job, Program};
use crate::harness::{Case, cases, isolated, pool};

pub(crate) fn trials() -> Vec<Trial> {
    cases("refusal", CASES).collect()
}

const CASES: &[Case] = &[
    (
        "a higher Landlock ABI than the kernel's is refused by number",
        landlock_abi,
    ),
    ("cgroup v1 is refused unless it is allowed", cgroup_v1),
    (
        "a root file system that is not there is refused by path",
        rootfs,
    ),
    (
        "a node directory that is not there is refused by path",
        node_directory,
    ),
    ("a number of slots that makes no sense is refused", slots),
    (
        "a limit above the agent's own is refused, not lowered",
        rlimits,
    ),
    (
        "a command that cannot be passed to the kernel is refused",
        commands,
    ),
    ("a run without a job is refused", || {
        let error = Program::new(&["/bin/true"])
            .try_run_in(&mut pool::slot())
            .expect_err("no job has begun");
        assert!(error.cause.contains("no job"), "{error}");
    }),
];

fn refused(plan: HostPlan) -> SandboxError {
    Spawner::start(plan)
        .map(|_| ())
        .expect_err("it must be refused")
}

/// The layer, and what the text must name.
fn says(error: &SandboxError, layer: Layer, names: &[&str]) {
    assert_eq!(error.layer, layer, "{error}");
    for name in names {
        assert!(
            error.to_string().contains(name),
            "{name:?} is not in {error}"
        );
    }
}

fn landlock_abi() {
    let mut slot = pool::slot();
    Job::new().begin(&mut slot);
    let program = |abi| Program::new(&["/bin/true"]).change(|plan| plan.minimum_landlock_abi = abi);
    let facts = program(1).run_in(&mut slot).passed().facts;
    let abi = facts.enforcement.expect("it ran").landlock_abi;
    program(abi).run_in(&mut slot).passed();
    let error = program(abi + 1)
        .try_run_in(&mut slot)
        .expect_err("too high");
    says(
        &error,
        Layer::Landlock,
        &[
            &format!("ABI {abi}"),
            &format!("needs {}", abi + 1),
            "minimumLandlockABI",
        ],
    );
    program(abi).run_in(&mut slot).passed();
}

fn cgroup_v1() {
    let error = refused(HostPlan {
        allow_cgroup_v1: false,
        ..pool::host(1)
    });
    says(&error, Layer::Cgroup, &["--allow-cgroup-v1"]);
}

fn rootfs() {
    let file = isolated::scratch().join("no-rootfs");
    std::fs::write(&file, "x").expect("a file");
    for path in ["/nothing/here", file.to_str().expect("plain")] {
        let error = refused(HostPlan {
            rootfs: Some(path.into()),
            ..pool::host(1)
        });
        says(&error, Layer::Rootfs, &[path, "--rootfs"]);
    }
}

fn node_directory() {
    let gone = NodeDirectory {
        name: "gone".into(),
        path: "/nothing/here".into(),
    };
    let error = refused(HostPlan {
        node_directories: vec![gone],
        ..pool::host(1)
    });
    says(&error, Layer::Rootfs, &["/nothing/here"]);
}

fn slots() {
    for slots in [0, 4097, u32::MAX] {
        says(
            &refused(pool::host(slots)),
            Layer::Spawner,
            &[&format!("{slots} slots"), "between 1 and 4096"],
        );
    }
    let spawner = Spawner::start(pool::host(2)).unwrap_or_else(|error| panic!("{error}"));
    let error = Job::new()
        .try_begin(&mut spawner.slot(2))
        .expect_err("there are slots 0 and 1");
    says(&error, Layer::Spawner, &["slot 2", "below 2"]);
    Program::new(&["/bin/true"])
        .run_on(&mut spawner.slot(1))
        .passed();
}

fn rlimits() {
    let mut slot = pool::slot();
    Job::new().begin(&mut slot);
    // No process may have that many, whatever its rights: /proc/sys/fs/nr_open.
    let program = Program::new(&["/bin/true"]).limit(|limits| limits.open_files = u32::MAX);
    let error = program
        .try_run_in(&mut slot)
        .expect_err("above the hard limit");
    says(&error, Layer::Rlimits, &["Rlimits", "detail 3"]);
    Program::new(&["/bin/true"]).run_in(&mut slot).passed();
}

fn commands() {
    let mut slot = pool::slot();
    Job::new().begin(&mut slot);
    let rows: [(&str, &[&str], &str, &str); 5] = [
        ("no command", &[], "A=b", "empty"),
        ("an empty command", &[""], "A=b", "empty"),
        (
            "a zero byte in an argument",
            &["/bin/true", "a\0b"],
            "A=b",
            "zero byte",
        ),
        (
            "a zero byte in the command",
            &["/bin/\0true"],
            "A=b",
            "zero byte",
        ),
        (
            "a zero byte in the environment",
            &["/bin/true"],
            "A=\0",
            "zero byte",
        ),
    ];
    for (name, argv, entry, cause) in rows {
        let program = Program::new(argv).change(|plan| plan.env = vec![entry.into()]);
        let error = program.try_run_in(&mut slot).expect_err(name);
        assert!(error.cause.contains(cause), "{name}: {error}");
    }
    Program::new(&["/bin/true"]).run_in(&mut slot).passed();
}

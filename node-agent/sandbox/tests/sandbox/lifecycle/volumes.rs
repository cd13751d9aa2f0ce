//! Node directories mounted into a run: read-only, with or without execution, wherever the job wants them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use evaljob_sandbox::plan::HostPlan;
use evaljob_sandbox::{Layer, Spawner};

use crate::harness::attempts::PRELUDE;
use crate::harness::program::{Job, Program};
use crate::harness::{Case, isolated, pool, sources};

pub(crate) const CASES: &[Case] = &[
    (
        "a node directory is readable where the job wants it, and nowhere writable",
        read_only,
    ),
    (
        "programs of a node directory run only where the job says so",
        execution,
    ),
    (
        "the mounts of node directories have their flags",
        mount_flags,
    ),
    (
        "what is mounted below a node directory does not come along",
        without_submounts,
    ),
    ("a set-id program of a node directory gives nothing", set_id),
    (
        "steps and tests see the same volumes, the next job none",
        with_steps,
    ),
    (
        "a node directory that is not known is refused by name",
        unknown,
    ),
];

/// A spawner that knows directory `data`.
fn spawner(test: &str) -> Spawner {
    let data = isolated::scratch().join(test);
    fs::create_dir_all(data.join("below")).expect("a directory");
    fs::write(data.join("file"), "content\n").expect("a file");
    fs::write(data.join("below/file"), "deeper\n").expect("a file");
    for (name, mode) in [("ids", 0o755), ("set-id", 0o6755)] {
        fs::copy(sources::path("ids"), data.join(name)).expect("a copy");
        fs::set_permissions(data.join(name), fs::Permissions::from_mode(mode)).expect("its mode");
    }
    let mut known = pool::node_directory(test);
    known.name = "data".into();
    Spawner::start(HostPlan {
        node_directories: vec![known],
        ..pool::host(1)
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

fn read_only() {
    let spawner = spawner("volumes-read-only");
    let mut slot = spawner.slot(0);
    // Not in the image, deep below nothing, inside a directory of the image, below a link of it, and odd.
    for place in [
        "/data",
        "/opt/a/b/c",
        "/usr/share/evaljob",
        "/lib/evaljob",
        "/a b/c\\d\te",
    ] {
        let source = format!(
            "{PRELUDE}P = {place:?}\nprint(sorted(os.listdir(P)), open(P + '/below/file').read(), end='')\n\
             attempt('write', lambda: open(P + '/file', 'w'))\nattempt('add', lambda: open(P + '/new', 'w'))\n\
             attempt('remove', lambda: os.unlink(P + '/file'))\nattempt('chmod', lambda: os.chmod(P, 0o777))"
        );
        let refused = ["write", "add", "remove", "chmod"]
            .map(|name| format!("{name}\t{}\n", libc::EROFS))
            .concat();
        let wanted = format!("['below', 'file', 'ids', 'set-id'] deeper\n{refused}");
        let program = Program::python(&source).job(|job| job.volume("data", place, true));
        program.run_on(&mut slot).passed().printed(&wanted);
    }
    let node = fs::read_to_string(isolated::scratch().join("volumes-read-only/file"))
        .expect("it is there");
    assert_eq!(node, "content\n");
}

/// What is mounted below a node directory is another matter, which the administrator has not named.
fn without_submounts() {
    use rustix::mount::{MountFlags, UnmountFlags};
    let below = isolated::scratch().join("volumes-submounts/below");
    fs::create_dir_all(&below).expect("a directory");
    rustix::mount::mount("tmpfs", &below, "tmpfs", MountFlags::empty(), None).expect("a tmpfs");
    fs::write(below.join("secret"), "s").expect("a file");
    let spawner = spawner("volumes-submounts");
    let program = Program::shell("ls /data/below").job(|job| job.volume("data", "/data", false));
    let report = program.run_on(&mut spawner.slot(0));
    drop(spawner);
    rustix::mount::unmount(&below, UnmountFlags::DETACH).expect("it is ours");
    report.passed().printed("");
}

fn execution() {
    let spawner = spawner("volumes-execution");
    let mut slot = spawner.slot(0);
    // Below /usr, from which programs run, the flag of the mount alone refuses.
    let command =
        "/yes/ids; /no/ids; echo $?; /usr/no/ids; echo $?; cp /no/ids .; ./ids; cat /no/file";
    let job = Job::new()
        .volume("data", "/yes", true)
        .volume("data", "/no", false)
        .volume("data", "/usr/no", false);
    let ids = "1000 1000 1000 1000\n";
    let report = Program::shell(command)
        .job(|_| job)
        .run_on(&mut slot)
        .passed();
    report.printed(&format!("{ids}126\n126\n{ids}content\n"));
}

fn mount_flags() {
    let spawner = spawner("volumes-flags");
    let job = Job::new()
        .volume("data", "/yes", true)
        .volume("data", "/no", false);
    let program = Program::shell("grep -E ' /(yes|no) ' /proc/self/mountinfo").job(|_| job);
    let text = program.run_on(&mut spawner.slot(0)).passed().text();
    for (place, flags) in [
        ("/yes", &["ro", "nosuid", "nodev"][..]),
        ("/no", &["ro", "nosuid", "nodev", "noexec"]),
    ] {
        let line = text
            .lines()
            .find(|line| line.split(' ').nth(4) == Some(place));
        let line = line.unwrap_or_else(|| panic!("{place} is not in {text}"));
        let given: Vec<_> = line
            .split(' ')
            .nth(5)
            .unwrap_or_default()
            .split(',')
            .collect();
        assert!(flags.iter().all(|flag| given.contains(flag)), "{line}");
        assert_eq!(
            given.contains(&"noexec"),
            flags.contains(&"noexec"),
            "{line}"
        );
    }
}

fn set_id() {
    let spawner = spawner("volumes-set-id");
    let program = Program::new(&["/data/set-id"]).job(|job| job.volume("data", "/data", true));
    program
        .run_on(&mut spawner.slot(0))
        .passed()
        .printed("1000 1000 1000 1000\n");
}

fn with_steps() {
    let spawner = spawner("volumes-steps");
    let mut slot = spawner.slot(0);
    Job::new()
        .steps()
        .volume("data", "/data", false)
        .begin(&mut slot);
    Program::shell("cp /data/file made")
        .step()
        .run_in(&mut slot)
        .passed();
    for _ in 0..2 {
        Program::shell("cat made /data/below/file")
            .run_in(&mut slot)
            .passed()
            .printed("content\ndeeper\n");
    }
    slot.end().expect("the job ends");
    Program::shell("test ! -e /data").run_on(&mut slot).passed();
}

fn unknown() {
    let spawner = spawner("volumes-unknown");
    let mut slot = spawner.slot(0);
    let error = Job::new()
        .volume("other", "/data", false)
        .try_begin(&mut slot)
        .expect_err("it is not known");
    assert_eq!(error.layer, Layer::Rootfs);
    assert!(
        error.cause.contains("\"other\"") && error.way_out.contains("--node-directory"),
        "{error}"
    );
    Program::new(&["/bin/true"]).run_on(&mut slot).passed();
}

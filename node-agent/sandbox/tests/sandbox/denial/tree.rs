//! The tree of a run: what of the node it sees. What it must not see and cannot change: F1 to F4, P1, P2 of the corpus.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::Case;
use crate::harness::attempts::End::Works;
use crate::harness::attempts::{Attempt, try_all};
use crate::harness::program::{Job, Program};
use crate::harness::{control, isolated, pool};
use evaljob_sandbox::Spawner;
use evaljob_sandbox::plan::HostPlan;

pub(crate) const CASES: &[Case] = &[
    (
        "of the node's /etc only the named entries are there",
        etc_is_ours,
    ),
    ("users and groups are the run's own", users_are_ours),
    (
        "of the node's devices exactly five are there",
        devices_are_five,
    ),
    (
        "exactly the planned mounts are there, with their flags",
        mounts_are_as_planned,
    ),
    ("the own places are open", || {
        try_all(
            (
                "P = ['/work', '/tmp', '/home', '/dev/shm']",
                "P = ['.', '/tmp', '/dev/shm']",
            ),
            OWN,
        );
    }),
    (
        "programs run from /work, /tmp and HOME, not from /dev/shm",
        execution_by_place,
    ),
    (
        "an image whose directories are links leads nowhere",
        links_lead_nowhere,
    ),
];

/// Names that may be in /etc, from api.md; a `*` stands for any ending.
const ETC: [&str; 10] = [
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "java-*",
    "python3*",
    "passwd",
    "group",
    "hosts",
    "nsswitch.conf",
];

fn names(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

fn etc_is_ours() {
    let text = Program::new(&["/bin/ls", "-A", "/etc"])
        .run()
        .passed()
        .text();
    let found = names(&text);
    for name in &found {
        let known = ETC.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => known == name,
        });
        assert!(known, "{name} is in /etc");
    }
    for name in ["passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache"] {
        assert!(found.contains(name), "{name} is missing");
    }
    let node = control::control(&["/bin/ls", "-A", "/etc"]);
    assert!(
        names(&String::from_utf8_lossy(&node.stdout)).len() > ETC.len(),
        "the node's /etc is larger"
    );
}

fn users_are_ours() {
    let source = "import pwd, grp, os\nprint([user.pw_name for user in pwd.getpwall()], pwd.getpwuid(os.getuid()).pw_dir,\
        [group.gr_name for group in grp.getgrall()], os.path.exists('/etc/shadow'))";
    let wanted = "['root', 'job', 'nobody'] /home ['root', 'job', 'nogroup'] False\n";
    Program::python(source).run().passed().printed(wanted);
    assert_ne!(control::python(source), wanted);
}

fn devices_are_five() {
    // Names are asked for one by one: Landlock does not let a run list /dev.
    let mut asked: BTreeSet<String> = std::fs::read_dir("/dev")
        .expect("/dev")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let others = [
        "console", "tty", "tty0", "ptmx", "pts", "kmsg", "mem", "port", "kvm", "fuse", "mqueue",
        "vda", "sda",
    ];
    let ours = [
        "null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm",
    ];
    asked.extend(others.iter().chain(&ours).map(ToString::to_string));
    let source = format!(
        "import os\nfor name in {asked:?}:\n if os.path.lexists('/dev/' + name): print(name)\n\
         print([os.stat('/dev/' + name).st_rdev for name in ('null', 'zero', 'full', 'random', 'urandom')])"
    );
    let text = Program::python(&source).run().passed().text();
    let (found, numbers) = text.trim_end().rsplit_once('\n').expect("two parts");
    assert_eq!(names(found), ours.into_iter().collect());
    assert_eq!(numbers, "[259, 261, 263, 264, 265]");
}

/// Mount point and flags that must be set, beside nosuid, which all have.
const MOUNTS: [(&str, &[&str]); 15] = [
    ("/", &["ro", "nodev"]),
    ("/dev/null", &["ro", "noexec"]),
    ("/dev/zero", &["ro", "noexec"]),
    ("/dev/full", &["ro", "noexec"]),
    ("/dev/random", &["ro", "noexec"]),
    ("/dev/urandom", &["ro", "noexec"]),
    ("/usr", &["ro", "nodev"]),
    ("/etc", &["ro", "nodev"]),
    ("/work", &["rw", "nodev"]),
    ("/tmp", &["rw", "nodev"]),
    ("/home", &["rw", "nodev"]),
    ("/dev/shm", &["rw", "nodev", "noexec"]),
    ("/proc", &["rw", "nodev", "noexec"]),
    ("/bin", &["ro", "nodev"]),
    ("/lib", &["ro", "nodev"]),
];

/// Of a test, of a step, and of a test over what steps left: /work comes from elsewhere in each.
fn mounts_are_as_planned() {
    let program = Program::new(&["/bin/cat", "/proc/self/mountinfo"]);
    compare_mounts(&program.run().passed().text());
    let mut slot = pool::slot();
    Job::new().steps().begin(&mut slot);
    compare_mounts(&program.clone().step().run_in(&mut slot).passed().text());
    compare_mounts(&program.run_in(&mut slot).passed().text());
}

fn compare_mounts(text: &str) {
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let (point, options) = (fields[4], fields[5]);
        assert!(seen.insert(point), "{point} is mounted twice");
        let (_, wanted) = MOUNTS
            .iter()
            .find(|(known, _)| *known == point)
            .unwrap_or_else(|| panic!("{line}"));
        for option in wanted.iter().chain(&["nosuid"]) {
            assert!(
                options.split(',').any(|given| given == *option),
                "{point} lacks {option}: {options}"
            );
        }
    }
    for (point, _) in MOUNTS {
        // Where the machine has a link (/bin -> usr/bin), so has the run.
        let link = Path::new(point).is_symlink() || !Path::new(point).exists();
        assert!(
            seen.contains(point) || (link && point != "/work"),
            "{point} is not mounted: {text}"
        );
    }
}

/// `P` are places a run may write to.
#[rustfmt::skip]
const OWN: &[Attempt] = &[
    ("write", "[open(place + '/file', 'w').write('x') for place in P]", Works, Works),
    ("make a FIFO", "[os.mkfifo(place + '/fifo') for place in P]", Works, Works),
    ("remove", "[os.unlink(place + '/' + name) for place in P for name in ('file', 'fifo')]", Works, Works),
];

fn execution_by_place() {
    let script = "for place in /work /tmp /home /dev/shm; do cp /bin/true $place/true; $place/true; echo $?; done";
    Program::shell(script)
        .run()
        .passed()
        .printed("0\n0\n0\n126\n");
    let output = control::control(&[
        "/bin/sh",
        "-c",
        "cp /bin/true /dev/shm/true; /dev/shm/true; echo $?; rm /dev/shm/true",
    ]);
    assert_eq!(output.stdout, b"0\n", "{}", control::describe(&output));
}

/// A rootfs in which every place that the sandbox fills is a link out of it (CVE-2025-31133, CVE-2026-41579).
fn links_lead_nowhere() {
    let scratch = isolated::scratch();
    let (rootfs, victim) = (scratch.join("rootfs-links"), scratch.join("victim"));
    std::fs::create_dir_all(&victim).expect("a directory");
    std::fs::create_dir_all(rootfs.join("bin")).expect("a directory");
    std::fs::copy("/usr/bin/busybox", rootfs.join("bin/busybox")).expect("busybox-static");
    for name in ["dev", "proc", "etc", "work", "tmp", "home", "sys", "root"] {
        std::os::unix::fs::symlink(&victim, rootfs.join(name)).expect("a link");
    }
    let rootfs = Some(rootfs.to_string_lossy().into_owned());
    let spawner = Spawner::start(HostPlan {
        rootfs,
        ..pool::host(1)
    })
    .expect("it starts");
    let command = "read line </etc/passwd && echo $line && echo >/dev/null && echo x >/tmp/x && echo x >file \
        && test ! -e /root && test ! -e /sys && test -r /proc/self/status && echo ok";
    let program = Program::new(&["/bin/busybox", "sh", "-c", command]);
    let report = program.run_on(&mut spawner.slot(0)).passed();
    assert!(
        report.text().starts_with("root:x:0:0:") && report.text().ends_with("ok\n"),
        "{}",
        report.all()
    );
    let left: Vec<_> = std::fs::read_dir(&victim).expect("ours").collect();
    assert!(left.is_empty(), "{left:?}");
}

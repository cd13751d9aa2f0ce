//! Who a run is: ids, capabilities, securebits, no_new_privs. That it can never become more: N7 of the corpus.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use evaljob_sandbox::Spawner;
use evaljob_sandbox::plan::HostPlan;

use crate::harness::Case;
use crate::harness::attempts::PRELUDE;
use crate::harness::program::Program;
use crate::harness::{control, isolated, pool, sources};

pub(crate) const CASES: &[Case] = &[
    (
        "ids, groups, capabilities, filters and no_new_privs are as planned",
        status_is_as_planned,
    ),
    (
        "securebits, session, death signal, umask and OOM score are as planned",
        process_attributes,
    ),
    (
        "a set-id program of the image gives nothing",
        set_id_gives_nothing,
    ),
];

/// Field of /proc/self/status, value in a run; the control has another one.
const STATUS: [(&str, &str); 12] = [
    ("Uid", "1000\t1000\t1000\t1000"),
    ("Gid", "1000\t1000\t1000\t1000"),
    ("CapInh", "0000000000000000"),
    ("CapPrm", "0000000000000000"),
    ("CapEff", "0000000000000000"),
    ("CapBnd", "0000000000000000"),
    ("CapAmb", "0000000000000000"),
    ("NoNewPrivs", "1"),
    ("Seccomp", "2"),
    ("SigBlk", "0000000000000000"),
    ("SigIgn", "0000000000000000"),
    ("Groups", ""),
];

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
}

fn status_is_as_planned() {
    let status = Program::new(&["/bin/cat", "/proc/self/status"])
        .run()
        .passed()
        .text();
    for (name, wanted) in STATUS {
        assert_eq!(field(&status, name), wanted, "{name}");
    }
    let ours = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let inherited: u32 = field(&ours, "Seccomp_filters").parse().expect("a number");
    assert_eq!(
        field(&status, "Seccomp_filters"),
        (inherited + 2).to_string(),
        "floor and profile"
    );
    for name in ["Uid", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"] {
        let wanted = STATUS
            .iter()
            .find(|(known, _)| *known == name)
            .expect("listed")
            .1;
        assert_ne!(
            field(&ours, name),
            wanted,
            "{name}: the control must differ"
        );
    }
}

fn process_attributes() {
    let source = format!(
        "{PRELUDE}\nsignal_number = ctypes.c_int()\nC.prctl(2, ctypes.byref(signal_number))\n\
         print(hex(C.prctl(27)), os.getsid(0) == os.getpid(), signal_number.value, oct(os.umask(0)),\
         open('/proc/self/oom_score_adj').read().strip())"
    );
    Program::python(&source)
        .run()
        .passed()
        .printed("0xef True 9 0o22 1000\n");
    assert_eq!(control::python(&source).split(' ').next(), Some("0x0"));
}

/// The image holds a set-uid, set-gid program of root: nosuid, no_new_privs and the user namespace each stop it.
fn set_id_gives_nothing() {
    let rootfs = isolated::scratch().join("rootfs-set-id");
    let program = rootfs.join("bin/ids");
    std::fs::create_dir_all(rootfs.join("bin")).expect("a directory");
    std::fs::copy(sources::path("ids"), &program).expect("a copy");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o6755)).expect("its mode");
    let rootfs = Some(rootfs.to_string_lossy().into_owned());
    let spawner = Spawner::start(HostPlan {
        rootfs,
        ..pool::host(1)
    })
    .expect("it starts");
    let report = Program::new(&["/bin/ids"]).run_on(&mut spawner.slot(0));
    report.passed().printed("1000 1000 1000 1000\n");
    let mut nobody = Command::new("/usr/bin/setpriv");
    nobody
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&program);
    let output = control::finish(&mut nobody, &[]);
    assert_eq!(
        output.stdout,
        b"65534 0 65534 0\n",
        "{}",
        control::describe(&output)
    );
}

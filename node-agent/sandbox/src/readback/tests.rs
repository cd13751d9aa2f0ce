//! Each thing that is read back, changed alone, is noticed and named by its layer.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::*;
use crate::lockdown::capabilities::Capabilities;
use crate::lockdown::landlock::{Handled, Landlock};
use crate::lockdown::seccomp::Filters;
use crate::plan::{RunKind, RunLimits, RunPlan, SeccompProfile};

const OWNER: u32 = 1_001_000;
const CGROUP: &str = "4:memory:/";
const ID_MAP: &str = "0 1000000 65536";

fn plan() -> RunPlan {
    RunPlan {
        kind: RunKind::Test,
        argv: vec!["true".into()],
        env: Vec::new(),
        working_dir: "/work".into(),
        limits: RunLimits {
            cpu_time: Duration::from_millis(1500),
            wall_time: Duration::from_secs(9),
            cpus: 1,
            memory: 64 << 20,
            processes: 4,
            open_files: 33,
            file_size: 5000,
            stack: 8 << 20,
            output: 1000,
        },
        profile: SeccompProfile::Default,
        minimum_landlock_abi: 2,
    }
}

const STATUS: &str = "Name:\ttrue\nUid:\t1001000\t1001000\t1001000\t1001000\n\
Gid:\t1001000\t1001000\t1001000\t1001000\nGroups:\t \nNSpid:\t4711\t2\n\
CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";

const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
Max cpu time              4                    4                    seconds   \n\
Max file size             5000                 5000                 bytes     \n\
Max stack size            8388608              8388608              bytes     \n\
Max core file size        1                    1                    bytes     \n\
Max processes             20                   20                   processes \n\
Max open files            33                   33                   files     \n\
Max locked memory         65536                65536                bytes     \n\
Max file locks            64                   64                   locks     \n\
Max pending signals       1024                 1024                 signals   \n\
Max msgqueue size         0                    0                    bytes     \n\
Max nice priority         0                    0                    \n\
Max realtime priority     0                    0                    \n";

const MOUNTS: &str = "1 0 0:1 / / ro,nosuid,nodev,relatime - tmpfs tmpfs ro\n\
2 1 0:2 /work /work rw,nosuid,nodev - overlay overlay rw,lowerdir=/x\n\
3 1 0:3 / /a\\040b ro,nosuid - overlay overlay ro\n";

/// A job as it should be, in a network namespace with this inode.
fn good(network: u64) -> Observed {
    let namespaces = NAMESPACES.map(|name| match name {
        "net" => format!("net:[{network}]"),
        _ => format!("{name}:[7]"),
    });
    Observed {
        status: STATUS.into(),
        limits: LIMITS.into(),
        fds: vec![0, 1, 2, 3, 4],
        cloexec: vec![3, 4],
        id_maps: [ID_MAP.into(), ID_MAP.into()],
        namespaces,
        mountinfo: MOUNTS.into(),
        cgroup: CGROUP.into(),
    }
}

/// What comparison says when `change` has been made to a good job.
fn compare(change: impl FnOnce(&mut Observed)) -> Result<(), SandboxError> {
    let filters = Filters::compile(1);
    let landlock = Landlock::prepare(Handled::by_abi(7), 2, &[]).expect("7 is enough");
    let lockdown = Lockdown::prepare(
        &plan(),
        OWNER,
        landlock,
        &filters,
        Capabilities::prepare(41),
    );
    let network = File::open("/proc/self/ns/net").expect("/proc");
    let expected = Expected {
        lockdown: &lockdown,
        id_map: ID_MAP,
        namespaces: &NAMESPACES.map(|name| format!("{name}:[1]")),
        network: network.as_fd(),
        mounts: vec![
            ("/".into(), vec!["ro", "nosuid"]),
            ("/work".into(), vec!["rw", "nosuid", "nodev"]),
            ("/a b".into(), vec!["ro"]),
        ],
        owner: OWNER,
    };
    let mut seen = good(network.metadata().expect("open").ino());
    change(&mut seen);
    expected.compare(&seen, |text| match text {
        CGROUP => Ok(()),
        _ => Err(CgroupError::V1NotAllowed),
    })
}

#[test]
fn the_cgroup_is_compared() {
    let error = compare(|seen| seen.cgroup.clear()).unwrap_err();
    assert_eq!(error.layer, Layer::Cgroup, "{error}");
}

#[test]
fn a_job_as_planned_passes() {
    compare(|_| ()).unwrap();
}

/// Replaces text that must be there.
fn replace(text: &mut String, from: &str, to: &str) {
    assert!(text.contains(from), "{from:?}");
    *text = text.replace(from, to);
}

#[test]
fn each_field_of_the_status_is_compared() {
    let rows = [
        (
            "Uid:\t1001000\t1001000",
            "Uid:\t1001000\t0",
            Layer::Identity,
        ),
        ("Gid:\t1001000", "Gid:\t0", Layer::Identity),
        ("Groups:\t ", "Groups:\t4 24", Layer::Identity),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", Layer::Identity),
        ("NoNewPrivs:\t1\n", "", Layer::Identity),
        ("Seccomp:\t2", "Seccomp:\t0", Layer::Seccomp),
        ("Seccomp_filters:\t3", "Seccomp_filters:\t2", Layer::Seccomp),
        ("CapInh:\t0", "CapInh:\t1", Layer::Capabilities),
        ("CapPrm:\t0", "CapPrm:\t1", Layer::Capabilities),
        ("CapEff:\t0", "CapEff:\t1", Layer::Capabilities),
        ("CapBnd:\t0", "CapBnd:\t1", Layer::Capabilities),
        ("CapAmb:\t0", "CapAmb:\t1", Layer::Capabilities),
        ("NSpid:\t4711\t2", "NSpid:\t4711", Layer::Namespaces),
        ("NSpid:\t4711\t2", "NSpid:\t4711\t3", Layer::Namespaces),
    ];
    for (from, to, layer) in rows {
        let error = compare(|seen| replace(&mut seen.status, from, to)).expect_err(to);
        assert_eq!(error.layer, layer, "{to:?}: {error}");
    }
}

#[test]
fn each_limit_is_compared_soft_and_hard() {
    for line in LIMITS.lines().skip(1) {
        let value = line.get(26..47).unwrap().trim();
        let (soft, hard) = (
            format!("{value:<21}{value:<21}"),
            format!("{:<21}", "unlimited"),
        );
        for changed in [format!("{hard}{value:<21}"), format!("{value:<21}{hard}")] {
            let wrong = line.replace(soft.trim_end(), changed.trim_end());
            let error = compare(|seen| replace(&mut seen.limits, line, &wrong)).expect_err(line);
            assert_eq!(error.layer, Layer::Rlimits, "{wrong}: {error}");
        }
    }
}

#[test]
fn open_descriptors_are_compared() {
    let rows: [(&str, &[i32], &[i32]); 4] = [
        ("one more", &[0, 1, 2, 3, 4, 9], &[3, 4, 9]),
        ("one less", &[0, 1, 2, 3], &[3]),
        ("the error pipe stays open", &[0, 1, 2, 3, 4], &[4]),
        ("the go pipe stays open", &[0, 1, 2, 3, 4], &[3]),
    ];
    for (name, fds, cloexec) in rows {
        let change = |seen: &mut Observed| {
            seen.fds = fds.to_vec();
            seen.cloexec = cloexec.to_vec();
        };
        assert_eq!(
            compare(change).expect_err(name).layer,
            Layer::Descriptors,
            "{name}"
        );
    }
}

#[test]
fn namespaces_and_id_maps_are_compared() {
    for (index, name) in NAMESPACES.into_iter().enumerate() {
        let share = |seen: &mut Observed| seen.namespaces[index] = format!("{name}:[1]");
        let error = compare(share).expect_err(name);
        assert_eq!(error.layer, Layer::Namespaces, "{error}");
        assert!(error.cause.contains(name), "{error}");
    }
    let other = |seen: &mut Observed| seen.namespaces[3] = "net:[5]".into();
    assert_eq!(
        compare(other).expect_err("another network").layer,
        Layer::Network
    );
    for index in 0..2 {
        let map = |seen: &mut Observed| seen.id_maps[index] = "0 0 4294967295".into();
        assert_eq!(
            compare(map).expect_err("the whole machine").layer,
            Layer::Namespaces
        );
    }
}

#[test]
fn mounts_are_compared() {
    let rows = [
        (
            "/work rw,nosuid,nodev",
            "/work rw,nodev",
            "/work is mounted without nosuid",
        ),
        ("/ / ro,nosuid", "/ / rw,nosuid", "/ is mounted without ro"),
        (
            "/work rw,nosuid",
            "/work ro,nosuid",
            "/work is mounted without rw",
        ),
        (
            "overlay rw,lowerdir",
            "overlay ro,lowerdir",
            "/work is mounted without rw",
        ),
        ("/a\\040b", "/etc", "/etc is mounted and not planned"),
        (
            "3 1 0:3 / /a\\040b ro,nosuid - overlay overlay ro\n",
            "",
            "mounted are",
        ),
        (
            "3 1 0:3",
            "4 1 0:9 / / ro,nosuid - tmpfs tmpfs ro\n3 1 0:3",
            "mounted are",
        ),
        (
            "/a\\040b ro,nosuid - overlay overlay ro",
            "/ ro,nosuid - tmpfs tmpfs ro",
            "mounted are",
        ),
        (
            "1 0 0:1 / / ro,nosuid,nodev,relatime",
            "short",
            "not understood",
        ),
    ];
    for (from, to, cause) in rows {
        let error = compare(|seen| replace(&mut seen.mountinfo, from, to)).expect_err(to);
        assert_eq!(error.layer, Layer::Rootfs, "{error}");
        assert!(error.cause.contains(cause), "{cause:?} is not in {error}");
    }
}

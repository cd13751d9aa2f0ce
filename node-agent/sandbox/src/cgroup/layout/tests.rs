//! Golden texts of real machines and containers, and what discovery makes of them.

use super::*;
use crate::facts::CgroupVersion::{V1, V2};

const HYBRID_HOST: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
const HYBRID_HOST_SELF: &str = "\
9:name=systemd:/
8:pids:/
4:memory:/build/fbabe1e2
3:cpuset:/
2:cpuacct:/
1:cpu:/
0::/
";

/// runc on a v1 host: no cgroup namespace, everything read-only, cpu and cpuacct on one mount.
const V1_CONTAINER: &str = "\
512 511 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755
513 512 0:37 /kubepods/burstable/pod7/c1 /sys/fs/cgroup/systemd ro,nosuid,nodev,noexec,relatime master:9 - cgroup cgroup rw,xattr,name=systemd
514 512 0:29 /kubepods/burstable/pod7/c1 /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:10 - cgroup cgroup rw,cpu,cpuacct
515 512 0:32 /kubepods/burstable/pod7/c1 /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:11 shared:40 - cgroup cgroup rw,memory
516 512 0:36 /kubepods/burstable/pod7/c1 /sys/fs/cgroup/pids ro,nosuid,nodev,noexec,relatime master:12 - cgroup cgroup rw,pids
";
const V1_CONTAINER_SELF: &str = "\
9:pids:/kubepods/burstable/pod7/c1
5:memory:/kubepods/burstable/pod7/c1
3:cpu,cpuacct:/kubepods/burstable/pod7/c1
0::/
";
/// The same, where the runtime was itself started below another cgroup: the path is no path below the mount.
const V1_NESTED_SELF: &str = "\
9:pids:/tc/kubepods/burstable/pod7/c1
5:memory:/tc/kubepods/burstable/pod7/c1
3:cpu,cpuacct:/tc/kubepods/burstable/pod7/c1
";

const V2_HOST: &str = "\
24 30 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";
/// containerd with a cgroup namespace of the container's own.
const V2_CONTAINER: &str = "\
900 890 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
";
/// Without one: only the container's own cgroup is mounted.
const V2_CONTAINER_HOST_NAMESPACE: &str = "\
900 890 0:30 /kubepods/pod7/c1 /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate
";
/// A cgroup namespace entered without mounting cgroup2 again.
const V2_OUTSIDE: &str = "\
900 890 0:30 /../.. /sys/fs/cgroup rw,relatime - cgroup2 cgroup rw,nsdelegate
";

const ALL_V2: &str = "cpuset cpu io memory hugetlb pids rdma misc";

struct Row {
    name: &'static str,
    mountinfo: &'static str,
    memberships: &'static str,
    /// Directory with a `cgroup.controllers`, and its content.
    controllers: (&'static str, &'static str),
    allow_v1: bool,
    /// Version; directory, controllers and whether it is read-only, for each hierarchy. Or the refusal.
    expected: Result<(CgroupVersion, Vec<Found>), Refusal>,
}

type Found = (&'static str, &'static [&'static str], bool);

fn missing(version: CgroupVersion, controller: &'static str, place: &str) -> Refusal {
    Refusal::Missing {
        version,
        controller,
        place: place.to_owned(),
    }
}

fn rows() -> Vec<Row> {
    let unified = ("/sys/fs/cgroup/unified", "hugetlb");
    let none = ("", "");
    let hybrid = vec![
        (
            "/sys/fs/cgroup/memory/build/fbabe1e2",
            ["memory"].as_slice(),
            false,
        ),
        ("/sys/fs/cgroup/pids", &["pids"], false),
        ("/sys/fs/cgroup/cpu", &["cpu"], false),
        ("/sys/fs/cgroup/cpuacct", &["cpuacct"], false),
    ];
    let v1_container = vec![
        ("/sys/fs/cgroup/memory", ["memory"].as_slice(), true),
        ("/sys/fs/cgroup/pids", &["pids"], true),
        ("/sys/fs/cgroup/cpu,cpuacct", &["cpu", "cpuacct"], true),
    ];
    vec![
        Row {
            name: "hybrid host, each process in another cgroup of each hierarchy",
            mountinfo: HYBRID_HOST,
            memberships: HYBRID_HOST_SELF,
            controllers: unified,
            allow_v1: true,
            expected: Ok((V1, hybrid.clone())),
        },
        Row {
            name: "v1 host without the unified mount",
            mountinfo: HYBRID_HOST.trim_end().rsplit_once('\n').expect("lines").0,
            memberships: HYBRID_HOST_SELF,
            controllers: none,
            allow_v1: true,
            expected: Ok((V1, hybrid)),
        },
        Row {
            name: "v1 not allowed",
            mountinfo: HYBRID_HOST,
            memberships: HYBRID_HOST_SELF,
            controllers: unified,
            allow_v1: false,
            expected: Err(Refusal::V1NotAllowed),
        },
        Row {
            name: "v1 container, path is the mount's root",
            mountinfo: V1_CONTAINER,
            memberships: V1_CONTAINER_SELF,
            controllers: none,
            allow_v1: true,
            expected: Ok((V1, v1_container.clone())),
        },
        Row {
            name: "v1 container, path is not below the mount's root",
            mountinfo: V1_CONTAINER,
            memberships: V1_NESTED_SELF,
            controllers: none,
            allow_v1: true,
            expected: Ok((V1, v1_container)),
        },
        Row {
            name: "v1 without pids",
            mountinfo: "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
            memberships: HYBRID_HOST_SELF,
            controllers: none,
            allow_v1: true,
            expected: Err(missing(V1, "pids", "/proc/self/mountinfo")),
        },
        Row {
            name: "v2 host under systemd",
            mountinfo: V2_HOST,
            memberships: "0::/system.slice/agent.service\n",
            controllers: ("/sys/fs/cgroup/system.slice/agent.service", ALL_V2),
            allow_v1: false,
            expected: Ok((
                V2,
                vec![(
                    "/sys/fs/cgroup/system.slice/agent.service",
                    &NEEDED_V2,
                    false,
                )],
            )),
        },
        Row {
            name: "v2 host, root cgroup",
            mountinfo: V2_HOST,
            memberships: "0::/\n",
            controllers: ("/sys/fs/cgroup", ALL_V2),
            allow_v1: true,
            expected: Ok((V2, vec![("/sys/fs/cgroup", &NEEDED_V2, false)])),
        },
        Row {
            name: "v2 container with nsdelegate",
            mountinfo: V2_CONTAINER,
            memberships: "0::/\n",
            controllers: ("/sys/fs/cgroup", ALL_V2),
            allow_v1: false,
            expected: Ok((V2, vec![("/sys/fs/cgroup", &NEEDED_V2, true)])),
        },
        Row {
            name: "v2 container in the host's cgroup namespace",
            mountinfo: V2_CONTAINER_HOST_NAMESPACE,
            memberships: "0::/kubepods/pod7/c1\n",
            controllers: ("/sys/fs/cgroup", ALL_V2),
            allow_v1: false,
            expected: Ok((V2, vec![("/sys/fs/cgroup", &NEEDED_V2, true)])),
        },
        Row {
            name: "a spawner started again by the agent belongs beside its predecessor",
            mountinfo: V2_CONTAINER,
            memberships: "0::/evaljob-1-0/agent\n",
            controllers: ("/sys/fs/cgroup", ALL_V2),
            allow_v1: false,
            expected: Ok((V2, vec![("/sys/fs/cgroup", &NEEDED_V2, true)])),
        },
        Row {
            name: "v2 controllers win on a machine that also has v1 mounts",
            mountinfo: HYBRID_HOST,
            memberships: HYBRID_HOST_SELF,
            controllers: ("/sys/fs/cgroup/unified", ALL_V2),
            allow_v1: true,
            expected: Ok((V2, vec![("/sys/fs/cgroup/unified", &NEEDED_V2, false)])),
        },
        Row {
            name: "v2 without the memory controller",
            mountinfo: V2_HOST,
            memberships: "0::/user.slice\n",
            controllers: ("/sys/fs/cgroup/user.slice", "cpu pids"),
            allow_v1: true,
            expected: Err(missing(V2, "memory", "/sys/fs/cgroup/user.slice")),
        },
        Row {
            name: "a controller whose name is a part of another one",
            mountinfo: V2_HOST,
            memberships: "0::/\n",
            controllers: ("/sys/fs/cgroup", "cpuset memory pids"),
            allow_v1: true,
            expected: Err(missing(V2, "cpu", "/sys/fs/cgroup")),
        },
        Row {
            name: "a mount outside our cgroup namespace",
            mountinfo: V2_OUTSIDE,
            memberships: "0::/\n",
            controllers: ("/sys/fs/cgroup", ALL_V2),
            allow_v1: true,
            expected: Err(Refusal::NotMounted),
        },
        Row {
            name: "nothing mounted",
            mountinfo: "22 27 0:21 / /proc rw,relatime - proc proc rw\n",
            memberships: "0::/\n",
            controllers: none,
            allow_v1: true,
            expected: Err(Refusal::NotMounted),
        },
    ]
}

#[test]
fn layouts_are_as_the_machine_shows_them() {
    for row in rows() {
        let controllers_of = |directory: &str| {
            (directory == row.controllers.0).then(|| row.controllers.1.to_owned())
        };
        let decided = decide(row.mountinfo, row.memberships, controllers_of, row.allow_v1);
        let seen = decided.as_ref().map(|(version, hierarchies)| {
            let seen: Vec<_> = hierarchies
                .iter()
                .map(|found| {
                    (
                        found.own_directory(),
                        found.controllers.clone(),
                        found.read_only,
                    )
                })
                .collect();
            (*version, seen)
        });
        let expected = row.expected.as_ref().map(|(version, hierarchies)| {
            let wanted: Vec<_> = hierarchies
                .iter()
                .map(|(directory, controllers, ro)| {
                    ((*directory).to_owned(), controllers.to_vec(), *ro)
                })
                .collect();
            (*version, wanted)
        });
        assert_eq!(seen, expected, "{}", row.name);
    }
}

#[test]
fn mount_points_are_unescaped() {
    assert_eq!(unescape(r"/mnt/a\040b\134c\011"), "/mnt/a b\\c\t");
    assert_eq!(unescape(r"/odd\9end\"), r"/odd\9end\");
}

#[test]
fn own_paths_are_those_below_the_mount() {
    let rows = [
        ("/", "/", Some("")),
        ("/", "/a/b", Some("/a/b")),
        ("/a", "/a/b", Some("/b")),
        ("/a", "/a", Some("")),
        ("/a", "/ab", Some("")),
        ("/x", "/a/b", Some("")),
        ("/", "/a/evaljob-7-0/agent", Some("/a")),
        ("/", "/evaljob-7-0/agent/evaljob-8-0/agent", Some("")),
        ("/", "/evaljob-x/agent", Some("/evaljob-x/agent")),
        ("/..", "/", None),
        ("/", "/../b", None),
    ];
    for (root, path, expected) in rows {
        assert_eq!(
            below(root, path).as_deref(),
            expected,
            "{path} below {root}"
        );
    }
}

#[test]
fn memory_of_the_machine_is_read() {
    assert_eq!(
        memory_total("MemTotal:       24683656 kB\nMemFree: 1 kB\n"),
        Some(24_683_656 * 1024)
    );
    assert_eq!(memory_total("MemFree: 1 kB\n"), None);
}

#[test]
fn v2_budget_is_the_lowest_limit_on_the_way_up() {
    let root = tempdir();
    let own = root.join("a/b");
    fs::create_dir_all(&own).expect("directory");
    fs::write(own.join("memory.max"), "max\n").expect("file");
    let layout = Layout {
        version: V2,
        hierarchies: vec![Hierarchy {
            mount_point: root.display().to_string(),
            own: "/a/b".to_owned(),
            controllers: NEEDED_V2.to_vec(),
            read_only: false,
        }],
        total_memory: 1 << 30,
    };
    assert_eq!(layout.memory_budget().expect("no limit"), 1 << 30);
    fs::write(root.join("a/memory.max"), "1000000\n").expect("file");
    fs::write(own.join("memory.max"), "2000000\n").expect("file");
    assert_eq!(layout.memory_budget().expect("a limit"), 1_000_000);
    fs::write(own.join("memory.max"), "500000\n").expect("file");
    assert_eq!(layout.memory_budget().expect("a limit"), 500_000);
    fs::write(root.join("a/memory.max"), "4000000000\n").expect("file");
    fs::write(own.join("memory.max"), "4000000000\n").expect("file");
    assert_eq!(
        layout.memory_budget().expect("a limit"),
        1 << 30,
        "not more than the machine has"
    );
    fs::remove_dir_all(&root).expect("clean");
}

fn tempdir() -> PathBuf {
    let root = std::env::temp_dir().join(format!("evaljob-layout-{}", std::process::id()));
    fs::create_dir(&root).expect("a directory of the test's own");
    root
}

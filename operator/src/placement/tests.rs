//! Rows of nodes and needs against the choice they lead to.

use super::*;

fn capacity() -> Capacity {
    Capacity {
        slots: 4,
        memory: 1 << 30,
        default_rootfs: true,
        landlock_abi: 5,
        credits: 16,
        ..Capacity::default()
    }
}

struct Node {
    name: NodeName,
    labels: BTreeMap<String, String>,
    cordoned: bool,
    layer: Option<String>,
    capacity: Capacity,
    free_slots: u32,
    free_memory: u64,
    open: bool,
    prefetch: bool,
}

fn node(name: &str) -> Node {
    Node {
        name: name.into(),
        labels: BTreeMap::new(),
        cordoned: false,
        layer: None,
        capacity: capacity(),
        free_slots: 4,
        free_memory: 1 << 30,
        open: true,
        prefetch: false,
    }
}

fn job() -> Shape {
    Shape {
        slots: 1,
        memory: 256 << 20,
        landlock_abi: 2,
        ..Shape::default()
    }
}

fn check(shape: &Shape, nodes: &[Node], claimed: &[&str]) -> Choice {
    let sites = nodes.iter().map(|node| Site {
        node: &node.name,
        labels: &node.labels,
        cordoned: node.cordoned,
        missing_layer: node.layer.as_deref(),
        capacity: &node.capacity,
        free_slots: node.free_slots,
        free_memory: node.free_memory,
        open: node.open,
        prefetch: node.prefetch,
    });
    choose(
        shape,
        sites,
        &claimed.iter().map(|name| NodeName::from(*name)).collect(),
    )
}

#[test]
fn the_emptiest_node_that_has_everything_is_chosen() {
    let busy = Node {
        free_slots: 1,
        ..node("busy")
    };
    assert_eq!(
        check(&job(), &[busy, node("empty")], &[]),
        Choice::Fit("empty".into())
    );
}

#[test]
fn a_node_that_has_the_image_goes_before_an_emptier_one() {
    let mut warm = Node {
        free_slots: 1,
        ..node("warm")
    };
    warm.capacity.images.insert("gcc:14".to_owned());
    let shape = Shape {
        image: Some("gcc:14".to_owned()),
        ..job()
    };
    assert_eq!(
        check(&shape, &[node("cold"), warm], &[]),
        Choice::Fit("warm".into())
    );
}

#[test]
fn a_job_waits_at_an_agent_only_where_that_is_allowed() {
    let full = || Node {
        free_slots: 0,
        ..node("n")
    };
    assert_eq!(check(&job(), &[full()], &[]), Choice::Full("n".into()));
    let quick = Node {
        prefetch: true,
        ..full()
    };
    assert_eq!(check(&job(), &[quick], &[]), Choice::Fit("n".into()));
    let closed = Node {
        open: false,
        ..node("n")
    };
    assert_eq!(check(&job(), &[closed], &[]), Choice::Full("n".into()));
}

#[test]
fn a_claimed_node_is_left_to_who_claimed_it() {
    assert_eq!(
        check(&job(), &[node("n")], &["n"]),
        Choice::Full("n".into())
    );
}

#[test]
fn memory_that_is_in_use_is_not_given_twice() {
    let tight = Node {
        free_memory: 255 << 20,
        ..node("n")
    };
    assert_eq!(check(&job(), &[tight], &[]), Choice::Full("n".into()));
}

#[test]
fn what_a_node_will_never_have_is_named_with_the_way_out() {
    let labelled = Shape {
        node_selector: [("gpu".to_owned(), "no".to_owned())].into(),
        ..job()
    };
    let mounting = Shape {
        node_directories: ["datasets".to_owned()].into(),
        ..job()
    };
    let imageless = |name| {
        let mut node = node(name);
        node.capacity.default_rootfs = false;
        node
    };
    let rows = [
        ("no agent", job(), vec![], "no node agent is connected"),
        (
            "selector",
            labelled,
            vec![node("n")],
            "1 do not match nodeSelector",
        ),
        (
            "cordon",
            job(),
            vec![Node {
                cordoned: true,
                ..node("n")
            }],
            "1 cordoned (hint: kubectl uncordon)",
        ),
        (
            "layer",
            job(),
            vec![Node {
                layer: Some("Landlock".into()),
                ..node("n")
            }],
            "1 cannot enforce Landlock",
        ),
        ("rootfs", job(), vec![imageless("n")], "set agent.toolbox"),
        (
            "directory",
            mounting,
            vec![node("n")],
            "no node directory \"datasets\"",
        ),
        (
            "landlock",
            Shape {
                landlock_abi: 6,
                ..job()
            },
            vec![node("n")],
            "Landlock ABI below 6",
        ),
        (
            "cpus",
            Shape { slots: 5, ..job() },
            vec![node("n")],
            "too small for 5 CPUs",
        ),
        (
            "memory",
            Shape {
                memory: 2 << 30,
                ..job()
            },
            vec![node("n"), node("m")],
            "2 are too small for 1 CPUs and 2048 MiB",
        ),
    ];
    for (row, shape, nodes, expected) in rows {
        let Choice::Never(obstacles) = check(&shape, &nodes, &[]) else {
            panic!("{row}: some node was thought able");
        };
        let message = obstacles.message(&shape);
        assert!(message.contains(expected), "{row}: {message}");
        // The positive control: an ordinary job beside the same obstacle finds an ordinary node.
        assert_eq!(
            check(&job(), &[node("fine")], &[]),
            Choice::Fit("fine".into()),
            "{row}"
        );
    }
}

//! The node's own test: it holds here, and says which layer does not where one is missing (tests of `mutation`).

use evaljob_sandbox::Spawner;
use evaljob_sandbox::facts::FiltersRead;
use evaljob_sandbox::plan::HostPlan;

use crate::harness::Case;
use crate::harness::program::Program;
use crate::harness::{isolated, pool};

pub(crate) const CASES: &[Case] = &[
    ("every attempt of the node's own test is refused", || {
        let mut slot = pool::slot();
        holds(&mut slot);
        // The slot is as good as new, and no other run has the program.
        Program::shell("ls -d /evaljob-probe 2>&1 || true")
            .run_on(&mut slot)
            .passed()
            .printed("ls: cannot access '/evaljob-probe': No such file or directory\n");
        holds(&mut slot);
    }),
    (
        "it needs nothing of the root file system",
        in_an_empty_image,
    ),
];

fn holds(slot: &mut evaljob_sandbox::Slot) {
    let (facts, findings) = slot.probe().unwrap_or_else(|error| panic!("{error}"));
    let broken: Vec<_> = findings.iter().filter(|finding| !finding.holds).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let filters = facts.enforcement.as_ref().map(|read| read.filters);
    assert_eq!(filters, Some(FiltersRead::Same), "{facts:?}");
    assert!(findings.len() > 20, "{findings:#?}");
}

fn in_an_empty_image() {
    let rootfs = isolated::scratch().join("rootfs-probe");
    std::fs::create_dir_all(rootfs.join("usr")).expect("a directory");
    let rootfs = Some(rootfs.to_string_lossy().into_owned());
    let spawner = Spawner::start(HostPlan {
        rootfs,
        ..pool::host(1)
    })
    .unwrap_or_else(|error| panic!("{error}"));
    holds(&mut spawner.slot(0));
}

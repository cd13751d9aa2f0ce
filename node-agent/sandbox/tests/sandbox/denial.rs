//! What a run is and is denied, layer by layer; each denial beside a positive control. Attacks by one program are in the
//! corpus.

mod identity;
pub(crate) mod inherited;
mod init;
mod kept_network;
mod landlock;
mod loopback;
mod namespaces;
mod peers;
mod probe;
mod strict;
mod tree;

use libtest_mimic::Trial;

use crate::harness::cases;

pub(crate) fn trials() -> Vec<Trial> {
    let concepts = [
        ("strict", strict::CASES),
        ("landlock", landlock::CASES),
        ("identity", identity::CASES),
        ("inherited", inherited::CASES),
        ("init", init::CASES),
        ("namespaces", namespaces::CASES),
        ("kept network", kept_network::CASES),
        ("loopback", loopback::CASES),
        ("tree", tree::CASES),
        ("peers", peers::CASES),
        ("probe", probe::CASES),
    ];
    concepts
        .into_iter()
        .flat_map(|(concept, list)| cases(concept, list))
        .collect()
}

//! What the filters answer, asked of an interpreter for every number and of the kernel for some.

mod arguments;
mod assembler;
mod golden;
mod interpreter;
mod kernel;
mod numbers;
mod properties;

use std::sync::LazyLock;

use super::{Arch, Filter, floor, init, profile};
use crate::plan::SeccompProfile;

const ARCHES: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];

/// Every filter there is for an architecture.
struct Filters {
    floor: Filter,
    strict: Filter,
    default: Filter,
    init: Filter,
}

impl Filters {
    fn of(arch: Arch) -> &'static Self {
        static FILTERS: LazyLock<[Filters; 2]> = LazyLock::new(|| ARCHES.map(Filters::compiled));
        match arch {
            Arch::X86_64 => &FILTERS[0],
            Arch::Aarch64 => &FILTERS[1],
        }
    }

    fn compiled(arch: Arch) -> Self {
        Self {
            floor: floor(arch),
            strict: profile(SeccompProfile::Strict, arch),
            default: profile(SeccompProfile::Default, arch),
            init: init(arch),
        }
    }

    fn each(&self) -> [(&'static str, &Filter); 4] {
        [
            ("floor", &self.floor),
            ("strict", &self.strict),
            ("default", &self.default),
            ("init", &self.init),
        ]
    }
}

/// Loading costs about 30 us and 0.23 us an instruction, once for each process of a run.
#[test]
fn no_filter_has_more_than_300_instructions() {
    for arch in ARCHES {
        for (name, filter) in Filters::of(arch).each() {
            let length = filter.program().len();
            println!("{arch:?} {name}: {length} instructions");
            assert!(length < 300, "{arch:?} {name}: {length} instructions");
        }
    }
}

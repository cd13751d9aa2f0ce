//! Seccomp: which system calls a run may make, as data, and the filters made of it.
//!
//! In: a profile and an architecture. Out: classic BPF programs, compiled once when the parent starts and
//! only handed to seccomp(2) after the fork. This module never loads a filter and never runs in a child.
//!
//! Two filters are in force in a job; of two answers the kernel takes the stricter. The *floor* goes in
//! before limits, capabilities and descriptors are dealt with: it refuses what no honest job needs and
//! leaves alone what those steps call. The *profile* goes in last and names all that is allowed. `init`,
//! the first process of a run, has a filter of its own, and so has the agent. Policy: `table` (one line a system call) and
//! `rules` (arguments). Source: Documentation/userspace-api/seccomp_filter.rst, seccomp(2).

mod agent;
mod assembler;
mod rules;
mod table;

#[cfg(test)]
mod tests;

pub use agent::agent;
use assembler::{Assembler, Compare, Target};
use rules::{Answer, Is, Rule};
use table::{Class, Grant, Row, TABLE};

use crate::plan::SeccompProfile;

/// Offset of `nr` in `struct seccomp_data`.
const DATA_NR: u32 = 0;
/// Offset of `arch` in `struct seccomp_data`.
const DATA_ARCH: u32 = 4;
/// Offset of `args[0]`; every argument takes eight bytes, the low half first (both architectures are
/// little-endian).
const DATA_ARGS: u32 = 16;

/// Bit that marks a call of the x32 ABI, which shares its architecture value with x86_64. All numbers from
/// here on are refused.
const X32_BIT: u32 = 0x4000_0000;
/// The number -1 has the x32 bit but is no x32 call: the kernel itself answers ENOSYS.
const NO_CALL: u32 = u32::MAX;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// All that the first process of a run does after its set-up: wait, report, close, end.
const INIT: [&str; 8] = [
    "waitid",
    "wait4",
    "write",
    "sendmsg",
    "close",
    "exit_group",
    "rt_sigreturn",
    "restart_syscall",
];

/// An architecture the table has numbers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86, without its i386 and x32 ABIs.
    X86_64,
    /// 64-bit little-endian ARM, without its AArch32 ABI.
    Aarch64,
}

impl Arch {
    /// The architecture this program is built for.
    #[must_use]
    pub const fn native() -> Self {
        #[cfg(target_arch = "x86_64")]
        return Self::X86_64;
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        return Self::Aarch64;
        #[cfg(not(any(
            target_arch = "x86_64",
            all(target_arch = "aarch64", target_endian = "little")
        )))]
        compile_error!("seccomp/table.rs has no system call numbers for this architecture");
    }

    /// `AUDIT_ARCH_*` of linux/audit.h.
    const fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xC000_003E,
            Self::Aarch64 => 0xC000_00B7,
        }
    }

    /// The number of a call here, where it exists.
    fn number(self, row: &Row) -> Option<u32> {
        match self {
            Self::X86_64 => row.x86_64,
            Self::Aarch64 => row.aarch64,
        }
        .map(u32::from)
    }
}

/// A compiled filter.
#[derive(Debug, Clone)]
pub struct Filter {
    program: Vec<libc::sock_filter>,
}

impl Filter {
    /// The instructions, ready for a `struct sock_fprog`.
    #[must_use]
    pub fn program(&self) -> &[libc::sock_filter] {
        &self.program
    }

    /// All of it as bytes, eight an instruction, the same on every machine: for a digest.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.program.iter().flat_map(bytes).collect()
    }
}

/// An instruction as bytes: code, jump if true, jump if false, operand; little-endian.
pub(crate) fn bytes(instruction: &libc::sock_filter) -> [u8; 8] {
    let [code_low, code_high] = instruction.code.to_le_bytes();
    let [a, b, c, d] = instruction.k.to_le_bytes();
    [
        code_low,
        code_high,
        instruction.jt,
        instruction.jf,
        a,
        b,
        c,
        d,
    ]
}

/// The filter below every profile: KILL for what no honest job calls, EPERM for what some probe, all else
/// allowed.
#[must_use]
pub fn floor(arch: Arch) -> Filter {
    compile(arch, ALLOW, |_, row| match row.class {
        Class::Kill => Target::Return(KILL),
        Class::Refuse => Target::Return(errno(libc::EPERM)),
        Class::Absent | Class::Deny | Class::NoXattr | Class::Allow { .. } => Target::Return(ALLOW),
    })
}

/// The filter that is installed last, just before execve: what is not listed as allowed is EPERM, what the
/// table does not know is ENOSYS.
///
/// It answers EPERM to the calls that the floor kills; the floor's answer wins.
#[must_use]
pub fn profile(profile: SeccompProfile, arch: Arch) -> Filter {
    compile(arch, errno(libc::ENOSYS), |assembler, row| {
        let grant = match row.class {
            Class::Absent => return Target::Return(errno(libc::ENOSYS)),
            Class::NoXattr => return Target::Return(errno(libc::EOPNOTSUPP)),
            Class::Kill | Class::Refuse | Class::Deny => Grant::Never,
            Class::Allow { strict, default } => match profile {
                SeccompProfile::Strict => strict,
                SeccompProfile::Default => default,
            },
        };
        match grant {
            Grant::Never => Target::Return(errno(libc::EPERM)),
            Grant::Always => Target::Return(ALLOW),
            Grant::If(rule) => compile_rule(assembler, rule),
        }
    })
}

/// The filter of init: eight calls, anything else ends it and with it the run.
#[must_use]
pub fn init(arch: Arch) -> Filter {
    compile(arch, KILL, |_, row| {
        Target::Return(if INIT.contains(&row.name) {
            ALLOW
        } else {
            KILL
        })
    })
}

/// A whole filter: a foreign ABI is killed, known numbers go where `answer` says, others get `unknown`.
fn compile(
    arch: Arch,
    unknown: u32,
    mut answer: impl FnMut(&mut Assembler, &Row) -> Target,
) -> Filter {
    let mut assembler = Assembler::default();
    let mut known: Vec<(u32, Target)> = TABLE
        .iter()
        .filter_map(|row| Some((arch.number(row)?, answer(&mut assembler, row))))
        .collect();
    known.sort_unstable_by_key(|&(number, _)| number);
    let ranges = ranges(arch, &known, Target::Return(unknown));
    let numbers = tree(&mut assembler, &ranges);
    let load = assembler.load(DATA_NR, numbers);
    let checked = assembler.branch(Compare::Equal, arch.audit(), load, Target::Return(KILL));
    let entry = assembler.load(DATA_ARCH, checked);
    Filter {
        program: assembler.finish(entry),
    }
}

/// Every number there is, as (first number, where it goes), neighbours with one answer joined.
fn ranges(arch: Arch, known: &[(u32, Target)], unknown: Target) -> Vec<(u32, Target)> {
    let mut ranges = Vec::new();
    let mut push = |first: u32, target: Target| {
        if ranges.last().is_none_or(|&(_, last)| last != target) {
            ranges.push((first, target));
        }
    };
    let mut next = 0;
    for &(number, target) in known {
        if number > next {
            push(next, unknown);
        }
        push(number, target);
        next = number + 1;
    }
    push(next, unknown);
    if arch == Arch::X86_64 {
        push(X32_BIT, Target::Return(KILL));
        push(NO_CALL, unknown);
    }
    ranges
}

/// Finds the range of the loaded number by halving: what costs is loading a filter, for which the kernel
/// runs it once for each number there is.
fn tree(assembler: &mut Assembler, ranges: &[(u32, Target)]) -> Target {
    if let [(_, target)] = ranges {
        return *target;
    }
    let (below, above) = ranges.split_at(ranges.len() / 2);
    let first = above[0].0;
    let above = tree(assembler, above);
    let below = tree(assembler, below);
    assembler.branch(Compare::AtLeast, first, above, below)
}

/// The cases of a rule, tried in order.
fn compile_rule(assembler: &mut Assembler, rule: &Rule) -> Target {
    let mut next = verdict(rule.otherwise);
    for case in rule.cases.iter().rev() {
        let miss = next;
        next = verdict(case.then);
        for test in case.when.iter().rev() {
            let (set, hit, other) = match test.is {
                Is::OneOf(set) => (set, next, miss),
                Is::NoneOf(set) => (set, miss, next),
            };
            next = assembler.member(set, hit, other);
            if test.mask != u32::MAX {
                next = assembler.mask(test.mask, next);
            }
            next = assembler.load(DATA_ARGS + 8 * u32::from(test.argument), next);
        }
    }
    next
}

fn verdict(answer: Answer) -> Target {
    Target::Return(match answer {
        Answer::Allow => ALLOW,
        Answer::Errno(number) => errno(number),
    })
}

/// `SECCOMP_RET_ERRNO` with this number.
const fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number.unsigned_abs()
}

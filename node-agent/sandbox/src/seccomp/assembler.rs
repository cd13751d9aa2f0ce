//! Assembles classic BPF from its end to its start, so that equal code is written once.
//!
//! In: tests and answers, innermost first. Out: a program whose conditional jumps are all in reach (255
//! instructions) of where they lead. It knows nothing of system calls. Jumps of classic BPF only lead
//! forwards, therefore whatever an instruction refers to must have been written before it.
//! Source: Documentation/networking/filter.rst, linux/bpf_common.h.

use std::collections::BTreeMap;

use libc::sock_filter;

/// Farthest instruction a jump is aimed at; what a branch adds for its own targets still fits 255.
const REACH: usize = 250;

/// Where a decision leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// The program ends with this value.
    Return(u32),
    /// An instruction, counted from the end of the program.
    At(usize),
}

/// How the loaded word is compared with a constant, both unsigned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Compare {
    Equal,
    AtLeast,
    Above,
}

/// Instructions in reverse order.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    code: Vec<sock_filter>,
    /// Instructions that can be led to again.
    written: BTreeMap<Written, usize>,
    /// Latest instruction that returns a value.
    returns: BTreeMap<u32, usize>,
    /// Latest unconditional jump to an instruction.
    jumps: BTreeMap<usize, usize>,
}

/// What makes two instructions the same: opcode, constant and where they lead.
type Written = (u32, u32, Target, Target);

impl Assembler {
    /// Compares the loaded word with `k`.
    pub(super) fn branch(&mut self, compare: Compare, k: u32, yes: Target, no: Target) -> Target {
        if yes == no {
            return yes;
        }
        let code = libc::BPF_JMP
            | libc::BPF_K
            | match compare {
                Compare::Equal => libc::BPF_JEQ,
                Compare::AtLeast => libc::BPF_JGE,
                Compare::Above => libc::BPF_JGT,
            };
        self.once((code, k, yes, no), |this| {
            this.bring_near(yes);
            this.bring_near(no);
            let (yes, no) = (this.distance(yes), this.distance(no));
            this.push(code, yes, no, k);
        })
    }

    /// Loads a word of `struct seccomp_data`.
    pub(super) fn load(&mut self, offset: u32, next: Target) -> Target {
        self.straight(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, next)
    }

    /// Keeps these bits of the loaded word.
    pub(super) fn mask(&mut self, bits: u32, next: Target) -> Target {
        self.straight(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, bits, next)
    }

    /// Whether the loaded word is in an ascending set; neighbours are compared as one range.
    pub(super) fn member(&mut self, set: &[u32], yes: Target, no: Target) -> Target {
        set.chunk_by(|&low, &high| low + 1 == high)
            .rev()
            .fold(no, |next, run| match *run {
                [value] => self.branch(Compare::Equal, value, yes, next),
                [low, .., high] => {
                    let within = self.branch(Compare::Above, high, next, yes);
                    self.branch(Compare::AtLeast, low, within, no)
                }
                [] => next,
            })
    }

    /// The program that starts at `entry`.
    pub(super) fn finish(mut self, entry: Target) -> Vec<sock_filter> {
        self.lead_to(entry);
        self.code.reverse();
        self.code
    }

    fn straight(&mut self, code: u32, k: u32, next: Target) -> Target {
        self.once((code, k, next, next), |this| {
            this.lead_to(next);
            this.push(code, 0, 0, k);
        })
    }

    /// Writes an instruction unless there is an equal one.
    fn once(&mut self, written: Written, write: impl FnOnce(&mut Self)) -> Target {
        if let Some(&at) = self.written.get(&written) {
            return Target::At(at);
        }
        write(self);
        let at = self.code.len() - 1;
        self.written.insert(written, at);
        Target::At(at)
    }

    /// Makes `target` the instruction that the next one falls through to.
    fn lead_to(&mut self, target: Target) {
        match target {
            Target::Return(value) => self.write_return(value),
            Target::At(at) if at + 1 == self.code.len() => {}
            Target::At(at) => self.write_jump(at),
        }
    }

    /// Makes sure that a conditional jump written next, or after one more target, reaches `target`.
    fn bring_near(&mut self, target: Target) {
        let near = self.position(target);
        if near.is_none_or(|at| self.code.len() - at > REACH) {
            match target {
                Target::Return(value) => self.write_return(value),
                Target::At(at) => self.write_jump(at),
            }
        }
    }

    /// The latest instruction that does what `target` says.
    fn position(&self, target: Target) -> Option<usize> {
        match target {
            Target::Return(value) => self.returns.get(&value).copied(),
            Target::At(at) => Some(self.jumps.get(&at).copied().unwrap_or(at)),
        }
    }

    /// Instructions between the next one and `target`, which is near.
    fn distance(&self, target: Target) -> u8 {
        self.position(target)
            .and_then(|at| u8::try_from(self.code.len() - at - 1).ok())
            .expect("bring_near was called for both targets of a branch")
    }

    fn write_return(&mut self, value: u32) {
        self.returns.insert(value, self.code.len());
        self.push(libc::BPF_RET | libc::BPF_K, 0, 0, value);
    }

    fn write_jump(&mut self, to: usize) {
        let skipped =
            u32::try_from(self.code.len() - to - 1).expect("a program has < 4096 instructions");
        self.jumps.insert(to, self.code.len());
        self.push(libc::BPF_JMP | libc::BPF_JA, 0, 0, skipped);
    }

    fn push(&mut self, code: u32, jt: u8, jf: u8, k: u32) {
        let code = u16::try_from(code).expect("an opcode of classic BPF has 16 bits");
        self.code.push(sock_filter { code, jt, jf, k });
    }
}

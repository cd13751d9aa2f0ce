//! Runs classic BPF as the kernel does, over a made-up `struct seccomp_data`.
//!
//! Only the instructions that seccomp(2) accepts and the assembler writes; any other one is a failure.

use libc::sock_filter;

/// `struct seccomp_data`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Data {
    pub(super) nr: u32,
    pub(super) arch: u32,
    pub(super) args: [u64; 6],
}

/// What a program returned, and whether it looked at an argument on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) value: u32,
    pub(super) by_arguments: bool,
}

pub(super) fn run(program: &[sock_filter], data: &Data) -> Outcome {
    let mut accumulator = 0;
    let mut by_arguments = false;
    let mut at = 0;
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let jump = |taken| usize::from(if taken { jt } else { jf });
        match u32::from(code) {
            LOAD => {
                by_arguments |= k >= 16;
                accumulator = word(data, k);
            }
            AND => accumulator &= k,
            EQUAL => at += jump(accumulator == k),
            AT_LEAST => at += jump(accumulator >= k),
            ABOVE => at += jump(accumulator > k),
            ALWAYS => at += usize::try_from(k).unwrap(),
            RETURN => {
                return Outcome {
                    value: k,
                    by_arguments,
                };
            }
            other => panic!("instruction {other:#x} is not one the assembler writes"),
        }
    }
}

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const ABOVE: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
const ALWAYS: u32 = libc::BPF_JMP | libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

/// The 32 bits at an offset; the layout of the structure is written out here a second time on purpose.
fn word(data: &Data, offset: u32) -> u32 {
    let argument = |offset: u32| {
        let bytes = data.args[usize::try_from(offset / 8).unwrap()].to_le_bytes();
        let start = usize::try_from(offset % 8).unwrap();
        u32::from_le_bytes(bytes[start..start + 4].try_into().unwrap())
    };
    assert_eq!(offset % 4, 0, "the kernel refuses a load at {offset}");
    match offset {
        0 => data.nr,
        4 => data.arch,
        16..64 => argument(offset - 16),
        _ => panic!("the filter has no business at offset {offset}"),
    }
}

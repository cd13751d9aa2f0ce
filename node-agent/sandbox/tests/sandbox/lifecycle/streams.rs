//! Standard streams: what goes in, what comes out, to the byte, whatever the program does with them.

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::Program;

pub(crate) const CASES: &[Case] = &[
    ("input that nobody reads is dropped", unread_input),
    ("input arrives byte for byte, then its end", input_is_exact),
    ("a program may close its input early", closed_input),
    (
        "output is handed on byte for byte and counted",
        output_is_exact,
    ),
    (
        "megabytes on stderr before the answer block nobody",
        stderr_first,
    ),
    ("the streams can be opened again by name", reopened),
    ("a closed pipe inside the run is its own affair", inner_pipe),
];

/// A megabyte in which every byte value occurs.
fn bytes() -> Vec<u8> {
    (0..1u32 << 20)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect()
}

fn unread_input() {
    let mut slot = pool::slot();
    let program = Program::new(&["/bin/echo", "42"]).stdin(bytes());
    program.job.begin(&mut slot);
    for _ in 0..50 {
        program.run_in(&mut slot).passed().printed("42\n");
    }
}

fn input_is_exact() {
    let mut slot = pool::slot();
    for input in [Vec::new(), b"abc".to_vec(), b"abc\n".to_vec(), bytes()] {
        let report = Program::new(&["/bin/cat"])
            .stdin(input.clone())
            .run_on(&mut slot)
            .passed();
        assert!(
            report.stdout == input,
            "{} of {} bytes came back",
            report.stdout.len(),
            input.len()
        );
    }
}

fn closed_input() {
    Program::shell("exec <&-; sleep 0.1; echo done")
        .stdin(bytes())
        .run()
        .passed()
        .printed("done\n");
    Program::shell("read line; exec </dev/null; sleep 0.1; echo done")
        .stdin(bytes())
        .run()
        .passed()
        .printed("done\n");
}

fn output_is_exact() {
    let report = Program::shell("cat; head -c 70001 /dev/zero >&2")
        .stdin(bytes())
        .run()
        .passed();
    assert!(report.stdout == bytes());
    assert_eq!(
        (report.facts.stdout_bytes, report.facts.stderr_bytes),
        (1 << 20, 70_001)
    );
    let report = Program::shell("head -c 3000001 /dev/zero; exit 3").run();
    assert_eq!(
        (report.facts.stdout_bytes, report.facts.stderr_bytes),
        (3_000_001, 0)
    );
}

fn stderr_first() {
    let report = Program::shell("head -c 4000000 /dev/zero >&2; echo answer")
        .run()
        .passed()
        .printed("answer\n");
    assert_eq!(report.facts.stderr_bytes, 4_000_000);
}

fn reopened() {
    let command =
        "cat /dev/stdin >/dev/stdout; echo again >/proc/self/fd/1; echo error >/dev/stderr";
    let report = Program::shell(command)
        .stdin("input\n")
        .run()
        .passed()
        .printed("input\nagain\n");
    assert_eq!(report.stderr, b"error\n");
}

fn inner_pipe() {
    Program::shell("yes | head -n 1")
        .run()
        .passed()
        .printed("y\n");
}

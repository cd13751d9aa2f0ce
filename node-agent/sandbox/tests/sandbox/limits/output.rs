//! What a run may write to its streams.

use evaljob_sandbox::facts::Breach;

use crate::harness::Case;
use crate::harness::program::Program;

pub(crate) const CASES: &[Case] = &[
    ("a flood on stdout is ended", || flood("yes")),
    ("a flood on stderr is ended", || flood("yes >&2")),
    ("both streams count together", || {
        let report = writing(40_000, 40_000)
            .limit(|limits| limits.output = 65_536)
            .run()
            .breached(Breach::Output);
        assert!(
            report.facts.stdout_bytes + report.facts.stderr_bytes > 65_536,
            "{}",
            report.all()
        );
    }),
    ("exactly the limit is no breach", exactly_the_limit),
];

fn flood(command: &str) {
    let report = Program::shell(command)
        .limit(|limits| limits.output = 100_000)
        .run()
        .breached(Breach::Output);
    let bytes = report.facts.stdout_bytes + report.facts.stderr_bytes;
    // Beyond the limit: at most one buffer of each stream and what its pipe holds, however long the kill takes.
    assert!(
        bytes > 100_000 && bytes <= 100_000 + 4 * (64 << 10),
        "{bytes}"
    );
    assert_eq!(
        bytes,
        (report.stdout.len() + report.stderr.len()) as u64,
        "every byte is handed on"
    );
}

/// Writes to both streams and stays.
fn writing(stdout: u32, stderr: u32) -> Program {
    Program::shell(&format!(
        "head -c {stdout} /dev/zero; head -c {stderr} /dev/zero >&2; sleep 1000"
    ))
}

fn exactly_the_limit() {
    let program = Program::shell("head -c 40000 /dev/zero; head -c 25536 /dev/zero >&2");
    let report = program
        .limit(|limits| limits.output = 65_536)
        .run()
        .passed();
    assert_eq!(
        (report.facts.stdout_bytes, report.facts.stderr_bytes),
        (40_000, 25_536)
    );
}

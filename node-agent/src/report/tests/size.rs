//! The size of a status: below its bound for whatever a job is called, prints and leaves.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evaljob_crds::bounds;
use evaljob_crds::status::CollectedOutput;
use evaljob_sandbox::facts::{CgroupVersion, Enforcement, FiltersRead, RunFacts};
use proptest::prelude::*;

use super::*;
use crate::report::budget::{LIMIT, OPERATOR};
use crate::results::samples::{captured, facts};
use crate::stream::END_BYTES;

/// Everything of a status, outputs included.
const ALL: usize = 512 << 10;

/// What a job can be and say.
#[derive(Debug, Clone)]
struct Attempt {
    steps: usize,
    tests: usize,
    /// How many steps succeed; the others do not run.
    passed_steps: usize,
    /// Tests with an index that this divides are not accepted.
    every: usize,
    name: String,
    message: String,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    outputs: Vec<(String, usize)>,
}

impl Attempt {
    fn job(&self) -> Job {
        let named = |index: usize| {
            let mut name = format!("{index}{}", self.name);
            name.truncate(name.floor_char_boundary(63));
            name
        };
        let steps = (0..self.steps).map(|index| step(&named(index))).collect();
        match self.tests {
            0 => job(steps, Work::Run { stdin: Vec::new() }),
            count => job(steps, tests(count, named, Some(&self.name))),
        }
    }

    fn record(&self, verdict: Verdict) -> RunRecord {
        let passed = verdict.class() == VerdictClass::Success;
        RunRecord {
            checker_message: Some(self.message.clone()),
            stdout: captured(&self.stdout),
            stderr: captured(&self.stderr),
            facts: RunFacts {
                ending: Ending::Signaled(64),
                cpu_time: Duration::MAX,
                wall_time: Duration::MAX,
                memory_peak: Some(u64::MAX),
                memory_anonymous: Some(u64::MAX),
                throttled: Some(Duration::MAX),
                involuntary_switches: Some(u64::MAX),
                enforcement: Some(enforcement()),
                ..facts()
            },
            ..record(verdict, if passed { "" } else { &self.message })
        }
    }

    fn results(&self) -> Results {
        let mut results = Results::new(self.tests);
        let accepted = self.record(Verdict::Accepted);
        let failed = self.record(Verdict::RuntimeError);
        for index in 0..self.steps.min(self.passed_steps + 1) {
            let passed = index < self.passed_steps;
            results.add_step(if passed { &accepted } else { &failed }.clone());
        }
        if self.steps > self.passed_steps {
            return results;
        }
        for index in 0..self.tests {
            let passed = !index.is_multiple_of(self.every);
            results.add_test(index, if passed { &accepted } else { &failed }.clone());
        }
        results.settle(|_| false);
        if self.tests == 0 {
            results.set_run(failed);
        }
        let output = |(path, size): &(String, usize)| CollectedOutput {
            path: Some(path.clone()),
            size: i64::try_from(*size).ok(),
            sha256: Some("0".repeat(64)),
            content_base64: Some(STANDARD.encode(vec![255; *size])),
            ..CollectedOutput::default()
        };
        results.outputs = self.outputs.iter().map(output).collect();
        results
    }

    /// Bytes without outputs, and all bytes.
    fn sizes(&self) -> (usize, usize) {
        let status = status(&self.job(), &self.results(), &End::Judged, times());
        let all = budget::size(&status);
        let without = EvalJobStatus {
            outputs: Vec::new(),
            ..status
        };
        (budget::size(&without), all)
    }

    fn check(&self) {
        let (without, all) = self.sizes();
        assert!(without <= LIMIT - OPERATOR, "{without} bytes");
        assert!(all <= ALL - OPERATOR, "{all} bytes");
    }
}

fn enforcement() -> Enforcement {
    Enforcement {
        filters: FiltersRead::NotAsked,
        landlock_abi: u32::MAX,
        landlock_fs: u64::MAX,
        landlock_net: u64::MAX,
        landlock_scoped: u64::MAX,
        seccomp_profile: SeccompProfile::Default,
        seccomp_filters: u32::MAX,
        securebits: u32::MAX,
        uid: u32::MAX,
        cgroup: CgroupVersion::V2,
    }
}

/// Units that programs fill streams with: each grows in its own way from bytes to text and from text to JSON.
fn unit() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![
        &b"a"[..],
        b"\"",
        b"\\",
        b"\0",
        b"\n",
        b"\t",
        b"\x1b[31m",
        b"\xff",
        b"<&>",
        "\u{1f600}".as_bytes(),
        "\u{2028}".as_bytes(),
        "\u{a0}".as_bytes(),
        "\u{10ffff}".as_bytes(),
    ])
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let filled = (unit(), 0usize..20_000).prop_map(|(unit, times)| unit.repeat(times));
    prop_oneof![filled, prop::collection::vec(any::<u8>(), 0..9000)]
}

/// A line as messages have them: already visible, of any length.
fn line() -> impl Strategy<Value = String> {
    stream().prop_map(|bytes| crate::visible::line(&bytes, 2000))
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let counts = (
        0usize..=bounds::STEPS,
        prop_oneof![0usize..40, Just(1000), Just(bounds::TESTS)],
        0usize..=bounds::STEPS,
        1usize..30,
    );
    let name = prop_oneof![Just("\"".repeat(63)), "[a-z \"\\\\]{1,63}"];
    let outputs = prop::collection::vec(("[a-z\"]{1,100}", 0usize..(256 << 10) / 8), 0..=8);
    (counts, name, line(), stream(), stream(), outputs).prop_map(
        |((steps, tests, passed_steps, every), name, message, stdout, stderr, outputs)| Attempt {
            steps,
            tests,
            passed_steps,
            every,
            name,
            message,
            stdout,
            stderr,
            outputs,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_status_keeps_its_bound_whatever_a_job_prints(attempt in attempt()) {
        attempt.check();
    }
}

/// All bounds of a spec reached at once, with the byte that JSON doubles.
fn largest() -> Attempt {
    Attempt {
        steps: bounds::STEPS,
        tests: bounds::TESTS,
        passed_steps: bounds::STEPS,
        every: 1,
        name: "\"".repeat(63),
        message: "\"".repeat(2000),
        stdout: b"\"".repeat(20_000),
        stderr: b"\\".repeat(20_000),
        outputs: vec![("\"".repeat(bounds::PATH), (256 << 10) / 8); 8],
    }
}

#[test]
fn the_largest_status_keeps_its_bound() {
    let largest = largest();
    largest.check();
    let (without, all) = largest.sizes();
    // It is not small because nothing is in it.
    assert!(without > LIMIT / 2 && all > 350 << 10, "{without}, {all}");
}

#[test]
fn the_stream_that_explains_the_verdict_shrinks_last() {
    let usual = Attempt {
        message: "exit code 1".to_owned(),
        stdout: b"x".repeat(9000),
        stderr: b"e".repeat(9000),
        ..largest()
    };
    let status = status(&usual.job(), &usual.results(), &End::Judged, times());
    let shown = |index: usize| {
        let stderr = status.tests[index].stderr.as_ref();
        let text = stderr.and_then(|stream| stream.text.as_ref());
        text.expect("always there").len()
    };
    assert_eq!(shown(0), END_BYTES);
    assert!(shown(1) < END_BYTES / 2 && shown(1) == shown(15));
}

//! Records of runs for tests.

use std::time::Duration;

use evaljob_crds::job::Limits;
use evaljob_crds::status::Verdict;
use evaljob_sandbox::facts::{Ending, RunFacts};

use super::RunRecord;
use crate::stream::{Captured, Recorder};
use crate::verdict::Judged;

/// The limits of a test run.
pub(crate) const LIMITS: Limits = Limits {
    cpu_time: Duration::from_millis(2000),
    wall_time: Duration::from_millis(5000),
    cpus: 1,
    memory: 256 << 20,
    processes: 64,
    open_files: 1024,
    file_size: 64 << 20,
    workspace: 64 << 20,
    stack: 8 << 20,
    output: 65536,
};

/// A run with a figure of each kind.
pub(crate) fn facts() -> RunFacts {
    RunFacts {
        ending: Ending::Exited(0),
        breach: None,
        cpu_time: Duration::from_micros(1_000_400),
        wall_time: Duration::from_micros(2_000_600),
        memory_peak: Some(40_000_000),
        memory_anonymous: Some(30_000_000),
        oom_kills: 0,
        pids_hits: 0,
        disk_full: false,
        throttled: Some(Duration::from_micros(70_001)),
        involuntary_switches: Some(8),
        stdout_bytes: 0,
        stderr_bytes: 0,
        enforcement: None,
        phases: evaljob_sandbox::facts::Phases::default(),
    }
}

/// That run with this verdict.
pub(crate) fn record(verdict: Verdict, message: &str) -> RunRecord {
    RunRecord {
        judged: Judged {
            verdict,
            message: message.to_owned(),
        },
        checker_message: None,
        facts: facts(),
        stdout: Captured::empty(),
        stderr: Captured::empty(),
    }
}

/// A stream with this content.
pub(crate) fn captured(bytes: &[u8]) -> Captured {
    let mut recorder = Recorder::new(None);
    recorder.push(bytes);
    recorder.finish()
}

//! The default of every limit. The descriptions in `spec.rs` name the same values.

use std::time::Duration;

use super::Limits;
use crate::quantity::Quantity;
use crate::spec;

const MIB: u64 = 1 << 20;

/// Largest size of an output for which the manifest gives none; bytes. Eight of them fit into the total.
pub const OUTPUT_MAX_SIZE: u64 = 32 << 10;
/// Lowest Landlock ABI when the manifest asks for none; every supported node has it.
pub(super) const MINIMUM_LANDLOCK_ABI: u32 = 2;
/// Tolerance, absolute and relative, when the manifest gives neither.
pub(super) const TOLERANCE: f64 = 1e-6;
/// Directory in which runs start.
pub(super) const WORKING_DIR: &str = "/work";
/// Weight of a test.
pub(super) const WEIGHT: u32 = 1;
/// `spec.infraRetryLimit`.
pub const INFRA_RETRY_LIMIT: u32 = 3;
/// `spec.maxQueueSeconds`.
pub const MAX_QUEUE: Duration = Duration::from_secs(3600);

/// Limits of a test or the single run. The wall time is filled in from the CPU time.
const RUN: Limits = Limits {
    cpu_time: Duration::from_secs(10),
    wall_time: Duration::ZERO,
    cpus: 1,
    memory: 256 * MIB,
    processes: 64,
    open_files: 1024,
    file_size: 64 * MIB,
    workspace: 64 * MIB,
    stack: 8 * MIB,
    output: 16 * MIB,
};

/// Limits of a step or a checker program: compilers need more than what they compile.
const STEP: Limits = Limits {
    cpu_time: Duration::from_secs(60),
    memory: 1024 * MIB,
    processes: 128,
    file_size: 256 * MIB,
    ..RUN
};

/// Limits of a test or the single run.
pub(crate) fn run_limits(given: Option<&spec::Limits>) -> Limits {
    merge(RUN, given)
}

/// Limits of a step or a checker program; `workspace` is the job's.
pub(crate) fn step_limits(given: Option<&spec::Limits>, workspace: u64) -> Limits {
    merge(STEP, given).with_workspace(workspace)
}

impl Limits {
    const fn with_workspace(self, workspace: u64) -> Self {
        Self { workspace, ..self }
    }
}

/// What is given replaces its default, and nothing else: no field derives from another but the wall time.
fn merge(default: Limits, given: Option<&spec::Limits>) -> Limits {
    let none = spec::Limits::default();
    let given = given.unwrap_or(&none);
    let time = |value: Option<i64>| {
        value
            .and_then(|value| u64::try_from(value).ok())
            .map(Duration::from_millis)
    };
    let number = |value: Option<i32>, default: u32| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .unwrap_or(default)
    };
    let size = |value: &Option<Quantity>, default: u64| {
        value
            .as_ref()
            .and_then(|value| value.bytes().ok())
            .unwrap_or(default)
    };
    let cpu_time = time(given.cpu_time_milliseconds).unwrap_or(default.cpu_time);
    Limits {
        cpu_time,
        wall_time: time(given.wall_time_milliseconds)
            .unwrap_or_else(|| cpu_time * 2 + Duration::from_secs(1)),
        cpus: number(given.cpus, default.cpus),
        memory: size(&given.memory, default.memory),
        processes: number(given.processes, default.processes),
        open_files: number(given.open_files, default.open_files),
        file_size: size(&given.file_size, default.file_size),
        workspace: size(&given.workspace, default.workspace),
        stack: size(&given.stack, default.stack),
        output: size(&given.output, default.output),
    }
}

//! `evaljob-agent doctor`: what this machine can enforce, a line for each layer, and what to change.
//!
//! In: the same flags as `run`. Out: lines on standard output; exit code 0 only where jobs would run. The machine is
//! prepared as for real jobs, then a program runs through the whole sequence and others try what each must not do.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use evaljob_sandbox::facts::{CgroupVersion, Ending, RunFacts};
use evaljob_sandbox::plan::{JobPlan, RunKind, RunLimits, RunPlan, SeccompProfile};
use evaljob_sandbox::{
    Confinement, HostFacts, Interrupt, Layer, RunIo, SandboxError, Slot, Spawner, confine,
};

use crate::run::HostOptions;
use crate::serve::AGENT_UID;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    holds: bool,
    layer: String,
    text: String,
}

/// Examines the machine.
///
/// # Errors
/// When standard output is closed.
pub fn run(options: &HostOptions) -> io::Result<ExitCode> {
    let lines = examine(options);
    let mut out = io::stdout().lock();
    for line in &lines {
        let mark = if line.holds { "ok  " } else { "FAIL" };
        writeln!(out, "{mark} {:<13} {}", line.layer, line.text)?;
    }
    let holds = lines.iter().all(|line| line.holds);
    let end = if holds {
        "jobs run here"
    } else {
        "no job runs here until the lines marked FAIL are mended"
    };
    writeln!(out, "{end}")?;
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn examine(options: &HostOptions) -> Vec<Line> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut lines = vec![good("kernel", release.trim().to_owned())];
    let spawner = match Spawner::start(options.host_plan()) {
        Ok(spawner) => spawner,
        Err(error) => {
            lines.push(bad(&error));
            return lines;
        }
    };
    lines.extend(found(spawner.facts()));
    if let Err(error) = spawner.facts().capable() {
        lines.push(bad(&error));
        return lines;
    }
    if let Err(error) = spawner.facts().root_for_all() {
        lines.push(bad(&error));
    }
    lines.push(locked_in());
    let mut slot = spawner.slot(0);
    match trials(&mut slot) {
        Ok(more) => lines.extend(more),
        Err(error) => lines.push(bad(&error)),
    }
    lines
}

/// Gives up what an agent gives up, for the rest of the examination.
fn locked_in() -> Line {
    let plan = Confinement {
        id: AGENT_UID,
        ..Confinement::default()
    };
    match confine(&plan) {
        Ok(confined) => good(
            "agent",
            format!(
                "uid {}, no capabilities, no_new_privs, Landlock and seccomp of its own",
                confined.uid
            ),
        ),
        Err(error) => bad(&error),
    }
}

fn good(layer: &str, text: String) -> Line {
    Line {
        holds: true,
        layer: layer.to_owned(),
        text,
    }
}

fn bad(error: &SandboxError) -> Line {
    let hint = if error.way_out.is_empty() {
        String::new()
    } else {
        format!(" (hint: {})", error.way_out)
    };
    Line {
        holds: false,
        layer: error.layer.to_string(),
        text: format!("{}{hint}", error.cause),
    }
}

fn found(facts: &HostFacts) -> Vec<Line> {
    let version = match facts.cgroup {
        CgroupVersion::V1 => "v1 (accepted by --allow-cgroup-v1)",
        CgroupVersion::V2 => "v2",
    };
    let crash = if facts.piped_core_pattern {
        "core_pattern hands crashes to a program; runs have RLIMIT_CORE 1, which keeps a piped one from starting"
    } else {
        "core_pattern writes files; runs have RLIMIT_CORE 1"
    };
    let mut lines = vec![
        good(
            "Landlock",
            format!("ABI {} (2 or newer is needed)", facts.landlock_abi),
        ),
        good(
            "Cgroup",
            format!(
                "{version}, {} MiB for all runs together",
                facts.memory_budget >> 20
            ),
        ),
        good("core dumps", crash.to_owned()),
    ];
    for leftover in &facts.leftovers {
        lines.push(good("leftovers", leftover.clone()));
    }
    lines
}

/// What a program must be able to do, and what it must not.
fn trials(slot: &mut Slot) -> Result<Vec<Line>, SandboxError> {
    slot.begin(
        &JobPlan {
            workspace: 16 << 20,
            memory: 64 << 20,
            ..JobPlan::default()
        },
        &[],
    )?;
    let honest = trial(slot, &["true"])?;
    let denied = trial(slot, &["ls", "/"])?;
    slot.end()?;
    Ok(vec![verified(&honest), started(&honest), canary(&denied)])
}

/// The read-back of the trial run.
fn verified(facts: &RunFacts) -> Line {
    match &facts.enforcement {
        Some(seen) => good(
            "read-back",
            format!(
                "uid {}, no capabilities, no_new_privs, {} seccomp filters, Landlock fs {:#x} net {:#x} scopes {:#x}, 7 namespaces",
                seen.uid,
                seen.seccomp_filters,
                seen.landlock_fs,
                seen.landlock_net,
                seen.landlock_scoped
            ),
        ),
        None => missing(
            Layer::ReadBack,
            "the trial run did not come to the read-back",
        ),
    }
}

fn started(facts: &RunFacts) -> Line {
    match &facts.ending {
        Ending::Exited(0) => good("trial", "`true` ran through the whole sequence".to_owned()),
        Ending::NotStarted { errno: 2, .. } => good(
            "trial",
            "the sequence holds; the root file system has no `true`".to_owned(),
        ),
        other => missing(Layer::Spawner, &format!("`true` ended with {other:?}")),
    }
}

/// Landlock leaves no trace under /proc: only an attempt shows that it is in force.
fn canary(facts: &RunFacts) -> Line {
    match &facts.ending {
        Ending::Exited(0) => missing(
            Layer::Landlock,
            "a program could list /, for which no rule exists",
        ),
        Ending::Exited(_) => good("canary", "listing / is refused".to_owned()),
        Ending::NotStarted { errno: 2, .. } => good(
            "canary",
            "not tried: the root file system has no `ls`".to_owned(),
        ),
        other => missing(Layer::Landlock, &format!("`ls /` ended with {other:?}")),
    }
}

fn missing(layer: Layer, text: &str) -> Line {
    Line {
        holds: false,
        layer: layer.to_string(),
        text: text.to_owned(),
    }
}

fn trial(slot: &mut Slot, argv: &[&str]) -> Result<RunFacts, SandboxError> {
    let interrupt = Interrupt::new().map_err(|error| SandboxError {
        layer: Layer::Spawner,
        cause: format!("cannot make an interrupt: {error}"),
        way_out: "raise the limit of open files".to_owned(),
    })?;
    let plan = RunPlan {
        kind: RunKind::Test,
        argv: argv.iter().map(|text| (*text).to_owned()).collect(),
        env: vec!["PATH=/usr/local/bin:/usr/bin:/bin".to_owned()],
        working_dir: "/work".to_owned(),
        limits: RunLimits {
            cpu_time: Duration::from_secs(5),
            wall_time: Duration::from_secs(20),
            cpus: 1,
            memory: 64 << 20,
            processes: 8,
            open_files: 64,
            file_size: 1 << 20,
            stack: 8 << 20,
            output: 1 << 20,
        },
        profile: SeccompProfile::Default,
        minimum_landlock_abi: 0,
    };
    let io = RunIo {
        stdin: &[],
        stdout: &mut |_| (),
        stderr: &mut |_| (),
        interrupt: &interrupt,
    };
    slot.run(&plan, io)
}

//! `evaljob-agent doctor`: what this machine can enforce, a line for each layer, and what to change.
//!
//! In: the same flags as `run`. Out: lines on standard output; exit code 0 only where jobs would run. The machine is
//! prepared as for real jobs, then a program runs through the whole sequence and tries what none may do.

mod checklist;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use evaljob_sandbox::facts::{CgroupVersion, RunFacts};
use evaljob_sandbox::plan::SeccompProfile;
use evaljob_sandbox::seccomp::{Arch, Filter, floor, profile};
use evaljob_sandbox::{
    Confinement, Finding, HostFacts, Layer, SandboxError, Slot, Spawner, confine,
};

use sha2::{Digest as _, Sha256};

use crate::run::HostOptions;
use crate::serve::AGENT_UID;
use crate::stream::hex;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    mark: Mark,
    layer: String,
    text: String,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Ok,
    /// Jobs run, and the node would be better with a change.
    Note,
    /// No job runs.
    Fail,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok  ",
            Self::Note => "note",
            Self::Fail => "FAIL",
        })
    }
}

/// Examines the machine.
///
/// # Errors
/// When standard output is closed.
pub fn run(options: &HostOptions) -> io::Result<ExitCode> {
    let lines = examine(options);
    let mut out = io::stdout().lock();
    for Line { mark, layer, text } in &lines {
        writeln!(out, "{mark} {layer:<13} {text}")?;
    }
    let holds = lines.iter().all(|line| line.mark != Mark::Fail);
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
    lines.extend(checklist::look(|path| fs::read_to_string(path).ok()));
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
    lines.extend(filters());
    let mut slot = spawner.slot(0);
    match tried(&mut slot) {
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

/// The filters of runs as compiled, to tell nodes apart; the node's own test compares them with what the kernel holds.
fn filters() -> [Line; 3] {
    let arch = Arch::native();
    let line = |name: &str, filter: &Filter| {
        let digest = hex(&Sha256::digest(filter.bytes()));
        good("Seccomp", format!("{name} sha256:{digest}"))
    };
    [
        line("floor", &floor(arch)),
        line("Default", &profile(SeccompProfile::Default, arch)),
        line("Strict", &profile(SeccompProfile::Strict, arch)),
    ]
}

fn good(layer: &str, text: String) -> Line {
    Line {
        mark: Mark::Ok,
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
        mark: Mark::Fail,
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

/// What a program must not be able to do, tried by one that ran through the whole sequence.
fn tried(slot: &mut Slot) -> Result<Vec<Line>, SandboxError> {
    let (facts, findings) = slot.probe()?;
    let line = |finding: Finding| Line {
        mark: if finding.holds { Mark::Ok } else { Mark::Fail },
        layer: finding.layer.to_string(),
        text: finding.text,
    };
    Ok(std::iter::once(verified(&facts))
        .chain(findings.into_iter().map(line))
        .collect())
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
        None => Line {
            mark: Mark::Fail,
            layer: Layer::ReadBack.to_string(),
            text: "the trial run did not come to the read-back".to_owned(),
        },
    }
}

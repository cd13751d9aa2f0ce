//! What a job asks of the sandbox: its plan, the plan of each run, the environment.
//!
//! In: a job. Out: plans of `evaljob_sandbox`. Pure. Nothing of this process goes into them: no
//! variable, path or descriptor of the agent reaches a program.

use evaljob_crds::job::{CheckerProgram, File, Job, Limits, Network, Profile, Step, Test};
use evaljob_sandbox::plan::{
    self, FilePlan, JUDGE, JUDGE_FILES, JobPlan, RunKind, RunLimits, RunPlan, SeccompProfile,
    VolumePlan,
};

/// Where a checker starts.
const WORK: &str = "/work";

/// Variables every run has unless the manifest sets them. The user exists in the run's /etc/passwd,
/// and HOME and TMPDIR are writable there.
const GIVEN: [(&str, &str); 5] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin",
    ),
    ("HOME", "/home"),
    ("USER", "job"),
    ("LANG", "C.UTF-8"),
    ("TMPDIR", "/tmp"),
];

/// The job's plan, and the bytes of its files back to back.
pub fn job(job: &Job) -> (JobPlan, Vec<u8>) {
    let (files, content) = files(&job.files);
    let volumes = job.volumes.iter().map(|volume| VolumePlan {
        node_directory: volume.node_directory.clone(),
        mount_path: volume.mount_path.clone(),
        executable: volume.executable,
    });
    let plan = JobPlan {
        files,
        volumes: volumes.collect(),
        workspace: job.limits.workspace,
        memory: memory(job),
        steps: !job.steps.is_empty(),
        checker: false,
        crew: None,
        network: match job.network {
            Network::None => plan::Network::None,
            Network::Loopback => plan::Network::Loopback,
        },
        probe: false,
    };
    (plan, content)
}

/// The plan of the job's checker, and the bytes of its files back to back. It sees the image, and nothing of the job.
pub fn checker(job: &Job, program: &CheckerProgram) -> (JobPlan, Vec<u8>) {
    let (files, content) = files(&program.files);
    let plan = JobPlan {
        files,
        volumes: Vec::new(),
        workspace: program.limits.workspace,
        memory: memory(job),
        steps: !program.steps.is_empty(),
        checker: true,
        crew: None,
        network: plan::Network::None,
        probe: false,
    };
    (plan, content)
}

/// The plan of a checker's run. It always runs under the default profile, in its own /work.
pub fn check(job: &Job, program: &CheckerProgram) -> RunPlan {
    let paths = JUDGE_FILES.map(|name| format!("{JUDGE}/{name}"));
    RunPlan {
        argv: program.argv.iter().cloned().chain(paths).collect(),
        limits: limits(&program.limits),
        working_dir: WORK.to_owned(),
        profile: SeccompProfile::Default,
        ..run(job)
    }
}

fn files(files: &[File]) -> (Vec<FilePlan>, Vec<u8>) {
    let mut content = Vec::with_capacity(files.iter().map(|file| file.content.len()).sum());
    let place = |file: &File| {
        let offset = content.len() as u64;
        content.extend_from_slice(&file.content);
        FilePlan {
            path: file.path.clone(),
            executable: file.executable,
            offset,
            length: file.content.len() as u64,
        }
    };
    let plans = files.iter().map(place).collect();
    (plans, content)
}

/// Bytes the job may use at any time.
pub fn memory(job: &Job) -> u64 {
    job.needs().memory
}

/// The plan of a step. Steps always run in /work, where they may make the job's workingDir, and under the default profile.
pub fn step(job: &Job, step: &Step) -> RunPlan {
    RunPlan {
        kind: RunKind::Step,
        argv: step.argv.clone(),
        working_dir: WORK.to_owned(),
        limits: limits(&step.limits),
        profile: SeccompProfile::Default,
        ..run(job)
    }
}

/// The plan of a test.
pub fn test(job: &Job, test: &Test) -> RunPlan {
    let mut plan = run(job);
    plan.argv.extend_from_slice(&test.args);
    plan
}

/// The plan of the single run.
pub fn run(job: &Job) -> RunPlan {
    RunPlan {
        kind: RunKind::Test,
        argv: job.argv.clone(),
        env: environment(&job.env),
        working_dir: job.working_dir.clone(),
        limits: limits(&job.limits),
        profile: match job.profile {
            Profile::Default => SeccompProfile::Default,
            Profile::Strict => SeccompProfile::Strict,
        },
        minimum_landlock_abi: job.minimum_landlock_abi,
    }
}

fn environment(manifest: &[(String, String)]) -> Vec<String> {
    let set = |name: &str| manifest.iter().any(|(other, _)| other == name);
    let given = GIVEN
        .iter()
        .filter(|(name, _)| !set(name))
        .map(|(name, value)| format!("{name}={value}"));
    given
        .chain(
            manifest
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        )
        .collect()
}

fn limits(limits: &Limits) -> RunLimits {
    RunLimits {
        cpu_time: limits.cpu_time,
        wall_time: limits.wall_time,
        cpus: limits.cpus,
        memory: limits.memory,
        processes: limits.processes,
        open_files: limits.open_files,
        file_size: limits.file_size,
        stack: limits.stack,
        output: limits.output,
    }
}

//! The one defaulting function: a spec and the bytes it refers to in, a [`Job`] out.
//!
//! It starts with [`validate`], so that what follows can rely on it. It reads nothing itself.

use super::defaults::{self, OUTPUT_MAX_SIZE};
use super::{
    Checker, CheckerProgram, File, Job, Limits, Network, OnFailure, Output, Profile, Step, Stream,
    Test, Volume, Work,
};
use crate::bounds;
use crate::field::{FieldError, Path, Report};
use crate::inputs::Inputs;
use crate::spec::{self, EvalJobSpec, NetworkMode};
use crate::validate::{decode_base64, tolerance, validate};

/// Builds the job that `spec` describes.
///
/// # Errors
/// Every error of [`validate`], or else every reference that `inputs` cannot answer, or inputs over 32 MiB.
pub fn build(spec: &EvalJobSpec, inputs: &Inputs) -> Result<Job, Vec<FieldError>> {
    let errors = validate(spec);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut reader = Reader {
        inputs,
        report: Report::default(),
        total: 0,
    };
    let root = Path::Root("spec");
    let files = reader.files(&root, &spec.files);
    let limits = defaults::run_limits(spec.limits.as_ref());
    let work = if spec.tests.is_empty() {
        reader.run(&root, spec)
    } else {
        reader.tests(&root, spec, limits.workspace)
    };
    let report = reader.finish(&root);
    if !report.errors.is_empty() {
        return Err(report.errors);
    }
    Ok(Job {
        files,
        volumes: spec.volumes.iter().map(volume).collect(),
        steps: spec
            .steps
            .iter()
            .map(|given| step(given, limits.workspace))
            .collect(),
        argv: spec.command.iter().chain(&spec.args).cloned().collect(),
        env: spec
            .env
            .iter()
            .map(|variable| (variable.name.clone(), variable.value.clone()))
            .collect(),
        working_dir: spec
            .working_dir
            .clone()
            .unwrap_or_else(|| defaults::WORKING_DIR.to_owned()),
        work,
        limits,
        network: network(spec),
        profile: profile(spec),
        minimum_landlock_abi: spec
            .sandbox
            .as_ref()
            .and_then(|sandbox| sandbox.minimum_landlock_abi)
            .and_then(|abi| u32::try_from(abi).ok())
            .unwrap_or(defaults::MINIMUM_LANDLOCK_ABI),
        outputs: spec.outputs.iter().filter_map(output).collect(),
    })
}

fn network(spec: &EvalJobSpec) -> Network {
    match spec.network.as_ref().and_then(|network| network.mode) {
        None | Some(NetworkMode::None) => Network::None,
        Some(NetworkMode::Loopback) => Network::Loopback,
    }
}

/// Turns what a manifest carries or refers to into bytes, and counts them.
struct Reader<'a> {
    inputs: &'a Inputs,
    report: Report,
    total: usize,
}

impl Reader<'_> {
    /// The bytes of whichever source is given; `None` when there is none.
    fn bytes(
        &mut self,
        at: &Path<'_>,
        text: Option<&String>,
        base64: Option<&String>,
        reference: Option<&spec::ConfigMapKeyRef>,
    ) -> Option<Vec<u8>> {
        let bytes = match (text, base64, reference) {
            (Some(text), _, _) => text.clone().into_bytes(),
            (None, Some(base64), _) => decode_base64(base64)?,
            (None, None, Some(reference)) => match self.inputs.get(reference) {
                // Counted before it is copied: many references to one large value stay references until then.
                Ok(value) if self.total.saturating_add(value.len()) > bounds::INPUT_TOTAL => {
                    self.total = self.total.saturating_add(value.len());
                    return None;
                }
                Ok(value) => value.to_vec(),
                Err(error) => {
                    self.report
                        .add(&at.field("configMapKeyRef"), error.to_string());
                    return None;
                }
            },
            (None, None, None) => return None,
        };
        self.total = self.total.saturating_add(bytes.len());
        Some(bytes)
    }

    /// The bytes of a stream of the manifest, whose three fields begin with `name`.
    fn stream(
        &mut self,
        parent: &Path<'_>,
        from: &str,
        text: Option<&String>,
        base64: Option<&String>,
        source: Option<&spec::InputSource>,
    ) -> Option<Vec<u8>> {
        let reference = source.and_then(|source| source.config_map_key_ref.as_ref());
        self.bytes(&parent.field(from), text, base64, reference)
    }

    fn files(&mut self, parent: &Path<'_>, files: &[spec::File]) -> Vec<File> {
        let list = parent.field("files");
        files
            .iter()
            .enumerate()
            .map(|(index, file)| File {
                path: file.path.clone(),
                content: self
                    .bytes(
                        &list.index(index),
                        file.content.as_ref(),
                        file.content_base64.as_ref(),
                        file.config_map_key_ref.as_ref(),
                    )
                    .unwrap_or_default(),
                executable: file.executable.unwrap_or(false),
            })
            .collect()
    }

    fn run(&mut self, root: &Path<'_>, spec: &EvalJobSpec) -> Work {
        let stdin = self.stream(
            root,
            "stdinFrom",
            spec.stdin.as_ref(),
            spec.stdin_base64.as_ref(),
            spec.stdin_from.as_ref(),
        );
        Work::Run {
            stdin: stdin.unwrap_or_default(),
        }
    }

    fn tests(&mut self, root: &Path<'_>, spec: &EvalJobSpec, workspace: u64) -> Work {
        let list = root.field("tests");
        let tests = spec
            .tests
            .iter()
            .enumerate()
            .map(|(index, test)| self.test(&list.index(index), test))
            .collect();
        let policy = spec.test_policy.clone().unwrap_or_default();
        Work::Tests {
            tests,
            checker: self.checker(root, spec.checker.as_ref(), workspace),
            on_failure: match policy.on_failure {
                Some(spec::OnFailure::Continue) => OnFailure::Continue,
                Some(spec::OnFailure::StopGroup) => OnFailure::StopGroup,
                Some(spec::OnFailure::StopAll) | None => OnFailure::StopAll,
            },
            parallelism: policy
                .parallelism
                .and_then(|tests| u32::try_from(tests).ok())
                .unwrap_or(1),
        }
    }

    fn test(&mut self, at: &Path<'_>, test: &spec::Test) -> Test {
        Test {
            name: test.name.clone(),
            stdin: self
                .stream(
                    at,
                    "stdinFrom",
                    test.stdin.as_ref(),
                    test.stdin_base64.as_ref(),
                    test.stdin_from.as_ref(),
                )
                .unwrap_or_default(),
            expected: self.stream(
                at,
                "expectedStdoutFrom",
                test.expected_stdout.as_ref(),
                test.expected_stdout_base64.as_ref(),
                test.expected_stdout_from.as_ref(),
            ),
            args: test.args.clone(),
            group: test.group.clone(),
            weight: test
                .weight
                .and_then(|weight| u32::try_from(weight).ok())
                .unwrap_or(defaults::WEIGHT),
        }
    }

    fn checker(
        &mut self,
        root: &Path<'_>,
        given: Option<&spec::Checker>,
        workspace: u64,
    ) -> Checker {
        let Some(given) = given else {
            return Checker::Tokens;
        };
        match (given.type_, &given.program) {
            (Some(spec::CheckerType::Exact), _) => Checker::Exact,
            (Some(spec::CheckerType::Lines), _) => Checker::Lines,
            (Some(spec::CheckerType::Unordered), _) => Checker::Unordered,
            (Some(spec::CheckerType::Float), _) => float(given.float.as_ref()),
            (Some(spec::CheckerType::Program), Some(program)) => {
                let checker = root.field("checker");
                let at = checker.field("program");
                Checker::Program(Box::new(CheckerProgram {
                    files: self.files(&at, &program.files),
                    steps: program
                        .steps
                        .iter()
                        .map(|given| step(given, workspace))
                        .collect(),
                    argv: program.command.clone(),
                    limits: defaults::step_limits(program.limits.as_ref(), workspace),
                }))
            }
            // Validation refuses a Program without its program.
            (Some(spec::CheckerType::Tokens | spec::CheckerType::Program) | None, _) => {
                Checker::Tokens
            }
        }
    }

    fn finish(mut self, root: &Path<'_>) -> Report {
        let total = self.total;
        self.report.check(total <= bounds::INPUT_TOTAL, root, || {
            format!(
                "all inputs together, references read, must have at most {} bytes, have {total}",
                bounds::INPUT_TOTAL
            )
        });
        self.report
    }
}

fn volume(given: &spec::Volume) -> Volume {
    Volume {
        name: given.name.clone(),
        mount_path: given.mount_path.clone(),
        executable: given.executable.unwrap_or(false),
        node_directory: given
            .node_directory
            .as_ref()
            .map(|directory| directory.name.clone())
            .unwrap_or_default(),
    }
}

fn step(given: &spec::Step, workspace: u64) -> Step {
    let limits: Limits = defaults::step_limits(given.limits.as_ref(), workspace);
    Step {
        name: given.name.clone(),
        argv: given.command.clone(),
        limits,
    }
}

/// One tolerance given leaves the other at 0; none given means both defaults.
fn float(given: Option<&spec::FloatTolerance>) -> Checker {
    let value = |text: &Option<String>| text.as_deref().and_then(tolerance);
    let absolute = given.and_then(|given| value(&given.absolute_tolerance));
    let relative = given.and_then(|given| value(&given.relative_tolerance));
    match (absolute, relative) {
        (None, None) => Checker::Float {
            absolute: defaults::TOLERANCE,
            relative: defaults::TOLERANCE,
        },
        (absolute, relative) => Checker::Float {
            absolute: absolute.unwrap_or(0.0),
            relative: relative.unwrap_or(0.0),
        },
    }
}

fn profile(spec: &EvalJobSpec) -> Profile {
    match spec.sandbox.as_ref().and_then(|s| s.seccomp_profile) {
        Some(spec::SeccompProfile::Strict) => Profile::Strict,
        Some(spec::SeccompProfile::Default) | None => Profile::Default,
    }
}

fn output(given: &spec::Output) -> Option<Output> {
    let max_size = given
        .max_size
        .as_ref()
        .and_then(|size| size.bytes().ok())
        .unwrap_or(OUTPUT_MAX_SIZE);
    match (&given.path, given.stream) {
        (Some(path), _) => Some(Output::Path {
            path: path.clone(),
            max_size,
        }),
        (None, Some(spec::OutputStream::Stdout)) => Some(Output::Stream {
            stream: Stream::Stdout,
            max_size,
        }),
        (None, Some(spec::OutputStream::Stderr)) => Some(Output::Stream {
            stream: Stream::Stderr,
            max_size,
        }),
        (None, None) => None,
    }
}

//! What is run and how its output is judged: steps, tests, checkers and the order of tests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Limits;
use super::{File, InputSource};
use crate::bounds;
use crate::patterns;

/// One preparation step. It always runs under seccomp profile Default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Name, unique among the steps.
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::NAME))]
    pub name: String,

    /// Program and arguments; 1 to 64 items of at most 4 KiB.
    #[schemars(length(min = 1, max = bounds::ARGV), inner(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL)))]
    pub command: Vec<String>,

    /// Limits of this step; the defaults are those of steps, not derived from the limits of the tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// One variable of the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Name: no `=`, no NUL.
    #[schemars(length(min = 1, max = bounds::ARGUMENT), regex(pattern = patterns::VARIABLE))]
    pub name: String,

    /// Value: no NUL. Name and value have at most 4 KiB together.
    #[schemars(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL))]
    pub value: String,
}

/// One test. At most one of stdin, stdinBase64, stdinFrom and at most one of expectedStdout,
/// expectedStdoutBase64, expectedStdoutFrom is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// Name, unique among the tests.
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::NAME))]
    pub name: String,

    /// Standard input as text; at most 256 KiB. Default: end of file at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE))]
    pub stdin: Option<String>,

    /// Standard input in base64; at most 256 KiB as encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE), regex(pattern = patterns::BASE64))]
    pub stdin_base64: Option<String>,

    /// Standard input, read from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin_from: Option<InputSource>,

    /// Expected standard output as text; at most 256 KiB. Default: none, and the test passes when the program exits
    /// with 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE))]
    pub expected_stdout: Option<String>,

    /// Expected standard output in base64; at most 256 KiB as encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE), regex(pattern = patterns::BASE64))]
    pub expected_stdout_base64: Option<String>,

    /// Expected standard output, read from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_stdout_from: Option<InputSource>,

    /// Arguments appended to those of the job. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::ARGS), inner(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL)))]
    pub args: Vec<String>,

    /// Group: its tests count only if all of them pass. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::NAME))]
    pub group: Option<String>,

    /// Share in the score, 0 to 1000. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::WEIGHT.0, max = bounds::WEIGHT.1))]
    pub weight: Option<i32>,
}

/// How the output of a test is compared with the expected one. White space is ASCII only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checker {
    /// Exact: bytes. Tokens: sequences of characters that are not white space. Lines: trailing white space of a
    /// line and trailing empty lines are forgiven. Unordered: Lines in any order. Float: Tokens, numbers within
    /// tolerances. Program: a program of yours decides. Default: Tokens.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<CheckerType>,

    /// Tolerances; only with type Float.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float: Option<FloatTolerance>,

    /// The deciding program; required with type Program, and only there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<CheckerProgram>,
}

/// Kinds of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum CheckerType {
    /// Byte for byte.
    Exact,
    /// Sequences of bytes that are not white space.
    Tokens,
    /// Lines, forgiving at their ends and at the end.
    Lines,
    /// Lines in any order.
    Unordered,
    /// Tokens, numbers within tolerances.
    Float,
    /// A program decides.
    Program,
}

/// How far two numbers may differ: by the absolute tolerance or by the relative one times the expected value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FloatTolerance {
    /// Largest absolute difference: a decimal number as text, such as "0.001" or "1e-6". Default: 0, or 1e-6 when
    /// both tolerances are absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::TOLERANCE), regex(pattern = patterns::TOLERANCE))]
    pub absolute_tolerance: Option<String>,

    /// Largest difference relative to the expected value: a decimal number as text. Default: 0, or 1e-6 when both
    /// tolerances are absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = bounds::TOLERANCE), regex(pattern = patterns::TOLERANCE))]
    pub relative_tolerance: Option<String>,
}

/// A program that judges. Three paths are appended to its command: /judge/input, /judge/output, /judge/answer. Exit
/// status 0 accepts, 1 rejects, anything else is JudgeError.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckerProgram {
    /// Its own files, placed in its own /work; the judged program never sees them. At most 64. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::FILES), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub files: Vec<File>,

    /// Its own preparation, once. At most 8. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::STEPS), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,

    /// Program and first arguments; 1 to 61 items of at most 4 KiB.
    #[schemars(length(min = 1, max = bounds::CHECKER_COMMAND), inner(length(max = bounds::ARGUMENT), regex(pattern = patterns::NO_NUL)))]
    pub command: Vec<String>,

    /// Its limits; the defaults are those of steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// What happens after a failing test, and how many tests run side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestPolicy {
    /// StopAll: later tests are skipped. StopGroup: later tests of its group are skipped. Continue: all tests run.
    /// Default: StopAll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,

    /// Tests that may run side by side, each on slots of its own; 1 to 16. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = bounds::PARALLELISM.0, max = bounds::PARALLELISM.1))]
    pub parallelism: Option<i32>,
}

/// What happens after a failing test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum OnFailure {
    /// Later tests are skipped.
    StopAll,
    /// Later tests of its group are skipped.
    StopGroup,
    /// All tests run.
    Continue,
}

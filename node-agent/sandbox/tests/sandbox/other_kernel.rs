//! The corpus under another kernel, with cgroup v2: in the virtual machine of `tests/vm/run`, started by e2e/vm/check.py.
//!
//! That machine has neither a compiler nor the controls' programs: this binary makes the executables before, in another
//! role and on the machine that builds, and there shows what becomes of each attack. That the attacks would have worked
//! is shown where the whole suite runs.

use std::process::ExitCode;

use libtest_mimic::{Arguments, ColorSetting};

use crate::corpus;
use crate::harness::{isolated, pool};

/// Role: makes the executables in the scratch directory.
pub(crate) const COMPILER: &str = "compiler";
/// Role: this binary in the machine.
pub(crate) const INSIDE: &str = "inside-a-machine";

/// Which rows; a part of their names.
const FILTER: &str = "EVALJOB_TEST_FILTER";

/// How much longer programs take there than on this machine itself.
pub(crate) fn slowness() -> u32 {
    let emulated = isolated::role().is_some_and(|role| role == INSIDE);
    if emulated { 10 } else { 1 }
}

fn filter() -> String {
    std::env::var(FILTER).unwrap_or_default()
}

pub(crate) fn be_compiler() -> ExitCode {
    corpus::compile(&filter());
    ExitCode::SUCCESS
}

pub(crate) fn be_inside() -> ExitCode {
    let arguments = Arguments {
        filter: Some(filter()),
        test_threads: Some(pool::SLOTS as usize),
        // Their output goes to a terminal, and is read by a program.
        color: Some(ColorSetting::Never),
        ..Arguments::default()
    };
    let conclusion = libtest_mimic::run(&arguments, corpus::rows());
    pool::close();
    conclusion.exit_code()
}

//! What a job holds while it runs: slots and memory. Operator, agent and the local run count by the same rule.
//!
//! In: a job. Out: [`Needs`]. Pure. A test holds a slot for each of its CPUs; tests side by side hold theirs at once;
//! steps run before any test, so they share those slots.

use super::{Checker, CheckerProgram, Job, Step, Work};

/// Slots and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Slots, one for each CPU.
    pub slots: u32,
    /// Bytes that the job may use at any time: see [`Job::needs`].
    pub memory: u64,
    /// Tests side by side: no more than there are tests.
    pub lanes: u32,
}

impl Job {
    /// What it holds while it runs.
    ///
    /// Memory is that of the largest run, for tests times those side by side, and what steps leave. Where a program
    /// checks, what the judged one printed is kept meanwhile, and the files it made are still there while the
    /// checker runs.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let (lanes, checker) = match &self.work {
            Work::Run { .. } => (1, None),
            Work::Tests {
                parallelism,
                checker,
                tests,
                ..
            } => {
                let tests = u32::try_from(tests.len()).unwrap_or(u32::MAX);
                (parallelism.min(&tests.max(1)).to_owned(), program(checker))
            }
        };
        let limits = &self.limits;
        let lane = checker.map_or(limits.memory, |checker| {
            let files = limits.workspace.min(limits.memory);
            let side_by_side = checker.limits.memory.saturating_add(files);
            limits
                .memory
                .max(side_by_side)
                .saturating_add(limits.output)
        });
        let cpus = checker.map_or(limits.cpus, |checker| limits.cpus.max(checker.limits.cpus));
        let of_checker = checker.map_or(&[][..], |checker| &checker.steps);
        let steps = || self.steps.iter().chain(of_checker).map(|step| step.limits);
        let trees = [self.steps.as_slice(), of_checker];
        let trees = trees.iter().filter(|steps| !steps.is_empty()).count();
        let left = limits
            .workspace
            .saturating_mul(u64::try_from(trees).unwrap_or(u64::MAX));
        let tests = lane.saturating_mul(u64::from(lanes));
        Needs {
            slots: steps().map(|step| step.cpus).fold(cpus * lanes, u32::max),
            memory: steps()
                .map(|step| step.memory)
                .fold(tests, u64::max)
                .saturating_add(left),
            lanes,
        }
    }

    /// The program that checks, if one does.
    #[must_use]
    pub fn checker_program(&self) -> Option<&CheckerProgram> {
        match &self.work {
            Work::Run { .. } => None,
            Work::Tests { checker, .. } => program(checker),
        }
    }

    /// Steps of the job and of its checker.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        let checker = self.checker_program();
        let of_checker = checker.map_or(&[][..], |checker| &checker.steps);
        self.steps.iter().chain(of_checker)
    }
}

fn program(checker: &Checker) -> Option<&CheckerProgram> {
    match checker {
        Checker::Program(program) => Some(program),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::Inputs;
    use crate::job::{Needs, build};
    use crate::spec::EvalJobSpec;

    fn needs(spec: &str) -> Needs {
        let spec: EvalJobSpec = serde_json::from_str(spec).expect("a spec");
        build(&spec, &Inputs::default()).expect("valid").needs()
    }

    #[test]
    fn a_job_holds_a_slot_for_each_cpu_of_each_test_side_by_side_and_memory_for_all_of_them() {
        const MIB: u64 = 1 << 20;
        let rows = [
            ("the smallest", r#"{"command":["a"]}"#, (1, 256, 1)),
            (
                "CPUs are slots",
                r#"{"command":["a"],"limits":{"cpus":3}}"#,
                (3, 256, 1),
            ),
            (
                "tests side by side",
                r#"{"command":["a"],"tests":[{"name":"1"},{"name":"2"},{"name":"3"}],"testPolicy":{"parallelism":2},"limits":{"cpus":2}}"#,
                (4, 512, 2),
            ),
            (
                "no more side by side than there are",
                r#"{"command":["a"],"tests":[{"name":"1"},{"name":"2"}],"testPolicy":{"parallelism":16}}"#,
                (2, 512, 2),
            ),
            (
                "a step and what it leaves",
                r#"{"command":["a"],"steps":[{"name":"s","command":["a"],"limits":{"cpus":2}}]}"#,
                (2, 1024 + 64, 1),
            ),
            (
                "a checker beside the files of the program, and the output",
                r#"{"command":["a"],"tests":[{"name":"1"}],"checker":{"type":"Program","program":{"command":["c"]}}}"#,
                (1, 1024 + 64 + 16, 1),
            ),
            (
                "a checker with steps and a tree of its own",
                r#"{"command":["a"],"steps":[{"name":"s","command":["a"]}],"tests":[{"name":"1"}],"checker":{"type":"Program",
                   "program":{"command":["c"],"limits":{"memory":"8Mi","cpus":4},"steps":[{"name":"s","command":["a"],"limits":{"memory":"2Gi"}}]}}}"#,
                (4, 2048 + 2 * 64, 1),
            ),
        ];
        for (row, spec, (slots, memory, lanes)) in rows {
            let expected = Needs {
                slots,
                memory: memory * MIB,
                lanes,
            };
            assert_eq!(needs(spec), expected, "{row}");
        }
    }
}

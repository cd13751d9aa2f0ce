//! What holds for any facts.

use super::*;

fn any_facts() -> impl Strategy<Value = RunFacts> {
    let ending = prop_oneof![
        (0i32..256).prop_map(Ending::Exited),
        (1i32..65).prop_map(Ending::Signaled),
        (1i32..140, "[a-z./]{0,20}").prop_map(|(errno, path)| Ending::NotStarted { errno, path }),
        Just(Ending::Killed),
    ];
    let breach = prop::option::of(prop_oneof![
        Just(Breach::CpuTime),
        Just(Breach::WallTime),
        Just(Breach::Memory),
        Just(Breach::Output),
        Just(Breach::Interrupted),
    ]);
    let numbers = (
        0u64..8000,
        0u64..8000,
        prop::option::of(any::<u64>()),
        0u64..3,
        0u64..3,
        any::<bool>(),
        any::<u64>(),
        any::<u64>(),
    );
    (ending, breach, numbers).prop_map(
        |(
            ending,
            breach,
            (cpu, wall, memory_peak, oom_kills, pids_hits, disk_full, stdout_bytes, stderr_bytes),
        )| RunFacts {
            ending,
            breach,
            cpu_time: Duration::from_millis(cpu),
            wall_time: Duration::from_millis(wall),
            memory_peak,
            oom_kills,
            pids_hits,
            disk_full,
            stdout_bytes,
            stderr_bytes,
            ..facts()
        },
    )
}

proptest! {
    #[test]
    fn every_run_has_one_outcome_that_only_its_facts_decide(facts in any_facts(), wrong in any::<bool>()) {
        let difference = difference();
        let expectation = Expectation::Test(if wrong { Err(&difference) } else { Ok(()) });
        let outcome = of_run(&facts, &LIMITS, expectation);
        prop_assert_eq!(&outcome, &of_run(&facts, &LIMITS, expectation));
        match outcome {
            Outcome::Judged(judged) => {
                // Only the program's own ends, each with a letter, and a reason unless it passed.
                prop_assert!(judged.verdict.class() != VerdictClass::NotProgram);
                prop_assert!(judged.verdict.letter().is_some());
                prop_assert_eq!(judged.message.is_empty(), judged.passed());
                prop_assert!(judged.message.len() < 512);
                prop_assert!(!judged.passed() || facts.ending == Ending::Exited(0) && facts.breach.is_none());
            }
            Outcome::Interrupted => prop_assert_eq!(facts.breach, Some(Breach::Interrupted)),
            Outcome::Unexplained => prop_assert!(facts.ending == Ending::Killed && facts.breach.is_none()),
        }
    }

    #[test]
    fn a_step_fails_exactly_when_a_run_would(facts in any_facts()) {
        let step = of_step(&facts, &LIMITS, &Captured::empty());
        match of_run(&facts, &LIMITS, Expectation::Completion) {
            Outcome::Judged(judged) if judged.passed() => prop_assert_eq!(step, Outcome::Judged(judged)),
            Outcome::Judged(_) => {
                let failed = matches!(step, Outcome::Judged(Judged { verdict: Verdict::CompileError, .. }));
                prop_assert!(failed);
            }
            other => prop_assert_eq!(step, other),
        }
    }

    /// What a checker does is never laid at the program's door but by its rejection.
    #[test]
    fn a_checker_accepts_rejects_or_is_broken(facts in any_facts()) {
        let quiet = facts.breach.is_none() && exceeded_unnoticed(&facts, &LIMITS).is_none();
        match of_check(&facts, &LIMITS, &Captured::empty()) {
            Outcome::Judged(judged) => match judged.verdict {
                Verdict::Accepted => prop_assert!(quiet && facts.ending == Ending::Exited(0)),
                Verdict::WrongAnswer => prop_assert!(quiet && facts.ending == Ending::Exited(1)),
                other => prop_assert_eq!(other, Verdict::JudgeError),
            },
            other => prop_assert_eq!(other, of_run(&facts, &LIMITS, Expectation::Completion)),
        }
    }

    /// The job's verdict is that of its first test that is not accepted, and each test has a letter.
    #[test]
    fn the_first_test_that_is_not_accepted_decides(letters in prop::collection::vec(prop::option::of(prop::sample::select(Verdict::ALL.to_vec())), 0..20)) {
        let tests: Vec<Option<Judged>> = letters.iter().map(|verdict| Some(Judged::new((*verdict)?, ""))).collect();
        let first = letters.iter().position(|verdict| verdict.is_some_and(|verdict| verdict.class() != VerdictClass::Success));
        prop_assert_eq!(of_tests(tests.iter().map(Option::as_ref)).map(|(index, _)| index), first);
        prop_assert_eq!(pattern(tests.iter().map(Option::as_ref)).chars().count(), letters.len());
    }
}

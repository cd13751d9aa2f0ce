//! How an attempt ends: what wins over what, for any results and any orders.

use evaljob_crds::status::Verdict;
use proptest::prelude::*;

use super::*;
use crate::results::samples::record;

/// Verdicts of the runs that ended before the attempt did: steps, then tests (`None`: not run).
fn results() -> impl Strategy<Value = Results> {
    let verdicts = || prop::sample::select(Verdict::ALL.to_vec());
    let steps = prop::collection::vec(verdicts(), 0..3);
    let tests = prop::collection::vec(prop::option::of(verdicts()), 0..6);
    (steps, tests).prop_map(|(steps, tests)| {
        let mut results = Results::new(tests.len());
        for verdict in steps {
            results.add_step(record(verdict, "step"));
        }
        for (index, verdict) in tests.into_iter().enumerate() {
            if let Some(verdict) = verdict {
                results.add_test(index, record(verdict, "test"));
            }
        }
        results
    })
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Went {
    Through,
    Stopped,
    Failed,
}

fn went() -> impl Strategy<Value = Went> {
    prop::sample::select(vec![Went::Through, Went::Stopped, Went::Failed])
}

fn halt(went: Went) -> Result<(), Halt> {
    match went {
        Went::Through => Ok(()),
        Went::Stopped => Err(Halt::Stopped),
        Went::Failed => Err(Halt::failed("the machine".to_owned()).in_test(0)),
    }
}

proptest! {
    /// Cancelling wins over everything, the machine's failure over all that was judged, a failure of the program over
    /// a deadline, and a deadline over what was not decided.
    #[test]
    fn each_attempt_has_one_end(
        results in results(),
        went in went(),
        order in prop::option::of(prop::sample::select(vec![StopReason::Deadline, StopReason::Cancelled])),
    ) {
        let end = end(halt(went), order, &results);
        let failed_before = results
            .steps
            .iter()
            .map(|record| &record.judged)
            .chain(results.tests.iter().flatten())
            .any(|judged| !judged.passed());
        match (order, went) {
            (Some(StopReason::Cancelled), _) => prop_assert_eq!(end, End::Cancelled),
            (_, Went::Failed) => {
                let infrastructure = matches!(end, End::Infrastructure { test: Some(0), .. });
                prop_assert!(infrastructure, "{:?}", end);
            }
            (_, Went::Stopped) if failed_before => prop_assert_eq!(end, End::Judged),
            (_, Went::Stopped) => prop_assert_eq!(end, End::DeadlineExceeded),
            (_, Went::Through) => prop_assert_eq!(end, End::Judged),
        }
    }

    /// A deadline leaves the verdict, and the message, of the first failure as they are without one.
    #[test]
    fn a_deadline_does_not_erase_a_failure(results in results().prop_filter("a failure", Results::failed)) {
        let stopped = end(halt(Went::Stopped), Some(StopReason::Deadline), &results);
        prop_assert_eq!(&stopped, &end(halt(Went::Through), None, &results));
        prop_assert_eq!(stopped, End::Judged);
    }
}

#[test]
fn what_is_no_verdict_about_the_program_halts_the_attempt() {
    let unexplained = judged(verdict::Outcome::Unexplained);
    let interrupted = judged(verdict::Outcome::Interrupted);
    assert!(matches!(unexplained, Err(Halt::Failed { .. })));
    assert!(matches!(interrupted, Err(Halt::Stopped)));
    let wrong = record(Verdict::WrongAnswer, "").judged;
    let kept = judged(verdict::Outcome::Judged(wrong.clone()));
    assert!(matches!(kept, Ok(kept) if kept == wrong));
}

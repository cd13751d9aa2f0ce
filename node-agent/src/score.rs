//! The score of a job, 0 to 100.
//!
//! In: weight, group and acceptance of each test, and the job's verdict. Out: floor(100 x weight of
//! accepted tests / weight of all), where a group counts only if all its tests pass. Pure. Source:
//! api.md "Score".

use evaljob_crds::status::{Verdict, VerdictClass};

/// What the score needs of a test.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// Weight, 0..=1000.
    pub weight: u32,
    /// Group, if any.
    pub group: Option<&'a str>,
    /// Whether it was run and accepted.
    pub accepted: bool,
}

/// The score; `None` where the end is not the program's.
pub fn score(verdict: Verdict, tests: &[Scored<'_>]) -> Option<i32> {
    let class = verdict.class();
    if class == VerdictClass::NotProgram {
        return None;
    }
    let total: u64 = tests.iter().map(|test| u64::from(test.weight)).sum();
    if total == 0 {
        return Some(if class == VerdictClass::Success {
            100
        } else {
            0
        });
    }
    let mut lost: Vec<&str> = tests
        .iter()
        .filter(|test| !test.accepted)
        .filter_map(|test| test.group)
        .collect();
    lost.sort_unstable();
    let counts = |test: &&Scored<'_>| {
        test.accepted
            && test
                .group
                .is_none_or(|group| lost.binary_search(&group).is_err())
    };
    let gained: u64 = tests
        .iter()
        .filter(counts)
        .map(|test| u64::from(test.weight))
        .sum();
    i32::try_from(100 * gained / total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tests(rows: &[(u32, &'static str, bool)]) -> Vec<Scored<'static>> {
        let group = |name: &'static str| (!name.is_empty()).then_some(name);
        rows.iter()
            .map(|&(weight, name, accepted)| Scored {
                weight,
                group: group(name),
                accepted,
            })
            .collect()
    }

    #[test]
    fn weights_and_groups_make_the_score() {
        type Row = (
            &'static str,
            Verdict,
            &'static [(u32, &'static str, bool)],
            Option<i32>,
        );
        let rows: [Row; 12] = [
            (
                "all",
                Verdict::Accepted,
                &[(1, "", true), (1, "", true)],
                Some(100),
            ),
            (
                "rounded down",
                Verdict::WrongAnswer,
                &[(1, "", true), (1, "", true), (1, "", false)],
                Some(66),
            ),
            (
                "weights",
                Verdict::WrongAnswer,
                &[(30, "", true), (70, "", false)],
                Some(30),
            ),
            (
                "weight 0 counts nothing",
                Verdict::WrongAnswer,
                &[(0, "", true), (1, "", false)],
                Some(0),
            ),
            (
                "a group is all or nothing",
                Verdict::WrongAnswer,
                &[(1, "a", true), (1, "a", false), (2, "b", true)],
                Some(50),
            ),
            (
                "groups need not be neighbours",
                Verdict::WrongAnswer,
                &[(1, "a", true), (2, "b", true), (1, "a", false)],
                Some(50),
            ),
            (
                "a skipped test fails its group",
                Verdict::RuntimeError,
                &[(1, "", true), (1, "a", true), (2, "a", false)],
                Some(25),
            ),
            ("no tests, completed", Verdict::Completed, &[], Some(100)),
            (
                "no tests, failed",
                Verdict::MemoryLimitExceeded,
                &[],
                Some(0),
            ),
            (
                "no weight, accepted",
                Verdict::Accepted,
                &[(0, "", true)],
                Some(100),
            ),
            (
                "no weight, failed",
                Verdict::WrongAnswer,
                &[(0, "", false)],
                Some(0),
            ),
            (
                "nothing compiled",
                Verdict::CompileError,
                &[(1, "", false)],
                Some(0),
            ),
        ];
        for (name, verdict, given, expected) in rows {
            assert_eq!(score(verdict, &tests(given)), expected, "{name}");
        }
    }

    #[test]
    fn an_end_that_is_not_the_programs_has_no_score() {
        for &verdict in Verdict::ALL {
            let given = score(verdict, &tests(&[(1, "", true)]));
            assert_eq!(
                given.is_none(),
                verdict.class() == VerdictClass::NotProgram,
                "{verdict}"
            );
        }
    }

    proptest! {
        #[test]
        fn one_more_accepted_test_never_costs(
            rows in prop::collection::vec((0u32..1000, prop::sample::select(vec!["", "a", "b"]), any::<bool>()), 1..20),
            index in any::<prop::sample::Index>(),
        ) {
            let mut more = rows.clone();
            more[index.index(rows.len())].2 = true;
            let before = score(Verdict::WrongAnswer, &tests(&rows)).unwrap();
            let after = score(Verdict::WrongAnswer, &tests(&more)).unwrap();
            prop_assert!((0..=100).contains(&before) && before <= after);
        }
    }
}

//! Which rule decides.

use super::*;

/// Changes that make a rule apply, in the order in which rules decide; each later one must lose.
#[test]
fn the_first_rule_that_holds_decides() {
    type Change = fn(&mut RunFacts);
    let rules: [(&str, Change, Verdict, &str); 14] = [
        (
            "violation",
            |f| f.ending = Ending::Signaled(SIGSYS),
            Verdict::SandboxViolation,
            "killed by SIGSYS: a system call that the sandbox forbids",
        ),
        (
            "wall limit, busy",
            |f| {
                f.breach = Some(Breach::WallTime);
                f.wall_time = Duration::from_millis(5001);
                f.cpu_time = Duration::from_millis(1251)
            },
            Verdict::TimeLimitExceeded,
            "wall time 5001 ms, limit 5000 ms, of it CPU time 1251 ms",
        ),
        (
            "wall limit, idle",
            |f| {
                f.breach = Some(Breach::WallTime);
                f.wall_time = Duration::from_millis(5001);
                f.cpu_time = Duration::from_millis(1250)
            },
            Verdict::IdleLimitExceeded,
            "wall time 5001 ms, limit 5000 ms, of it CPU time 1250 ms",
        ),
        (
            "CPU limit",
            |f| {
                f.breach = Some(Breach::CpuTime);
                f.cpu_time = Duration::from_micros(2_000_100)
            },
            Verdict::TimeLimitExceeded,
            "CPU time 2001 ms, limit 2000 ms",
        ),
        (
            "output limit",
            |f| {
                f.breach = Some(Breach::Output);
                f.stdout_bytes = 65000;
                f.stderr_bytes = 537
            },
            Verdict::OutputLimitExceeded,
            "output 65537 bytes, limit 65536 bytes",
        ),
        (
            "memory limit",
            |f| {
                f.breach = Some(Breach::Memory);
                f.memory_peak = Some(256 << 20)
            },
            Verdict::MemoryLimitExceeded,
            "memory peak 256Mi, limit 256Mi",
        ),
        (
            "CPU over, nobody saw it",
            |f| f.cpu_time = Duration::from_millis(2003),
            Verdict::TimeLimitExceeded,
            "CPU time 2003 ms, limit 2000 ms",
        ),
        (
            "output over, nobody saw it",
            |f| f.stdout_bytes = 65537,
            Verdict::OutputLimitExceeded,
            "output 65537 bytes, limit 65536 bytes",
        ),
        (
            "OOM kill of a child",
            |f| {
                f.oom_kills = 1;
                f.memory_peak = None
            },
            Verdict::MemoryLimitExceeded,
            "memory beyond the limit of 256Mi",
        ),
        (
            "SIGXFSZ",
            |f| f.ending = Ending::Signaled(SIGXFSZ),
            Verdict::DiskLimitExceeded,
            "killed by SIGXFSZ: a file beyond the file size limit of 64Mi",
        ),
        (
            "failure, disk full",
            |f| {
                f.ending = Ending::Exited(1);
                f.disk_full = true
            },
            Verdict::DiskLimitExceeded,
            "exit code 1, workspace full, limit 64Mi",
        ),
        (
            "failure, processes",
            |f| {
                f.ending = Ending::Exited(1);
                f.pids_hits = 3
            },
            Verdict::ProcessLimitExceeded,
            "exit code 1, process limit of 64 reached",
        ),
        (
            "exit code",
            |f| f.ending = Ending::Exited(137),
            Verdict::RuntimeError,
            "exit code 137",
        ),
        (
            "signal",
            |f| f.ending = Ending::Signaled(9),
            Verdict::RuntimeError,
            "killed by SIGKILL",
        ),
    ];
    for (index, (name, change, verdict, message)) in rules.iter().enumerate() {
        let mut alone = facts();
        change(&mut alone);
        assert_eq!(judged(&alone), (*verdict, (*message).to_owned()), "{name}");
        // With the facts of a weaker rule below, the stronger one still decides.
        for (weaker, weaker_change, ..) in &rules[index + 1..] {
            let mut both = facts();
            weaker_change(&mut both);
            change(&mut both);
            assert_eq!(judged(&both).0, *verdict, "{name} against {weaker}");
        }
    }
}

#[test]
fn what_a_program_survives_is_no_verdict() {
    let mut survived = facts();
    survived.disk_full = true;
    survived.pids_hits = 5;
    assert_eq!(judged(&survived), (Verdict::Accepted, String::new()));
}

#[test]
fn limits_are_met_not_exceeded_at_their_value() {
    let mut at_limit = facts();
    at_limit.cpu_time = LIMITS.cpu_time;
    at_limit.stdout_bytes = LIMITS.output;
    assert_eq!(judged(&at_limit).0, Verdict::Accepted);
}

#[test]
fn a_wrong_answer_counts_only_after_everything_else() {
    let difference = difference();
    let of = |facts: &RunFacts| match of_run(facts, &LIMITS, Expectation::Test(Err(&difference))) {
        Outcome::Judged(judged) => (judged.verdict, judged.message),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        of(&facts()),
        (
            Verdict::WrongAnswer,
            "line 1, byte 1: expected \"a\", got the end of the output".to_owned()
        )
    );
    let failed = RunFacts {
        ending: Ending::Exited(1),
        ..facts()
    };
    assert_eq!(of(&failed).0, Verdict::RuntimeError);
}

#[test]
fn a_command_that_cannot_be_started_names_errno_and_path() {
    let rows = [
        (2, "ENOENT (no such file or directory)"),
        (13, "EACCES (permission denied)"),
        (8, "ENOEXEC (not an executable format)"),
    ];
    for (errno, name) in rows {
        let not_started = RunFacts {
            ending: Ending::NotStarted {
                errno,
                path: "./ma\nin".to_owned(),
            },
            ..facts()
        };
        let (verdict, message) = judged(&not_started);
        assert_eq!(verdict, Verdict::RuntimeError);
        assert_eq!(message, format!("cannot start ./ma\\nin: {name}"));
    }
}

#[test]
fn a_segmentation_fault_points_at_the_stack_limit() {
    let fault = RunFacts {
        ending: Ending::Signaled(SIGSEGV),
        ..facts()
    };
    let message = "killed by SIGSEGV (hint: deep recursion needs more than the stack limit of 8Mi)";
    assert_eq!(judged(&fault), (Verdict::RuntimeError, message.to_owned()));
}

#[test]
fn an_interrupt_says_nothing_about_the_program() {
    let interrupted = RunFacts {
        ending: Ending::Signaled(9),
        breach: Some(Breach::Interrupted),
        ..facts()
    };
    assert_eq!(
        of_run(&interrupted, &LIMITS, Expectation::Completion),
        Outcome::Interrupted
    );
    let before = RunFacts {
        ending: Ending::Signaled(SIGSYS),
        ..interrupted
    };
    assert!(
        matches!(
            of_run(&before, &LIMITS, Expectation::Completion),
            Outcome::Judged(_)
        ),
        "it had failed before"
    );
}

#[test]
fn an_end_that_no_limit_explains_is_not_the_programs() {
    let killed = RunFacts {
        ending: Ending::Killed,
        ..facts()
    };
    assert_eq!(
        of_run(&killed, &LIMITS, Expectation::Completion),
        Outcome::Unexplained
    );
    let for_memory = RunFacts {
        oom_kills: 1,
        ..killed
    };
    assert_eq!(judged(&for_memory).0, Verdict::MemoryLimitExceeded);
}

#[test]
fn the_first_test_in_order_that_is_not_accepted_is_the_jobs_verdict() {
    let of = |verdict| Judged::new(verdict, "");
    let (ok, wrong, broken) = (
        of(Verdict::Accepted),
        of(Verdict::WrongAnswer),
        of(Verdict::JudgeError),
    );
    type Row<'a> = (
        &'a str,
        Vec<Option<&'a Judged>>,
        Option<(usize, Verdict)>,
        &'a str,
    );
    let rows: [Row<'_>; 5] = [
        ("all accepted", vec![Some(&ok), Some(&ok)], None, "AA"),
        (
            "first failure",
            vec![Some(&ok), Some(&wrong), Some(&broken)],
            Some((1, Verdict::WrongAnswer)),
            "AWj",
        ),
        (
            "judge error first",
            vec![Some(&broken), Some(&wrong)],
            Some((0, Verdict::JudgeError)),
            "jW",
        ),
        (
            "skipped ones say nothing",
            vec![None, Some(&wrong), None],
            Some((1, Verdict::WrongAnswer)),
            "sWs",
        ),
        ("none", vec![], None, ""),
    ];
    for (name, tests, expected, letters) in rows {
        let found = of_tests(tests.iter().copied()).map(|(index, judged)| (index, judged.verdict));
        assert_eq!(found, expected, "{name}");
        assert_eq!(pattern(tests), letters, "{name}");
    }
}

#[test]
fn sizes_read_as_manifests_write_them() {
    let rows = [
        (0, "0 bytes"),
        (1000, "1000 bytes"),
        (1024, "1Ki"),
        (1536, "1536 bytes"),
        (64 << 20, "64Mi"),
        (3 << 30, "3Gi"),
    ];
    for (bytes, text) in rows {
        assert_eq!(size(bytes), text);
    }
}

/// 0 accepts, 1 rejects; nothing else that a checker does is a verdict about the program.
#[test]
fn a_checker_accepts_rejects_or_is_broken() {
    type Change = fn(&mut RunFacts);
    let rows: [(&str, Change, Verdict, &str); 6] = [
        ("0", |_| (), Verdict::Accepted, ""),
        (
            "1",
            |f| f.ending = Ending::Exited(1),
            Verdict::WrongAnswer,
            "said",
        ),
        (
            "2",
            |f| f.ending = Ending::Exited(2),
            Verdict::JudgeError,
            "checker: exit code 2: said",
        ),
        (
            "1 beyond its time",
            |f| {
                f.ending = Ending::Exited(1);
                f.cpu_time = Duration::from_millis(2001);
            },
            Verdict::JudgeError,
            "checker: CPU time 2001 ms, limit 2000 ms: said",
        ),
        (
            "0 after an OOM kill",
            |f| f.oom_kills = 1,
            Verdict::JudgeError,
            "checker: memory peak 10Mi, limit 256Mi: said",
        ),
        (
            "1 with its disk full",
            |f| {
                f.ending = Ending::Exited(1);
                f.disk_full = true;
            },
            Verdict::JudgeError,
            "checker: exit code 1, workspace full, limit 64Mi: said",
        ),
    ];
    let mut stderr = Recorder::new(None);
    stderr.push(b"said\nmore");
    let stderr = stderr.finish();
    for (row, change, verdict, message) in rows {
        let mut facts = facts();
        change(&mut facts);
        let expected = Judged::new(verdict, message);
        assert_eq!(
            of_check(&facts, &LIMITS, &stderr),
            Outcome::Judged(expected),
            "{row}"
        );
    }
    let interrupted = RunFacts {
        breach: Some(Breach::Interrupted),
        ..facts()
    };
    assert_eq!(
        of_check(&interrupted, &LIMITS, &stderr),
        Outcome::Interrupted
    );
    let killed = RunFacts {
        ending: Ending::Killed,
        ..facts()
    };
    assert_eq!(of_check(&killed, &LIMITS, &stderr), Outcome::Unexplained);
}

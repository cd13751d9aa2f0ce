//! Failing steps.

use super::*;

#[test]
fn a_step_fails_as_compile_error_in_the_words_of_its_limit_or_of_the_compiler() {
    let rows: [(&str, RunFacts, &[u8], &str); 8] = [
        (
            "compiler",
            RunFacts {
                ending: Ending::Exited(1),
                ..facts()
            },
            b"\nmain.c:1: error\nmore",
            "exit code 1: main.c:1: error",
        ),
        (
            "compiler, silent",
            RunFacts {
                ending: Ending::Exited(1),
                ..facts()
            },
            b"",
            "exit code 1",
        ),
        (
            "compiler, killed",
            RunFacts {
                ending: Ending::Signaled(6),
                ..facts()
            },
            b"abort\x1b",
            "killed by SIGABRT: abort\\x1b",
        ),
        (
            "memory",
            RunFacts {
                oom_kills: 1,
                ending: Ending::Exited(1),
                ..facts()
            },
            b"cc1: fatal",
            "memory peak 10Mi, limit 256Mi",
        ),
        (
            "processes",
            RunFacts {
                pids_hits: 1,
                ending: Ending::Exited(1),
                ..facts()
            },
            b"fork",
            "exit code 1, process limit of 64 reached",
        ),
        (
            "file size",
            RunFacts {
                ending: Ending::Signaled(SIGXFSZ),
                ..facts()
            },
            b"ld",
            "killed by SIGXFSZ: a file beyond the file size limit of 64Mi",
        ),
        (
            "disk",
            RunFacts {
                ending: Ending::Exited(1),
                disk_full: true,
                ..facts()
            },
            b"ld",
            "exit code 1, workspace full, limit 64Mi",
        ),
        (
            "not started",
            RunFacts {
                ending: Ending::NotStarted {
                    errno: 2,
                    path: "gxx".to_owned(),
                },
                ..facts()
            },
            b"",
            "cannot start gxx: ENOENT (no such file or directory)",
        ),
    ];
    for (name, facts, stderr, message) in rows {
        let mut recorder = Recorder::new(None);
        recorder.push(stderr);
        let outcome = of_step(&facts, &LIMITS, &recorder.finish());
        assert_eq!(
            outcome,
            Outcome::Judged(Judged::new(Verdict::CompileError, message)),
            "{name}"
        );
    }
}

//! Runs one program of the corpus in the sandbox, and its control.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use evaljob_sandbox::facts::{Breach, Ending};

use super::row::{Attack, Change, Control, End, Row};
use super::{neighbour, without_controls};
use crate::harness::program::{Program, Report};
use crate::harness::{control, isolated, sources};

/// Where the programs are.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// In an argument: the scratch directory of the tests, a place of the node.
const SCRATCH: &str = "{scratch}";

fn filled(arguments: &[&str]) -> Vec<String> {
    let scratch = isolated::scratch().to_string_lossy().into_owned();
    arguments
        .iter()
        .map(|argument| argument.replace(SCRATCH, &scratch))
        .collect()
}

/// The program, as a job of its own.
pub(crate) fn program(file: &str, arguments: &[&str]) -> Program {
    let arguments = filled(arguments);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (stem, language) = file.rsplit_once('.').expect("a language");
    if language == "c" {
        return Program::compiled(stem, &arguments);
    }
    let content = |name: &str| std::fs::read(directory().join(name)).expect("it is there");
    let path = format!("/work/{file}");
    let mut argv = interpreter(language);
    argv.push(&path);
    argv.extend(arguments);
    Program::new(&argv).job(|job| {
        let job = job.file(file, content(file));
        if language == "py" {
            job.file("attempt.py", content("attempt.py"))
        } else {
            job
        }
    })
}

fn interpreter(language: &str) -> Vec<&'static str> {
    match language {
        "py" => vec!["/usr/bin/python3", "-S", "-B"],
        "sh" => vec!["/bin/sh"],
        other => panic!("nothing runs {other}"),
    }
}

/// Shows that it fails in the sandbox and works without.
pub(crate) fn show(row: &Row, attack: &Attack) {
    if attack.beside_a_canary && !without_controls() {
        neighbour::assert(row);
    } else {
        let report = (attack.change)(program(attack.file, attack.arguments)).run();
        check(attack, &report);
    }
    if without_controls() {
        return;
    }
    match attack.control {
        Control::Bare(text) => bare(attack, attack.arguments, text),
        Control::BareWith(arguments, text) => bare(attack, arguments, text),
        Control::Weaker(change, arguments, text) => weaker(attack, change, arguments, text),
        Control::None(reason) => assert!(!reason.is_empty()),
    }
}

/// Lines as the table has them.
pub(crate) fn joined(text: &str) -> String {
    if text.len() > 2000 {
        return format!("{} bytes", text.len());
    }
    text.lines().collect::<Vec<_>>().join(", ")
}

/// Whether these are the lines; `a|b` in the table stands for either word: kernels differ in what they have.
pub(crate) fn matches(found: &str, table: &str) -> bool {
    let (found, table) = (found.split(' '), table.split(' '));
    let word = |(found, table): (&str, &str)| {
        let (bare, comma) = match table.strip_suffix(',') {
            Some(bare) => (bare, ","),
            None => (table, ""),
        };
        let found = found.strip_suffix(comma);
        bare.split('|').any(|either| found == Some(either))
    };
    found.clone().count() == table.clone().count() && found.zip(table).all(word)
}

/// The run ended as the table says.
pub(crate) fn check(attack: &Attack, report: &Report) {
    let facts = &report.facts;
    let (breach, text) = match attack.end {
        End::Says(text) => {
            assert_eq!(facts.ending, Ending::Exited(0), "{}", report.all());
            let seen = facts.enforcement.as_ref().expect("it ran");
            let other = attack.elsewhere.filter(|(machine, _)| machine.is(seen));
            (None, other.map_or(text, |(_, text)| text))
        }
        End::Exits(status, text) => {
            assert_eq!(facts.ending, Ending::Exited(status), "{}", report.all());
            (None, text)
        }
        End::Breaches(breach, text) => (Some(breach), text),
        End::RunsOut => {
            assert!(facts.oom_kills >= 1, "{}", report.all());
            assert!(
                !matches!(facts.ending, Ending::Exited(_)),
                "{}",
                report.all()
            );
            // The kernel may have ended the main process before the worker could.
            assert!(
                matches!(facts.breach, None | Some(Breach::Memory)),
                "{}",
                report.all()
            );
            return;
        }
    };
    assert_eq!(facts.breach, breach, "{}", report.all());
    // Of a flood only the end counts.
    if breach != Some(Breach::Output) {
        let found = joined(&report.text());
        assert_eq!(found, text, "{}", report.all());
    }
}

fn weaker(attack: &Attack, change: Change, arguments: &[&str], text: &str) {
    let report = change(program(attack.file, arguments)).run().passed();
    assert_eq!(joined(&report.text()), text, "control: {}", report.all());
}

fn bare(attack: &Attack, arguments: &[&str], text: &str) {
    let output = run_bare(attack.file, arguments);
    let status = match attack.end {
        End::Exits(status, _) => status,
        _ => 0,
    };
    assert_eq!(
        output.status.code(),
        Some(status),
        "control: {}",
        control::describe(&output)
    );
    let found = joined(&String::from_utf8_lossy(&output.stdout));
    assert!(
        matches(&found, text),
        "control: {found}, not {text}: {}",
        control::describe(&output)
    );
}

/// Runs it without the sandbox, in a directory of its own.
pub(crate) fn run_bare(file: &str, arguments: &[&str]) -> std::process::Output {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let place = isolated::scratch().join(format!("bare-{number}"));
    std::fs::create_dir(&place).expect("a directory of its own");
    let (stem, language) = file.rsplit_once('.').expect("a language");
    let mut command = if language == "c" {
        isolated::alone(sources::path(stem))
    } else {
        let argv = interpreter(language);
        let mut command = isolated::alone(argv[0]);
        command.args(&argv[1..]).arg(directory().join(file));
        command
    };
    command.args(filled(arguments)).current_dir(&place);
    // What it sends to its process group must not reach the tests.
    command.process_group(0);
    control::finish(&mut command, &[])
}

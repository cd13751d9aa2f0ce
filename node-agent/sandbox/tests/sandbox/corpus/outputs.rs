//! Outputs that change while they are taken, and bytes that are more than text.

use std::io::Read;
use std::time::Duration;

use evaljob_sandbox::facts::Breach;
use evaljob_sandbox::{Collected, Interrupt};

use super::run;
use crate::harness::program::Program;
use crate::harness::{Case, control, isolated, pool};

/// Programs that only these tests use.
pub(crate) const FILES: [&str; 3] = ["ansi_output.py", "symlink_swap.c", "mmap_race_output.c"];

pub(crate) const CASES: &[Case] = &[
    (
        "bytes that a terminal or a parser would obey arrive as they are",
        bytes_arrive,
    ),
    (
        "an output that becomes a link in the same moment never leads outside",
        links_in_motion,
    ),
    (
        "an output that is written and renamed when its run dies is one whole file",
        written_at_death,
    ),
];

fn bytes_arrive() {
    let report = run::program("ansi_output.py", &[]).run().passed();
    let bare = run::run_bare("ansi_output.py", &[]);
    assert!(bare.stdout.contains(&0x1b) && bare.stdout.len() > 1 << 20);
    assert!(
        report.stdout == bare.stdout,
        "{} bytes of {}",
        report.stdout.len(),
        bare.stdout.len()
    );
}

/// Starts it, kills it so long after it has begun, and collects these paths.
fn collect_from_killed(program: &Program, paths: &[&str], after: Duration) -> Vec<Option<String>> {
    let mut slot = pool::slot();
    program.job.begin(&mut slot);
    let interrupt = Interrupt::new().expect("a descriptor");
    let report = program.watch_in(&mut slot, &interrupt, &mut |_| {
        std::thread::sleep(after); // a moment of its life, another one each time
        interrupt.fire();
    });
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    report.breached(Breach::Interrupted).printed("begun\n");
    let paths: Vec<_> = paths
        .iter()
        .map(|path| ((*path).to_owned(), 1 << 20))
        .collect();
    let collected = slot
        .collect(&paths)
        .unwrap_or_else(|error| panic!("{error}"));
    collected
        .into_iter()
        .map(|output| match output {
            Collected::File { mut file, .. } => {
                let mut content = String::new();
                file.read_to_string(&mut content).expect("it can be read");
                Some(content)
            }
            _ => None,
        })
        .collect()
}

/// The links lead to files that the collecting worker could open, if it followed links.
fn links_in_motion() {
    let secret = isolated::scratch().join("swapped-secret");
    std::fs::create_dir_all(&secret).expect("a directory");
    std::fs::write(secret.join("out"), "secret").expect("a file");
    let program = run::program("symlink_swap.c", &["target", "target-directory"]);
    let program = program.job(|job| {
        let job = job.file("target", "other");
        job.file("target-directory/out", "other")
    });
    let (mut own, mut refused) = (0, 0);
    for turn in 0..12 {
        let paths = ["file", "other", "directory/out", "other-directory/out"];
        for content in collect_from_killed(&program, &paths, Duration::from_millis(turn)) {
            match content {
                Some(content) => {
                    assert_eq!(content, "own");
                    own += 1;
                }
                None => refused += 1,
            }
        }
    }
    // Whichever way round they stood: one of each two is the program's own.
    assert_eq!((own, refused), (24, 24));
    follows_links(&secret);
}

/// The control: the same program, and a reader that follows links, reads outside.
fn follows_links(secret: &std::path::Path) {
    let place = isolated::scratch().join("swapped");
    std::fs::create_dir(&place).expect("a directory");
    let mut command = isolated::alone(crate::harness::sources::path("symlink_swap"));
    let mut swapping = command
        .args([secret.join("out"), secret.to_path_buf()])
        .current_dir(&place)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    crate::harness::wait::until("a naive reader reads the secret", || {
        let read = |path: &str| std::fs::read_to_string(place.join(path)).unwrap_or_default();
        (read("file") == "secret" || read("directory/out") == "secret").then_some(())
    });
    swapping.kill().expect("it is ours");
    swapping.wait().expect("it is ours");
}

fn written_at_death() {
    let program = run::program("mmap_race_output.c", &[]);
    for turn in 0..8 {
        let contents =
            collect_from_killed(&program, &["out", "other"], Duration::from_millis(turn));
        let ([Some(content), None] | [None, Some(content)]) = &contents[..] else {
            panic!("one of two: {contents:?}");
        };
        assert_eq!(content.len(), 4096);
        // At most one seam: the letter that was being written.
        let seams = content
            .as_bytes()
            .windows(2)
            .filter(|pair| pair[0] != pair[1]);
        assert!(seams.count() <= 1, "{content}");
    }
    let place = isolated::scratch().join("mapped");
    std::fs::create_dir(&place).expect("a directory");
    let mut command = isolated::alone(crate::harness::sources::path("mmap_race_output"));
    command
        .current_dir(&place)
        .stdout(std::process::Stdio::null());
    let mut writing = command.spawn().expect("it starts");
    crate::harness::wait::until("a reader of a living program sees two states", || {
        let read = || {
            std::fs::read(place.join("out"))
                .ok()
                .filter(|content| content.len() == 4096)
        };
        let (first, second) = (read()?, read()?);
        (first != second).then_some(())
    });
    writing.kill().expect("it is ours");
    let output = writing.wait_with_output().expect("it is ours");
    assert!(!output.status.success(), "{}", control::describe(&output));
}

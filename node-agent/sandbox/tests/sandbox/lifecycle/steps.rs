//! Steps build a tree in /work; each test works on a copy of its own over it.

use evaljob_sandbox::Slot;

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::{Job, Program};

pub(crate) const CASES: &[Case] = &[
    (
        "later steps and tests see what a step left in /work",
        what_is_left,
    ),
    ("files are placed once, before the first step", placed_once),
    (
        "a test may change everything of the tree, for itself alone",
        everything_can_be_changed,
    ),
    (
        "a test may rename directories that a step made",
        directories_can_be_renamed,
    ),
    (
        "tests see nothing of each other and change nothing for the next",
        tests_are_apart,
    ),
    ("a failing step leaves the slot usable", failing_step),
];

fn step(slot: &mut Slot, command: &str) -> String {
    Program::shell(command).step().run_in(slot).passed().text()
}

fn test(slot: &mut Slot, command: &str) -> String {
    Program::shell(command).run_in(slot).passed().text()
}

fn what_is_left() {
    let mut slot = pool::slot();
    Job::new()
        .steps()
        .file("source", "source\n")
        .begin(&mut slot);
    step(
        &mut slot,
        "mkdir -p out; cp /bin/echo out/program; cat source >out/made; echo >/tmp/t; echo >/home/h",
    );
    // /tmp and HOME are fresh in each step and in each test.
    assert_eq!(
        step(&mut slot, "cat out/made; ls -A /tmp /home"),
        "source\n/home:\n\n/tmp:\n"
    );
    for _ in 0..2 {
        assert_eq!(
            test(
                &mut slot,
                "cat out/made; out/program runs; ls -A /tmp /home"
            ),
            "source\nruns\n/home:\n\n/tmp:\n"
        );
    }
}

fn placed_once() {
    let mut slot = pool::slot();
    Job::new()
        .steps()
        .file("file", "given\n")
        .file("removed", "")
        .begin(&mut slot);
    assert_eq!(
        step(&mut slot, "cat file; echo step >file; rm removed"),
        "given\n"
    );
    assert_eq!(step(&mut slot, "cat file; ls"), "step\nfile\n");
    assert_eq!(test(&mut slot, "cat file; ls"), "step\nfile\n");
}

/// rename(2) itself; mv falls back to copying. With an overlay in the job's own user namespace, or without
/// redirect_dir, it would be EXDEV.
fn directories_can_be_renamed() {
    let mut slot = pool::slot();
    Job::new().steps().begin(&mut slot);
    step(&mut slot, "mkdir -p one/two; echo text >one/two/file");
    let source = "import os; os.rename('one', 'three'); os.rename('three/two', 'four'); print(open('four/file').read())";
    for _ in 0..2 {
        Program::python(source)
            .run_in(&mut slot)
            .passed()
            .printed("text\n\n");
    }
}

const CHANGES: &str = "set -e
mv directory renamed
mv renamed/file renamed/other
mkdir directory
ln renamed/other directory/hard
ln -s ../renamed directory/soft
chmod 600 renamed/other
chmod 755 closed
rm -r tree
echo appended >>renamed/other
cat directory/soft/other
ls -R";

fn everything_can_be_changed() {
    let mut slot = pool::slot();
    Job::new().steps().begin(&mut slot);
    step(
        &mut slot,
        "mkdir -p directory tree/of/directories closed; echo text >directory/file; echo x >tree/of/file; chmod 0 closed",
    );
    let after = ".:\nclosed\ndirectory\nrenamed\n\n./closed:\n\n./directory:\nhard\nsoft\n\n./renamed:\nother\n";
    for _ in 0..2 {
        assert_eq!(test(&mut slot, CHANGES), format!("text\nappended\n{after}"));
    }
    let untouched = test(
        &mut slot,
        "find . ! -path ./closed | sort; cat directory/file; stat -c %a closed",
    );
    let tree =
        "./directory\n./directory/file\n./tree\n./tree/of\n./tree/of/directories\n./tree/of/file\n";
    assert_eq!(untouched, format!(".\n{tree}text\n0\n"));
}

fn tests_are_apart() {
    let mut slot = pool::slot();
    Job::new().steps().file("file", "step\n").begin(&mut slot);
    step(&mut slot, "echo >stays");
    for number in 1..=3 {
        let command = format!(
            "ls; cat file; echo {number} >file; echo >made-{number}; echo >/tmp/{number}; rm stays; ls /tmp"
        );
        assert_eq!(
            test(&mut slot, &command),
            format!("file\nstays\nstep\n{number}\n")
        );
    }
}

fn failing_step() {
    let mut slot = pool::slot();
    Job::new().steps().begin(&mut slot);
    Program::shell("exit 1").step().run_in(&mut slot);
    Program::shell("kill -9 $$")
        .step()
        .run_in(&mut slot)
        .signaled(9);
    assert_eq!(step(&mut slot, "echo on"), "on\n");
    slot.end().expect("the job ends");
    Program::new(&["/bin/true"]).run_on(&mut slot).passed();
}

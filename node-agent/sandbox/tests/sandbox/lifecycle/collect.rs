//! Outputs, opened when nothing of the run is alive: regular files below /work, by no way a program could have made.

use std::io::Read;

use evaljob_sandbox::{Collected, Slot};

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::{Job, Program};

pub(crate) const CASES: &[Case] = &[
    (
        "regular files below /work are collected, nothing else",
        by_type,
    ),
    (
        "outputs of a test over steps are collected from both layers",
        over_steps,
    ),
    ("outputs are those of the last run", last_run_only),
    (
        "an output can be read after the job has ended",
        after_the_end,
    ),
    ("more outputs than a job may have are refused", too_many),
];

/// What came of one path, as text.
fn collect(slot: &mut Slot, path: &str, max_size: u64) -> String {
    let mut collected = slot
        .collect(&[(path.to_owned(), max_size)])
        .unwrap_or_else(|error| panic!("{error}"));
    match collected.pop().expect("one for one") {
        Collected::File { mut file, size } => {
            let mut content = String::new();
            file.read_to_string(&mut content).expect("it can be read");
            assert_eq!(size, content.len() as u64, "{path}");
            format!("file {content}")
        }
        Collected::NotFound => "not found".into(),
        Collected::NotRegular => "not regular".into(),
        Collected::TooLarge { size } => format!("too large {size}"),
    }
}

const MAKE: &str = "
import os, socket
open('file', 'w').write('text')
os.mkdir('directory'); open('directory/file', 'w').write('below')
os.symlink('file', 'link'); os.symlink('/etc/passwd', 'outside'); os.symlink('directory', 'way')
os.symlink('nothing', 'dangling'); os.symlink('loop', 'loop')
os.link('file', 'hard')
os.mkfifo('fifo'); socket.socket(socket.AF_UNIX).bind('socket')
open('closed', 'w').write('secret'); os.chmod('closed', 0)
open('empty', 'w'); open('large', 'w').write('x' * 100); open('sparse', 'w').truncate(50 << 20)
open('set-id', 'w').write('s'); os.chmod('set-id', 0o6755)
open('odd\\nname', 'w').write('odd'); open('-rf', 'w').write('dash')
os.mkdir('shut'); open('shut/file', 'w').write('inside'); os.chmod('shut', 0)
";

fn by_type() {
    let rows = [
        ("file", "file text"),
        ("directory/file", "file below"),
        ("hard", "file text"),
        ("closed", "file secret"),
        ("shut/file", "file inside"),
        ("empty", "file "),
        ("set-id", "file s"),
        ("odd\nname", "file odd"),
        ("-rf", "file dash"),
        ("large", "too large 100"),
        ("sparse", "too large 52428800"),
        ("link", "not regular"),
        ("outside", "not regular"),
        ("dangling", "not regular"),
        ("loop", "not regular"),
        ("way/file", "not regular"),
        ("directory", "not regular"),
        ("fifo", "not regular"),
        ("socket", "not regular"),
        (".", "not regular"),
        ("..", "not regular"),
        ("../etc/passwd", "not regular"),
        ("directory/../../etc/passwd", "not regular"),
        ("/etc/passwd", "not regular"),
        ("nothing", "not found"),
        ("file/below", "not found"),
        ("", "not found"),
    ];
    let mut slot = pool::slot();
    let program = Program::python(MAKE);
    program.job.begin(&mut slot);
    program.run_in(&mut slot).passed();
    let mut wrong = Vec::new();
    for (path, wanted) in rows {
        let found = collect(&mut slot, path, 99);
        if found != wanted {
            wrong.push(format!("{path:?}: {found}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn over_steps() {
    let mut slot = pool::slot();
    Job::new().steps().begin(&mut slot);
    let step = "echo step >both; echo step >lower; echo step >gone; ln -s lower link; mkdir directory; echo d >directory/file";
    Program::shell(step).step().run_in(&mut slot).passed();
    assert_eq!(collect(&mut slot, "lower", 99), "file step\n");
    Program::shell("echo test >both; echo test >upper; rm gone; mv directory moved")
        .run_in(&mut slot)
        .passed();
    let rows = [
        ("both", "file test\n"),
        ("lower", "file step\n"),
        ("upper", "file test\n"),
        ("moved/file", "file d\n"),
        ("gone", "not found"),
        ("directory/file", "not found"),
        ("link", "not regular"),
    ];
    for (path, wanted) in rows {
        assert_eq!(collect(&mut slot, path, 99), wanted, "{path}");
    }
}

fn last_run_only() {
    let mut slot = pool::slot();
    Job::new().begin(&mut slot);
    assert_eq!(
        collect(&mut slot, "file", 99),
        "not found",
        "nothing has run"
    );
    Program::shell("echo 1 >file").run_in(&mut slot).passed();
    assert_eq!(collect(&mut slot, "file", 99), "file 1\n");
    Program::new(&["/bin/true"]).run_in(&mut slot).passed();
    assert_eq!(collect(&mut slot, "file", 99), "not found");
    Program::new(&["./nothing"]).run_in(&mut slot);
    assert_eq!(collect(&mut slot, "file", 99), "not found");
    Program::shell("echo 2 >file").run_in(&mut slot).passed();
    Program::new(&[])
        .try_run_in(&mut slot)
        .expect_err("there is no command");
    assert_eq!(collect(&mut slot, "file", 99), "not found");
}

fn after_the_end() {
    let mut slot = pool::slot();
    Job::new().steps().begin(&mut slot);
    Program::shell("echo kept >file")
        .step()
        .run_in(&mut slot)
        .passed();
    let collected = slot
        .collect(&[
            ("file".into(), 99),
            ("nothing".into(), 9),
            ("file".into(), 99),
        ])
        .expect("outputs");
    slot.end().expect("the job ends");
    Program::new(&["/bin/true"]).run_on(&mut slot).passed();
    let [
        Collected::File { file, .. },
        Collected::NotFound,
        Collected::File { .. },
    ] = &collected[..]
    else {
        panic!("{collected:?}");
    };
    let mut content = String::new();
    (&*file)
        .read_to_string(&mut content)
        .expect("it can be read");
    assert_eq!(content, "kept\n");
}

fn too_many() {
    let mut slot = pool::slot();
    Job::new().begin(&mut slot);
    Program::shell("echo x >file").run_in(&mut slot).passed();
    let paths: Vec<_> = (0..17).map(|_| ("file".to_owned(), 9)).collect();
    let error = slot.collect(&paths).expect_err("17 outputs");
    assert!(error.cause.contains("too many"), "{error}");
    assert_eq!(slot.collect(&paths[..16]).expect("16 outputs").len(), 16);
    Program::new(&["/bin/true"]).run_in(&mut slot).passed();
}

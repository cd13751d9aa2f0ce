//! The files of a job: where they are, whose they are, and which paths are refused.

use evaljob_sandbox::Layer;

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::{Job, Program};

pub(crate) const CASES: &[Case] = &[
    (
        "files are there with content, mode and owner, and so are their directories",
        placed,
    ),
    ("a file that is a program runs", || {
        let program = Program::new(&["./tools/hello"])
            .job(|job| job.executable("tools/hello", "#!/bin/sh\necho hello\n"));
        program.run().passed().printed("hello\n");
    }),
    (
        "each run of a job without steps has the files as they were given",
        fresh_each_time,
    ),
    ("a path that is not clean is refused", unclean_paths),
    (
        "a file beyond the given content is refused",
        beyond_the_content,
    ),
];

fn placed() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let deep = "a/very/deep/directory/with/b.txt";
    let job = Job::new()
        .file("plain", "text")
        .file("empty", "")
        .file("bytes", &every_byte)
        .file(deep, "deep")
        .file("a/c.txt", "beside")
        .executable("\u{fc}ml \u{1f600}", "x");
    let source = format!(
        "import os\nfor root, directories, files in sorted(os.walk('/work')):\n for name in sorted(directories + files):\n  \
         path = os.path.join(root, name); seen = os.lstat(path)\n  \
         print(path.encode(), oct(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_size)\n\
         print(open('/work/bytes', 'rb').read() == bytes(range(256)), open('/work/{deep}').read(), os.getcwd())"
    );
    let text = Program::python(&source).job(|_| job).run().passed().text();
    let lines = [
        "b'/work/\\xc3\\xbcml \\xf0\\x9f\\x98\\x80' 0o100755 1000 1000 1",
        "b'/work/a' 0o40755 1000 1000 80",
        "b'/work/a/c.txt' 0o100644 1000 1000 6",
        "b'/work/a/very/deep/directory' 0o40755 1000 1000 60",
        "b'/work/a/very/deep/directory/with/b.txt' 0o100644 1000 1000 4",
        "b'/work/bytes' 0o100644 1000 1000 256",
        "b'/work/empty' 0o100644 1000 1000 0",
        "b'/work/plain' 0o100644 1000 1000 4",
        "True deep /work",
    ];
    for line in lines {
        assert!(
            text.lines().any(|found| found == line),
            "{line}\nis not in\n{text}"
        );
    }
}

fn fresh_each_time() {
    let mut slot = pool::slot();
    let program = Program::shell("cat file; ls; echo changed >file; echo more >more; rm -f other")
        .job(|job| job.file("file", "first\n").file("other", ""));
    program.job.begin(&mut slot);
    for _ in 0..2 {
        program
            .run_in(&mut slot)
            .passed()
            .printed("first\nfile\nother\n");
    }
}

fn unclean_paths() {
    let mut slot = pool::slot();
    let paths = [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "./x",
        "a//b",
        "a/",
        ".",
        "..",
        "a\0b",
    ];
    for path in paths {
        let error = Job::new()
            .file(path, "x")
            .try_begin(&mut slot)
            .expect_err(path);
        assert_eq!(error.layer, Layer::Workspace, "{path:?}: {error}");
        assert!(
            error.cause.contains(&format!("{path:?}")),
            "{path:?}: {error}"
        );
    }
    Program::new(&["/bin/true"]).run_on(&mut slot).passed();
}

fn beyond_the_content() {
    let mut slot = pool::slot();
    let mut program = Program::new(&["/bin/true"]).job(|job| job.file("file", "x"));
    program.job.plan.files[0].length = 100;
    program.job.begin(&mut slot);
    let error = program
        .try_run_in(&mut slot)
        .expect_err("99 bytes are missing");
    assert_eq!(error.layer, Layer::Workspace, "{error}");
    slot.end().expect("the job ends");
    Program::new(&["/bin/true"]).run_on(&mut slot).passed();
}

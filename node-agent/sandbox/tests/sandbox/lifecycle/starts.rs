//! Programs that cannot be started: errno and path are facts of the run, never a failure of the sandbox.

use evaljob_sandbox::facts::Ending;
use libc::{E2BIG, EACCES, ENOENT, ENOEXEC, ENOSPC, ENOTDIR};

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::{Job, MIB, Program};

pub(crate) const CASES: &[Case] = &[
    (
        "what cannot be started is told by errno and path",
        every_reason,
    ),
    (
        "a program is looked up on the PATH of the run",
        path_is_the_runs,
    ),
    (
        "files that do not fit are told by errno and path",
        files_do_not_fit,
    ),
];

fn job() -> Job {
    Job::new()
        .file("data", "x")
        .executable("script", "#!/nothing/here\n")
        .executable("garbage", [0; 64])
        .executable("bin/tool", "#!/bin/sh\necho ours\n")
        .file("first/tool", "not executable")
}

fn every_reason() {
    let rows: [(&str, &str, i32, &str); 11] = [
        ("nothing", "/work", ENOENT, "nothing"),
        ("./nothing", "/work", ENOENT, "./nothing"),
        ("/usr/bin/nothing", "/work", ENOENT, "/usr/bin/nothing"),
        ("./data", "/work", EACCES, "./data"),
        ("./data/below", "/work", ENOTDIR, "./data/below"),
        ("./script", "/work", ENOENT, "./script"),
        ("./garbage", "/work", ENOEXEC, "./garbage"),
        ("/usr", "/work", EACCES, "/usr"),
        ("/bin/true", "/nothing", ENOENT, "/nothing"),
        ("/bin/true", "/work/data", ENOTDIR, "/work/data"),
        ("/bin/true", "/.p", EACCES, "/.p"),
    ];
    let mut slot = pool::slot();
    job().begin(&mut slot);
    for (program, directory, errno, path) in rows {
        let program = Program::new(&[program]).change(|plan| plan.working_dir = directory.into());
        not_started(&program.run_in(&mut slot), errno, path);
        Program::new(&["/bin/true"]).run_in(&mut slot).passed();
    }
    let long = "x".repeat(200_000);
    not_started(
        &Program::new(&["/bin/true", &long]).run_in(&mut slot),
        E2BIG,
        "/bin/true",
    );
}

fn not_started(report: &crate::harness::program::Report, errno: i32, path: &str) {
    let wanted = Ending::NotStarted {
        errno,
        path: path.into(),
    };
    assert_eq!(report.facts.ending, wanted, "{}", report.all());
    assert_eq!(report.facts.breach, None, "{}", report.all());
    assert!(
        report.stdout.is_empty() && report.stderr.is_empty(),
        "{}",
        report.all()
    );
}

fn path_is_the_runs() {
    let mut slot = pool::slot();
    job().begin(&mut slot);
    let tool = |path: &str| {
        let entry = format!("PATH={path}");
        Program::new(&["tool"]).change(|plan| plan.env = vec![entry])
    };
    tool("/work/bin")
        .run_in(&mut slot)
        .passed()
        .printed("ours\n");
    // One that may not be executed is passed over, as execvp(3) does.
    tool("/work/first:/work/bin")
        .run_in(&mut slot)
        .passed()
        .printed("ours\n");
    tool("/nothing:/work/data:/work/bin")
        .run_in(&mut slot)
        .passed()
        .printed("ours\n");
    let here = tool("/nothing:").change(|plan| plan.working_dir = "/work/bin".into());
    here.run_in(&mut slot).passed().printed("ours\n");
    not_started(
        &tool("/work/first").run_in(&mut slot),
        EACCES,
        "/work/first/tool",
    );
    not_started(&tool("/usr/bin:/bin").run_in(&mut slot), ENOENT, "tool");
}

fn files_do_not_fit() {
    let mut slot = pool::slot();
    let large = Job::new()
        .workspace(4 * MIB)
        .file("small", "x")
        .file("large", vec![0; 5 << 20]);
    large.begin(&mut slot);
    not_started(
        &Program::new(&["/bin/true"]).run_in(&mut slot),
        ENOSPC,
        "large",
    );
    slot.end().expect("the job ends");
    Job::new().file("a", "x").file("a/b", "x").begin(&mut slot);
    not_started(
        &Program::new(&["/bin/true"]).run_in(&mut slot),
        ENOTDIR,
        "a/b",
    );
    slot.end().expect("the job ends");
    Program::new(&["/bin/true"]).run_on(&mut slot).passed();
}

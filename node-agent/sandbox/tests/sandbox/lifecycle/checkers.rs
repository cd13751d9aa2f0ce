//! A checker's three files, and jobs that run on several slots at once.

use evaljob_sandbox::plan::Crew;
use evaljob_sandbox::{Layer, Sealed};

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::{Job, Program};

pub(crate) const CASES: &[Case] = &[
    (
        "a checker finds its three files and cannot change them",
        three_files,
    ),
    (
        "only a job that checks is given files, and no other run has the place",
        others_have_none,
    ),
    (
        "a slot that joins finds what the steps left, with the ids of the first",
        joined,
    ),
    ("a job without steps has nothing to share", nothing_to_share),
];

fn checker() -> Job {
    let mut job = Job::new();
    job.plan.checker = true;
    job
}

fn sealed(content: &[u8]) -> Sealed {
    Sealed::new(content).expect("a file in memory")
}

const LOOK: &str = r#"
import os
print(sorted(os.listdir("/judge")))
for name in ("input", "output", "answer"):
    status = os.stat("/judge/" + name)
    print(name, open("/judge/" + name, "rb").read(), oct(status.st_mode), status.st_uid == os.getuid())
    for way in ("r+b", "wb"):
        try: open("/judge/" + name, way)
        except OSError: pass
        else: print(name, "can be changed")
for body in (lambda: open("/judge/new", "w"), lambda: os.unlink("/judge/answer"), lambda: os.mkdir("/judge/d")):
    try: body()
    except OSError: pass
    else: print("the place can be changed")
print([line.split()[5] for line in open("/proc/self/mountinfo") if line.split()[4] == "/judge"])
"#;

fn three_files() {
    let mut slot = pool::slot();
    let program = Program::python(LOOK).job(|_| checker());
    program.job.begin(&mut slot);
    // The files of one check are not there in the next.
    for (input, output, answer) in [
        (&b"in\0\xff"[..], &b""[..], &b"42\n"[..]),
        (b"", b"41", b""),
    ] {
        let files = [sealed(input), sealed(output), sealed(answer)];
        let report = program.check_in(&mut slot, files.each_ref());
        let line = |name: &str, content: &[u8]| {
            format!("{name} {} 0o100444 False\n", python_bytes(content))
        };
        report.passed().printed(&format!(
            "['answer', 'input', 'output']\n{}{}{}['ro,nosuid,nodev,noexec,relatime']\n",
            line("input", input),
            line("output", output),
            line("answer", answer)
        ));
    }
    slot.end().expect("the job ends");
}

/// As Python prints them.
fn python_bytes(bytes: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b'\n' => "\\n".to_owned(),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    format!("b'{}'", bytes.iter().map(one).collect::<String>())
}

fn others_have_none() {
    let look = Program::shell("ls -d /judge 2>&1 || true");
    look.run()
        .passed()
        .printed("ls: cannot access '/judge': No such file or directory\n");
    let mut slot = pool::slot();
    look.job.begin(&mut slot);
    let files = [sealed(b""), sealed(b""), sealed(b"")];
    let refused = look
        .try_check_in(&mut slot, files.each_ref())
        .expect_err("it is no checker");
    assert_eq!(refused.layer, Layer::Workspace, "{refused}");
    look.run_in(&mut slot).passed();
    slot.end().expect("the job ends");
}

/// The same job on the first of its slots, or on a further one.
fn member(joins: bool) -> Job {
    let mut job = Job::new().steps();
    job.plan.crew = Some(Crew {
        id: 1,
        lead: 0,
        cpus: vec![0],
        joins,
    });
    job
}

fn joined() {
    let spawner = evaljob_sandbox::Spawner::start(pool::host(2)).expect("it starts");
    let (mut one, mut two) = (spawner.slot(0), spawner.slot(1));
    member(false).begin(&mut one);
    Program::shell("echo left >file; mkdir directory; chmod 700 directory")
        .step()
        .run_in(&mut one)
        .passed();
    let steps = one.share_steps().expect("there were steps");
    member(true).join(&mut two, &steps);
    let change = Program::shell(
        "cat file; echo more >>file; mv directory moved; ls -A; cat /proc/self/uid_map",
    );
    let [first, second] = [&mut one, &mut two].map(|slot| {
        let report = change.run_in(slot).passed();
        assert!(
            report.text().starts_with("left\nfile\nmoved\n"),
            "{}",
            report.all()
        );
        report
    });
    assert_eq!(first.text(), second.text(), "one owner of all files");
    // What a test did is its own: neither slot sees it afterwards.
    for slot in [&mut one, &mut two] {
        Program::shell("cat file; ls -A")
            .run_in(slot)
            .passed()
            .printed("left\ndirectory\nfile\n");
        slot.end().expect("the job ends");
    }
}

fn nothing_to_share() {
    let mut slot = pool::slot();
    Job::new().begin(&mut slot);
    let refused = slot.share_steps().expect_err("there are none");
    assert_eq!(refused.layer, Layer::Workspace, "{refused}");
    slot.end().expect("the job ends");
}

//! The workspace: bytes and inodes of /work, /tmp, /dev/shm and HOME together, and the size of one file.

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::{MIB, Program};

pub(crate) const CASES: &[Case] = &[
    ("the four places share one size", places_share_one_size),
    ("the number of files is bounded", inodes_are_bounded),
    (
        "a full workspace counts as full only while it is full",
        full_at_death,
    ),
    (
        "a test may add as much as the job's size to what the steps left, not more",
        each_test_has_its_own,
    ),
    (
        "a file may be as large as the limit, and not a byte more",
        file_size,
    ),
];

/// Writes that many MiB to each place in turn; says how many writes worked, and the error that ended them.
fn fill(mebibytes: u32) -> String {
    format!(
        "import errno\ndone = 0\ntry:\n for place in ['/work', '/tmp', '/dev/shm', '/home']:\n  \
         with open(place + '/data', 'wb', buffering=0) as file:\n   for _ in range({mebibytes}):\n    \
         if file.write(b'x' * (1 << 20)) != 1 << 20: raise OSError(errno.ENOSPC, '')\n    done += 1\n\
         except OSError as error: print(done, errno.errorcode[error.errno])\nelse: print(done, 'all')\n"
    )
}

fn places_share_one_size() {
    for (mebibytes, workspace, printed, full) in
        [(5, 24, "20 all\n", false), (5, 18, "18 ENOSPC\n", true)]
    {
        let program = Program::python(&fill(mebibytes)).job(|job| job.workspace(workspace * MIB));
        let report = program.run().passed().printed(printed);
        assert_eq!(report.facts.disk_full, full, "{}", report.all());
    }
}

fn inodes_are_bounded() {
    let source = "done = 0\ntry:\n while True:\n  open(str(done), 'w').close()\n  done += 1\n\
        except OSError as error: print(done, error.errno)\n";
    let report = Program::python(source)
        .job(|job| job.workspace(4 * MIB))
        .run()
        .passed();
    let text = report.text();
    let (made, errno) = text.trim().split_once(' ').expect("two numbers");
    let made: u64 = made.parse().expect("a number");
    // One inode for 2 KiB, and a thousand.
    assert!((2048..=2048 + 1024).contains(&made), "{made}");
    assert_eq!(errno, libc::ENOSPC.to_string());
    assert!(report.facts.disk_full, "{}", report.all());
}

fn full_at_death() {
    let source = format!("{}import os\nos.unlink('/work/data')\n", fill(5));
    let report = Program::python(&source)
        .job(|job| job.workspace(8 * MIB))
        .run()
        .passed();
    assert!(
        report.text().ends_with("ENOSPC\n") && !report.facts.disk_full,
        "{}",
        report.all()
    );
}

fn each_test_has_its_own() {
    let mut slot = pool::slot();
    let write = |name: &str, mebibytes: u32| {
        Program::shell(&format!("head -c {mebibytes}M /dev/zero >{name}"))
            .job(|job| job.steps().workspace(16 * MIB))
    };
    let step = write("step", 12).step();
    step.job.begin(&mut slot);
    step.run_in(&mut slot).passed();
    assert!(
        write("more", 8).step().run_in(&mut slot).facts.disk_full,
        "steps together"
    );
    Program::shell("rm more").step().run_in(&mut slot).passed();
    for _ in 0..2 {
        assert!(!write("test", 12).run_in(&mut slot).passed().facts.disk_full);
    }
    assert!(
        write("test", 20).run_in(&mut slot).facts.disk_full,
        "one test"
    );
}

fn file_size() {
    let dd = |count: &str| {
        let argv = [
            "/bin/dd",
            "if=/dev/zero",
            "of=file",
            "bs=1M",
            count,
            "status=none",
        ];
        Program::new(&argv).limit(|limits| limits.file_size = 4 * MIB)
    };
    dd("count=4").run().passed();
    dd("count=5").run().signaled(libc::SIGXFSZ);
}

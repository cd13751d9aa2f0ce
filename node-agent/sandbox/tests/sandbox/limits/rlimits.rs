//! Resource limits of the process: hard equal to soft, each as planned.

use std::time::Duration;

use crate::harness::Case;
use crate::harness::program::{MIB, Program};

pub(crate) const CASES: &[Case] = &[
    (
        "every resource limit is as planned, hard and soft",
        all_are_as_planned,
    ),
    (
        "as many descriptors as the limit says, and not one more",
        open_files,
    ),
    ("the stack ends at its limit", stack),
    ("no limit can be raised", || {
        let source = "import resource\nfor name in dir(resource):\n if not name.startswith('RLIMIT_'): continue\n \
            number = getattr(resource, name)\n soft, hard = resource.getrlimit(number)\n if hard < 0: continue\n \
            try: resource.setrlimit(number, (hard + 1, hard + 1)); print(name)\n except ValueError: pass";
        Program::python(source).run().passed().printed("");
    }),
];

fn all_are_as_planned() {
    let program = Program::new(&["/bin/cat", "/proc/self/limits"]).limit(|limits| {
        limits.cpu_time = Duration::from_millis(7500);
        limits.processes = 21;
        limits.open_files = 333;
        limits.file_size = 7 * MIB + 1;
        limits.stack = 5 * MIB;
    });
    let text = program.run().passed().text();
    let planned = [
        ("Max core file size", 1),
        ("Max cpu time", 10),
        ("Max file size", 7 * MIB + 1),
        ("Max open files", 333),
        ("Max processes", 37),
        ("Max stack size", 5 * MIB),
        ("Max locked memory", 65_536),
        ("Max msgqueue size", 0),
        ("Max pending signals", 1024),
        ("Max realtime priority", 0),
        ("Max nice priority", 0),
        ("Max file locks", 64),
    ];
    for (name, value) in planned {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("{name}: {text}"));
        let found: Vec<_> = line.split_whitespace().take(2).collect();
        assert_eq!(found, [value.to_string(), value.to_string()], "{name}");
    }
}

fn open_files() {
    let source = "files = []\ntry:\n while True: files.append(open('/dev/null'))\n\
        except OSError as error: print(len(files), error.errno)";
    let program = Program::python(source).limit(|limits| limits.open_files = 50);
    program
        .run()
        .passed()
        .printed(&format!("47 {}\n", libc::EMFILE));
}

fn stack() {
    let program = |limit| Program::compiled("stack", &["4"]).limit(|limits| limits.stack = limit);
    program(8 * MIB).run().passed();
    program(2 * MIB).run().signaled(libc::SIGSEGV);
}

//! When the main process has ended, or a limit has ended it, nothing of the run is alive.

use std::fs;
use std::time::Duration;

use evaljob_sandbox::facts::Breach;
use evaljob_sandbox::{Slot, Spawner};

use crate::harness::program::{Program, Report};
use crate::harness::{Case, isolated, pool};

pub(crate) const CASES: &[Case] = &[
    (
        "daemons die with their run, also one that holds its output",
        || daemons_die(false),
    ),
    (
        "daemons die with their run at its wall limit, also one that holds its output",
        || daemons_die(true),
    ),
    (
        "a run that has stopped itself is ended at its wall limit",
        stopped_runs_end,
    ),
    (
        "signals that a run ignores do not keep it alive",
        deaf_runs_end,
    ),
    ("children that nobody waits for are no trouble", zombies),
];

/// Processes of this host id, as the tests' own /proc shows them.
fn processes_of(uid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .unwrap_or_default();
        if line.split_whitespace().any(|id| id == uid.to_string()) {
            found.push(status);
        }
    }
    found
}

/// A slot whose host ids no other test uses, in the container's tests neither: every process of them is the run's.
fn own_slot(number: u32) -> (Spawner, Slot) {
    let first = if isolated::role().is_some_and(|role| role == isolated::TESTS) {
        10
    } else {
        20
    };
    let spawner = Spawner::start(pool::host(30)).unwrap_or_else(|error| panic!("{error}"));
    let slot = spawner.slot(first + number);
    (spawner, slot)
}

fn nothing_lives(report: &Report) {
    let uid = report.facts.enforcement.as_ref().expect("it ran").uid;
    assert_eq!(processes_of(uid), Vec::<String>::new());
}

fn daemons_die(at_the_limit: bool) {
    let (_spawner, mut slot) = own_slot(if at_the_limit { 5 } else { 1 });
    let source = "
import os, time, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        if len(sys.argv) > 1:
            for fd in (0, 1, 2): os.close(fd)
        os.write(ready, b'x') if (ready := int(os.environ['READY'])) else None
        time.sleep(1000)
    os._exit(0)
os.read(int(os.environ['WAIT']), 1)
print('the daemon lives', flush=True)
if 'STAY' in os.environ: time.sleep(1000)
";
    for arguments in [&[][..], &["closed"]] {
        let command = ["/usr/bin/python3", "-S", "-c", source];
        let argv: Vec<&str> = command.iter().chain(arguments).copied().collect();
        // The daemon lives when main ends: it has written into the pipe.
        let wrapper = "import os, sys\nread, write = os.pipe()\nos.set_inheritable(read, True); os.set_inheritable(write, True)\n\
            os.environ.update(READY=str(write), WAIT=str(read))\nos.execv(sys.argv[1], sys.argv[1:])";
        let mut whole = vec!["/usr/bin/python3", "-S", "-c", wrapper];
        whole.extend(argv);
        let mut program = Program::new(&whole);
        if at_the_limit {
            program.plan.env.push("STAY=1".to_owned());
            // Two interpreters have to start before, on whatever machine.
            program.plan.limits.wall_time = Duration::from_secs(4);
        }
        let report = program.run_on(&mut slot);
        let report = if at_the_limit {
            report.breached(Breach::WallTime)
        } else {
            report.passed()
        };
        nothing_lives(&report.printed("the daemon lives\n"));
    }
}

fn stopped_runs_end() {
    let (_spawner, mut slot) = own_slot(2);
    let source =
        "import os, signal, time\nif os.fork() == 0: time.sleep(1000)\nos.kill(0, signal.SIGSTOP)";
    let program =
        Program::python(source).limit(|limits| limits.wall_time = Duration::from_millis(300));
    let report = program.run_on(&mut slot).breached(Breach::WallTime);
    nothing_lives(&report);
}

fn deaf_runs_end() {
    let (_spawner, mut slot) = own_slot(3);
    let source = "import os, signal, time\nfor number in range(1, 65):\n try: signal.signal(number, signal.SIG_IGN)\n \
        except (OSError, ValueError): pass\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nos.fork()\ntime.sleep(1000)";
    let program =
        Program::python(source).limit(|limits| limits.wall_time = Duration::from_millis(300));
    let report = program.run_on(&mut slot).breached(Breach::WallTime);
    nothing_lives(&report);
}

fn zombies() {
    let (_spawner, mut slot) = own_slot(4);
    let source = "import os\nfor _ in range(30):\n if os.fork() == 0: os._exit(0)\n\
        for _ in range(10):\n if os.fork() == 0:\n  os.fork(); os._exit(0)\nprint('done')";
    let report = Program::python(source)
        .run_on(&mut slot)
        .passed()
        .printed("done\n");
    nothing_lives(&report);
}

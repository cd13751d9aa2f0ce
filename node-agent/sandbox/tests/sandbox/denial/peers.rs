//! What two runs see of each other: two at once on two slots, and one after the other on one slot.
//!
//! The first program prints "ready", then looks and prints "tick" with the time of that look, again and again; the
//! second runs meanwhile. A look after its end has seen all there is to see. The control runs both programs without
//! the sandbox, in one world.

use std::sync::mpsc;

use evaljob_sandbox::facts::Breach;
use evaljob_sandbox::{Interrupt, Slot};
use rustix::time::{ClockId, clock_gettime};

use crate::harness::Case;
use crate::harness::attempts::PRELUDE;
use crate::harness::program::{Program, Report};
use crate::harness::wait::DEADLINE;
use crate::harness::{control, pool};

pub(crate) const CASES: &[Case] = &[
    ("a peer's use of the image raises no event", || {
        compare(INOTIFY)
    }),
    ("locks on files of the image do not meet", || compare(FLOCK)),
    (
        "System V shared memory and semaphores are the run's own",
        || compare(SYSTEM_V),
    ),
    ("files in shared places are the run's own", || {
        compare(FILES)
    }),
    ("abstract sockets are the run's own", || compare(ABSTRACT)),
    ("each namespace of a run is its own", namespaces_differ),
    (
        "nothing of a run is there for the next one on its slot",
        next_run_finds_nothing,
    ),
];

/// Two programs; what they must print in the sandbox and without it, in this order: first, second.
struct Pair {
    first: &'static str,
    second: &'static str,
    sandbox: [&'static str; 2],
    control: [&'static str; 2],
}

/// Comes after the set-up of the first program; `look` prints what it sees.
const LOOP: &str = "
print('ready', flush=True)
while True:
    now = time.monotonic_ns()
    look()
    print('tick', now, flush=True)
    time.sleep(0.02)
";

const INOTIFY: Pair = Pair {
    first: "
watch = C.inotify_init1(os.O_NONBLOCK)
C.inotify_add_watch(watch, b'/usr/bin/env', 0xfff) != -1 or print('no watch')
def look():
    try: os.read(watch, 4096) and print('event')
    except BlockingIOError: pass",
    second: "open('/usr/bin/env', 'rb').read(); print('read')",
    sandbox: ["", "read\n"],
    control: ["event\n", "read\n"],
};

const FLOCK: Pair = Pair {
    first: "
file = open('/usr/bin/env')
fcntl.flock(file, fcntl.LOCK_EX)
look = lambda: None",
    second: "
try: fcntl.flock(open('/usr/bin/env'), fcntl.LOCK_EX | fcntl.LOCK_NB); print('free')
except BlockingIOError: print('held')",
    sandbox: ["", "free\n"],
    control: ["", "held\n"],
};

const SYSTEM_V: Pair = Pair {
    first: "
C.shmget(77, 4096, 0o1600) != -1 or print('no memory')
C.semget(77, 1, 0o1600) != -1 or print('no semaphore')
look = lambda: None",
    second: "print(C.shmget(77, 0, 0) != -1, C.semget(77, 0, 0) != -1)",
    sandbox: ["", "False False\n"],
    control: ["", "True True\n"],
};

const FILES: Pair = Pair {
    first: "
PLACES = ['.', '/tmp', '/home', '/dev/shm']
for place in PLACES: open(place + '/evaljob-mark', 'w')
look = lambda: None",
    second: "
PLACES = ['.', '/tmp', '/home', '/dev/shm']
print([os.path.exists(place + '/evaljob-mark') for place in PLACES])
for place in PLACES:
    if os.path.exists(place + '/evaljob-mark'): os.unlink(place + '/evaljob-mark')",
    sandbox: ["", "[False, False, False, False]\n"],
    control: ["", "[True, True, True, True]\n"],
};

const ABSTRACT: Pair = Pair {
    first: "
listener = socket.socket(socket.AF_UNIX)
listener.bind('\\0evaljob-peer')
listener.listen()
look = lambda: None",
    second: "
try: socket.socket(socket.AF_UNIX).connect('\\0evaljob-peer'); print('connected')
except ConnectionRefusedError: print('refused')",
    sandbox: ["", "refused\n"],
    control: ["", "connected\n"],
};

fn compare(pair: Pair) {
    let first = format!("{PRELUDE}{}\n{LOOP}", pair.first);
    let second = format!("{PRELUDE}{}", pair.second);
    let mut seen = String::new();
    let report = beside(&Program::python(&first), |slot| {
        seen = Program::python(&second).run_on(slot).passed().text();
    });
    assert_eq!(
        [without_marks(&report.text()), seen],
        pair.sandbox,
        "{}",
        report.all()
    );
    assert_eq!(
        controlled(&first, &second),
        pair.control,
        "without the sandbox"
    );
}

fn without_marks(text: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| *line != "ready\n" && !line.starts_with("tick "))
        .collect()
}

/// Fires when it goes, so that a failed test leaves no run behind.
struct Fire<'a>(&'a Interrupt);

impl Drop for Fire<'_> {
    fn drop(&mut self) {
        self.0.fire();
    }
}

/// Runs `body` with a slot while `first` runs on another; ends `first` when it has looked once more.
pub(super) fn beside(first: &Program, body: impl FnOnce(&mut Slot)) -> Report {
    let [mut one, mut two] = pool::slots();
    let interrupt = Interrupt::new().expect("a descriptor");
    let (tell, told) = mpsc::channel();
    first.job.begin(&mut one);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut seen = |bytes: &[u8]| {
                let _ = tell.send(String::from_utf8_lossy(bytes).into_owned());
            };
            first
                .watch_in(&mut one, &interrupt, &mut seen)
                .unwrap_or_else(|error| panic!("{error}"))
        });
        let fire = Fire(&interrupt);
        let mut text = String::new();
        let mut read_until = |holds: &dyn Fn(&str) -> bool| {
            while !text
                .split_inclusive('\n')
                .any(|line| line.ends_with('\n') && holds(line.trim_end()))
            {
                text.push_str(&told.recv_timeout(DEADLINE).expect("it goes on"));
            }
        };
        read_until(&|line| line == "ready");
        body(&mut two);
        let ended = clock_gettime(ClockId::Monotonic);
        let ended = i128::from(ended.tv_sec) * 1_000_000_000 + i128::from(ended.tv_nsec);
        read_until(&|line| {
            let tick = line
                .strip_prefix("tick ")
                .and_then(|time| time.parse::<i128>().ok());
            tick.is_some_and(|tick| tick > ended)
        });
        drop(fire);
        running
            .join()
            .expect("it ends")
            .breached(Breach::Interrupted)
    })
}

/// The same without the sandbox: a third program that plays our part.
const DRIVER: &str = r"
import subprocess, sys, time
python = ['/usr/bin/python3', '-S', '-c']
first = subprocess.Popen(python + [sys.argv[1]], stdout=subprocess.PIPE, text=True)
def lines():
    while line := first.stdout.readline(): yield line
    raise Exception('the first program ended')
for line in lines():
    if line == 'ready\n': break
second = subprocess.run(python + [sys.argv[2]], stdout=subprocess.PIPE, text=True).stdout
ended, seen = time.monotonic_ns(), set()
for line in lines():
    if not line.startswith('tick '): seen.add(line)
    elif int(line[5:]) > ended: break
first.kill()
print(''.join(sorted(seen)), second, sep='\0', end='')
";

fn controlled(first: &str, second: &str) -> [String; 2] {
    let output = control::control(&["/usr/bin/python3", "-S", "-c", DRIVER, first, second]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (one, two) = text
        .split_once('\0')
        .unwrap_or_else(|| panic!("{}", control::describe(&output)));
    [one.to_owned(), two.to_owned()]
}

const NAMES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

fn namespaces_differ() {
    let print = format!("for name in {NAMES:?}: print(os.readlink('/proc/self/ns/' + name))\n");
    let first = format!("{PRELUDE}{print}look = lambda: None\n{LOOP}");
    let mut second = String::new();
    let report = beside(&Program::python(&first), |slot| {
        second = Program::python(&format!("{PRELUDE}{print}"))
            .run_on(slot)
            .passed()
            .text();
    });
    let first = without_marks(&report.text());
    for (name, (one, two)) in NAMES.iter().zip(first.lines().zip(second.lines())) {
        let ours = std::fs::read_link(format!("/proc/self/ns/{name}")).expect("/proc");
        let ours = ours.to_string_lossy();
        assert!(
            one.starts_with(name) && two.starts_with(name),
            "{one} {two}"
        );
        assert!(
            one != two && one != ours && two != ours,
            "{name}: {one}, {two}, ours {ours}"
        );
    }
    assert_eq!(first.lines().count(), NAMES.len());
}

fn next_run_finds_nothing() {
    let leave = format!(
        "{PRELUDE}for place in ['.', '/tmp', '/home', '/dev/shm']: open(place + '/mark', 'w').write('x')\n\
         C.shmget(77, 4096, 0o1600); C.semget(77, 1, 0o1600)\nif os.fork() == 0: os.setsid(); time.sleep(1000)"
    );
    let look = format!(
        "{PRELUDE}print([os.listdir(place) for place in ['.', '/tmp', '/home', '/dev/shm']], C.shmget(77, 0, 0),\
         C.semget(77, 0, 0), [name for name in os.listdir('/proc') if name.isdigit()])"
    );
    let nothing = "[[], [], [], []] -1 -1 ['2']\n";
    let mut slot = pool::slot();
    let (leave, look) = (Program::python(&leave), Program::python(&look));
    leave.job.begin(&mut slot);
    leave.run_in(&mut slot).passed();
    look.run_in(&mut slot).passed().printed(nothing);
    slot.end().expect("the job ends");
    look.run_on(&mut slot).passed().printed(nothing);
}

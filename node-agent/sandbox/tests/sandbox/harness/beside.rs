//! Two programs at once, of which the first watches the second: on two slots, and without the sandbox.
//!
//! The first prints "ready", then looks and prints "tick" with the time of that look, again and again; the second runs
//! meanwhile. A look after its end has seen all there is to see.

use std::sync::mpsc;

use evaljob_sandbox::facts::Breach;
use evaljob_sandbox::{Interrupt, Slot};
use rustix::time::{ClockId, clock_gettime};

use super::program::{Program, Report};
use super::wait::DEADLINE;
use super::{control, pool};

/// What the first program printed beside "ready" and "tick".
pub(crate) fn without_marks(text: &str) -> String {
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
pub(crate) fn beside(first: &Program, body: impl FnOnce(&mut Slot)) -> Report {
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

/// The same without the sandbox: a third program that plays our part. Both are Python programs in files, and are told
/// which they are. They share a session keyring made for them.
const DRIVER: &str = r"
import ctypes, subprocess, sys, time
ctypes.CDLL(None).syscall(250, 1, None)
python = ['/usr/bin/python3', '-S', '-B', sys.argv[1]]
first = subprocess.Popen(python + ['first'], stdout=subprocess.PIPE, text=True)
def lines():
    while line := first.stdout.readline(): yield line
    raise Exception('the first program ended')
for line in lines():
    if line == 'ready\n': break
    print(line, end='')
second = subprocess.run(python + ['second'], stdout=subprocess.PIPE, text=True).stdout
ended, seen = time.monotonic_ns(), set()
for line in lines():
    if not line.startswith('tick '): seen.add(line)
    elif int(line[5:]) > ended: break
first.kill()
print(''.join(sorted(seen)), second, sep='\0', end='')
";

/// What the two programs of this file print without the sandbox.
pub(crate) fn controlled(path: &str) -> [String; 2] {
    let output = control::control(&["/usr/bin/python3", "-S", "-c", DRIVER, path]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (one, two) = text
        .split_once('\0')
        .unwrap_or_else(|| panic!("{}", control::describe(&output)));
    [one.to_owned(), two.to_owned()]
}

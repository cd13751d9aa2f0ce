//! Tables of attempts: each is tried in the sandbox and, as its positive control, without it.
//!
//! Two kinds. A *call* is one system call by number, made by `programs/call.c` in a process of its own, so that it
//! may be killed. An *attempt* is a Python expression; all of a table run in one process.

use std::fmt;

use evaljob_sandbox::facts::Ending;

use super::control;
use super::program::Program;

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It succeeds.
    Works,
    /// It fails with this errno.
    Fails(i32),
    /// This signal ends the process.
    Killed(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => write!(f, "works"),
            Self::Fails(errno) => write!(
                f,
                "fails with {}",
                rustix::io::Errno::from_raw_os_error(*errno)
            ),
            Self::Killed(signal) => write!(f, "is killed by signal {signal}"),
        }
    }
}

/// An argument of a system call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arg {
    /// A number.
    N(i64),
    /// Address of a string.
    S(&'static str),
    /// Address of that many zero bytes.
    Z(usize),
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::N(number) => write!(f, "{number}"),
            Self::S(text) => write!(f, "s:{text}"),
            Self::Z(length) => write!(f, "z:{length}"),
        }
    }
}

/// A system call with its end in the sandbox and without it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) number: i64,
    pub(crate) arguments: &'static [Arg],
    pub(crate) sandbox: End,
    pub(crate) control: End,
}

/// A row of a table of calls.
pub(crate) const fn call(
    name: &'static str,
    number: i64,
    arguments: &'static [Arg],
    sandbox: End,
    control: End,
) -> Call {
    Call {
        name,
        number,
        arguments,
        sandbox,
        control,
    }
}

/// Makes every call of the table; all differences are told together.
pub(crate) fn make(calls: &[Call], change: impl Fn(Program) -> Program) {
    let mut wrong = Vec::new();
    for row in calls {
        let arguments: Vec<String> = [row.number.to_string()]
            .into_iter()
            .chain(row.arguments.iter().map(ToString::to_string))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let report = change(Program::compiled("call", &arguments)).run();
        let found = match report.facts.ending {
            Ending::Exited(0) => printed(&report.text()),
            Ending::Signaled(signal) => End::Killed(signal),
            _ => panic!("{}: {}", row.name, report.all()),
        };
        let output = control::compiled("call", &arguments);
        assert!(
            output.status.success(),
            "{}, control: {}",
            row.name,
            control::describe(&output)
        );
        let controlled = printed(&String::from_utf8_lossy(&output.stdout));
        compare(
            &mut wrong,
            row.name,
            (row.sandbox, found),
            (row.control, controlled),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn printed(text: &str) -> End {
    match text.trim().parse() {
        Ok(0) => End::Works,
        Ok(errno) => End::Fails(errno),
        Err(error) => panic!("call printed {text:?}: {error}"),
    }
}

fn compare(wrong: &mut Vec<String>, name: &str, sandbox: (End, End), control: (End, End)) {
    for (place, (wanted, found)) in [("in the sandbox", sandbox), ("without it", control)] {
        if wanted != found {
            wrong.push(format!("{name}: {place} it {found}, not {wanted}"));
        }
    }
}

/// A Python expression with its end in the sandbox and without it.
pub(crate) type Attempt = (&'static str, &'static str, End, End);

/// What every attempt may use.
pub(crate) const PRELUDE: &str = r"
import array, ctypes, errno, fcntl, mmap, os, resource, signal, socket, stat, struct, sys, time
C = ctypes.CDLL(None, use_errno=True)
def raw(number, *arguments):
    result = C.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result == -1: raise OSError(ctypes.get_errno(), '')
    return result
def attempt(name, body):
    try: body()
    except OSError as error: print(name, error.errno, sep='\t')
    except ValueError: print(name, errno.EPERM, sep='\t') # what the resource module makes of it
    else: print(name, 0, sep='\t')
";

/// Tries every attempt of the table; all differences are told together. `setup` is Python that comes first, for the
/// sandbox and for the control.
pub(crate) fn try_all(setup: (&str, &str), attempts: &[Attempt]) {
    let mut lines = String::new();
    for (name, expression, _, _) in attempts {
        lines.push_str(&format!("attempt({name:?}, lambda: {expression})\n"));
    }
    let sandbox = Program::python(&format!("{PRELUDE}{}\n{lines}", setup.0))
        .run()
        .passed()
        .text();
    let control = control::python(&format!("{PRELUDE}{}\n{lines}", setup.1));
    let mut wrong = Vec::new();
    for (name, _, in_sandbox, in_control) in attempts {
        let found = |text: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
            printed(line.unwrap_or_else(|| panic!("no line for {name:?} in {text}")))
        };
        compare(
            &mut wrong,
            name,
            (*in_sandbox, found(&sandbox)),
            (*in_control, found(&control)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! A line of the table.

use std::fmt;

use evaljob_sandbox::facts::{Breach, CgroupVersion, Enforcement};

use crate::harness::program::Program;

/// A case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    /// What is tried, or what holds.
    pub(crate) what: &'static str,
    /// Cheap, and in need of nothing: for other kernels and for a node's test of itself.
    pub(crate) starred: bool,
    pub(crate) shown: Shown,
}

/// How it is shown that the attack fails.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown {
    /// By a program.
    Attack(Attack),
    /// By two programs at once, one to a slot.
    Pair(Pair),
    /// By these tests, which have controls of their own.
    By(&'static [&'static str]),
}

/// A program of `tests/corpus` (or `tests/programs`) and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attack {
    pub(crate) file: &'static str,
    pub(crate) arguments: &'static [&'static str],
    pub(crate) change: Change,
    pub(crate) end: End,
    pub(crate) control: Control,
    /// What it says on another machine.
    pub(crate) elsewhere: Option<(Machine, &'static str)>,
    /// An honest program runs on the other slot all the while, and nothing is left afterwards.
    pub(crate) beside_a_canary: bool,
}

/// A machine on which the layers are others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Machine {
    /// Landlock's ABI is below this one.
    LandlockBelow(u32),
    CgroupV2,
    /// It lacks calls that only x86 has.
    Aarch64,
}

/// Limits and profile.
pub(crate) type Change = fn(Program) -> Program;

/// A Python program that is started twice: as "first", which watches, and as "second". What each prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) file: &'static str,
    pub(crate) sandbox: [&'static str; 2],
    pub(crate) control: [&'static str; 2],
}

/// How the run ends. Texts are the printed lines, joined by `, `.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// By itself, with status 0.
    Says(&'static str),
    /// By itself, with this status.
    Exits(i32, &'static str),
    /// By this limit.
    Breaches(Breach, &'static str),
    /// By its memory limit.
    RunsOut,
}

/// What shows that the attack would have worked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Control {
    /// The same program without the sandbox, as root in private namespaces.
    Bare(&'static str),
    /// The same with other arguments.
    BareWith(&'static [&'static str], &'static str),
    /// The same program in the sandbox with looser limits or profile, or with other arguments.
    Weaker(Change, &'static [&'static str], &'static str),
    /// None, for this reason.
    None(&'static str),
}

const UNCHANGED: Change = |program| program;

/// A case shown by one program.
pub(crate) const fn attack(
    id: &'static str,
    file: &'static str,
    what: &'static str,
    end: End,
    control: Control,
) -> Row {
    let attack = Attack {
        file,
        arguments: &[],
        change: UNCHANGED,
        end,
        control,
        elsewhere: None,
        beside_a_canary: false,
    };
    Row {
        id,
        what,
        starred: false,
        shown: Shown::Attack(attack),
    }
}

/// A case shown by two programs.
pub(crate) const fn pair(
    id: &'static str,
    file: &'static str,
    what: &'static str,
    sandbox: [&'static str; 2],
    control: [&'static str; 2],
) -> Row {
    let pair = Pair {
        file,
        sandbox,
        control,
    };
    Row {
        id,
        what,
        starred: false,
        shown: Shown::Pair(pair),
    }
}

/// A case shown by tests elsewhere.
pub(crate) const fn by(
    id: &'static str,
    what: &'static str,
    tests: &'static [&'static str],
) -> Row {
    Row {
        id,
        what,
        starred: false,
        shown: Shown::By(tests),
    }
}

impl Row {
    pub(crate) const fn star(mut self) -> Self {
        self.starred = true;
        self
    }

    pub(crate) const fn with(mut self, arguments: &'static [&'static str]) -> Self {
        if let Shown::Attack(attack) = &mut self.shown {
            attack.arguments = arguments;
        }
        self
    }

    pub(crate) const fn change(mut self, change: Change) -> Self {
        if let Shown::Attack(attack) = &mut self.shown {
            attack.change = change;
        }
        self
    }

    pub(crate) const fn on(mut self, machine: Machine, says: &'static str) -> Self {
        if let Shown::Attack(attack) = &mut self.shown {
            attack.elsewhere = Some((machine, says));
        }
        self
    }

    pub(crate) const fn beside(mut self) -> Self {
        if let Shown::Attack(attack) = &mut self.shown {
            attack.beside_a_canary = true;
        }
        self
    }

    pub(crate) fn file(&self) -> Option<&'static str> {
        match self.shown {
            Shown::Attack(attack) => Some(attack.file),
            Shown::Pair(pair) => Some(pair.file),
            Shown::By(_) => None,
        }
    }

    /// Of its test.
    pub(crate) fn name(&self) -> String {
        let star = if self.starred { "*" } else { "" };
        let file = self.file().unwrap_or_default();
        match self.shown {
            Shown::Attack(Attack { arguments, .. }) if !arguments.is_empty() => {
                format!(
                    "{}{star} {} ({file} {})",
                    self.id,
                    self.what,
                    arguments.join(" ")
                )
            }
            _ => format!("{}{star} {} ({file})", self.id, self.what),
        }
    }
}

impl Machine {
    /// Whether this run was on it.
    pub(crate) fn is(self, seen: &Enforcement) -> bool {
        match self {
            Self::LandlockBelow(abi) => seen.landlock_abi < abi,
            Self::CgroupV2 => seen.cgroup == CgroupVersion::V2,
            Self::Aarch64 => cfg!(target_arch = "aarch64"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Says(text) => write!(f, "{text}"),
            Self::Exits(status, text) => write!(f, "exit status {status}: {text}"),
            Self::Breaches(breach, text) => write!(f, "ended by {breach:?}: {text}"),
            Self::RunsOut => write!(f, "ended by Memory"),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare(text) => write!(f, "bare: {text}"),
            Self::BareWith(arguments, text) => write!(f, "bare, {}: {text}", arguments.join(" ")),
            Self::Weaker(_, arguments, text) => write!(f, "weaker {}: {text}", arguments.join(" ")),
            Self::None(reason) => write!(f, "none: {reason}"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.starred { "*" } else { "" };
        write!(f, "{}{star} | {} | ", self.id, self.what)?;
        match self.shown {
            Shown::Attack(attack) => write!(f, "{} | {}", attack.end, attack.control),
            Shown::Pair(Pair {
                sandbox: [one, two],
                control: [bare_one, bare_two],
                ..
            }) => write!(f, "{one}; {two} | bare: {bare_one}; {bare_two}"),
            Shown::By(tests) => write!(f, "{} |", tests.join("; ")),
        }
    }
}

//! Compares what a program writes with what a test expects, while it is being written.
//!
//! In: the checker of the job, the expected output as a slice, the actual one in chunks of any size.
//! Out: the first difference, in one line. The actual output is never stored: memory does not depend
//! on its size (`unordered` adds a bound by the expected one), and chunk borders do not matter.
//! Source: api.md "Checkers"; white space is ASCII only (space, \t \n \v \f \r) for all of them.

mod decimal;
mod exact;
mod excerpt;
mod invisible;
mod lines;
mod tokens;
mod unordered;

use std::fmt;

use evaljob_crds::job::Checker;

use exact::Exact;
use lines::Lines;
use tokens::Tokens;
use unordered::Unordered;

/// The first difference between the two outputs, as one bounded line of visible text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference(String);

impl Difference {
    fn new(message: String) -> Self {
        Self(message)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A comparison in progress.
#[derive(Debug)]
pub struct Comparison<'a> {
    expected: &'a [u8],
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    Exact(Exact<'a>),
    Tokens(Tokens<'a>),
    Lines(Lines<'a>),
    Unordered(Unordered<'a>),
    /// A program judges, in a sandbox: nothing is compared here.
    Elsewhere,
}

impl<'a> Comparison<'a> {
    /// Starts at the beginning of both outputs.
    pub fn new(checker: &Checker, expected: &'a [u8]) -> Self {
        let kind = match checker {
            Checker::Exact => Kind::Exact(Exact::new(expected)),
            Checker::Tokens => Kind::Tokens(Tokens::new(expected, None)),
            Checker::Float { absolute, relative } => {
                let tolerance = decimal::Tolerance::new(*absolute, *relative);
                Kind::Tokens(Tokens::new(expected, Some(tolerance)))
            }
            Checker::Lines => Kind::Lines(Lines::new(expected)),
            Checker::Unordered => Kind::Unordered(Unordered::new(expected)),
            Checker::Program(_) => Kind::Elsewhere,
        };
        Self { expected, kind }
    }

    /// Takes the next bytes of the actual output.
    pub fn push(&mut self, chunk: &[u8]) {
        match &mut self.kind {
            Kind::Exact(exact) => exact.push(chunk),
            Kind::Tokens(tokens) => tokens.push(chunk),
            Kind::Lines(lines) => lines.push(chunk),
            Kind::Unordered(unordered) => unordered.push(chunk),
            Kind::Elsewhere => {}
        }
    }

    /// Ends the actual output.
    ///
    /// # Errors
    /// The first difference.
    pub fn finish(self) -> Result<(), Difference> {
        match self.kind {
            Kind::Exact(exact) => exact.finish(),
            Kind::Tokens(tokens) => tokens.finish(),
            Kind::Lines(lines) => lines.finish(),
            Kind::Unordered(unordered) => unordered.finish(self.expected),
            Kind::Elsewhere => Ok(()),
        }
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|&byte| !is_white(byte))
        .map_or(0, |index| index + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests;

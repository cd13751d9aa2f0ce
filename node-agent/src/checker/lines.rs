//! Lines: the same lines; trailing white space of a line (CR too) and trailing empty lines are forgiven.
//!
//! In: the output in chunks. Out: the first line that differs. Memory: `KEPT` bytes, however long a
//! line or a run of white space is: white space inside a line is compared as it comes, and the
//! result is dropped when the line ends before anything else.

use super::excerpt::{self, KEPT, Side};
use super::{Difference, is_white, trim_end};

/// Compares line by line.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    /// Expected lines not yet reached; `None` when there are no more.
    rest: Option<&'a [u8]>,
    /// The expected line at the place of the output's current line.
    wanted: Option<&'a [u8]>,
    /// Number of the output's current line, from 1.
    number: u64,
    /// Bytes of the current line that count as equal.
    at: usize,
    /// Equal bytes and the white space behind them, of which it is not yet known whether it trails.
    reached: usize,
    /// What the line has from its first difference on, which may still turn out to be trailing.
    got: Vec<u8>,
    /// Whether the difference in `got` counts.
    differs: bool,
    /// Whether the current line has a byte.
    open: bool,
    found: Option<Difference>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(expected: &'a [u8]) -> Self {
        let expected = trim_end(expected);
        let mut lines = Self {
            rest: (!expected.is_empty()).then_some(expected),
            wanted: None,
            number: 0,
            at: 0,
            reached: 0,
            got: Vec::new(),
            differs: false,
            open: false,
            found: None,
        };
        lines.next_line();
        lines
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            if self.found.is_some() {
                return;
            }
            if byte == b'\n' {
                self.end_line();
                self.next_line();
            } else {
                self.open = true;
                self.take(byte);
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<(), Difference> {
        if self.open && self.found.is_none() {
            self.end_line();
            self.next_line();
        }
        while self.found.is_none() && self.wanted.is_some_and(<[u8]>::is_empty) {
            self.next_line();
        }
        match (self.found, self.wanted) {
            (Some(found), _) => Err(found),
            (None, None) => Ok(()),
            (None, Some(wanted)) => Err(Difference::new(format!(
                "line {}: expected {}, got the end of the output{}",
                self.number,
                excerpt::line(b"", wanted),
                excerpt::hidden(wanted)
            ))),
        }
    }

    fn take(&mut self, byte: u8) {
        if self.got.is_empty()
            && self.wanted.and_then(|wanted| wanted.get(self.reached)) == Some(&byte)
        {
            self.reached += 1;
            if !is_white(byte) {
                self.at = self.reached;
            }
            return;
        }
        self.differs |= !is_white(byte);
        if self.got.len() < KEPT {
            self.got.push(byte);
        }
        if self.differs && self.got.len() == KEPT {
            self.end_line();
        }
    }

    /// Decides the current line. An empty line is one of the output's own, so that an expected line
    /// with content is missing here whatever follows.
    fn end_line(&mut self) {
        let wanted = self.wanted.unwrap_or_default();
        let shared = &wanted[..self.reached];
        if self.wanted.is_none() && self.differs {
            let got = trim_end(&self.got);
            self.found = Some(Difference::new(format!(
                "line {}: expected the end of the output, got {}{}",
                self.number,
                excerpt::line(b"", got),
                excerpt::hidden(got)
            )));
        } else if self.differs {
            let rest = &wanted[self.reached..];
            self.found = Some(self.differs_at(self.reached, inside(rest, shared, &self.got)));
        } else if self.at < wanted.len() {
            let (shared, rest) = wanted.split_at(self.at);
            self.found = Some(self.differs_at(
                self.at,
                format!(
                    "expected {}, got {}{}",
                    excerpt::line(shared, rest),
                    excerpt::line(shared, b""),
                    excerpt::note(shared, rest, b"")
                ),
            ));
        }
    }

    fn differs_at(&self, at: usize, what: String) -> Difference {
        Difference::new(format!("line {}, byte {}: {what}", self.number, at + 1))
    }

    fn next_line(&mut self) {
        self.wanted = self.rest.map(|rest| {
            let mut parts = rest.splitn(2, |&byte| byte == b'\n');
            let line = trim_end(parts.next().unwrap_or_default());
            self.rest = parts.next();
            line
        });
        self.number += 1;
        self.at = 0;
        self.reached = 0;
        self.got.clear();
        self.differs = false;
        self.open = false;
    }
}

/// A difference inside a line: `rest` is what was expected instead of `got`, which is not empty.
fn inside(rest: &[u8], shared: &[u8], got: &[u8]) -> String {
    let got = match trim_end(got) {
        // All that was kept is white space; the byte that makes it count came later.
        b"" => got,
        trimmed => trimmed,
    };
    if rest.is_empty() {
        format!(
            "expected {}, got {}{}",
            excerpt::line(shared, rest),
            excerpt::line(shared, got),
            excerpt::note(shared, rest, got)
        )
    } else {
        excerpt::difference(shared, Side::of(rest), Side::of(got))
    }
}

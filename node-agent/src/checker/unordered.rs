//! Unordered: the lines of both outputs, trimmed as Lines trims them, are the same multiset.
//!
//! In: the output in chunks. Out: the first line that is too many, else the first expected one that
//! is missing. No line is hashed: expected lines are sorted once, and each byte of an output line
//! narrows the range of those that begin alike, so two lines can never be taken for each other.
//! Memory: 20 bytes for each expected line and `KEPT` bytes, whatever the program writes.

use super::excerpt::{self, KEPT};
use super::{Difference, is_white, trim_end};

/// Compares line by line, in any order.
#[derive(Debug)]
pub(super) struct Unordered<'a> {
    /// Distinct expected lines, sorted.
    lines: Vec<Line<'a>>,
    /// The line being read, and where it stood before the white space at its end.
    cursor: Cursor,
    before_white: Cursor,
    /// Number of the output's current line, from 1.
    number: u64,
    /// Empty lines since the last line with content: they count only if another one follows.
    empty: u64,
    /// The first bytes of the current line, and whether they are all.
    got: Vec<u8>,
    found: Option<Difference>,
}

#[derive(Debug)]
struct Line<'a> {
    text: &'a [u8],
    /// How often it is still to come.
    missing: u32,
}

/// The expected lines that begin with what was read of the current line.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    first: usize,
    end: usize,
    depth: usize,
}

impl<'a> Unordered<'a> {
    pub(super) fn new(expected: &'a [u8]) -> Self {
        let mut all = trimmed_lines(expected);
        all.sort_unstable();
        let mut lines: Vec<Line<'a>> = Vec::new();
        for text in all {
            match lines.last_mut() {
                Some(last) if last.text == text => last.missing += 1,
                _ => lines.push(Line { text, missing: 1 }),
            }
        }
        let cursor = Cursor {
            first: 0,
            end: lines.len(),
            depth: 0,
        };
        Self {
            lines,
            cursor,
            before_white: cursor,
            number: 1,
            empty: 0,
            got: Vec::new(),
            found: None,
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            if self.found.is_some() {
                return;
            }
            if byte == b'\n' {
                self.end_line();
                self.number += 1;
            } else {
                self.narrow(byte);
            }
        }
    }

    pub(super) fn finish(mut self, expected: &[u8]) -> Result<(), Difference> {
        if self.found.is_none() {
            self.end_line();
        }
        if let Some(found) = self.found {
            return Err(found);
        }
        let mut lines = trimmed_lines(expected).into_iter().zip(1_u64..);
        let missing = lines.find(|(text, _)| self.find(text).is_some_and(|line| line.missing > 0));
        match missing {
            None => Ok(()),
            Some((text, number)) => Err(Difference::new(format!(
                "missing line {}, line {number} of the expected output{}",
                excerpt::line(b"", text),
                excerpt::hidden(text)
            ))),
        }
    }

    fn find(&self, text: &[u8]) -> Option<&Line<'a>> {
        let index = self
            .lines
            .binary_search_by(|line| line.text.cmp(text))
            .ok()?;
        self.lines.get(index)
    }

    fn narrow(&mut self, byte: u8) {
        if self.got.len() < KEPT {
            self.got.push(byte);
        }
        let Cursor { first, end, depth } = self.cursor;
        let range = &self.lines[first..end];
        // A line that ends here sorts before all that go on.
        let start =
            range.partition_point(|line| line.text.get(depth).is_none_or(|&next| next < byte));
        let alike = range[start..].partition_point(|line| line.text.get(depth) == Some(&byte));
        self.cursor = Cursor {
            first: first + start,
            end: first + start + alike,
            depth: depth + 1,
        };
        if !is_white(byte) {
            self.before_white = self.cursor;
        }
    }

    fn end_line(&mut self) {
        let cursor = self.before_white;
        let got = std::mem::take(&mut self.got);
        let whole = Cursor {
            first: 0,
            end: self.lines.len(),
            depth: 0,
        };
        self.cursor = whole;
        self.before_white = whole;
        if cursor.depth == 0 {
            self.empty += 1;
            return;
        }
        // Empty lines that now turn out not to be the last ones sort first, if any is expected.
        let empty = std::mem::take(&mut self.empty);
        if empty > 0 {
            let expected = self.lines.first_mut().filter(|line| line.text.is_empty());
            let left = expected.and_then(|line| {
                line.missing = line.missing.checked_sub(u32::try_from(empty).ok()?)?;
                Some(())
            });
            if left.is_none() {
                self.surplus(self.number - 1, b"");
                return;
            }
        }
        let hit = self.lines[cursor.first..cursor.end].first_mut();
        match hit.filter(|line| line.text.len() == cursor.depth && line.missing > 0) {
            Some(line) => line.missing -= 1,
            None => self.surplus(self.number, trim_end(&got)),
        }
    }

    fn surplus(&mut self, number: u64, got: &[u8]) {
        self.found = Some(Difference::new(format!(
            "line {number}: {} is not among the lines still expected{}",
            excerpt::line(b"", got),
            excerpt::hidden(got)
        )));
    }
}

/// The lines of an output without white space at their ends and empty lines at the end.
fn trimmed_lines(output: &[u8]) -> Vec<&[u8]> {
    match trim_end(output) {
        b"" => Vec::new(),
        lines => lines.split(|&byte| byte == b'\n').map(trim_end).collect(),
    }
}

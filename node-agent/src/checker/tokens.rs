//! Tokens and Float: the same sequence of tokens, whatever white space is between them.
//!
//! In: the output in chunks. Out: the first token that differs, is missing or is too many. Memory:
//! `KEPT` bytes and, for Float, the digits of one number (bounded by `decimal`). Float differs only
//! in what counts as equal when two tokens are not the same bytes.

use super::decimal::{Scan, Tolerance, Value};
use super::excerpt::{self, KEPT};
use super::{Difference, is_white};

/// Compares token by token.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    expected: &'a [u8],
    /// End of the expected tokens that are done.
    done: usize,
    /// The expected token at the place of the output's current one.
    wanted: Option<&'a [u8]>,
    /// The output's line, from 1, and its tokens so far in that line.
    line: u64,
    in_line: u64,
    /// Bytes of the current token that are the same.
    at: usize,
    /// Whether the output is inside a token.
    open: bool,
    /// What the token has from its first difference on.
    got: Vec<u8>,
    float: Option<Float>,
    found: Option<Difference>,
}

#[derive(Debug)]
struct Float {
    tolerance: Tolerance,
    /// Reads the output's current token.
    scan: Scan,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(expected: &'a [u8], tolerance: Option<Tolerance>) -> Self {
        Self {
            expected,
            done: 0,
            wanted: None,
            line: 1,
            in_line: 0,
            at: 0,
            open: false,
            got: Vec::new(),
            float: tolerance.map(|tolerance| Float {
                tolerance,
                scan: Scan::default(),
            }),
            found: None,
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            if self.found.is_some() {
                return;
            }
            if is_white(byte) {
                self.end_token();
                if byte == b'\n' {
                    self.line += 1;
                    self.in_line = 0;
                }
            } else {
                self.take(byte);
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<(), Difference> {
        self.end_token();
        if let Some(found) = self.found {
            return Err(found);
        }
        let Some(missing) = self.next_expected() else {
            return Ok(());
        };
        let before = &self.expected[..self.done - missing.len()];
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |index| index + 1);
        let in_line = before[line_start..]
            .split(|&byte| is_white(byte))
            .filter(|token| !token.is_empty());
        Err(Difference::new(format!(
            "line {}, token {}: expected {}, got the end of the output{}",
            1 + before.iter().filter(|&&byte| byte == b'\n').count(),
            1 + in_line.count(),
            excerpt::token(b"", missing),
            excerpt::note(b"", missing, b"")
        )))
    }

    fn take(&mut self, byte: u8) {
        if !self.open {
            self.open = true;
            self.in_line += 1;
            self.at = 0;
            self.got.clear();
            self.wanted = self.next_expected();
            if let Some(float) = &mut self.float {
                float.scan.restart();
            }
        }
        if let Some(float) = &mut self.float {
            float.scan.push(byte);
        }
        let next = self.wanted.and_then(|wanted| wanted.get(self.at));
        if self.got.is_empty() && next == Some(&byte) {
            self.at += 1;
        } else if self.got.len() < KEPT {
            self.got.push(byte);
        } else if self.may_still_be_equal() {
            // A number written with many digits.
        } else {
            self.end_token();
        }
    }

    fn may_still_be_equal(&self) -> bool {
        self.wanted.is_some()
            && self
                .float
                .as_ref()
                .is_some_and(|float| float.scan.is_number())
    }

    fn end_token(&mut self) {
        if !self.open {
            return;
        }
        self.open = false;
        let place = format_args!("line {}, token {}", self.line, self.in_line);
        let Some(wanted) = self.wanted else {
            let got = excerpt::token(b"", &self.got);
            let note = excerpt::note(b"", b"", &self.got);
            self.found = Some(Difference::new(format!(
                "{place}: expected the end of the output, got {got}{note}"
            )));
            return;
        };
        let (shared, rest) = wanted.split_at(self.at);
        if self.got.is_empty() && rest.is_empty() {
            return;
        }
        let mut difference = String::new();
        if let Some(float) = &self.float {
            match float
                .scan
                .value()
                .distance(&Value::of(wanted), &float.tolerance)
            {
                Ok(()) => return,
                Err(None) => {}
                Err(Some(distance)) => difference = format!(" (difference {distance})"),
            }
        }
        let (expected, got) = (
            excerpt::token(shared, rest),
            excerpt::token(shared, &self.got),
        );
        let note = excerpt::note(shared, rest, &self.got);
        self.found = Some(Difference::new(format!(
            "{place}: expected {expected}, got {got}{note}{difference}"
        )));
    }

    fn next_expected(&mut self) -> Option<&'a [u8]> {
        let rest = &self.expected[self.done..];
        let start = rest.iter().position(|&byte| !is_white(byte))?;
        let token = &rest[start..];
        let length = token
            .iter()
            .position(|&byte| is_white(byte))
            .unwrap_or(token.len());
        self.done += start + length;
        Some(&token[..length])
    }
}

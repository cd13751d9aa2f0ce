//! Exact: the outputs are the same bytes.
//!
//! In: the output in chunks. Out: the first byte that differs, by line and byte of the line, an
//! invisible one by its name. Memory: `KEPT` bytes.

use super::Difference;
use super::excerpt::{self, KEPT, Side};

/// Compares byte for byte.
#[derive(Debug)]
pub(super) struct Exact<'a> {
    expected: &'a [u8],
    /// Bytes that are the same on both sides.
    at: usize,
    /// What the output has from the difference on; empty while there is none.
    got: Vec<u8>,
}

impl<'a> Exact<'a> {
    pub(super) fn new(expected: &'a [u8]) -> Self {
        Self {
            expected,
            at: 0,
            got: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        if self.got.is_empty() {
            let wanted = &self.expected[self.at..];
            let same = common_prefix(wanted, chunk);
            self.at += same;
            rest = &chunk[same..];
        }
        self.got
            .extend_from_slice(&rest[..rest.len().min(KEPT - self.got.len())]);
    }

    pub(super) fn finish(self) -> Result<(), Difference> {
        let (same, wanted) = self.expected.split_at(self.at);
        if self.got.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        let line_start = same
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |index| index + 1);
        let line = 1 + same.iter().filter(|&&byte| byte == b'\n').count();
        let in_line = &same[line_start..];
        Err(Difference::new(format!(
            "line {line}, byte {}: {}",
            in_line.len() + 1,
            excerpt::difference(in_line, Side::of(wanted), Side::of(&self.got))
        )))
    }
}

/// Length of the longest common prefix.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let both = a.len().min(b.len());
    if a[..both] == b[..both] {
        return both;
    }
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

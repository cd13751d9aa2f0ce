//! How a difference between two outputs is worded: short, one line, invisible bytes by name.
//!
//! In: the part both sides share before the difference, and what each side has from there on.
//! Out: text of bounded length. What the program wrote is escaped and cut here, so that a hostile
//! output cannot grow, break or colour the message.

use super::invisible;
use crate::visible;

/// Bytes of the program's output that are kept from the difference on; more is never shown.
pub(super) const KEPT: usize = 40;

/// Bytes shown before the difference when what is shared is longer.
const CONTEXT: usize = 16;

/// Longest text of one excerpt, after escaping and without the ellipses.
const LONGEST: usize = 96;

/// What one side has at the place of the difference.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side<'a> {
    /// These bytes (at least one).
    Bytes(&'a [u8]),
    /// Its output ends here.
    End,
}

impl<'a> Side<'a> {
    /// `bytes`, or the end of the output when there are none.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() {
            Self::End
        } else {
            Self::Bytes(bytes)
        }
    }
}

/// A token in a message: cut, escaped, without quotes (it has no blank).
pub(super) fn token(shared: &[u8], rest: &[u8]) -> String {
    let (before, text, after) = cut(shared, rest);
    format!("{before}{text}{after}")
}

/// A line in a message: cut, escaped, in quotes.
pub(super) fn line(shared: &[u8], rest: &[u8]) -> String {
    let (before, text, after) = cut(shared, rest);
    format!("{before}\"{text}\"{after}")
}

/// "expected X, got Y" for a difference inside a line, `shared` being that line up to it.
///
/// Both sides are quoted where both can be seen; otherwise each is named.
pub(super) fn difference(shared: &[u8], expected: Side<'_>, got: Side<'_>) -> String {
    match (expected, got) {
        (Side::Bytes(expected), Side::Bytes(got))
            if name(shared, expected).is_none() && name(shared, got).is_none() =>
        {
            let (expected, got) = (of_line(expected), of_line(got));
            format!(
                "expected {}, got {}",
                line(shared, expected),
                line(shared, got)
            )
        }
        (Side::Bytes(b"\n"), Side::End) => {
            "expected LF, got the end of the output (missing LF)".to_owned()
        }
        (expected, got) => format!(
            "expected {}, got {}",
            named(shared, expected),
            named(shared, got)
        ),
    }
}

/// What both sides have at the place of the difference, behind it and in brackets, where it cannot be seen. A space
/// inside of an excerpt can.
pub(super) fn note(shared: &[u8], expected: &[u8], got: &[u8]) -> String {
    let named = |word, bytes: &[u8]| match bytes.first() {
        Some(b' ') => None,
        _ => Some(format!("{word} {}", name(shared, bytes)?)),
    };
    let names = [named("expected", expected), named("got", got)];
    let names: Vec<String> = names.into_iter().flatten().collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(" ({})", names.join(", ")),
    }
}

/// What of a whole line cannot be seen, behind it and in brackets.
pub(super) fn hidden(line: &[u8]) -> String {
    let kept = visible::without_cut_end(&line[..line.len().min(KEPT)]);
    let shown = if line.len() < KEPT { line } else { kept };
    invisible::any(shown).map_or_else(String::new, |name| format!(" (with {name})"))
}

/// Everything before the first line feed.
fn of_line(bytes: &[u8]) -> &[u8] {
    bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default()
}

fn named(shared: &[u8], side: Side<'_>) -> String {
    match side {
        Side::End => "the end of the output".to_owned(),
        Side::Bytes(bytes) => name(shared, bytes)
            .unwrap_or_else(|| line(b"", of_line(&[begun(shared), bytes].concat()))),
    }
}

/// The name of the character at the place of the difference, where it cannot be seen.
fn name(shared: &[u8], bytes: &[u8]) -> Option<String> {
    let longest = bytes.len().min(4);
    invisible::first(&[begun(shared), &bytes[..longest]].concat())
}

/// Bytes at the end of what both sides share that are the beginning of a character.
fn begun(shared: &[u8]) -> &[u8] {
    &shared[visible::without_cut_end(shared).len()..]
}

/// The shown part of `shared` + `rest`, and an ellipsis for each end that is missing.
fn cut(shared: &[u8], rest: &[u8]) -> (&'static str, String, &'static str) {
    let (before, shared) = match shared.len().checked_sub(CONTEXT) {
        Some(start) if shared.len() > 2 * CONTEXT => {
            ("...", visible::without_cut_start(&shared[start..]))
        }
        _ => ("", shared),
    };
    let kept = &rest[..rest.len().min(KEPT)];
    let mut bytes = shared.to_vec();
    bytes.extend_from_slice(kept);
    let whole = visible::without_cut_end(&bytes);
    // Only what a cut left behind is dropped: at the real end of the text it is shown as it is.
    let shown = if rest.len() >= KEPT { whole } else { &bytes };
    let (text, complete) = visible::head(shown, LONGEST);
    let text = text.replace('\t', "\\t");
    let after = if rest.len() >= KEPT || !complete {
        "..."
    } else {
        ""
    };
    (before, text, after)
}

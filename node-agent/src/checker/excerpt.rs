//! How a difference between two outputs is worded: short, one line, invisible bytes by name.
//!
//! In: the part both sides share before the difference, and what each side has from there on.
//! Out: text of bounded length. What the program wrote is escaped and cut here, so that a hostile
//! output cannot grow, break or colour the message.

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
            if is_visible(expected[0]) && is_visible(got[0]) =>
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
        (expected, got) => format!("expected {}, got {}", named(expected), named(got)),
    }
}

/// Everything before the first line feed.
fn of_line(bytes: &[u8]) -> &[u8] {
    bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default()
}

fn named(side: Side<'_>) -> String {
    match side {
        Side::End => "the end of the output".to_owned(),
        Side::Bytes(bytes) if is_visible(bytes[0]) => line(b"", of_line(bytes)),
        Side::Bytes(bytes) => byte_name(bytes[0]),
    }
}

/// Whether a byte is, or is part of, something that a reader sees.
fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte >= 0x80
}

/// The name of an invisible byte, as programmers call it.
fn byte_name(byte: u8) -> String {
    match byte {
        b' ' => "space".to_owned(),
        b'\t' => "TAB".to_owned(),
        b'\n' => "LF".to_owned(),
        0x0b => "VT".to_owned(),
        0x0c => "FF".to_owned(),
        b'\r' => "CR".to_owned(),
        0 => "NUL".to_owned(),
        0x1b => "ESC".to_owned(),
        0x7f => "DEL".to_owned(),
        other => format!("0x{other:02X}"),
    }
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

//! Bytes of a hostile program as text that a terminal, YAML and JSON can carry.
//!
//! In: any bytes. Out: newline, tab and printable characters as they are; any other code point as
//! `\u{N}`, any other byte (ASCII control, or one that is not part of valid UTF-8) as `\xNN`.
//! Printable is what `str::escape_debug` prints unescaped: no control, format (bidirectional
//! override, zero width), private, unassigned character, no line separator, no blank but the space.
//! Bounds hold after escaping, and no character or escape is ever cut. Never fails, never allocates
//! more than its bound and one escape.

use std::fmt::Write;

/// Longest escape: `\u{10ffff}`.
const LONGEST: usize = 10;

/// One unit of text: it is written whole or not at all.
#[derive(Clone, Copy)]
enum Unit {
    Char(char),
    Byte(u8),
}

impl Unit {
    fn write_to(self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Char(c @ ('\n' | '\t')) => out.write_char(c),
            Self::Char(c) if c.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(c)),
            Self::Char(c) if is_printable(c) => out.write_char(c),
            Self::Char(c) => write!(out, "\\u{{{:x}}}", u32::from(c)),
            Self::Byte(b) => write!(out, "\\x{b:02x}"),
        };
    }
}

/// Whether a character shows as itself and nothing else.
pub(crate) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // `escape_debug` of a string escapes a combining mark only at its start; behind a letter it is text.
    let mut text = String::with_capacity(5);
    text.push('x');
    text.push(c);
    text.escape_debug().nth(1) == Some(c)
}

fn units(bytes: &[u8]) -> impl Iterator<Item = Unit> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(Unit::Char);
        valid.chain(chunk.invalid().iter().copied().map(Unit::Byte))
    })
}

/// Text for the longest prefix of `bytes` that needs at most `limit` bytes, and whether it is all of them.
pub fn head(bytes: &[u8], limit: usize) -> (String, bool) {
    let mut text = String::with_capacity(limit.min(bytes.len()) + LONGEST);
    for unit in units(bytes) {
        let before = text.len();
        unit.write_to(&mut text);
        if text.len() > limit {
            text.truncate(before);
            return (text, false);
        }
    }
    (text, true)
}

/// Like [`head`], in one line: newline and tab are escaped too (`limit` counts each as one byte).
pub fn line(bytes: &[u8], limit: usize) -> String {
    head(bytes, limit)
        .0
        .replace('\n', "\\n")
        .replace('\t', "\\t")
}

/// Text for the longest suffix of `bytes` that needs at most `limit` bytes.
pub fn tail(bytes: &[u8], limit: usize) -> String {
    let mut text = String::with_capacity(bytes.len() + LONGEST);
    let mut starts = Vec::with_capacity(bytes.len());
    for unit in units(bytes) {
        starts.push(text.len());
        unit.write_to(&mut text);
    }
    let first = starts.partition_point(|start| text.len() - start > limit);
    let start = starts.get(first).copied().unwrap_or(text.len());
    text.split_off(start)
}

/// `bytes` without a character that a cut at their end left incomplete (at most three bytes).
pub fn without_cut_end(bytes: &[u8]) -> &[u8] {
    let start = last_character_start(bytes);
    match std::str::from_utf8(&bytes[start..]) {
        Err(error) if error.error_len().is_none() => &bytes[..start],
        _ => bytes,
    }
}

/// Index of the last byte that is not a continuation byte, at most four bytes from the end.
fn last_character_start(bytes: &[u8]) -> usize {
    let floor = bytes.len().saturating_sub(4);
    (floor..bytes.len())
        .rev()
        .find(|&index| !is_continuation(bytes[index]))
        .unwrap_or(bytes.len())
}

/// `bytes` without the end of a character that a cut at their start left behind (at most three bytes).
pub fn without_cut_start(bytes: &[u8]) -> &[u8] {
    let rest = bytes
        .iter()
        .take(3)
        .take_while(|&&byte| is_continuation(byte));
    &bytes[rest.count()..]
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> String {
        head(bytes, usize::MAX).0
    }

    #[test]
    fn printable_text_newline_and_tab_stay() {
        let text = "a b\t\\ \" ' ~ \n €日本 e\u{301} é 👩";
        assert_eq!(all(text.as_bytes()), text);
    }

    #[test]
    fn everything_else_is_made_visible() {
        let rows: [(&str, &[u8], &str); 16] = [
            ("NUL", b"\0", "\\x00"),
            ("carriage return", b"\r", "\\x0d"),
            ("escape", b"\x1b[2J", "\\x1b[2J"),
            ("delete", b"\x7f", "\\x7f"),
            ("C1 control", "\u{85}".as_bytes(), "\\u{85}"),
            ("no-break space", "\u{a0}".as_bytes(), "\\u{a0}"),
            ("soft hyphen", "\u{ad}".as_bytes(), "\\u{ad}"),
            ("zero width space", "\u{200b}".as_bytes(), "\\u{200b}"),
            ("line separator", "\u{2028}".as_bytes(), "\\u{2028}"),
            ("right-to-left override", "\u{202e}".as_bytes(), "\\u{202e}"),
            ("isolate", "\u{2066}".as_bytes(), "\\u{2066}"),
            ("byte order mark", "\u{feff}".as_bytes(), "\\u{feff}"),
            ("private use", "\u{e000}".as_bytes(), "\\u{e000}"),
            ("tag", "\u{e0041}".as_bytes(), "\\u{e0041}"),
            ("no UTF-8", b"\xff\xfe\xc3(", "\\xff\\xfe\\xc3("),
            ("cut character", b"\xf0\x9f\x92", "\\xf0\\x9f\\x92"),
        ];
        for (name, bytes, expected) in rows {
            assert_eq!(all(bytes), expected, "{name}");
        }
    }

    #[test]
    fn a_cut_falls_between_characters_and_escapes() {
        assert_eq!(head("€€".as_bytes(), 5), ("€".to_owned(), false));
        assert_eq!(head(b"a\0", 4), ("a".to_owned(), false));
        assert_eq!(head(b"a\0", 5), ("a\\x00".to_owned(), true));
        assert_eq!(tail("€€".as_bytes(), 5), "€");
        assert_eq!(tail(b"\0a", 4), "a");
        assert_eq!(tail(b"\0a", 5), "\\x00a");
    }

    #[test]
    fn what_a_cut_left_of_a_character_is_dropped_and_nothing_else() {
        let euro = "€".as_bytes();
        assert_eq!(without_cut_end(&euro[..2]), b"");
        assert_eq!(without_cut_end(euro), euro);
        assert_eq!(without_cut_end(b"a\xff"), b"a\xff");
        assert_eq!(
            without_cut_end(b"\x80\x80\x80\x80\x80"),
            b"\x80\x80\x80\x80\x80"
        );
        assert_eq!(without_cut_end(b""), b"");
        assert_eq!(without_cut_start(&euro[1..]), b"");
        assert_eq!(without_cut_start(euro), euro);
    }

    #[test]
    fn a_line_has_no_line_end() {
        assert_eq!(line(b"a\nb\tc\r", 99), "a\\nb\\tc\\x0d");
    }

    /// Bytes in which text, controls and broken UTF-8 meet.
    pub(crate) fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            any::<u8>().prop_map(|b| vec![b]),
            Just("€".as_bytes().to_vec()),
            Just(b"plain".to_vec()),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn text_never_holds_a_raw_control_character(bytes in hostile_bytes()) {
            let text = all(&bytes);
            prop_assert!(text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
        }

        #[test]
        fn head_and_tail_are_the_longest_that_fit(bytes in hostile_bytes(), limit in 0usize..80) {
            let whole = all(&bytes);
            let (first, complete) = head(&bytes, limit);
            let last = tail(&bytes, limit);
            prop_assert!(first.len() <= limit && last.len() <= limit);
            prop_assert!(whole.starts_with(&first) && whole.ends_with(&last));
            prop_assert_eq!(complete, first == whole);
            if !complete {
                prop_assert!(first.len() + LONGEST > limit && last.len() + LONGEST > limit);
            }
        }
    }
}

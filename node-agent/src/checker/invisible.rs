//! Names for what a reader cannot see: blanks, controls, characters without width, bytes that are no text.
//!
//! In: a character, or bytes. Out: its name, or nothing where it can be seen. Two outputs that look the same and are
//! not must be told apart by words.

use crate::visible;

/// Characters that get into outputs unseen, as Unicode names them.
const NAMES: [(char, &str); 22] = [
    ('\u{85}', "next line"),
    ('\u{a0}', "no-break space"),
    ('\u{ad}', "soft hyphen"),
    ('\u{2002}', "en space"),
    ('\u{2003}', "em space"),
    ('\u{2007}', "figure space"),
    ('\u{2009}', "thin space"),
    ('\u{200a}', "hair space"),
    ('\u{200b}', "zero width space"),
    ('\u{200c}', "zero width non-joiner"),
    ('\u{200d}', "zero width joiner"),
    ('\u{200e}', "left-to-right mark"),
    ('\u{200f}', "right-to-left mark"),
    ('\u{2028}', "line separator"),
    ('\u{2029}', "paragraph separator"),
    ('\u{202a}', "left-to-right embedding"),
    ('\u{202d}', "left-to-right override"),
    ('\u{202e}', "right-to-left override"),
    ('\u{202f}', "narrow no-break space"),
    ('\u{2060}', "word joiner"),
    ('\u{3000}', "ideographic space"),
    ('\u{feff}', "byte order mark"),
];

/// The name of the first character, where it cannot be seen.
pub(super) fn first(bytes: &[u8]) -> Option<String> {
    let chunk = bytes.utf8_chunks().next()?;
    match chunk.valid().chars().next() {
        Some(character) => of(character),
        None => chunk.invalid().first().map(|&byte| no_text(byte)),
    }
}

/// The name of the first character but a space that cannot be seen, wherever it is.
pub(super) fn any(bytes: &[u8]) -> Option<String> {
    bytes.utf8_chunks().find_map(|chunk| {
        let mut characters = chunk.valid().chars().filter(|&character| character != ' ');
        let hidden = characters.find_map(of);
        hidden.or_else(|| chunk.invalid().first().map(|&byte| no_text(byte)))
    })
}

fn no_text(byte: u8) -> String {
    format!("byte 0x{byte:02X}, not UTF-8")
}

fn of(character: char) -> Option<String> {
    if let Ok(byte @ (0..=0x20 | 0x7f)) = u8::try_from(character) {
        return Some(of_ascii(byte));
    }
    if visible::is_printable(character) {
        return None;
    }
    let named = NAMES.iter().find(|(one, _)| *one == character);
    let code = u32::from(character);
    Some(match named {
        Some((_, name)) => format!("{name} U+{code:04X}"),
        None => format!("U+{code:04X}"),
    })
}

/// As programmers call it.
fn of_ascii(byte: u8) -> String {
    let name = match byte {
        b' ' => "space",
        b'\t' => "TAB",
        b'\n' => "LF",
        0x0b => "VT",
        0x0c => "FF",
        b'\r' => "CR",
        0 => "NUL",
        0x08 => "BS",
        0x1b => "ESC",
        0x7f => "DEL",
        other => return format!("0x{other:02X}"),
    };
    name.to_owned()
}

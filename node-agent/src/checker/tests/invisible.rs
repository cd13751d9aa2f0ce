//! What cannot be seen is called by its name, by every checker.

use super::*;

/// What an output holds that looks like `17`, and what is said of it.
const UNSEEN: [(&[u8], &str); 14] = [
    (b"\xef\xbb\xbf17", "byte order mark U+FEFF"),
    ("\u{a0}17".as_bytes(), "no-break space U+00A0"),
    ("17\u{a0}".as_bytes(), "no-break space U+00A0"),
    ("1\u{200b}7".as_bytes(), "zero width space U+200B"),
    ("\u{200e}17".as_bytes(), "left-to-right mark U+200E"),
    ("17\u{2060}".as_bytes(), "word joiner U+2060"),
    ("1\u{ad}7".as_bytes(), "soft hyphen U+00AD"),
    ("17\u{3000}".as_bytes(), "ideographic space U+3000"),
    ("1\u{e0001}7".as_bytes(), "U+E0001"),
    (b"17\0", "NUL"),
    (b"1\x087", "BS"),
    (b"17\x1b[0m", "ESC"),
    (b"\xff17", "byte 0xFF, not UTF-8"),
    (b"17\xe2\x82", "byte 0xE2, not UTF-8"),
];

fn all() -> [Checker; 5] {
    [
        Checker::Exact,
        Checker::Tokens,
        Checker::Lines,
        Checker::Unordered,
        FLOAT,
    ]
}

#[test]
fn what_looks_the_same_and_is_not_is_named_on_either_side() {
    for (bytes, name) in UNSEEN {
        for checker in all() {
            for (expected, got) in [(&b"17"[..], bytes), (bytes, b"17")] {
                // It names what is too many before what is missing.
                if checker == Checker::Unordered && expected == bytes {
                    continue;
                }
                let message = compare(&checker, expected, got).unwrap_err();
                assert!(
                    message.contains(name),
                    "{checker:?}, {bytes:?}, not {name}: {message}"
                );
            }
        }
    }
}

#[test]
fn the_side_that_has_it_is_said() {
    type Row = (Checker, &'static [u8], &'static [u8], &'static str);
    let rows: [Row; 12] = [
        (
            Checker::Tokens,
            b"17",
            b"\xef\xbb\xbf17",
            "line 1, token 1: expected 17, got \\u{feff}17 (got byte order mark U+FEFF)",
        ),
        (
            FLOAT,
            b"\xef\xbb\xbf17",
            b"17",
            "line 1, token 1: expected \\u{feff}17, got 17 (expected byte order mark U+FEFF)",
        ),
        (
            Checker::Tokens,
            b"a\0",
            b"a\xff",
            "line 1, token 1: expected a\\x00, got a\\xff (expected NUL, got byte 0xFF, not UTF-8)",
        ),
        (
            Checker::Tokens,
            b"1\n",
            "1\n\u{200b}\n".as_bytes(),
            "line 2, token 1: expected the end of the output, got \\u{200b} (got zero width space U+200B)",
        ),
        (
            Checker::Tokens,
            "1 \u{feff}".as_bytes(),
            b"1",
            "line 1, token 2: expected \\u{feff}, got the end of the output (expected byte order mark U+FEFF)",
        ),
        (
            Checker::Exact,
            b"a b\n",
            "a\u{a0}b\n".as_bytes(),
            "line 1, byte 2: expected space, got no-break space U+00A0",
        ),
        // The first byte of both characters is the same one.
        (
            Checker::Exact,
            "\u{a1}\n".as_bytes(),
            "\u{a0}\n".as_bytes(),
            "line 1, byte 2: expected \"\u{a1}\", got no-break space U+00A0",
        ),
        (
            Checker::Exact,
            b"a\n",
            "a\u{feff}\n".as_bytes(),
            "line 1, byte 2: expected LF, got byte order mark U+FEFF",
        ),
        (
            Checker::Lines,
            b"a b\n",
            b"a \xe9b\n",
            "line 1, byte 3: expected \"b\", got byte 0xE9, not UTF-8",
        ),
        (
            Checker::Lines,
            b"a\n",
            "a\n\u{a0}\n".as_bytes(),
            "line 2: expected the end of the output, got \"\\u{a0}\" (with no-break space U+00A0)",
        ),
        (
            Checker::Unordered,
            b"a b\n",
            "a\u{a0}b\n".as_bytes(),
            "line 1: \"a\\u{a0}b\" is not among the lines still expected (with no-break space U+00A0)",
        ),
        (
            Checker::Unordered,
            b"a\rb\nc",
            b"c",
            "missing line \"a\\x0db\", line 1 of the expected output (with CR)",
        ),
    ];
    for (checker, expected, got, message) in rows {
        let told = compare(&checker, expected, got).unwrap_err();
        assert_eq!(told, message, "{checker:?}");
    }
}

#[test]
fn what_can_be_seen_is_not_named() {
    let rows = [("17", "18"), ("é", "è"), ("a b", "a c"), ("x", "\u{301}x")];
    for (expected, got) in rows {
        for checker in all() {
            let message = compare(&checker, expected.as_bytes(), got.as_bytes()).unwrap_err();
            assert!(
                ["U+", "(got", "(expected", "(with"]
                    .iter()
                    .all(|note| !message.contains(note)),
                "{checker:?}: {message}"
            );
        }
    }
}

#[test]
fn the_issue_is_worded_as_people_say_it() {
    let told = compare(&Checker::Tokens, b"1 2\n3 4\n5 17\n", b"1 2\n3 4\n5 18\n");
    assert_eq!(told, Err("line 3, token 2: expected 17, got 18".to_owned()));
}

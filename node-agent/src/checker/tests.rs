//! What each checker accepts and what it says when it does not: tables from real complaints, and
//! properties over random outputs cut into random chunks.

use proptest::prelude::*;

use super::*;

const FLOAT: Checker = Checker::Float {
    absolute: 1e-6,
    relative: 1e-6,
};

fn compare(checker: &Checker, expected: &[u8], got: &[u8]) -> Result<(), String> {
    let mut comparison = Comparison::new(checker, expected);
    comparison.push(got);
    comparison
        .finish()
        .map_err(|difference| difference.to_string())
}

/// Rows of name, expected output, output, and the message (`""`: accepted).
fn check(checker: &Checker, rows: &[(&str, &str, &str, &str)]) {
    for (name, expected, got, message) in rows {
        let result = compare(checker, expected.as_bytes(), got.as_bytes());
        let told = result.err().unwrap_or_default();
        assert_eq!(told, *message, "{name}: expected {expected:?}, got {got:?}");
    }
}

#[test]
fn tokens_are_compared_to_the_end_of_both_outputs() {
    check(
        &Checker::Tokens,
        &[
            (
                "joined",
                "a b\n",
                "ab",
                "line 1, token 1: expected a, got ab",
            ),
            (
                "split",
                "ab\n",
                "a b",
                "line 1, token 1: expected ab, got a",
            ),
            (
                "surplus",
                "1 2\n",
                "1 2\n3",
                "line 2, token 1: expected the end of the output, got 3",
            ),
            (
                "missing",
                "1 2 3\n",
                "1 2\n",
                "line 1, token 3: expected 3, got the end of the output",
            ),
            (
                "missing in a later line",
                "1\n2 3\n",
                "1 2",
                "line 2, token 2: expected 3, got the end of the output",
            ),
            ("other layout", "1 2\n3\n", "1 \n\n2 3", ""),
            ("carriage returns", "1 2\r\n3\r\n", "1 2\n3\n", ""),
            ("trailing blanks", "1 2\n3\n", "1 2  \n3\n\n", ""),
            (
                "all kinds of white space",
                "1 2 3 4",
                "1\t2\u{b}3\u{c}4\r\n",
                "",
            ),
            ("nothing", "", " \n", ""),
            (
                "nothing expected",
                "\n",
                "x",
                "line 1, token 1: expected the end of the output, got x",
            ),
            (
                "nothing printed",
                "x\n",
                "",
                "line 1, token 1: expected x, got the end of the output",
            ),
            (
                "place in the output",
                "1 2 3 17\n",
                "1\n2\n3 18",
                "line 3, token 2: expected 17, got 18",
            ),
            (
                "a number is text",
                "1.0\n",
                "1.00\n",
                "line 1, token 1: expected 1.0, got 1.00",
            ),
            (
                "no-break space is no white space",
                "a b",
                "a\u{a0}b",
                "line 1, token 1: expected a, got a\\u{a0}b",
            ),
            (
                "invisible byte",
                "ab",
                "a\0b",
                "line 1, token 1: expected ab, got a\\x00b",
            ),
            (
                "prefix",
                "abc",
                "ab",
                "line 1, token 1: expected abc, got ab",
            ),
        ],
    );
}

#[test]
fn lines_forgive_what_no_reader_sees_and_nothing_else() {
    check(
        &Checker::Lines,
        &[
            ("carriage returns", "1 2\r\n3\r\n", "1 2\n3\n", ""),
            ("trailing blanks", "1 2\n3\n", "1 2  \n3\n\n", ""),
            ("same", "1 2\n3\n", "1 2\n3\n", ""),
            ("no last line feed", "1 2\n3\n", "1 2\n3", ""),
            ("trailing lines of blanks", "1\n", "1\n \t\n\r\n", ""),
            ("trailing lines expected", "1\n\n \n", "1", ""),
            ("nothing", "", "\n \n", ""),
            ("nothing expected, nothing printed", "", "", ""),
            ("empty line inside", "1\n\n2\n", "1\n \n2\n", ""),
            (
                "two blanks inside",
                "1 2\n",
                "1  2\n",
                "line 1, byte 3: expected \"2\", got space",
            ),
            (
                "tab for a blank",
                "1 2\n",
                "1\t2\n",
                "line 1, byte 2: expected space, got TAB",
            ),
            (
                "leading blank",
                "1\n",
                " 1\n",
                "line 1, byte 1: expected \"1\", got space",
            ),
            (
                "other text",
                "a 17\n",
                "a 18\n",
                "line 1, byte 4: expected \"a 17\", got \"a 18\"",
            ),
            (
                "longer",
                "ab\n",
                "abc\n",
                "line 1, byte 3: expected \"ab\", got \"abc\"",
            ),
            (
                "longer behind blanks",
                "ab\n",
                "ab  c\n",
                "line 1, byte 3: expected \"ab\", got \"ab  c\"",
            ),
            (
                "shorter",
                "abc\n",
                "ab\n",
                "line 1, byte 3: expected \"abc\", got \"ab\"",
            ),
            (
                "shorter, blank matched",
                "a c\n",
                "a \n",
                "line 1, byte 2: expected \"a c\", got \"a\"",
            ),
            (
                "surplus line",
                "1\n",
                "1\n\n2\n",
                "line 3: expected the end of the output, got \"2\"",
            ),
            (
                "missing line",
                "1\n\n2\n",
                "1\n",
                "line 3: expected \"2\", got the end of the output",
            ),
            (
                "empty line too many",
                "1\n2\n",
                "1\n\n2\n",
                "line 2, byte 1: expected \"2\", got \"\"",
            ),
            (
                "empty line missing",
                "1\n\n2\n",
                "1\n2\n",
                "line 2, byte 1: expected \"\", got \"2\"",
            ),
            (
                "joined",
                "1\n2\n",
                "1 2\n",
                "line 1, byte 2: expected \"1\", got \"1 2\"",
            ),
            (
                "nothing printed",
                "x\n",
                "",
                "line 1: expected \"x\", got the end of the output",
            ),
            (
                "carriage return inside",
                "a\rb\n",
                "ab\n",
                "line 1, byte 2: expected CR, got \"b\"",
            ),
        ],
    );
}

#[test]
fn exact_names_the_byte() {
    check(
        &Checker::Exact,
        &[
            ("same", "1 2\n3\n", "1 2\n3\n", ""),
            ("empty", "", "", ""),
            (
                "carriage return expected",
                "1 2\r\n3\r\n",
                "1 2\n3\n",
                "line 1, byte 4: expected CR, got LF",
            ),
            (
                "carriage return printed",
                "1\n",
                "1\r\n",
                "line 1, byte 2: expected LF, got CR",
            ),
            (
                "trailing blank",
                "1 2\n3\n",
                "1 2  \n3\n\n",
                "line 1, byte 4: expected LF, got space",
            ),
            (
                "no last line feed",
                "1\n2\n",
                "1\n2",
                "line 2, byte 2: expected LF, got the end of the output (missing LF)",
            ),
            (
                "line feed too many",
                "1",
                "1\n",
                "line 1, byte 2: expected the end of the output, got LF",
            ),
            (
                "text",
                "a 17\n",
                "a 18\n",
                "line 1, byte 4: expected \"a 17\", got \"a 18\"",
            ),
            (
                "text too short",
                "abc",
                "ab",
                "line 1, byte 3: expected \"c\", got the end of the output",
            ),
            (
                "text too long",
                "ab",
                "abc",
                "line 1, byte 3: expected the end of the output, got \"c\"",
            ),
            ("NUL", "a\n", "a\0", "line 1, byte 2: expected LF, got NUL"),
            (
                "other control",
                "a\n",
                "a\u{1}",
                "line 1, byte 2: expected LF, got 0x01",
            ),
            (
                "tab",
                "a b",
                "a\tb",
                "line 1, byte 2: expected space, got TAB",
            ),
            (
                "nothing printed",
                "x\n",
                "",
                "line 1, byte 1: expected \"x\", got the end of the output",
            ),
            (
                "letters that share a byte",
                "é\n",
                "è\n",
                "line 1, byte 2: expected \"é\", got \"è\"",
            ),
        ],
    );
}

#[test]
fn unordered_lines_are_a_multiset() {
    check(
        &Checker::Unordered,
        &[
            ("same", "a\nb\n", "a\nb\n", ""),
            ("other order", "a\nb\nc\n", "c\na\nb", ""),
            (
                "trailing blanks and lines",
                "a\nb\n",
                "b \r\na\t\n\n \n",
                "",
            ),
            ("one often enough", "a\na\nb\n", "a\nb\na\n", ""),
            (
                "one too often",
                "a\nb\n",
                "a\na\n",
                "line 2: \"a\" is not among the lines still expected",
            ),
            (
                "one not expected",
                "a\nb\n",
                "a\nx y\nb",
                "line 2: \"x y\" is not among the lines still expected",
            ),
            (
                "one missing",
                "b\na\na\n",
                "a\nb\n",
                "missing line \"a\", line 2 of the expected output",
            ),
            (
                "all missing",
                "b\na\n",
                "",
                "missing line \"b\", line 1 of the expected output",
            ),
            (
                "prefix of a line",
                "abc\n",
                "ab\n",
                "line 1: \"ab\" is not among the lines still expected",
            ),
            (
                "more than a line",
                "ab\n",
                "abc\n",
                "line 1: \"abc\" is not among the lines still expected",
            ),
            (
                "blanks inside",
                "a b\n",
                "a  b\n",
                "line 1: \"a  b\" is not among the lines still expected",
            ),
            (
                "leading blank",
                "a\n",
                " a\n",
                "line 1: \" a\" is not among the lines still expected",
            ),
            ("empty line elsewhere", "a\n\nb\n", "\nb\na\n", ""),
            (
                "empty line too many",
                "a\nb\n",
                "b\n\na\n",
                "line 2: \"\" is not among the lines still expected",
            ),
            (
                "empty line missing",
                "a\n\nb\n",
                "b\na\n\n",
                "missing line \"\", line 2 of the expected output",
            ),
            ("nothing", "\n", "", ""),
            (
                "nothing expected",
                "",
                "a",
                "line 1: \"a\" is not among the lines still expected",
            ),
            (
                "a line that begins another",
                "a\nab\nabc\n",
                "abc\na\nab\n",
                "",
            ),
        ],
    );
}

#[test]
fn float_compares_numbers_and_only_numbers() {
    check(
        &FLOAT,
        &[
            (
                "nan is no number",
                "0.5\n",
                "nan",
                "line 1, token 1: expected 0.5, got nan",
            ),
            (
                "minus infinity is no number",
                "0.5\n",
                "-inf",
                "line 1, token 1: expected 0.5, got -inf",
            ),
            (
                "a large number is not infinite",
                "inf\n",
                "1e308",
                "line 1, token 1: expected inf, got 1e308",
            ),
            (
                "one of two",
                "1 2\n",
                "1 nan",
                "line 1, token 2: expected 2, got nan",
            ),
            ("equal infinities", "inf\n", "inf\n", ""),
            (
                "within, beside a word",
                "0.3333333 yes\n",
                "0.33333334 yes\n",
                "",
            ),
            (
                "number for nan",
                "nan",
                "0.5",
                "line 1, token 1: expected nan, got 0.5",
            ),
            ("nan of any case and sign", "nan", "-NaN", ""),
            ("infinity of any case, plus sign", "INF", "+inf", ""),
            (
                "infinity of the other sign",
                "inf",
                "-inf",
                "line 1, token 1: expected inf, got -inf",
            ),
            ("long word", "Infinity", "infinity", ""),
            (
                "another word",
                "inf",
                "infinity",
                "line 1, token 1: expected inf, got infinity",
            ),
            ("absolute tolerance, at it", "1", "1.000001", ""),
            (
                "absolute tolerance, beyond",
                "0",
                "0.0000010000001",
                "line 1, token 1: expected 0, got 0.0000010000001 (difference 1.0000001e-6)",
            ),
            ("relative tolerance, at it", "3000000", "3000003", ""),
            (
                "relative tolerance, beyond",
                "3000000",
                "3000003.1",
                "line 1, token 1: expected 3000000, got 3000003.1 (difference 3.1e0)",
            ),
            (
                "signs",
                "-1",
                "1",
                "line 1, token 1: expected -1, got 1 (difference 2e0)",
            ),
            ("minus zero", "0", "-0.0", ""),
            ("spellings", "100", "+1.E2", ""),
            ("no whole part", "0.5", ".5e0", ""),
            ("overflow of the same value", "1e400", "10e399", ""),
            (
                "overflow of another value",
                "1e400",
                "1e401",
                "line 1, token 1: expected 1e400, got 1e401",
            ),
            (
                "overflow is not infinity",
                "inf",
                "1e400",
                "line 1, token 1: expected inf, got 1e400",
            ),
            (
                "overflow against a number",
                "1e308",
                "1e309",
                "line 1, token 1: expected 1e308, got 1e309",
            ),
            (
                "hexadecimal is text",
                "16",
                "0x10",
                "line 1, token 1: expected 16, got 0x10",
            ),
            (
                "underscore is text",
                "1000",
                "1_000",
                "line 1, token 1: expected 1000, got 1_000",
            ),
            (
                "suffix is text",
                "1.5",
                "1.5f",
                "line 1, token 1: expected 1.5, got 1.5f",
            ),
            (
                "two points are text",
                "1.5",
                "1.5.0",
                "line 1, token 1: expected 1.5, got 1.5.0",
            ),
            (
                "no exponent is text",
                "1",
                "1e",
                "line 1, token 1: expected 1, got 1e",
            ),
            (
                "no digit is text",
                "0",
                ".",
                "line 1, token 1: expected 0, got .",
            ),
            (
                "words are exact",
                "yes",
                "Yes",
                "line 1, token 1: expected yes, got Yes",
            ),
            (
                "word that begins like one",
                "nan",
                "nano",
                "line 1, token 1: expected nan, got nano",
            ),
            ("equal text that is no number", "1e", "1e", ""),
        ],
    );
}

#[test]
fn float_without_tolerance_does_not_round() {
    let none = Checker::Float {
        absolute: 0.0,
        relative: 0.0,
    };
    check(
        &none,
        &[
            ("same value", "0.30", "3e-1", ""),
            (
                "beyond 2^53",
                "9007199254740993",
                "9007199254740992",
                "line 1, token 1: expected 9007199254740993, got 9007199254740992 (difference 1e0)",
            ),
            (
                "below the smallest double",
                "0",
                "1e-400",
                "line 1, token 1: expected 0, got 1e-400 (difference 0e0)",
            ),
        ],
    );
    let absolute = Checker::Float {
        absolute: 0.1,
        relative: 0.0,
    };
    check(
        &absolute,
        &[
            ("decimal, not binary", "0.2", "0.3", ""),
            (
                "at a large number",
                "123456789012345678901",
                "123456789012345678901.1",
                "",
            ),
        ],
    );
}

#[test]
fn a_number_of_any_length_is_read() {
    let zeros = "0".repeat(100_000);
    let rows = [
        ("leading zeros", format!("{zeros}1.5"), true),
        ("zeros behind the point", format!("1.5{zeros}"), true),
        ("zeros, then more", format!("1.5{zeros}1"), true),
        ("a small number", format!("0.{zeros}1"), false),
        (
            "a large one, scaled back",
            format!("15{zeros}e-100001"),
            true,
        ),
        ("no number at its end", format!("1.5{zeros}x"), false),
    ];
    for (name, got, accepted) in rows {
        assert_eq!(
            compare(&FLOAT, b"1.5", got.as_bytes()).is_ok(),
            accepted,
            "{name}"
        );
    }
}

#[test]
fn long_tokens_and_lines_are_cut_around_the_difference() {
    let long = "a".repeat(100_000);
    for checker in [
        Checker::Exact,
        Checker::Tokens,
        Checker::Lines,
        Checker::Unordered,
        FLOAT,
    ] {
        let message = compare(
            &checker,
            format!("{long}b{long}").as_bytes(),
            format!("{long}c{long}").as_bytes(),
        );
        let message = message.unwrap_err();
        assert!(
            message.len() < 300 && message.contains("..."),
            "{checker:?}: {message}"
        );
        if checker != Checker::Unordered {
            assert!(
                message.contains("aab") && message.contains("aac"),
                "{checker:?}: {message}"
            );
        }
    }
}

#[test]
fn white_space_without_end_inside_a_line_counts_and_at_its_end_does_not() {
    let blanks = " ".repeat(1_000_000);
    assert_eq!(
        compare(&Checker::Lines, b"a\n", format!("a{blanks}\n").as_bytes()),
        Ok(())
    );
    let message = compare(&Checker::Lines, b"a\n", format!("a{blanks}b\n").as_bytes()).unwrap_err();
    assert!(
        message.starts_with("line 1, byte 2: expected \"a\", got \"a  "),
        "{message}"
    );
    assert_eq!(
        compare(
            &Checker::Unordered,
            b"a\nb",
            format!("b{blanks}\na").as_bytes()
        ),
        Ok(())
    );
}

#[test]
fn a_message_is_one_line_of_visible_text() {
    let hostile = b"x\x1b[2J\xff\xe2\x80\xae\r\x0b y\n";
    for checker in [
        Checker::Exact,
        Checker::Tokens,
        Checker::Lines,
        Checker::Unordered,
        FLOAT,
    ] {
        let message = compare(&checker, b"xy z\n", hostile).unwrap_err();
        assert!(
            !message.chars().any(char::is_control),
            "{checker:?}: {message:?}"
        );
    }
}

fn any_checker() -> impl Strategy<Value = Checker> {
    prop_oneof![
        Just(Checker::Exact),
        Just(Checker::Tokens),
        Just(Checker::Lines),
        Just(Checker::Unordered),
        Just(FLOAT),
        Just(Checker::Float {
            absolute: 0.0,
            relative: 0.25
        }),
    ]
}

/// Outputs in which the cases of every checker meet often.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "ab", "1", "2", "1.0", "1e0", "-1", "nan", "NaN", "inf", "-inf", "1e400", "é"]),
        4 => prop::sample::select(vec![" ", "\n", "\t", "\r\n", "\n\n", "\u{b}"]),
        1 => prop::sample::select(vec!["\0", "\u{a0}", "\u{1b}", "0x1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Lines as api.md defines them, the slow way.
fn plain_lines(output: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = output
        .split(|&byte| byte == b'\n')
        .map(|line| {
            let mut line = line.to_vec();
            while line.last().is_some_and(|&byte| is_white(byte)) {
                line.pop();
            }
            line
        })
        .collect();
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

fn plain_tokens(output: &[u8]) -> Vec<Vec<u8>> {
    let tokens = output
        .split(|&byte| is_white(byte))
        .filter(|token| !token.is_empty());
    tokens.map(<[u8]>::to_vec).collect()
}

proptest! {
    #[test]
    fn chunk_borders_do_not_matter(
        checker in any_checker(),
        expected in output(),
        got in output(),
        cuts in prop::collection::vec(0usize..40, 0..6),
    ) {
        let whole = compare(&checker, &expected, &got);
        let mut comparison = Comparison::new(&checker, &expected);
        let mut rest = &got[..];
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            comparison.push(chunk);
            rest = after;
        }
        comparison.push(rest);
        prop_assert_eq!(comparison.finish().map_err(|difference| difference.to_string()), whole);
    }

    #[test]
    fn an_output_equals_itself(checker in any_checker(), output in output()) {
        prop_assert_eq!(compare(&checker, &output, &output), Ok(()));
    }

    #[test]
    fn each_checker_decides_as_its_definition_does(expected in output(), got in output()) {
        let sorted = |output: &[u8]| {
            let mut lines = plain_lines(output);
            lines.sort();
            lines
        };
        let rows = [
            (Checker::Exact, expected == got),
            (Checker::Tokens, plain_tokens(&expected) == plain_tokens(&got)),
            (Checker::Lines, plain_lines(&expected) == plain_lines(&got)),
            (Checker::Unordered, sorted(&expected) == sorted(&got)),
        ];
        for (checker, equal) in rows {
            prop_assert_eq!(compare(&checker, &expected, &got).is_ok(), equal, "{:?}", checker);
        }
    }

    #[test]
    fn lines_in_any_order_are_the_same_to_unordered(lines in prop::collection::vec("[ab ]{0,3}x", 0..8), seed in any::<u64>()) {
        let mut other = lines.clone();
        for index in (1..other.len()).rev() {
            other.swap(index, usize::try_from(seed % 1000).unwrap() % (index + 1));
        }
        prop_assert_eq!(compare(&Checker::Unordered, lines.join("\n").as_bytes(), other.join("\n").as_bytes()), Ok(()));
    }

    #[test]
    fn layout_is_nothing_to_tokens(tokens in prop::collection::vec("[a-z0-9]{1,3}", 0..8), white in prop::collection::vec("[ \t\r\n\u{b}\u{c}]{1,3}", 9)) {
        let other: String = tokens.iter().zip(&white).flat_map(|(token, white)| [white.as_str(), token]).collect();
        for checker in [Checker::Tokens, FLOAT] {
            prop_assert_eq!(compare(&checker, tokens.join(" ").as_bytes(), other.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn a_finite_number_never_equals_one_that_is_not(number in any::<f64>(), word in prop::sample::select(vec!["nan", "-nan", "inf", "-inf", "infinity"])) {
        prop_assume!(number.is_finite());
        let huge = Checker::Float { absolute: f64::MAX, relative: f64::MAX };
        let number = format!("{number:e}");
        prop_assert!(compare(&huge, number.as_bytes(), word.as_bytes()).is_err());
        prop_assert!(compare(&huge, word.as_bytes(), number.as_bytes()).is_err());
    }

    #[test]
    fn far_and_near_numbers_are_decided_as_binary_arithmetic_does(a in -1e9f64..1e9, b in -1e9f64..1e9, absolute in 0f64..10.0, relative in 0f64..0.5) {
        let checker = Checker::Float { absolute, relative };
        let near = a + absolute * 0.5;
        let distance = (a - b).abs();
        let limit = absolute.max(relative * a.abs());
        // Where rounding could decide, only the exact rule counts.
        prop_assume!((distance - limit).abs() > 1e-3);
        let (a, b, near) = (format!("{a}"), format!("{b:e}"), format!("{near}"));
        prop_assert_eq!(compare(&checker, a.as_bytes(), b.as_bytes()).is_ok(), distance <= limit);
        prop_assert!(compare(&checker, a.as_bytes(), near.as_bytes()).is_ok() || absolute < 1e-3);
    }

    #[test]
    fn a_message_stays_small_and_visible(checker in any_checker(), expected in prop::collection::vec(any::<u8>(), 0..300), got in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(message) = compare(&checker, &expected, &got) {
            prop_assert!(message.len() <= 400, "{} bytes", message.len());
            prop_assert!(!message.chars().any(char::is_control));
        }
    }
}

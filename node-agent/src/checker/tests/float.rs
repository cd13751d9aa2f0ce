//! Numbers within tolerances.

use super::*;

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

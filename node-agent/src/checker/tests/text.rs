//! Tokens, lines, exact bytes, lines in any order.

use super::*;

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
                "line 1, token 1: expected a, got a\\u{a0}b (got no-break space U+00A0)",
            ),
            (
                "invisible byte",
                "ab",
                "a\0b",
                "line 1, token 1: expected ab, got a\\x00b (got NUL)",
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

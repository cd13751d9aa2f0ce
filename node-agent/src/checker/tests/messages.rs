//! What is said of a difference.

use super::*;

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

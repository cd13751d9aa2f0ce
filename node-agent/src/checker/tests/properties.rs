//! What holds for any output.

use super::*;

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

//! What each checker accepts and what it says when it does not: tables from real complaints, and
//! properties over random outputs cut into random chunks.

mod float;
mod invisible;
mod messages;
mod properties;
mod text;

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

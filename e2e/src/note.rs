//! Words for the person at the terminal, beside the test report.
//!
//! Standard output belongs to the report; this is the only place that writes to standard error.

/// Prints a line to standard error.
#[expect(
    clippy::print_stderr,
    reason = "a command-line tool that may not touch its standard output"
)]
pub fn note(text: &str) {
    eprintln!("{text}");
}

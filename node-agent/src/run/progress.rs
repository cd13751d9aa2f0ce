//! One line on a terminal that says how far a run is; nothing elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use evaljob_crds::EvalJobStatus;
use evaljob_crds::status::VerdictClass;

/// Characters of the bar.
const WIDTH: usize = 30;

/// The line.
#[derive(Debug)]
pub(super) struct Progress {
    total: usize,
    done: usize,
    passed: usize,
    begun: Instant,
    shown: bool,
}

impl Progress {
    /// Shown only where standard error is a terminal.
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            done: 0,
            passed: 0,
            begun: Instant::now(),
            shown: io::stderr().is_terminal(),
        }
    }

    /// One more job has ended.
    pub(super) fn finished(&mut self, status: &EvalJobStatus) {
        self.done += 1;
        let class = status.verdict().map(evaljob_crds::Verdict::class);
        self.passed += usize::from(class == Some(VerdictClass::Success));
        if self.shown {
            let line = line(self.done, self.passed, self.total);
            let seconds = self.begun.elapsed().as_secs_f64();
            // A line that cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "\r{line} {seconds:.0} s\x1b[K");
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(done: usize, passed: usize, total: usize) -> String {
    let filled = (done * WIDTH).checked_div(total).unwrap_or(WIDTH);
    let (bar, rest) = ("#".repeat(filled), "-".repeat(WIDTH - filled));
    format!("[{bar}{rest}] {done}/{total}, {passed} passed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_with_what_is_done() {
        assert_eq!(line(0, 0, 2), format!("[{}] 0/2, 0 passed", "-".repeat(30)));
        assert_eq!(
            line(1, 1, 2),
            format!("[{}{}] 1/2, 1 passed", "#".repeat(15), "-".repeat(15))
        );
        assert_eq!(line(0, 0, 0), format!("[{}] 0/0, 0 passed", "#".repeat(30)));
    }
}

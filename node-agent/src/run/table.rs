//! The table of `-o wide`: one line a job, the message last because it is the longest.
//!
//! Columns are those of `kubectl get evaljobs -o wide`, as far as they mean something without a cluster.

use evaljob_crds::EvalJobStatus;

const HEAD: [&str; 8] = [
    "NAME", "STATUS", "PASS", "SCORE", "CPU(MS)", "WALL(MS)", "MEM", "MESSAGE",
];

/// Lays out the table.
pub(super) fn wide<'a>(rows: impl Iterator<Item = (&'a str, &'a EvalJobStatus)>) -> String {
    let mut cells = vec![HEAD.map(str::to_owned)];
    cells.extend(rows.map(|(name, status)| row(name, status)));
    let mut widths = [0; HEAD.len()];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}   "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(name: &str, status: &EvalJobStatus) -> [String; HEAD.len()] {
    let summary = status.summary.as_ref();
    let usage = status.usage.as_ref();
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    [
        name.to_owned(),
        status.verdict.clone().unwrap_or_default(),
        summary
            .and_then(|summary| summary.passed_text.clone())
            .unwrap_or_default(),
        number(summary.and_then(|summary| summary.score.map(i64::from))),
        number(usage.and_then(|usage| usage.cpu_time_milliseconds)),
        number(usage.and_then(|usage| usage.wall_time_milliseconds)),
        usage
            .and_then(|usage| usage.memory_peak.as_ref())
            .map(ToString::to_string)
            .unwrap_or_default(),
        status.message.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_message_comes_last() {
        let status = EvalJobStatus {
            verdict: Some("WrongAnswer".to_owned()),
            message: Some("test 2: line 1, token 1: expected 3, got 4".to_owned()),
            ..EvalJobStatus::default()
        };
        let table = wide([("a", &status), ("longer-name", &status)].into_iter());
        let lines: Vec<&str> = table.lines().collect();
        let at = |line: &str| line.find("WrongAnswer");
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].find("STATUS"), at(lines[1]));
        assert_eq!(at(lines[1]), at(lines[2]));
        assert!(lines[1].ends_with("expected 3, got 4"));
    }
}

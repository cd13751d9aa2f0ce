//! What was measured, a row for each program and way, and the figures of a row.

use std::time::Duration;

use evaljob_sandbox::facts::Phases;

use crate::launchers::{Program, Way};

/// Phases of a run, and the agent's part.
pub(crate) const PARTS: usize = 6;

/// One way of starting one program.
pub(crate) struct Row {
    pub(crate) program: &'static Program,
    pub(crate) way: Way,
    /// Sorted.
    pub(crate) times: Vec<Duration>,
    pub(crate) phases: Vec<Phases>,
    /// Sorted by rate; of the first program only.
    pub(crate) windows: Vec<Window>,
}

/// Two launchers at once.
pub(crate) struct Window {
    pub(crate) runs: u32,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
}

impl Window {
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.runs) / self.seconds
    }
}

impl Row {
    pub(crate) fn new(program: &'static Program, way: Way) -> Self {
        Self {
            program,
            way,
            times: Vec::new(),
            phases: Vec::new(),
            windows: Vec::new(),
        }
    }

    /// Milliseconds at a percentile.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        let index = self.times.len().saturating_sub(1) * percent / 100;
        self.times
            .get(index)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }

    /// Runs a second in the median window.
    pub(crate) fn rate(&self) -> f64 {
        self.windows
            .get(self.windows.len() / 2)
            .map_or(f64::NAN, Window::rate)
    }

    /// CPU milliseconds of the machine per run.
    pub(crate) fn cpu(&self) -> f64 {
        let cpu: f64 = self.windows.iter().map(|window| window.cpu_seconds).sum();
        let runs: u32 = self.windows.iter().map(|window| window.runs).sum();
        cpu * 1e3 / f64::from(runs)
    }

    /// Median microseconds of each part, in order, and last what is left of the whole.
    pub(crate) fn parts(&self) -> [(&'static str, f64); PARTS] {
        let part = |of: fn(&Phases) -> Duration| {
            let mut times: Vec<_> = self.phases.iter().map(of).collect();
            times.sort_unstable();
            let middle = times.get(times.len() / 2);
            middle.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
        };
        let mut parts = [
            ("prepare", part(|phases| phases.prepare)),
            ("build", part(|phases| phases.build)),
            ("read back", part(|phases| phases.read_back)),
            ("program", part(|phases| phases.program)),
            ("end", part(|phases| phases.end)),
            ("agent", 0.0),
        ];
        let known: f64 = parts.iter().map(|(_, time)| time).sum();
        if let Some((_, agent)) = parts.last_mut() {
            *agent = (self.at(50) * 1e3 - known).max(0.0);
        }
        parts
    }
}

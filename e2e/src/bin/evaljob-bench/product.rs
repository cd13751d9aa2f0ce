//! Operator and agent that are measured, wherever they run: their processes, and the operator's own figures.

use std::time::Duration;

use anyhow::{Context, Result};
use evaljob_e2e::installation::{Agent, Installation, PAGES, page};
use evaljob_e2e::wait::{self, Seen};

/// Longest for an agent to find its operator; one that was away for long asks seldom.
const CONNECTED: Duration = Duration::from_secs(120);

/// One operator and one agent.
#[derive(Debug, Clone)]
pub(crate) struct Product {
    /// Process of the operator.
    pub(crate) operator: u32,
    /// Process of the agent itself.
    pub(crate) agent: u32,
    /// Address of the operator's metrics.
    pub(crate) pages: String,
}

impl Product {
    /// Processes of this machine.
    pub(crate) fn on_host(installation: &mut Installation, agent: &Agent) -> Result<Self> {
        Ok(Self {
            operator: installation.operator().pid().context("no operator")?,
            agent: agent.process.pid().context("no agent")?,
            pages: PAGES.to_owned(),
        })
    }

    /// The sum of all series of one of the operator's metrics.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        Ok(metric(&page(&self.pages, "/metrics").await?, name))
    }

    /// Waits until the agent has found the operator.
    pub(crate) async fn connected(&self) -> Result<()> {
        wait::until("the agent at the operator", CONNECTED, || async {
            Ok(match self.metric("agents_connected").await {
                Ok(agents) if agents >= 1.0 => Seen::Yes(()),
                Ok(_) => Seen::NotYet("no agent".into()),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        })
        .await
    }
}

fn metric(page: &str, name: &str) -> f64 {
    let name = format!("evaljob_operator_{name}");
    let series = page.lines().filter_map(|line| line.strip_prefix(&name));
    series
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_of_its_series_and_of_no_other() {
        let page = "# TYPE evaljob_operator_a counter\nevaljob_operator_a{x=\"1\"} 2\nevaljob_operator_a{x=\"2\"} 3\nevaljob_operator_ab 7\n";
        assert!((metric(page, "a") - 5.0).abs() < f64::EPSILON);
    }
}

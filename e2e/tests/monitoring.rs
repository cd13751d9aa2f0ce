//! Alerts and dashboard speak of metrics that operator and agent have.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use evaljob_e2e::installation::{self, Installation};
use evaljob_e2e::{Case, chart, programs, trials, trials_alone};
use libtest_mimic::Trial;
use serde_json::json;

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![every_alert_is_explained];
    tests.extend(trials_alone![every_metric_of_alerts_and_dashboard_exists]);
    tests
}

const PAGES: &str = "127.0.0.1:8081";

async fn every_metric_of_alerts_and_dashboard_exists(case: Case) -> Result<()> {
    let mut installation = Installation::start(&case).await?;
    installation.give_agents(["--metrics-listen".to_owned(), PAGES.to_owned()]);
    let _agent = installation.agent("monitoring", 1).await?;
    // A counter by verdict is there with the first verdict.
    case.create("job", json!({"command": ["true"]})).await?;
    case.verdict("job", Duration::from_secs(60)).await?;
    let agent = installation::page(PAGES, "/metrics").await?;
    let pages = installation.metrics().await? + &agent;
    let mut used = BTreeSet::new();
    for file in ["files/alerts.yaml", "files/dashboard.json"] {
        let text = fs::read_to_string(chart::path(file))?;
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let metrics = words.filter(|word| {
            word.starts_with("evaljob_operator_") || word.starts_with("evaljob_agent_")
        });
        used.extend(metrics.map(str::to_owned));
    }
    ensure!(used.len() > 10, "{used:?}");
    for metric in used {
        let family = ["_total", "_bucket"]
            .iter()
            .find_map(|suffix| metric.strip_suffix(suffix))
            .unwrap_or(&metric);
        ensure!(
            pages.contains(&format!("# TYPE {family} ")),
            "nobody has {metric}:\n{pages}"
        );
    }
    Ok(())
}

async fn every_alert_is_explained(_: Case) -> Result<()> {
    let alerts = fs::read_to_string(chart::path("files/alerts.yaml"))?;
    let operations = fs::read_to_string(programs::checkout("docs/operations.md"))?;
    let names: Vec<&str> = alerts
        .lines()
        .filter_map(|line| line.strip_prefix("- alert: "))
        .collect();
    ensure!(!names.is_empty(), "no alerts");
    for name in names {
        ensure!(
            operations.contains(&format!("| `{name}` |")),
            "docs/operations.md does not explain {name}"
        );
    }
    Ok(())
}

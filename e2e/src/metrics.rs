//! Counts requests from the API server's own metrics.
//!
//! In: the text of `/metrics`. Out: `apiserver_request_total` summed by verb, resource, subresource and
//! status code, and the difference of two readings. Works with any cluster that has one API server;
//! requests of everybody are in it (compare [`crate::audit`]).

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kube::Client;

/// What a counter counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// `GET`, `LIST`, `WATCH`, `POST`, `PUT`, `PATCH`, `APPLY`, `DELETE`, ...
    pub verb: String,
    /// Plural resource.
    pub resource: String,
    /// `status` and the like, empty for none.
    pub subresource: String,
    /// HTTP status of the answer.
    pub code: String,
}

/// Requests answered since the API server started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<Key, u64>);

impl Requests {
    /// Reads the counters.
    ///
    /// # Errors
    /// The API server does not answer, or not with metrics.
    pub async fn read(client: &Client) -> Result<Self> {
        let request = http::Request::get("/metrics").body(Vec::new())?;
        Self::parse(
            &client
                .request_text(request)
                .await
                .context("cannot read the API server's metrics")?,
        )
    }

    /// What was answered after `earlier` was read; keys without change are left out.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |key| earlier.0.get(key).copied().unwrap_or_default();
        let changed = self
            .0
            .iter()
            .map(|(key, count)| (key.clone(), count.saturating_sub(before(key))));
        Self(changed.filter(|(_, count)| *count > 0).collect())
    }

    /// Requests for a resource and subresource with this verb, whatever the answer.
    #[must_use]
    pub fn count(&self, verb: &str, resource: &str, subresource: &str) -> u64 {
        let wanted = |key: &Key| {
            key.verb == verb && key.resource == resource && key.subresource == subresource
        };
        self.0
            .iter()
            .filter(|(key, _)| wanted(key))
            .map(|(_, count)| count)
            .sum()
    }

    /// All counters of one resource, for messages.
    pub fn of<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = (&'a Key, u64)> {
        self.0
            .iter()
            .filter(move |(key, _)| key.resource == resource)
            .map(|(key, count)| (key, *count))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut requests = BTreeMap::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("apiserver_request_total{") else {
                continue;
            };
            let (labels, value) = rest
                .rsplit_once("} ")
                .with_context(|| format!("not a metric: {line}"))?;
            let label = |name: &str| label(labels, name).unwrap_or_default().to_owned();
            let (verb, code) = (label("verb"), label("code"));
            let key = Key {
                verb,
                resource: label("resource"),
                subresource: label("subresource"),
                code,
            };
            *requests.entry(key).or_default() += value
                .parse::<u64>()
                .with_context(|| format!("not a count: {line}"))?;
        }
        Ok(Self(requests))
    }
}

/// The value of one label; none of those read here holds a quote or a backslash.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split("\",").find_map(|pair| {
        let (key, value) = pair.split_once("=\"")?;
        (key == name).then(|| value.trim_end_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="evaljob.dev",resource="evaljobs",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 3
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} 7
"#;

    #[test]
    fn a_difference_counts_one_resource_and_subresource_over_all_codes() -> Result<()> {
        let before = Requests::parse(BEFORE)?;
        let refused = BEFORE.replace("\"200\"", "\"422\"").replace("} 3", "} 2");
        let after = Requests::parse(&format!("{}{refused}", BEFORE.replace("} 3", "} 4")))?;
        let new = after.since(&before);
        assert_eq!(
            new.count("PATCH", "evaljobs", "status"),
            3,
            "one more 200, two 422"
        );
        assert_eq!(new.count("PATCH", "evaljobs", ""), 0);
        assert_eq!(new.of("evaljobs").count(), 2);
        Ok(())
    }
}

//! Counts what was asked of the API server, from its audit log.
//!
//! Metrics count requests of everybody; the audit log says who asked for which object, so "one status
//! write per job" can be proven for one job. Only a private cluster has the log. In: the log file and a
//! position in it. Out: the events after that position, one per finished request.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// One event per request for EvalJobs, ConfigMaps, Pods, Leases, Events and token reviews; no bodies.
pub const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: None
  users: ["system:apiserver"]
- level: None
  userGroups: ["system:nodes"]
- level: Metadata
  resources:
  - group: evaljob.dev
  - {group: "", resources: [configmaps, pods, secrets, nodes]}
  - {group: coordination.k8s.io, resources: [leases]}
  - group: events.k8s.io
  - group: authentication.k8s.io
- level: None
"#;

/// A position in the audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    log: PathBuf,
    from: usize,
}

/// One finished request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Plural resource, with `/status` and the like.
    pub resource: String,
    /// Namespace, empty for none.
    pub namespace: String,
    /// Object name, empty for a collection.
    pub name: String,
    /// Who asked, e.g. `system:serviceaccount:evaljob-system:evaljob-operator`.
    pub user: String,
    /// HTTP status of the answer.
    pub code: u64,
}

impl Audit {
    /// The end of the log as it is now; requests whose answer comes later are seen by [`Self::requests`].
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn now(log: &Path) -> Result<Self> {
        Ok(Self {
            log: log.to_owned(),
            from: read(log)?.len(),
        })
    }

    /// Requests that ended after this position, in the order of their answers.
    ///
    /// # Errors
    /// The log cannot be read or is not the API server's.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let bytes = read(&self.log)?;
        let new = bytes.get(self.from..).context("the audit log has shrunk")?;
        let complete = new
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        new[..complete]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(parse)
            .collect()
    }
}

fn read(log: &Path) -> Result<Vec<u8>> {
    fs::read(log).with_context(|| format!("cannot read {}", log.display()))
}

fn parse(line: &[u8]) -> Result<Request> {
    let event: Value = serde_json::from_slice(line).context("an audit line is not JSON")?;
    let text = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let subresource = text("/objectRef/subresource");
    let resource = text("/objectRef/resource");
    Ok(Request {
        verb: text("/verb"),
        resource: if subresource.is_empty() {
            resource
        } else {
            format!("{resource}/{subresource}")
        },
        namespace: text("/objectRef/namespace"),
        name: text("/objectRef/name"),
        user: text("/user/username"),
        code: event
            .pointer("/responseStatus/code")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subresource_is_part_of_the_resource_and_a_half_written_line_waits() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let log = dir.path().join("audit");
        fs::write(&log, "{\"verb\":\"get\"}\n")?;
        let audit = Audit::now(&log)?;
        let event = r#"{"verb":"patch","user":{"username":"u"},"responseStatus":{"code":200},
            "objectRef":{"resource":"evaljobs","subresource":"status","namespace":"n","name":"j"}}"#;
        fs::write(
            &log,
            format!(
                "{{\"verb\":\"get\"}}\n{}\n{{\"verb\":",
                event.replace('\n', "")
            ),
        )?;
        let [request] = &audit.requests()?[..] else {
            panic!("one request expected")
        };
        assert_eq!(
            (request.verb.as_str(), request.resource.as_str()),
            ("patch", "evaljobs/status")
        );
        assert_eq!(
            (
                request.namespace.as_str(),
                request.name.as_str(),
                request.code
            ),
            ("n", "j", 200)
        );
        Ok(())
    }
}

//! Warning events for the administrator: a node that cannot enforce a layer, on its agent's Pod; a
//! CustomResourceDefinition that lacks fields, on the operators' Lease.
//!
//! In: [`Warning`]s, each once, by the leader. Out: events (`kubectl get events`), reasons `NodeCannotEnforce` and
//! `CrdOutdated`. An event that cannot be written is logged and forgotten: the metrics tell it too.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;

use crate::decide::AgentWarning;

/// Longest note that the API server takes.
const NOTE_BYTES: usize = 1024;
/// Longest time for one event.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What somebody has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A node cannot enforce a layer.
    Agent(AgentWarning),
    /// The CRD lacks fields: which, what follows and the way out.
    Crd(String),
}

/// Where the objects are that events stand on.
#[derive(Debug, Clone)]
pub struct Places {
    /// Namespace of the agents.
    pub agents: String,
    /// Namespace and name of the operators' Lease.
    pub lease: (String, String),
}

/// Writes events until the engine is gone.
pub async fn run(client: Client, places: Places, mut warnings: mpsc::UnboundedReceiver<Warning>) {
    let recorder = Recorder::new(client, Reporter::from("evaljob-operator"));
    while let Some(warning) = warnings.recv().await {
        let object = places.object(&warning);
        let event = event(&warning);
        let published = recorder.publish(&event, &object);
        let object = object.name.as_deref();
        match tokio::time::timeout(TIMEOUT, published).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(object, %error, "cannot write an event"),
            Err(_) => tracing::warn!(object, "writing an event took too long"),
        }
    }
}

impl Places {
    fn object(&self, warning: &Warning) -> ObjectReference {
        let reference = |version: &str, kind: &str, namespace: &str, name: &str| ObjectReference {
            api_version: Some(version.to_owned()),
            kind: Some(kind.to_owned()),
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectReference::default()
        };
        match warning {
            Warning::Agent(warning) => ObjectReference {
                uid: Some(warning.pod_uid.clone()),
                ..reference("v1", "Pod", &self.agents, &warning.pod_name)
            },
            // An event on the definition itself would be one of the namespace `default`.
            Warning::Crd(_) => {
                let (namespace, name) = &self.lease;
                reference("coordination.k8s.io/v1", "Lease", namespace, name)
            }
        }
    }
}

fn event(warning: &Warning) -> Event {
    let (reason, action, text) = match warning {
        Warning::Agent(warning) => {
            let text = format!("node {} runs no jobs: {}", warning.node, warning.text);
            ("NodeCannotEnforce", "Judge", text)
        }
        Warning::Crd(text) => ("CrdOutdated", "Dispatch", text.clone()),
    };
    Event {
        type_: EventType::Warning,
        reason: reason.to_owned(),
        note: Some(text[..text.floor_char_boundary(NOTE_BYTES)].to_owned()),
        action: action.to_owned(),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::NodeName;

    #[test]
    fn an_event_names_node_and_layer_within_the_bound_of_a_note() {
        let warning = |text: String| {
            Warning::Agent(AgentWarning {
                node: NodeName::from("n1"),
                pod_name: "agent".to_owned(),
                pod_uid: "uid".to_owned(),
                text,
            })
        };
        let event = super::event(&warning("Landlock: ABI 1".to_owned()));
        assert_eq!(
            event.note.as_deref(),
            Some("node n1 runs no jobs: Landlock: ABI 1")
        );
        assert!(matches!(event.type_, EventType::Warning));
        let long = super::event(&warning("ü".repeat(2000)));
        assert!((1020..=1024).contains(&long.note.unwrap().len()));
    }
}

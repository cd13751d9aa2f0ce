//! Warning events on the Pods of agents whose node cannot enforce a layer.
//!
//! In: [`AgentWarning`]s, each once, by the leader. Out: events (`kubectl describe pod`), reason `NodeCannotEnforce`.
//! An event that cannot be written is logged and forgotten: the metric and the agent's own readiness tell it too.

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

/// Writes events until the engine is gone. `namespace`: the agents'.
pub async fn run(
    client: Client,
    namespace: String,
    mut warnings: mpsc::UnboundedReceiver<AgentWarning>,
) {
    let recorder = Recorder::new(client, Reporter::from("evaljob-operator"));
    while let Some(warning) = warnings.recv().await {
        let pod = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(warning.pod_name.clone()),
            namespace: Some(namespace.clone()),
            uid: Some(warning.pod_uid.clone()),
            ..ObjectReference::default()
        };
        let event = event(&warning);
        let published = recorder.publish(&event, &pod);
        match tokio::time::timeout(TIMEOUT, published).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(pod = warning.pod_name, %error, "cannot write an event");
            }
            Err(_) => tracing::warn!(pod = warning.pod_name, "writing an event took too long"),
        }
    }
}

fn event(warning: &AgentWarning) -> Event {
    let text = format!("node {} runs no jobs: {}", warning.node, warning.text);
    Event {
        type_: EventType::Warning,
        reason: "NodeCannotEnforce".to_owned(),
        note: Some(text[..text.floor_char_boundary(NOTE_BYTES)].to_owned()),
        action: "Judge".to_owned(),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::NodeName;

    #[test]
    fn an_event_names_node_and_layer_within_the_bound_of_a_note() {
        let warning = |text: String| AgentWarning {
            node: NodeName::from("n1"),
            pod_name: "agent".to_owned(),
            pod_uid: "uid".to_owned(),
            text,
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

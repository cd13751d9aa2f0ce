//! What is read for a job before it is sent: its spec beyond the budget, its ConfigMaps, and nothing of other namespaces.

use crate::mock::{Api, DEADLINE};
use evaljob_crds::EvalJobSpec;
use evaljob_operator::decide::{Event, LoadOrder, Loaded};
use evaljob_operator::gate::{self, LiveJob};
use evaljob_operator::loader::Loader;
use evaljob_operator::names::JobKey;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const JOB: &str = "/apis/evaljob.dev/v1alpha1/namespaces/n/evaljobs/j";
const MAP: &str = "/api/v1/namespaces/n/configmaps/m";

struct Scene {
    orders: mpsc::UnboundedSender<LoadOrder>,
    events: mpsc::Receiver<Event>,
    api: Api,
}

fn start() -> Scene {
    let (client, api) = crate::mock::pair();
    let (sender, events) = mpsc::channel(8);
    let (orders, received) = mpsc::unbounded_channel();
    tokio::spawn(Loader::new(client, sender).run(received));
    Scene {
        orders,
        events,
        api,
    }
}

fn spec() -> Value {
    let file =
        |path: &str, key: &str| json!({"path": path, "configMapKeyRef": {"name": "m", "key": key}});
    json!({"command": ["true"], "files": [file("a", "k"), file("b", "l")]})
}

impl Scene {
    fn order(&self, spec: &Value, kept: bool) {
        self.order_of(spec, kept, None);
    }

    fn order_of(&self, spec: &Value, kept: bool, digest: Option<u64>) {
        let parsed: EvalJobSpec = serde_json::from_value(spec.clone()).unwrap();
        let order = LoadOrder {
            uid: "u".into(),
            key: JobKey {
                namespace: "n".into(),
                name: "j".into(),
            },
            load: 3,
            spec: kept.then(|| serde_json::to_vec(&parsed).unwrap()),
            inputs: evaljob_crds::references(&parsed),
            digest,
        };
        self.orders.send(order).unwrap();
    }

    async fn loaded(&mut self) -> Loaded {
        match tokio::time::timeout(DEADLINE, self.events.recv())
            .await
            .unwrap()
        {
            Some(Event::Loaded(uid, 3, loaded)) => {
                assert_eq!(&*uid.0, "u");
                loaded
            }
            other => panic!("a load was due, not {other:?}"),
        }
    }
}

fn job(uid: &str) -> Value {
    json!({"metadata": {"name": "j", "namespace": "n", "uid": uid}, "spec": {"command": ["true"]}, "status": {}})
}

fn config_map(immutable: bool, label: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "m", "namespace": "n", "labels": {"evaljob.dev/input": label}},
        "immutable": immutable, "data": {"k": "text"}, "binaryData": {"l": "AP8="},
    })
}

#[tokio::test]
async fn a_spec_that_was_not_kept_is_read_again_and_must_be_the_same_jobs() {
    let plain = json!({"command": ["true"]});
    let mut scene = start();
    scene.order(&plain, false);
    scene.api.expect("GET", JOB).await.ok(&job("u"));
    match scene.loaded().await {
        Loaded::Ready { spec, inputs } => {
            assert_eq!(serde_json::from_slice::<Value>(&spec).unwrap(), plain);
            assert!(inputs.is_empty());
        }
        other => panic!("{other:?}"),
    }
    scene.order(&plain, false);
    scene.api.expect("GET", JOB).await.ok(&job("another"));
    assert_eq!(scene.loaded().await, Loaded::Gone);
    scene.order(&plain, false);
    scene.api.expect("GET", JOB).await.refuse(404, "not found");
    assert_eq!(scene.loaded().await, Loaded::Gone);
    scene.order(&plain, false);
    scene.api.expect("GET", JOB).await.refuse(503, "later");
    assert_eq!(scene.loaded().await, Loaded::Unavailable);
}

#[tokio::test]
async fn a_spec_that_lost_fields_while_it_was_stored_is_not_sent() {
    let spec =
        json!({"command": ["true"], "limits": {"processes": 5}, "ttlSecondsAfterFinished": 60});
    let stored = |spec: &Value| {
        let mut job = job("u");
        job["spec"] = spec.clone();
        job
    };
    let first: LiveJob = serde_json::from_value(stored(&spec)).unwrap();
    let digest = Some(gate::facts(first, DEADLINE).unwrap().digest);
    let mut edited = spec.clone();
    edited["ttlSecondsAfterFinished"] = 5.into();
    let mut scene = start();
    scene.order_of(&spec, false, digest);
    scene.api.expect("GET", JOB).await.ok(&stored(&edited));
    assert!(matches!(scene.loaded().await, Loaded::Ready { .. }));
    scene.order_of(&spec, false, digest);
    let pruned = json!({"command": ["true"], "limits": {}});
    scene.api.expect("GET", JOB).await.ok(&stored(&pruned));
    assert!(
        matches!(scene.loaded().await, Loaded::Invalid(errors) if errors.contains("create the job again"))
    );
}

#[tokio::test]
async fn a_config_map_is_read_once_for_all_its_keys() {
    let mut scene = start();
    scene.order(&spec(), true);
    scene
        .api
        .expect("GET", MAP)
        .await
        .ok(&config_map(true, "true"));
    let Loaded::Ready { inputs, .. } = scene.loaded().await else {
        panic!("not ready");
    };
    let values: Vec<_> = inputs
        .iter()
        .map(|input| (&*input.config_map, &*input.key, &*input.value))
        .collect();
    assert_eq!(
        values,
        [("m", "k", &b"text"[..]), ("m", "l", &[0, 255][..])]
    );
    assert!(scene.api.is_quiet());
}

#[tokio::test]
async fn a_config_map_whose_owner_did_not_opt_in_ends_the_job_with_the_way_out() {
    let rows = [
        ("mutable", config_map(false, "true")),
        ("not labelled", config_map(true, "false")),
    ];
    for (row, found) in rows {
        let mut scene = start();
        scene.order(&spec(), true);
        scene.api.expect("GET", MAP).await.ok(&found);
        match scene.loaded().await {
            Loaded::Invalid(errors) => {
                assert!(
                    errors.starts_with("spec.files[0].configMapKeyRef: "),
                    "{row}: {errors}"
                );
                assert!(
                    errors.contains("kubectl -n n label configmap m"),
                    "{row}: {errors}"
                );
            }
            other => panic!("{row}: {other:?}"),
        }
    }
    let mut scene = start();
    scene.order(&spec(), true);
    scene.api.expect("GET", MAP).await.refuse(404, "not found");
    assert!(
        matches!(scene.loaded().await, Loaded::Invalid(errors) if errors.contains("does not exist"))
    );
    scene.order(&spec(), true);
    scene.api.expect("GET", MAP).await.refuse(500, "broken");
    assert_eq!(
        scene.loaded().await,
        Loaded::Unavailable,
        "an outage is nobody's mistake"
    );
}

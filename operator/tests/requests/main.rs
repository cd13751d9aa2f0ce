//! Exact requests: what the API server sees of a job's life, in order, and nothing else.
//!
//! A mocked API server answers; the core, the engine and the writer are the real ones. At the end of each test the
//! parts are dropped, and the mock must see no further request.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is not as it should be"
)]

mod scene;

use std::time::Duration;

use evaljob_operator::decide::Event;
use http::Response;
use kube::client::Body;
use serde_json::{Value, json};

use crate::scene::Scene;

fn answer(code: u16, body: &Value) -> Response<Body> {
    let body = Body::from(body.to_string().into_bytes());
    Response::builder().status(code).body(body).unwrap()
}

fn ok() -> Response<Body> {
    answer(
        200,
        &json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {}}),
    )
}

fn refusal(code: u16, message: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": "Invalid", "code": code});
    answer(code, &status)
}

fn stored(uid: &str, status: &Value) -> Response<Body> {
    answer(
        200,
        &json!({"metadata": {"name": "j", "namespace": "n", "uid": uid}, "spec": {}, "status": status}),
    )
}

#[tokio::test]
async fn a_short_job_is_one_patch_and_its_ack_comes_after_the_answer() {
    let (mut scene, run) = Scene::judged().await;
    let (status, respond) = scene.patch("u1").await;
    assert_eq!(status["verdict"], "Completed");
    assert_eq!(status["attempt"], 1);
    assert_eq!(status["nodeName"], "n1");
    assert!(
        scene.outbound.try_recv().is_err(),
        "no Ack before the answer"
    );
    respond.send_response(ok());
    scene.acknowledged(&run).await;
    scene.finished().await;
    scene.end().await;
}

#[tokio::test]
async fn a_long_job_is_two_patches_the_second_after_the_first_was_answered() {
    let mut scene = Scene::begin().await;
    let run = scene.run("u1").await;
    scene
        .tell(Event::Started(
            scene.conn,
            run.clone(),
            Duration::from_secs(3),
        ))
        .await;
    let (status, respond) = scene.patch("u1").await;
    assert_eq!(status["verdict"], Value::Null);
    assert_eq!(status["conditions"][1]["reason"], "Running");
    scene.done(&run).await;
    // A second job's verdict passes: the first job's waits for its own answer only.
    let other = scene.run("u2").await;
    scene.done(&other).await;
    let (_, respond_other) = scene.patch("u2").await;
    respond_other.send_response(ok());
    scene.acknowledged(&other).await;
    respond.send_response(ok());
    let (status, respond) = scene.patch("u1").await;
    assert_eq!(status["verdict"], "Completed");
    respond.send_response(ok());
    scene.acknowledged(&run).await;
    scene.end().await;
}

#[tokio::test]
async fn a_refusal_is_looked_into_once_and_a_verdict_that_stands_is_left_alone() {
    let rows = [
        ("another uid under the name", stored("u0", &json!({}))),
        (
            "a verdict stands",
            stored("u1", &json!({"verdict": "Accepted"})),
        ),
        ("gone", refusal(404, "not found")),
    ];
    for (row, found) in rows {
        let (mut scene, run) = Scene::judged().await;
        let (_, respond) = scene.patch("u1").await;
        respond.send_response(refusal(422, "the first verdict is final"));
        scene.read(found).await;
        scene.acknowledged(&run).await;
        scene.end().await;
        println!("{row}: acknowledged");
    }
}

#[tokio::test]
async fn a_status_that_is_refused_for_good_becomes_an_infrastructure_error_in_the_servers_words() {
    let (mut scene, run) = Scene::judged().await;
    let (_, respond) = scene.patch("u1").await;
    respond.send_response(refusal(422, "status.newField: unknown"));
    scene.read(stored("u1", &json!({"conditions": []}))).await;
    let (status, respond) = scene.patch("u1").await;
    assert_eq!(status["verdict"], "InfrastructureError");
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("status.newField: unknown")
    );
    assert!(
        scene.outbound.try_recv().is_err(),
        "no Ack before it is stored"
    );
    respond.send_response(ok());
    scene.acknowledged(&run).await;
    scene.end().await;
}

#[tokio::test]
async fn a_status_that_is_too_large_is_tried_again_without_its_texts() {
    let rows = [
        (413, "request entity too large"),
        (500, "etcdserver: request is too large"),
        (422, "request is too large"),
    ];
    for (code, words) in rows {
        let (mut scene, run) = Scene::judged().await;
        let (status, respond) = scene.patch("u1").await;
        assert_eq!(status["run"]["stdout"]["text"], "hello");
        respond.send_response(refusal(code, words));
        let (status, respond) = scene.patch("u1").await;
        assert_eq!(status["verdict"], "Completed", "{code}");
        assert_eq!(
            status["run"]["stdout"],
            json!({"truncated": true}),
            "{code}"
        );
        respond.send_response(ok());
        scene.acknowledged(&run).await;
        scene.end().await;
    }
}

#[tokio::test]
async fn an_answer_that_decides_nothing_is_followed_by_the_same_patch() {
    for code in [429, 500, 503, 409, 403] {
        let (mut scene, run) = Scene::judged().await;
        let (first, respond) = scene.patch("u1").await;
        respond.send_response(refusal(code, "try again"));
        let (second, respond) = scene.patch("u1").await;
        assert_eq!(first, second, "{code}");
        respond.send_response(ok());
        scene.acknowledged(&run).await;
        scene.end().await;
    }
}

#[tokio::test]
async fn a_job_that_is_gone_needs_no_second_look() {
    let (mut scene, run) = Scene::judged().await;
    let (_, respond) = scene.patch("u1").await;
    respond.send_response(refusal(404, "not found"));
    scene.acknowledged(&run).await;
    scene.end().await;
}

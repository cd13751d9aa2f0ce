//! A mocked API server: requests come out one by one, answers go in.

use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{Handle, SendResponse};

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The server's side.
pub(crate) struct Api(Handle<Request<Body>, Response<Body>>);

/// A request that waits for its answer.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) body: Value,
    respond: SendResponse<Response<Body>>,
}

/// A client and its server.
pub(crate) fn pair() -> (Client, Api) {
    let (service, handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    (Client::new(service, "default"), Api(handle))
}

impl Api {
    /// The next request; its method and path must be these.
    pub(crate) async fn expect(&mut self, method: &str, path: &str) -> Asked {
        let next = tokio::time::timeout(DEADLINE, self.0.next_request()).await;
        let (request, respond) = next
            .unwrap_or_else(|_| panic!("{method} {path} was due, nothing came"))
            .expect("the client is gone");
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let asked = Asked {
            method: parts.method,
            path: parts.uri.to_string(),
            body,
            respond,
        };
        assert_eq!((asked.method.as_str(), asked.path.as_str()), (method, path));
        asked
    }

    /// Whether nothing waits for an answer.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.0.poll_request().is_pending()
    }
}

impl Asked {
    /// Answers with an object.
    pub(crate) fn ok(self, body: &Value) {
        self.answer(200, body);
    }

    /// Answers with a Status.
    pub(crate) fn refuse(self, code: u16, message: &str) {
        let reason = match code {
            404 => "NotFound",
            409 => "Conflict",
            _ => "Test",
        };
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code});
        self.answer(code, &status);
    }

    fn answer(self, code: u16, body: &Value) {
        let body = Body::from(body.to_string().into_bytes());
        self.respond
            .send_response(Response::builder().status(code).body(body).unwrap());
    }
}

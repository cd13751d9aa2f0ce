//! The three pages of an agent: /metrics, /healthz, /readyz.
//!
//! In: the book and the link's state, at the time of the request. Out: OpenMetrics text; 200 or 503. An answer at all
//! is a proof of life, link and pages share one thread; a slot that is lost for good makes it a bad one. Ready means that this node takes jobs: every layer is
//! enforced and an operator has welcomed it. Labels never carry text from jobs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::executor::Desk;
use crate::executor::book::Missing;
use crate::link::LinkState;

/// Longest time a client of these pages may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause after a connection could not be accepted.
const REST: Duration = Duration::from_millis(100);

type Label = [(&'static str, &'static str); 1];

/// The pages; clones share everything.
#[derive(Debug, Clone)]
pub struct Pages {
    desk: Arc<Desk>,
    link: LinkState,
    figures: Arc<Figures>,
}

#[derive(Debug)]
struct Figures {
    registry: Registry,
    ended: Family<Label, Counter>,
    runs: Family<Label, Gauge>,
    result_bytes: Gauge,
    open: Gauge,
    welcomed: Gauge,
    dials: Counter,
}

impl Figures {
    fn new() -> Self {
        let (ended, runs) = (
            Family::<Label, Counter>::default(),
            Family::<Label, Gauge>::default(),
        );
        let (result_bytes, open, welcomed) = (Gauge::default(), Gauge::default(), Gauge::default());
        let dials = Counter::default();
        let mut registry = Registry::with_prefix("evaljob_agent");
        registry.register("jobs", "Runs that ended, by verdict", ended.clone());
        registry.register("runs_held", "Runs that are held, by state", runs.clone());
        registry.register(
            "result_bytes",
            "Bytes of results that wait for an Ack",
            result_bytes.clone(),
        );
        registry.register(
            "open",
            "1 while every layer is enforced and runs are taken",
            open.clone(),
        );
        registry.register(
            "operator_connected",
            "1 while an operator has welcomed this agent",
            welcomed.clone(),
        );
        registry.register("operator_dials", "Dials of operators", dials.clone());
        Self {
            registry,
            ended,
            runs,
            result_bytes,
            open,
            welcomed,
            dials,
        }
    }
}

impl Pages {
    /// Pages about these.
    pub fn new(desk: Arc<Desk>, link: LinkState) -> Self {
        Self {
            desk,
            link,
            figures: Arc::new(Figures::new()),
        }
    }

    /// The answer to a path.
    pub fn answer(&self, path: &str) -> (StatusCode, String) {
        match path {
            "/healthz" if self.desk.look(|book| book.has_stuck(Instant::now())) => {
                let text = "a slot does not end its run: only a restart helps\n";
                (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
            }
            "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => match self.obstacle() {
                None => (StatusCode::OK, "ok\n".to_owned()),
                Some(obstacle) => (StatusCode::SERVICE_UNAVAILABLE, format!("{obstacle}\n")),
            },
            "/metrics" => self.metrics(),
            _ => (
                StatusCode::NOT_FOUND,
                "try /metrics, /healthz or /readyz\n".to_owned(),
            ),
        }
    }

    /// Why this node takes no jobs.
    fn obstacle(&self) -> Option<String> {
        let (missing, closing) = self
            .desk
            .look(|book| (book.missing().cloned(), book.is_closing()));
        match missing {
            Some(Missing { layer, message }) => Some(format!("{layer}: {message}")),
            None if closing => Some("shutting down".to_owned()),
            None if !self.link.is_welcomed() => {
                Some("no operator has welcomed this agent".to_owned())
            }
            None => None,
        }
    }

    fn metrics(&self) -> (StatusCode, String) {
        let now = self.desk.look(|book| book.figures());
        let figures = &self.figures;
        for (verdict, count) in now.ended {
            let counter = figures
                .ended
                .get_or_create(&[("verdict", verdict.as_str())]);
            counter.inner().store(count, Ordering::Relaxed);
        }
        let states = [
            ("waiting", now.waiting),
            ("running", now.running),
            ("unacknowledged", now.unacknowledged),
        ];
        for (state, count) in states {
            figures
                .runs
                .get_or_create(&[("state", state)])
                .set(gauge(count));
        }
        figures.result_bytes.set(gauge(now.result_bytes));
        figures.open.set(i64::from(now.open));
        figures.welcomed.set(i64::from(self.link.is_welcomed()));
        figures
            .dials
            .inner()
            .store(self.link.dials(), Ordering::Relaxed);
        let mut text = String::new();
        match encode(&mut text, &figures.registry) {
            Ok(()) => (StatusCode::OK, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }

    /// Serves until the task is dropped.
    pub async fn serve(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let pages = self.clone();
                    tokio::spawn(async move {
                        let service = service_fn(move |request: Request<Incoming>| {
                            let (status, text) = pages.answer(request.uri().path());
                            async move { response(status, text) }
                        });
                        let serving = hyper::server::conn::http1::Builder::new()
                            .keep_alive(false)
                            .serve_connection(TokioIo::new(stream), service);
                        // A client that fails or dawdles concerns nobody else.
                        let _ = tokio::time::timeout(PATIENCE, serving).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the metrics page");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}

fn response(status: StatusCode, text: String) -> Result<Response<Full<Bytes>>, http::Error> {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Response::builder()
        .status(status)
        .header(http::header::CONTENT_TYPE, kind)
        .body(Full::new(Bytes::from(text)))
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use evaljob_crds::wire;

    use super::*;
    use crate::executor::book::Book;

    fn pages() -> Pages {
        let desk = Desk::new(Book::new(2, Duration::from_secs(10)));
        Pages::new(Arc::new(desk), LinkState::default())
    }

    #[test]
    fn readiness_needs_every_layer_and_an_operator() {
        let pages = pages();
        let ready = || pages.answer("/readyz");
        assert_eq!(ready().0, StatusCode::SERVICE_UNAVAILABLE);
        let missing = Missing {
            layer: "Landlock".to_owned(),
            message: "no".to_owned(),
        };
        pages.desk.update(|book| book.set_health(Some(missing)));
        assert_eq!(ready().1, "Landlock: no\n");
        pages.desk.update(|book| book.set_health(None));
        assert_eq!(ready().1, "no operator has welcomed this agent\n");
        pages.link.set_welcomed(true);
        assert_eq!(ready(), (StatusCode::OK, "ok\n".to_owned()));
        pages.desk.update(Book::close);
        assert_eq!(ready().1, "shutting down\n");
        assert_eq!(pages.answer("/healthz").0, StatusCode::OK);
        assert_eq!(pages.answer("/else").0, StatusCode::NOT_FOUND);
    }

    #[test]
    fn runs_are_counted_by_state_and_verdict() {
        let pages = pages();
        let run = |uid: &str| wire::Run {
            identity: Some(wire::RunIdentity {
                uid: uid.to_owned(),
                epoch: Some(wire::Epoch::default()),
                attempt: 1,
            }),
            deadline_milliseconds: 1000,
            ..wire::Run::default()
        };
        pages.desk.update(|book| {
            let now = Instant::now();
            book.set_health(None);
            book.receive(run("a"), now).unwrap();
            book.expire(now + Duration::from_secs(2));
            book.receive(run("b"), now).unwrap();
        });
        let (_, text) = pages.answer("/metrics");
        for line in [
            "evaljob_agent_jobs_total{verdict=\"DeadlineExceeded\"} 1",
            "evaljob_agent_runs_held{state=\"waiting\"} 1",
            "evaljob_agent_runs_held{state=\"unacknowledged\"} 1",
            "evaljob_agent_runs_held{state=\"running\"} 0",
            "evaljob_agent_open 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}

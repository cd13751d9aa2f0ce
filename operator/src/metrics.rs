//! What the operator counts, and the three pages it serves: /metrics, /healthz, /readyz.
//!
//! In: counts and figures from the other parts. Out: the OpenMetrics text; 200 or 503. Labels have few values and
//! never carry text from jobs or agents but verdicts this build knows. Liveness is progress of the engine's loop,
//! readiness that the caches are filled: a follower is ready.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::clock::{BEFORE_START, Clock};
use crate::decide::Figures;

/// The engine ticks once a second at least; silence for this long means that it hangs.
const STALLED: Duration = Duration::from_secs(30);
/// Longest time a client of these pages may take.
const PATIENCE: Duration = Duration::from_secs(10);

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Counters and gauges; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Status writes by what they say and how they ended.
    pub writes: Family<Labels<2>, Counter>,
    /// Jobs with a stored verdict.
    pub finished: Family<Labels<1>, Counter>,
    /// Runs sent to agents.
    pub dispatched: Counter,
    /// Attempts that failed for a reason that is not the program's.
    pub infrastructure_failures: Counter,
    /// Statuses the API server refused for good.
    pub refused: Counter,
    /// Results that nobody needed.
    pub stale: Counter,
    /// Agent streams refused, by reason.
    pub streams_refused: Family<Labels<1>, Counter>,
    /// Jobs deleted after their time to live.
    pub deleted: Counter,
    /// Finished jobs whose time to live is counted.
    pub finished_tracked: Gauge,
    /// 1 while this process leads.
    pub leader: Gauge,
    live: Gauge,
    queued: Gauge,
    held: Gauge,
    agents: Gauge,
    unfit: Gauge,
    unstored: Gauge,
    spec_bytes: Gauge,
    spec_fields_missing: Gauge,
    status_fields_missing: Gauge,
}

impl Metrics {
    /// Takes in the figures of the core.
    pub fn set(&self, figures: Figures) {
        let rows = [
            (&self.live, figures.live),
            (&self.queued, figures.queued),
            (&self.held, figures.held),
            (&self.agents, figures.agents),
            (&self.unfit, figures.unfit),
            (&self.unstored, figures.unstored),
            (&self.spec_bytes, figures.spec_bytes),
            (&self.spec_fields_missing, figures.spec_fields_missing),
            (&self.status_fields_missing, figures.status_fields_missing),
        ];
        for (gauge, value) in rows {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// A registry of all of them, with the time writes take.
    fn registry(&self, write_seconds: &Histogram) -> Registry {
        let mut registry = Registry::with_prefix("evaljob_operator");
        registry.register(
            "status_writes",
            "Status writes by kind and outcome",
            self.writes.clone(),
        );
        registry.register(
            "jobs_finished",
            "Jobs with a stored verdict",
            self.finished.clone(),
        );
        registry.register(
            "runs_dispatched",
            "Runs sent to agents",
            self.dispatched.clone(),
        );
        registry.register(
            "infrastructure_failures",
            "Attempts that failed for a reason that is not the program's",
            self.infrastructure_failures.clone(),
        );
        registry.register(
            "status_refused",
            "Statuses refused for good",
            self.refused.clone(),
        );
        registry.register(
            "stale_results",
            "Results that nobody needed",
            self.stale.clone(),
        );
        registry.register(
            "streams_refused",
            "Agent streams refused",
            self.streams_refused.clone(),
        );
        registry.register(
            "jobs_deleted",
            "Jobs deleted after their time to live",
            self.deleted.clone(),
        );
        registry.register(
            "finished_tracked",
            "Finished jobs whose time to live is counted",
            self.finished_tracked.clone(),
        );
        registry.register(
            "status_write_seconds",
            "Time a status write takes",
            write_seconds.clone(),
        );
        self.register_figures(&mut registry);
        registry
    }

    fn register_figures(&self, registry: &mut Registry) {
        registry.register("leader", "1 while this process leads", self.leader.clone());
        registry.register("jobs_live", "Jobs without a verdict", self.live.clone());
        registry.register(
            "jobs_queued",
            "Jobs that wait for a slot",
            self.queued.clone(),
        );
        registry.register("jobs_held", "Jobs at agents", self.held.clone());
        registry.register("agents_connected", "Connected agents", self.agents.clone());
        registry.register(
            "agents_unfit",
            "Connected agents whose node cannot enforce a layer",
            self.unfit.clone(),
        );
        registry.register(
            "verdicts_unstored",
            "Verdicts that wait to be stored",
            self.unstored.clone(),
        );
        registry.register(
            "spec_cache_bytes",
            "Bytes of specs in memory",
            self.spec_bytes.clone(),
        );
        registry.register(
            "crd_spec_fields_missing",
            "Fields of a spec that the API server does not know; nothing is run while there are any",
            self.spec_fields_missing.clone(),
        );
        registry.register(
            "crd_status_fields_missing",
            "Fields of a status that the API server does not know; results are stored without them",
            self.status_fields_missing.clone(),
        );
    }
}

/// What /healthz and /readyz look at; clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    clock: Clock,
    progress: Arc<AtomicU64>,
    ready: Arc<AtomicBool>,
}

impl Health {
    /// Alive from now on, not ready.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let health = Self {
            clock,
            progress: Arc::default(),
            ready: Arc::default(),
        };
        health.progressed();
        health
    }

    /// The engine went round once more.
    pub fn progressed(&self) {
        self.progress.store(self.millis(), Ordering::Relaxed);
    }

    /// Whether the caches are filled.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    fn alive(&self) -> bool {
        let silent = self
            .millis()
            .saturating_sub(self.progress.load(Ordering::Relaxed));
        Duration::from_millis(silent) < STALLED
    }

    fn millis(&self) -> u64 {
        let running = self.clock.now().mono.saturating_sub(BEFORE_START);
        u64::try_from(running.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The pages.
#[derive(Debug, Clone)]
pub struct Pages {
    registry: Arc<Registry>,
    health: Health,
}

impl Pages {
    /// Pages over these metrics; returns the histogram that status writes report to.
    #[must_use]
    pub fn new(metrics: &Metrics, health: Health) -> (Self, Histogram) {
        let write_seconds = Histogram::new([
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
        ]);
        let registry = Arc::new(metrics.registry(&write_seconds));
        (Self { registry, health }, write_seconds)
    }

    /// The answer to a path.
    #[must_use]
    pub fn answer(&self, path: &str) -> (StatusCode, String) {
        let check = |good: bool, bad: &str| {
            if good {
                (StatusCode::OK, "ok\n".to_owned())
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, format!("{bad}\n"))
            }
        };
        match path {
            "/healthz" => check(
                self.health.alive(),
                "the engine has not gone round for 30 s",
            ),
            "/readyz" => check(
                self.health.ready.load(Ordering::Relaxed),
                "the caches of jobs and nodes are not filled yet",
            ),
            "/metrics" => {
                let mut text = String::new();
                match encode(&mut text, &self.registry) {
                    Ok(()) => (StatusCode::OK, text),
                    Err(error) => {
                        let _ = write!(text, "{error}");
                        (StatusCode::INTERNAL_SERVER_ERROR, text)
                    }
                }
            }
            _ => (
                StatusCode::NOT_FOUND,
                "try /metrics, /healthz or /readyz\n".to_owned(),
            ),
        }
    }

    /// Serves until the task is dropped.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn serve(self, address: SocketAddr) -> std::io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (stream, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the metrics page");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let pages = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let (status, text) = pages.answer(request.uri().path());
                    async move {
                        let mut response = Response::new(Full::new(Bytes::from(text)));
                        *response.status_mut() = status;
                        let kind = http::HeaderValue::from_static(
                            "application/openmetrics-text; version=1.0.0; charset=utf-8",
                        );
                        response
                            .headers_mut()
                            .insert(http::header::CONTENT_TYPE, kind);
                        Ok::<_, std::convert::Infallible>(response)
                    }
                });
                let serving = hyper::server::conn::http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // A client that fails or dawdles concerns nobody else.
                let _ = tokio::time::timeout(PATIENCE, serving).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_follows_the_caches_and_liveness_the_loop() {
        let clock = Clock::new();
        let health = Health::new(clock);
        let metrics = Metrics::default();
        let (pages, _) = Pages::new(&metrics, health.clone());
        assert_eq!(pages.answer("/readyz").0, StatusCode::SERVICE_UNAVAILABLE);
        health.set_ready(true);
        assert_eq!(pages.answer("/readyz").0, StatusCode::OK);
        assert_eq!(pages.answer("/healthz").0, StatusCode::OK);
        health.progress.store(0, Ordering::Relaxed);
        assert!(
            health.alive(),
            "a process younger than the limit cannot have stalled"
        );
        assert_eq!(pages.answer("/other").0, StatusCode::NOT_FOUND);
    }

    #[test]
    fn figures_and_counts_are_on_the_page() {
        let metrics = Metrics::default();
        let (pages, seconds) = Pages::new(&metrics, Health::new(Clock::new()));
        metrics.set(Figures {
            live: 7,
            unfit: 2,
            ..Figures::default()
        });
        metrics
            .writes
            .get_or_create(&[("kind", "final"), ("outcome", "stored")])
            .inc();
        seconds.observe(0.002);
        let (_, text) = pages.answer("/metrics");
        for line in [
            "evaljob_operator_jobs_live 7",
            "evaljob_operator_agents_unfit 2",
            "evaljob_operator_status_writes_total{kind=\"final\",outcome=\"stored\"} 1",
            "evaljob_operator_status_write_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}

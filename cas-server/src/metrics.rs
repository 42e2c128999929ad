//! What the server counts, in the text format of OpenMetrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::caches::Caches;

/// Upper ends of the buckets of latencies, in seconds: a hit in memory to a walk over a bucket.
const LATENCIES_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Problems that say that somebody else was faster.
const CONFLICTS: [&str; 5] = ["ref_moved", "ref_exists", "not_as_expected", "exists", "contended"];

/// Problems that say that the store failed, or what is in it.
const STORE_ERRORS: [&str; 4] = ["store_unavailable", "store_refused", "damaged", "fate_unknown"];

/// What the server counts. Clones share the numbers.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    latencies: Family<RouteLabels, Histogram, fn() -> Histogram>,
    received: Counter,
    sent: Counter,
    connections: Gauge,
    in_flight: Gauge,
    conflicts: Family<CodeLabels, Counter>,
    store_errors: Family<CodeLabels, Counter>,
    dropped: Family<ReasonLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Arc<str>,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// Counted while it lives.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Metrics {
    /// Numbers of a server that has just begun, and those of its caches.
    pub(crate) fn new(caches: Caches) -> Self {
        let mut registry = Registry::with_prefix("cas");
        let histogram: fn() -> Histogram = || Histogram::new(LATENCIES_S);
        let metrics = Self {
            registry: Arc::default(),
            requests: Family::default(),
            latencies: Family::new_with_constructor(histogram),
            received: Counter::default(),
            sent: Counter::default(),
            connections: Gauge::default(),
            in_flight: Gauge::default(),
            conflicts: Family::default(),
            store_errors: Family::default(),
            dropped: Family::default(),
        };
        let Self {
            registry: _,
            requests,
            latencies,
            received,
            sent,
            connections,
            in_flight,
            conflicts,
            store_errors,
            dropped,
        } = metrics.clone();
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This program", build);
        registry.register("requests", "Requests answered", requests);
        registry.register_with_unit(
            "request_duration",
            "From the head of a request to that of its answer",
            Unit::Seconds,
            latencies,
        );
        registry.register_with_unit("received", "Bodies of requests", Unit::Bytes, received);
        registry.register_with_unit("sent", "Bodies of answers", Unit::Bytes, sent);
        registry.register("connections", "Open connections", connections);
        registry.register("requests_in_flight", "Requests being answered", in_flight);
        registry.register("ref_conflicts", "Changes refused because of somebody else's", conflicts);
        registry.register("store_errors", "Requests that the store failed", store_errors);
        registry.register("dropped", "Clients dropped, by reason", dropped);
        registry.register_collector(Box::new(caches));
        Self { registry: Arc::new(registry), ..metrics }
    }

    /// All numbers as text.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// A connection was made.
    pub(crate) fn connection(&self) -> Counted {
        Counted::new(&self.connections)
    }

    /// A request came.
    pub(crate) fn request(&self) -> Counted {
        Counted::new(&self.in_flight)
    }

    /// The answer to a request begins.
    pub(crate) fn answered(
        &self,
        method: &'static str,
        route: Arc<str>,
        status: u16,
        code: Option<&'static str>,
        took: Duration,
    ) {
        let labels = RouteLabels { method, route: route.clone() };
        self.latencies.get_or_create(&labels).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
        let Some(code) = code else { return };
        if CONFLICTS.contains(&code) {
            self.conflicts.get_or_create(&CodeLabels { code }).inc();
        }
        if STORE_ERRORS.contains(&code) {
            self.store_errors.get_or_create(&CodeLabels { code }).inc();
        }
    }

    /// Bodies went in and out.
    pub(crate) fn moved(&self, received: u64, sent: u64) {
        self.received.inc_by(received);
        self.sent.inc_by(sent);
    }

    /// A client was dropped.
    pub(crate) fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&ReasonLabels { reason }).inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

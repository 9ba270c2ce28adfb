//! What Prometheus sees. docs/metrics.md lists every name; a test compares the two.
//!
//! Labels are bounded: protocols, configured targets, end reasons, states. Never a user, an address or
//! a statement.

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// Cuts are expected within ten milliseconds: the buckets look closely there.
const CUT_BUCKETS: &[f64] = &[0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

/// People take from seconds to hours.
const WAIT_BUCKETS: &[f64] =
    &[10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0];

/// Every metric of the gate. Clones count into the same registry.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    /// `curfew_sessions_live{protocol,target}`
    pub sessions_live: IntGaugeVec,
    /// `curfew_sessions_total{protocol,target,reason}`: ended sessions.
    pub sessions: IntCounterVec,
    /// `curfew_cut_latency_seconds`: from the end to the last session byte.
    pub cut_latency: Histogram,
    /// `curfew_goodbyes_total{outcome}`: `sent` or `none`.
    pub goodbyes: IntCounterVec,
    /// `curfew_signins_total{method,outcome}`
    pub signins: IntCounterVec,
    /// `curfew_requests{state}`, counted in the store at each scrape.
    pub requests: IntGaugeVec,
    /// `curfew_grants{state}`, counted in the store at each scrape.
    pub grants: IntGaugeVec,
    /// `curfew_approval_wait_seconds`: from the request to its decision by a person.
    pub approval_wait: Histogram,
    /// `curfew_bytes_total{protocol,target,direction}`: of ended and live sessions; `in` is from the client.
    pub bytes: IntCounterVec,
    /// `curfew_connections_total{protocol}`: accepted connections.
    pub connections: IntCounterVec,
    /// `curfew_startup_failures_total{protocol,cause}`
    pub startup_failures: IntCounterVec,
    /// `curfew_refusals_total{kind}`: connections that were told no.
    pub refusals: IntCounterVec,
    /// `curfew_links_pending`: sign-in links that are waited for.
    pub links_pending: IntGauge,
    /// `curfew_recording_backlog_bytes`: recorded in memory and not yet written.
    pub recording_backlog: IntGauge,
    /// `curfew_recording_errors_total`
    pub recording_errors: IntCounter,
    /// `curfew_contracts_reloads_total{outcome}`: `loaded` or `refused`.
    pub contract_reloads: IntCounterVec,
    /// `curfew_checkpoint_age_seconds`: since the last checkpoint was written.
    pub checkpoint_age: IntGauge,
    /// `curfew_store_up`: 1 while the store answers.
    pub store_up: IntGauge,
}

impl Metrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// Where a name is registered twice, which a test would find first.
    pub fn new(version: &str) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let build = IntGauge::with_opts(
            Opts::new("curfew_build_info", "1, with the version as a label.").const_label("version", version),
        )?;
        registry.register(Box::new(build.clone()))?;
        build.set(1);
        let r = &registry;
        let metrics = Self {
            sessions_live: gauges(
                r,
                "curfew_sessions_live",
                "Sessions that are live.",
                &["protocol", "target"],
            )?,
            sessions: counters(
                r,
                "curfew_sessions_total",
                "Sessions that ended, by their one end reason.",
                &["protocol", "target", "reason"],
            )?,
            cut_latency: histogram(
                r,
                "curfew_cut_latency_seconds",
                "From the end of a lease to its last session byte.",
                CUT_BUCKETS,
            )?,
            goodbyes: counters(
                r,
                "curfew_goodbyes_total",
                "Whether the client could be told why.",
                &["outcome"],
            )?,
            signins: counters(
                r,
                "curfew_signins_total",
                "Sign-ins, by method and outcome.",
                &["method", "outcome"],
            )?,
            requests: gauges(r, "curfew_requests", "Requests in the store, by state.", &["state"])?,
            grants: gauges(r, "curfew_grants", "Grants in the store, by state.", &["state"])?,
            approval_wait: histogram(
                r,
                "curfew_approval_wait_seconds",
                "From a request to its decision by a person.",
                WAIT_BUCKETS,
            )?,
            bytes: counters(
                r,
                "curfew_bytes_total",
                "Bytes relayed; in is from the client.",
                &["protocol", "target", "direction"],
            )?,
            connections: counters(r, "curfew_connections_total", "Connections accepted.", &["protocol"])?,
            startup_failures: counters(
                r,
                "curfew_startup_failures_total",
                "Connections that failed before they became a session.",
                &["protocol", "cause"],
            )?,
            refusals: counters(r, "curfew_refusals_total", "Clients that were told no, by kind.", &["kind"])?,
            links_pending: gauge(r, "curfew_links_pending", "Sign-in links that a client waits for.")?,
            recording_backlog: gauge(r, "curfew_recording_backlog_bytes", "Recorded and not yet written.")?,
            recording_errors: registered(
                r,
                IntCounter::new("curfew_recording_errors_total", "Recordings that could not be written.")?,
            )?,
            contract_reloads: counters(
                r,
                "curfew_contracts_reloads_total",
                "Contract sets read.",
                &["outcome"],
            )?,
            checkpoint_age: gauge(
                r,
                "curfew_checkpoint_age_seconds",
                "Since the last checkpoint was written.",
            )?,
            store_up: gauge(r, "curfew_store_up", "1 while the store answers.")?,
            registry,
        };
        metrics.begin();
        Ok(metrics)
    }

    /// Puts at 0 what alerts and dashboards ask for before it happens: a counter that appears with its first 1 has
    /// not increased, as far as Prometheus can tell.
    fn begin(&self) {
        for outcome in ["loaded", "refused"] {
            self.contract_reloads.with_label_values(&[outcome]);
        }
        for outcome in ["sent", "none"] {
            self.goodbyes.with_label_values(&[outcome]);
        }
        for method in ["browser", "link", "loopback", "device", "certificate", "token"] {
            for outcome in ["ok", "refused"] {
                self.signins.with_label_values(&[method, outcome]);
            }
        }
    }

    /// The text that Prometheus scrapes (exposition format 0.0.4).
    ///
    /// # Errors
    /// Where a metric can't be encoded.
    pub fn encode(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }

    /// Every name with its help and labels, sorted, for the documentation's test.
    pub fn describe(&self) -> Vec<(String, String)> {
        let families = [
            self.sessions_live.desc(),
            self.sessions.desc(),
            self.cut_latency.desc(),
            self.goodbyes.desc(),
            self.signins.desc(),
            self.requests.desc(),
            self.grants.desc(),
            self.approval_wait.desc(),
            self.bytes.desc(),
            self.connections.desc(),
            self.startup_failures.desc(),
            self.refusals.desc(),
            self.links_pending.desc(),
            self.recording_backlog.desc(),
            self.recording_errors.desc(),
            self.contract_reloads.desc(),
            self.checkpoint_age.desc(),
            self.store_up.desc(),
        ];
        let mut names: Vec<_> = families
            .into_iter()
            .flatten()
            .map(|desc| {
                let labels = desc.variable_labels.join(",");
                let name = &desc.fq_name;
                (
                    if labels.is_empty() { name.clone() } else { format!("{name}{{{labels}}}") },
                    desc.help.clone(),
                )
            })
            .collect();
        names.push(("curfew_build_info{version}".to_owned(), "1, with the version as a label.".to_owned()));
        names.sort();
        names
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    registered(registry, IntGauge::new(name, help)?)
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> prometheus::Result<Histogram> {
    registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_metric() {
        let documented = include_str!("../docs/metrics.md");
        for (name, _) in Metrics::new("0").unwrap().describe() {
            assert!(documented.contains(&format!("`{name}`")), "docs/metrics.md does not list `{name}`");
        }
    }

    #[test]
    fn a_scrape_is_text_with_help_and_type() {
        let metrics = Metrics::new("1.2.3").unwrap();
        metrics.sessions.with_label_values(&["postgres", "orders", "revoked"]).inc();
        metrics.cut_latency.observe(0.0007);
        let text = metrics.encode().unwrap();
        assert!(
            text.contains(
                "curfew_sessions_total{protocol=\"postgres\",reason=\"revoked\",target=\"orders\"} 1"
            )
        );
        assert!(text.contains("curfew_cut_latency_seconds_bucket{le=\"0.001\"} 1"));
        assert!(text.contains("curfew_build_info{version=\"1.2.3\"} 1"));
    }
}

//! Debian's Prometheus, scraping one address every second.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::error::{Context, Error, Result};
use crate::port::{ATTEMPTS, free_port};
use crate::process::{self, Process, Stop};
use crate::psql::{Output, run};

const LIMIT: Duration = Duration::from_secs(60);

/// A running Prometheus; stopped, its data removed, when dropped.
pub struct Prometheus {
    _process: Process,
    address: SocketAddr,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `http://SCRAPE/metrics` as the job `curfew`, with the rules of these files loaded.
    ///
    /// # Errors
    /// When Prometheus is not installed or does not start.
    pub async fn start(scrape: SocketAddr, rules: &[&Path]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("curfew-prometheus-").tempdir()?;
        let rules: Vec<String> = rules.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let config = serde_json::json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": rules,
            "scrape_configs": [{
                "job_name": "curfew",
                "static_configs": [{ "targets": [scrape.to_string()] }],
            }],
        });
        // JSON is YAML.
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config.to_string())?;
        for _ in 0..ATTEMPTS {
            let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
            let mut command = process::command("prometheus", Stop::Kill, None);
            command.arg(format!("--config.file={}", file.display()));
            command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
            command.arg(format!("--web.listen-address={address}"));
            let process = Process::spawn("prometheus", command, Stop::Kill)?;
            let ready = process.logs().find("readiness", LIMIT, |line| {
                let ready = line.text.contains("Server is ready to receive web requests");
                let taken = line.text.contains("address already in use");
                if ready { Some(true) } else { taken.then_some(false) }
            });
            if ready.await? {
                let http = crate::browser::plain_client()?;
                return Ok(Self { _process: process, address, http, _folder: folder });
            }
        }
        Err(Error::new("five free ports were taken before Prometheus could bind them"))
    }

    /// The samples that a PromQL expression gives now, each with its labels and value.
    ///
    /// # Errors
    /// When Prometheus refuses the expression.
    pub async fn query(&self, expression: &str) -> Result<Vec<(Value, f64)>> {
        let url = format!("http://{}/api/v1/query", self.address);
        let answer = self.http.get(url).query(&[("query", expression)]).send().await?;
        let answer: Value = answer.error_for_status().context(expression)?.json().await?;
        let samples = answer.pointer("/data/result").and_then(Value::as_array).context("no result")?;
        let parse = |sample: &Value| {
            let value = sample.pointer("/value/1")?.as_str()?.parse().ok()?;
            Some((sample.get("metric")?.clone(), value))
        };
        Ok(samples.iter().filter_map(parse).collect())
    }

    /// Waits until the expression gives at least one sample, and answers all of them.
    ///
    /// # Errors
    /// When `limit` passes before.
    pub async fn wait_for(&self, expression: &str, limit: Duration) -> Result<Vec<(Value, f64)>> {
        let samples = async || {
            let samples = self.query(expression).await.ok()?;
            (!samples.is_empty()).then_some(samples)
        };
        Ok(crate::until(expression, limit, samples).await?.0)
    }
}

/// Runs promtool, as in `promtool(["check", "rules", FILE])`.
///
/// # Errors
/// When it is not installed.
pub async fn promtool<const N: usize>(args: [&str; N]) -> Result<Output> {
    let mut command = process::command("promtool", Stop::Kill, None);
    command.args(args);
    run(command, LIMIT).await
}

//! What Prometheus sees: everything that docs/metrics.md names, and never who.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use curfew_harness::prometheus::promtool;
use curfew_harness::psql::output;
use curfew_harness::{Prometheus, repository};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{plain, with_grant};
use crate::world::LIMIT;

/// Name, type and labels of every row of docs/metrics.md.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let (what, kind) = (cells.next()?.trim_end_matches('`'), cells.next()?);
        let (name, labels) = what.split_once('{').unwrap_or((what, ""));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        Some((name.to_owned(), (kind.to_owned(), labels.map(str::to_owned).collect())))
    });
    let rows: BTreeMap<_, _> = rows.collect();
    assert!(rows.len() > 15, "{rows:?}");
    rows
}

/// The labels of every sample: name, then label and value.
fn samples(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let parse = |line: &str| {
        let (name, rest) = line.split_once(['{', ' ']).unwrap();
        let mut labels = BTreeMap::new();
        if line.contains('{') {
            for label in rest.split_once('}').unwrap().0.split(',') {
                let (key, value) = label.split_once('=').unwrap();
                labels.insert(key.to_owned(), value.trim_matches('"').to_owned());
            }
        }
        (name.to_owned(), labels)
    };
    lines.map(parse).collect()
}

#[tokio::test]
async fn prometheus_scrapes_every_metric_that_is_documented_and_no_label_says_who() {
    let (world, alice, grant) = with_grant(|options| options).await;
    let rules = repository().join("docs/monitoring/alerts.yml");
    let prometheus = Prometheus::start(world.gate.metrics(), &[&rules]).await.unwrap();

    // One of everything: a session that is cut, a refusal, a startup that fails, a request that is decided.
    let args = ["psql", "orders", "--as", "orders_read", "--", "-Xc", "select pg_sleep(600)"];
    let mut psql = alice.spawn(args).unwrap();
    let asleep = "select count(*) = 1 from pg_stat_activity where query = 'select pg_sleep(600)'";
    world.postgres.wait_until(asleep, LIMIT).await.unwrap();
    prometheus.wait_for("curfew_sessions_live{target=\"orders\"} == 1", LIMIT).await.unwrap();
    alice.curfew(["return", &grant]).await.unwrap().success().unwrap();
    output(&mut psql, LIMIT).await.unwrap();
    let said =
        world.psql("orders_read").param("application_name", "x").run(["-c", "select 1"]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    let mut garbage = TcpStream::connect(world.gate.postgres()).await.unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n").await.unwrap();
    garbage.read_to_end(&mut Vec::new()).await.unwrap();

    for (query, least) in [
        ("up{job=\"curfew\"} == 1", 1.0),
        ("curfew_build_info", 1.0),
        ("curfew_sessions_total{protocol=\"postgres\",target=\"orders\",reason=\"returned\"} == 1", 1.0),
        ("curfew_sessions_live{target=\"orders\"} == 0", 0.0),
        ("curfew_cut_latency_seconds_count == 1", 1.0),
        ("curfew_signins_total{method=\"loopback\",outcome=\"ok\"} >= 1", 1.0),
        ("curfew_signins_total{method=\"certificate\",outcome=\"ok\"} >= 1", 1.0),
        ("curfew_requests{state=\"approved\"} == 1", 1.0),
        ("curfew_grants{state=\"returned\"} == 1", 1.0),
        ("curfew_refusals_total >= 1", 1.0),
        ("curfew_startup_failures_total{cause=\"protocol\"} >= 1", 1.0),
        ("curfew_bytes_total{direction=\"in\"} > 0", 1.0),
        ("curfew_store_up == 1", 1.0),
        ("curfew_checkpoint_age_seconds < 60", 0.0),
    ] {
        let found = prometheus.wait_for(query, LIMIT).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => panic!("{error:?}\n{}", world.metrics().await),
        };
        assert!(found[0].1 >= least, "{query}: {found:?}");
    }

    let text = world.metrics().await;
    let documented = documented();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: BTreeMap<_, _> = types.collect();
    for (name, (kind, _)) in &documented {
        assert_eq!(types.get(name.as_str()), Some(&kind.as_str()), "{name}\n{text}");
    }
    for name in types.keys().filter(|name| name.starts_with("curfew_")) {
        assert!(documented.contains_key(*name), "{name} is not in docs/metrics.md");
    }
    for (name, labels) in samples(&text) {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let row = documented.get(&name).or_else(|| documented.get(family?));
        let Some((_, known)) = row else {
            assert!(!name.starts_with("curfew_"), "{name}");
            continue;
        };
        let mut names: BTreeSet<_> = labels.keys().cloned().collect();
        names.remove("le");
        assert_eq!(&names, known, "{name}");
    }
    for private in ["alice", "example.com", "127.0.0.1", "pg_sleep", "orders_read", grant.as_str()] {
        assert!(!text.contains(private), "{private}: {text}");
    }

    let said = promtool(["check", "rules", rules.to_str().unwrap()]).await.unwrap().success().unwrap();
    assert!(said.stdout.contains("SUCCESS"), "{}", said.stdout);
    let alerts = fs::read_to_string(&rules).unwrap();
    let words = alerts.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    for name in words.filter(|word| word.starts_with("curfew_")) {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let known =
            documented.contains_key(name) || family.is_some_and(|family| documented.contains_key(family));
        assert!(known, "an alert asks for {name}");
    }
}

#[tokio::test]
async fn health_and_metrics_are_where_they_belong() {
    let (world, ..) = with_grant(|options| options).await;
    let browser = curfew_harness::Browser::new().unwrap();
    for path in ["/healthz", "/readyz"] {
        for page in [browser.get(&world.gate.page(path)).await.unwrap(), plain(&world, path).await] {
            assert_eq!((page.status, page.body.trim()), (200, "ok"), "{path}");
        }
    }
    assert_eq!(plain(&world, "/metrics").await.status, 200);
    // Nothing else on the metrics port, which has neither TLS nor sign-in; and no metrics where people are.
    for path in ["/", "/requests", "/api/v1/audit", "/signin"] {
        assert_eq!(plain(&world, path).await.status, 404, "{path}");
    }
    assert_eq!(browser.get(&world.gate.page("/metrics")).await.unwrap().status, 404);
}

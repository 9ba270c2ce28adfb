//! The loop without hands, one line a step: `ok STEP DETAIL`. The first step that is not so ends it with an error.

use std::time::{Duration, Instant};

use curfew_harness::clock::{Clock, millis};
use curfew_harness::tap::What;
use curfew_harness::{Context, Direction, Error, Page, Person, Prometheus, Result, Terminal};
use serde_json::Value;

use super::parts::{BRISK, Pace, Parts};
use super::shell::Shell;

const LIMIT: Duration = Duration::from_secs(15);
/// The goodbye's time, and a little for psql to show it.
const CUT_LIMIT: Duration = Duration::from_secs(3);
const PROMPT: &str = "orders=> ";
const STREAM: &str = "\\copy (select generate_series(1, 2000000000)) to '/dev/null'";
/// Pieces of at least this size are the stream; the goodbye is smaller.
const BULK: usize = 2048;

/// Plays the tour.
pub async fn play() -> Result<()> {
    let begun = Instant::now();
    let parts = Parts::start(Pace::Brisk).await?;
    say("up", &format!("gate {}, Postgres, sshd, provider ({})", parts.gate.url(), parts.provider.issuer()));
    let mut tour = Tour::new(&parts)?;
    tour.link().await.context("link")?;
    let page = tour.signin().await.context("signin")?;
    tour.request(page).await.context("request")?;
    tour.approve().await.context("approve")?;
    tour.rows().await.context("rows")?;
    tour.countdown().await.context("countdown")?;
    tour.cut().await.context("cut")?;
    tour.gone().await.context("gone")?;
    tour.reconnect().await.context("reconnect")?;
    tour.recording().await.context("recording")?;
    Shell::new(&parts, &tour.alice, &tour.bob, &tour.erin)?.play().await?;
    tour.audit().await.context("audit")?;
    tour.metrics().await.context("metrics")?;
    drop(tour);
    drop(parts);
    say("done", &format!("in {:.0} s, nothing left running", begun.elapsed().as_secs_f64()));
    Ok(())
}

pub(super) fn say(step: &str, detail: &str) {
    println!("ok {step:<10} {detail}");
}

struct Tour<'a> {
    parts: &'a Parts,
    terminal: Terminal,
    alice: Person,
    bob: Person,
    erin: Person,
    link: String,
    ends_at: Instant,
}

impl<'a> Tour<'a> {
    fn new(parts: &'a Parts) -> Result<Self> {
        let terminal = Terminal::psql(&parts.psql(), ["-P", "pager=off"])?;
        let person = |name| parts.gate.person(name);
        let (alice, bob, erin) = (person("alice")?, person("bob")?, person("erin")?);
        Ok(Self { parts, terminal, alice, bob, erin, link: String::new(), ends_at: Instant::now() })
    }

    async fn link(&mut self) -> Result<()> {
        self.link = self.terminal.link(&self.parts.gate.url(), LIMIT).await?;
        say("link", &format!("psql waits with {}", self.link));
        Ok(())
    }

    async fn signin(&mut self) -> Result<Page> {
        let page = self.alice.open(&self.link).await?;
        let (_, button) = page.action("yes")?;
        let page = self.alice.browser.act(&page, "yes", &[]).await?;
        say("signin", &format!("alice, at the provider; pressed {:?}", button.text));
        Ok(page)
    }

    async fn request(&mut self, page: Page) -> Result<()> {
        let reason = "INC-1: orders are stuck in new";
        let page = self.alice.browser.act(&page, "ask", &[("reason", reason)]).await?;
        let text = page.text();
        if page.status != 200 || !text.contains("pending") {
            return Err(Error::new(format!("after asking, {} says ({}): {text}", page.url, page.status)));
        }
        say("request", &format!("under orders-debug, for {BRISK:?}: {reason:?}"));
        Ok(())
    }

    async fn approve(&mut self) -> Result<()> {
        let list = self.bob.open(&self.parts.gate.page("/requests")).await?;
        let requests = list.links().into_iter().map(|(_, url)| url);
        let mut requests = requests.filter(|url| is_request(url.path()));
        let url = requests.next().context(format!("bob sees no request: {}", list.text()))?;
        let page = self.bob.browser.follow(&list, url.as_str()).await?;
        let page = self.bob.browser.act(&page, "approve", &[]).await?;
        if page.status != 200 || page.action("approve").is_ok() {
            return Err(Error::new(format!("after approving, {} says: {}", page.url, page.text())));
        }
        say("approve", &format!("bob, on {}", url.path()));
        Ok(())
    }

    async fn rows(&mut self) -> Result<()> {
        self.terminal.wait_for(PROMPT, LIMIT).await?;
        self.terminal.send_line("select status, count(*) from orders group by 1 order by 2 desc;").await?;
        let shown = self.terminal.wait_for("(5 rows)", LIMIT).await?;
        let rows = shown.lines().filter(|line| line.contains(" | ")).count();
        if rows < 5 {
            return Err(Error::new(format!("psql shows no rows:\n{shown}")));
        }
        self.terminal.wait_for(PROMPT, LIMIT).await?;
        self.alice.login().await?;
        let clock = Clock::read();
        let grants = json(&self.alice.curfew(["grants", "--json"]).await?.success()?.stdout)?;
        let grant = grants.pointer("/items/0").context(format!("alice has no grant: {grants}"))?;
        self.ends_at = clock.instant(text(grant, "ends_at")?)?;
        let left = self.ends_at.saturating_duration_since(Instant::now());
        say("rows", &format!("5 rows of orders by status; grant {} has {left:.1?} left", text(grant, "id")?));
        Ok(())
    }

    async fn countdown(&mut self) -> Result<()> {
        // psql shows a notice while it waits for an answer, so it is given something to wait for.
        let wait = self.ends_at.saturating_duration_since(Instant::now() + Duration::from_secs(8));
        self.terminal.send_line(&format!("select pg_sleep({});", wait.as_secs_f64())).await?;
        let shown = self.terminal.wait_for("NOTICE:", LIMIT + wait).await?;
        let rest = self.terminal.wait_for("\n", LIMIT).await?;
        let left = self.ends_at.saturating_duration_since(self.terminal.read_at().context("no time")?);
        self.terminal.wait_for(PROMPT, LIMIT).await?;
        drop(shown);
        say("countdown", &format!("{:.1} s before the end:{}", left.as_secs_f64(), rest.trim_end()));
        Ok(())
    }

    async fn cut(&mut self) -> Result<()> {
        self.terminal.send_line(STREAM).await?;
        let left = self.ends_at.saturating_duration_since(Instant::now());
        self.terminal.wait_for("FATAL:", left + CUT_LIMIT).await?;
        let sentence = self.terminal.wait_for("\n", LIMIT).await?;
        let tap = &self.parts.client_side;
        let closed = tap.closed(0, Direction::ToClient, CUT_LIMIT).await?;
        let events = tap.events();
        let bulk = |what: &What| matches!(what, What::Bytes(bytes) if bytes.len() >= BULK);
        let down = |event: &&curfew_harness::tap::Event| {
            event.connection == 0 && event.direction == Direction::ToClient && bulk(&event.what)
        };
        let last = events.iter().rfind(down).context("the stream never ran")?.at;
        let streamed: usize = tap.bytes(0, Direction::ToClient).len();
        let (latency, close) = (millis(self.ends_at, last), millis(self.ends_at, closed));
        if !(-1000.0..100.0).contains(&latency) || close > 2000.0 {
            return Err(Error::new(format!(
                "last session byte {latency:.1} ms, close {close:.1} ms after the end"
            )));
        }
        say(
            "cut",
            &format!(
                "after {} MB, last byte {latency:+.1} ms from the end, closed at {close:+.1} ms:{}",
                streamed / 1_000_000,
                sentence.trim_end()
            ),
        );
        Ok(())
    }

    async fn gone(&mut self) -> Result<()> {
        let sql = "select count(*) = 0 from pg_stat_activity where usename = 'orders_read'";
        self.parts.postgres.wait_until(sql, CUT_LIMIT).await?;
        let open = |direction| self.parts.target_side.closed(0, direction, CUT_LIMIT);
        open(Direction::ToTarget).await?;
        say("gone", "no backend of orders_read in pg_stat_activity, its socket closed");
        Ok(())
    }

    async fn reconnect(&mut self) -> Result<()> {
        // psql tries once by itself, and must be told at once rather than be made to wait.
        let shown = self.terminal.wait_for("!?> ", CUT_LIMIT).await?;
        let told = shown.lines().rfind(|line| line.contains("NOTICE:"));
        let told = told.context(format!("psql's own reconnect got no sentence:\n{shown}"))?;
        say("reconnect", told.split_once("NOTICE:").map_or(told, |(_, sentence)| sentence).trim());
        self.terminal.send_line("\\q").await?;
        self.terminal.ended(LIMIT).await?;
        Ok(())
    }

    async fn recording(&mut self) -> Result<()> {
        self.erin.login().await?;
        let sessions = json(&self.erin.curfew(["sessions", "--json"]).await?.success()?.stdout)?;
        let session = sessions.pointer("/items/0").context(format!("erin sees no session: {sessions}"))?;
        let (id, reason) = (text(session, "id")?, text(session, "end_reason")?);
        if reason != "expired" {
            return Err(Error::new(format!("session {id} ended as {reason}, not as expired")));
        }
        let events = self.erin.curfew(["sessions", "export", id]).await?.success()?.stdout;
        let statements =
            events.lines().filter(|line| line.contains("pg_sleep") || line.contains("group by")).count();
        if statements < 2 {
            return Err(Error::new(format!("the recording lacks what was typed:\n{events}")));
        }
        let file = self.erin.home().join("recording.curfew").to_string_lossy().into_owned();
        self.erin.curfew(["sessions", "export", id, "--sealed", "--output", &file]).await?.success()?;
        self.erin.curfew(["sessions", "verify", &file]).await?.success()?;
        say("recording", &format!("{id} ended as {reason}; {} events, verified", events.lines().count()));
        Ok(())
    }

    async fn audit(&mut self) -> Result<()> {
        let verified = self.erin.curfew(["audit", "verify"]).await?.success()?.stdout;
        say("audit", verified.lines().collect::<Vec<_>>().join("; ").trim());
        Ok(())
    }

    async fn metrics(&mut self) -> Result<()> {
        let prometheus = Prometheus::start(self.parts.gate.metrics(), &[]).await?;
        let cut = "curfew_sessions_total{reason=\"expired\"} == 1";
        prometheus.wait_for(cut, LIMIT).await?;
        let counted = prometheus.query("curfew_cut_latency_seconds_count").await?;
        if !counted.iter().any(|(_, count)| *count >= 1.0) {
            return Err(Error::new("no cut in the histogram"));
        }
        say("metrics", &format!("scraped by Prometheus: {cut}"));
        Ok(())
    }
}

fn is_request(path: &str) -> bool {
    path.strip_prefix("/requests/").is_some_and(|id| !id.is_empty() && id != "new" && !id.contains('/'))
}

pub(super) fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).context(text)
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).context(format!("no {key} in {value}"))
}

//! One gate with everything around it, for one test; and the people who use it.

use std::net::Ipv4Addr;
use std::time::Duration;

use curfew_harness::postgres::Postgres;
use curfew_harness::{Browser, Gate, GateOptions, Person, Provider, Psql, Tap, Terminal, Wire};
use reqwest::Method;
use serde_json::Value;

/// Long enough for a machine that is busy with other tests; nothing that goes well takes as long.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A contract that grants at once, for tests that are about what comes after.
pub const NOW: &str = r#"
[contract]
name = "orders-now"
description = "Anything on the orders database, at once"

[who]
groups = ["sre"]

[what]
targets = { names = ["orders"] }
accounts = ["orders_read", "orders_write", "admin"]

[when]
duration = { default = "30m", max = "4h" }

[end]
extend = { max = 2, by = "30m", approval = "none" }

[record]
parameters = "full"
"#;

/// Dropped from the top: whoever connects goes before whom they connect to.
pub struct World {
    /// Between clients and the gate.
    pub client_side: Tap,
    /// Curfew.
    pub gate: Gate,
    /// Between the gate and Postgres.
    pub target_side: Tap,
    /// The people's provider.
    pub provider: Provider,
    /// The target.
    pub postgres: Postgres,
}

impl World {
    /// As it is meant to be run: TLS on both sides, the contract with an approval.
    pub async fn secure(change: impl FnOnce(GateOptions) -> GateOptions) -> Self {
        let (postgres, provider) = tokio::try_join!(Postgres::start(), Provider::start(&[])).unwrap();
        // What nobody can read is not kept.
        let near = Ipv4Addr::LOCALHOST.into();
        let target_side = Tap::without_contents(near, postgres.address()).await.unwrap();
        let options = GateOptions::new(env!("CARGO_BIN_EXE_curfew"));
        let options = options.target_at("orders", target_side.address(), &postgres);
        Self::start(change(options), postgres, provider, target_side).await
    }

    /// No TLS on either side, so that taps can read along, and grants without an approval.
    pub async fn open(change: impl FnOnce(GateOptions) -> GateOptions) -> Self {
        let (postgres, provider) = tokio::try_join!(Postgres::start(), Provider::start(&[])).unwrap();
        let target_side = Tap::start(postgres.address()).await.unwrap();
        let mut options = GateOptions::new(env!("CARGO_BIN_EXE_curfew"));
        options = options.target_with("orders", target_side.address(), "mode = \"disable\"");
        options.postgres = ", plaintext = \"allow\"".to_owned();
        options.contracts.clear();
        Self::start(change(options.contract("orders-now", NOW)), postgres, provider, target_side).await
    }

    async fn start(options: GateOptions, postgres: Postgres, provider: Provider, target_side: Tap) -> Self {
        let gate = Gate::start(options, &provider).await.unwrap();
        let client_side = Tap::start(gate.postgres()).await.unwrap();
        Self { client_side, gate, target_side, provider, postgres }
    }

    /// psql towards the gate, through the tap, over TLS.
    pub fn psql(&self, account: &str) -> Psql {
        Psql::to(self.client_side.address()).user(account).database("orders")
    }

    /// psql in the clear, with SQLSTATEs shown.
    pub fn open_psql(&self, account: &str) -> Psql {
        self.psql(account).param("sslmode", "disable").param("gssencmode", "disable")
    }

    /// A client of bytes that calls itself psql, through the tap.
    pub async fn wire(&self, account: &str) -> Wire {
        Wire::psql(self.client_side.address(), account, "orders").await.unwrap()
    }

    /// Somebody whose commands and browser are signed in.
    pub async fn signed_in(&self, name: &str) -> Person {
        let person = self.gate.person(name).unwrap();
        person.login().await.unwrap();
        person
    }

    /// Asks for the account under [`NOW`], and gives the grant.
    pub async fn grant(&self, person: &Person, account: &str, duration: &str) -> Value {
        let asked = ["request", "orders", "--as", account, "--reason", "a test", "--for", duration, "--json"];
        let request = person.json(asked).await.unwrap();
        let id = request["grant_id"].as_str().unwrap_or_else(|| panic!("no grant at once: {request}"));
        person.json(["grants", id, "--json"]).await.unwrap()
    }

    /// psql on a terminal, in the clear, signed in by this person and at its prompt.
    pub async fn terminal(&self, person: &Person, account: &str) -> Terminal {
        let psql = self.open_psql(account);
        let mut terminal = Terminal::psql(&psql, ["-v", "VERBOSITY=verbose", "-P", "pager=off"]).unwrap();
        let link = terminal.link(&self.gate.url(), LIMIT).await.unwrap();
        person.consent(&link).await.unwrap();
        terminal.wait_for("orders=> ", LIMIT).await.unwrap();
        terminal
    }

    /// A client of bytes, signed in by this person, when it is ready for its first query.
    pub async fn signed_in_wire(&self, person: &Person, account: &str) -> Wire {
        let mut wire = self.wire(account).await;
        let link = wire.link(&self.gate.url()).await.unwrap();
        person.consent(&link).await.unwrap();
        wire.until(b'Z').await.unwrap();
        wire
    }

    /// Whoever reads everything.
    pub async fn auditor(&self) -> Auditor {
        Auditor::of(&self.gate).await
    }

    /// What is scraped at this moment.
    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.gate.metrics());
        Browser::new().unwrap().get(&url).await.unwrap().body
    }
}

/// Reads the audit log and the sessions by the API, with a browser's cookie.
pub struct Auditor {
    url: String,
    person: Person,
}

impl Auditor {
    /// Erin, signed in at this gate.
    pub async fn of(gate: &Gate) -> Self {
        let person = gate.person("erin").unwrap();
        let page = person.open(&gate.page("/requests")).await.unwrap();
        assert_eq!(page.status, 200, "{}", page.text());
        Self { url: gate.url(), person }
    }

    async fn ask(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url);
        let answer = self.person.browser.request(Method::GET, &url).unwrap().send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        text
    }

    /// A resource of the API.
    pub async fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.ask(path).await).unwrap()
    }

    /// What the audit log has after this number, in order; waits a few seconds where there is nothing.
    pub async fn events(&self, after: u64) -> Vec<Value> {
        let lines = self.ask(&format!("/api/v1/audit?after={after}&limit=500&wait_seconds=5")).await;
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for the first event of this kind, past or to come, that is the one looked for.
    pub async fn event(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            let mut after = 0;
            loop {
                for event in self.events(after).await {
                    after = event["seq"].as_u64().unwrap();
                    if event["kind"] == kind && wanted(&event) {
                        return event;
                    }
                }
            }
        };
        tokio::time::timeout(LIMIT, looking).await.unwrap_or_else(|_| panic!("no {kind} in the audit log"))
    }

    /// Waits for the end of the last session under this grant.
    pub async fn ended(&self, grant: &str) -> Value {
        let started = self.event("session.started", |event| event["grant"] == grant).await;
        self.event("session.ended", |event| event["session"] == started["session"]).await
    }
}

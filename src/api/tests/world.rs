//! Contracts, targets, people and short ways to call, for the tests of the API and the pages.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use curfew_adapter::{HostPort, Protocol, SessionId, TargetTls, TlsMode};
use futures_util::future::BoxFuture;
use rustls::RootCertStore;
use serde_json::Value;
use tower::ServiceExt;

use super::Gate;
use crate::api::v1::LiveSessions;
use crate::audit::Actor;
use crate::config::{Account, SecretSource, Target};
use crate::contract::Contracts;
use crate::identity::Viewer;
use crate::identity::tests::{api_token, vouched};
use crate::store::StoreError;
use crate::store::tests::Backend;

/// One approver, a reason, extensions with approval.
const DEBUG: &str = r#"
[contract]
name = "orders-debug"
description = "Read the orders database while debugging an incident"
[who]
groups = ["sre", "contractors"]
[what]
targets = { names = ["orders"] }
accounts = ["orders_read"]
[when]
duration = { default = "1h", max = "4h" }
[ask]
reason = "required"
expires = "3h"
[[approve]]
from = { groups = ["sre-leads"] }
count = 1
[end]
sessions = 5
extend = { max = 2, by = "30m", approval = "again" }
"#;

/// Two approvers and a ticket.
const WRITE: &str = r#"
[contract]
name = "orders-write"
description = "Repair orders by hand"
[who]
groups = ["sre"]
[what]
targets = { names = ["orders"] }
accounts = ["orders_write"]
[when]
duration = { max = "1h" }
[ask]
reason = "required"
ticket = '^INC-[0-9]+$'
[[approve]]
from = { groups = ["sre-leads"] }
count = 2
"#;

/// At once.
const PEEK: &str = r#"
[contract]
name = "stock-peek"
description = "Look at the stock"
[who]
groups = ["sre"]
[what]
targets = { names = ["stock"] }
accounts = ["stock_read"]
[when]
duration = { default = "15m", max = "30m" }
[end]
extend = { max = 1, by = "10m", approval = "none" }
"#;

/// A second way to the stock, for longer, with approval.
const COUNT: &str = r#"
[contract]
name = "stock-count"
description = "Count the stock"
[who]
users = ["carol@example.com"]
groups = ["counters"]
[what]
targets = { names = ["stock"] }
accounts = ["stock_read"]
[when]
duration = { max = "8h" }
[[approve]]
from = { groups = ["sre-leads"] }
"#;

pub(super) fn contracts(backend: &Backend) -> Arc<Contracts> {
    let folder = backend.path().with_file_name("contracts");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in [("debug", DEBUG), ("write", WRITE), ("peek", PEEK), ("count", COUNT)] {
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }
    Contracts::open(&folder).unwrap_or_else(|problems| panic!("{problems}"))
}

pub(super) fn targets() -> Vec<Target> {
    let target = |name: &str, accounts: &[&str]| Target {
        host_keys: curfew_adapter::HostKeys::default(),
        postgres: curfew_adapter::PostgresRoute::default(),
        name: name.to_owned(),
        protocol: Protocol::Postgres,
        address: HostPort { host: "db.internal".to_owned(), port: 5432 },
        labels: [("env".to_owned(), "prod".to_owned())].into(),
        databases: vec![name.to_owned()],
        tls: TargetTls::new(TlsMode::Disable, RootCertStore::empty()).unwrap(),
        accounts: accounts
            .iter()
            .map(|name| Account {
                name: (*name).to_owned(),
                secret: Some(SecretSource::Env("NOT_READ".to_owned())),
                certificate: None,
                login: curfew_adapter::Login::Password,
            })
            .collect(),
    };
    vec![
        target("orders", &["orders_read", "orders_write"]),
        target("stock", &["stock_read"]),
        target("payroll", &["payroll_admin"]),
    ]
}

/// Remembers who was to be killed, and says that they lived.
#[derive(Debug, Default)]
pub(crate) struct NobodyLives {
    pub(crate) killed: Mutex<Vec<SessionId>>,
}

impl LiveSessions for NobodyLives {
    fn kill<'a>(
        &'a self,
        id: &'a SessionId,
        _by: Actor,
        _why: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.killed.lock().unwrap().push(id.clone());
        Box::pin(async { Ok(true) })
    }

    fn bytes(&self, _id: &SessionId) -> Option<(u64, u64)> {
        None
    }

    fn draining(&self) -> bool {
        false
    }
}

/// Somebody with a browser and the command line.
pub(crate) struct Somebody {
    pub(crate) viewer: Viewer,
    pub(crate) cookie: String,
    pub(crate) bearer: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a field of the answer.
    #[track_caller]
    pub(crate) fn get(&self, field: &str) -> String {
        let json = self.json();
        json[field].as_str().unwrap_or_else(|| panic!("no {field} in {json:#}")).to_owned()
    }

    /// Where the answer sends the browser.
    #[track_caller]
    pub(crate) fn leads_to(self) -> String {
        let answer = self.is(303);
        answer.headers[header::LOCATION].to_str().unwrap().to_owned()
    }

    /// The text of a page, without markup, white space joined.
    pub(crate) fn words(&self) -> String {
        let body = self.text.split("<main").nth(1).unwrap_or(&self.text);
        let mut text = String::new();
        let mut inside = true;
        for c in body.chars() {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    text.push(' ');
                }
                c if !inside => text.push(c),
                _ => {}
            }
        }
        let text = text.replace("&#38;", "&").replace("&#39;", "'").replace("&#34;", "\"");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The same answer, if its status is this one.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if status >= 400 && !self.text.starts_with("<!DOCTYPE") {
            assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.text);
            assert_eq!(self.json()["status"], status);
        }
        self
    }
}

impl Gate {
    /// Signs somebody in.
    pub(crate) async fn person(&self, name: &str, groups: &[&str]) -> Somebody {
        let from = Some("192.0.2.9".parse().unwrap());
        let (viewer, cookie) = self.app.identities.welcome(&vouched(name, groups), from).await.unwrap();
        let bearer = api_token(&self.app.identities, &viewer).await;
        Somebody { viewer, cookie: cookie.reveal().to_owned(), bearer: bearer.reveal().to_owned() }
    }

    /// alice an engineer, bob and erin approvers, carol a contractor, frank an auditor, dave an admin.
    pub(crate) async fn everybody(&self) -> [Somebody; 6] {
        [
            self.person("alice", &["sre"]).await,
            self.person("bob", &["sre-leads"]).await,
            self.person("carol", &["contractors"]).await,
            self.person("dave", &["platform"]).await,
            self.person("erin", &["sre", "sre-leads"]).await,
            self.person("frank", &["security"]).await,
        ]
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, 8 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// Calls the API with a bearer token.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        by: &Somebody,
        body: Option<Value>,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", by.bearer));
        let request = match body {
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    /// Opens a page in the browser of `by`; nobody's where there is none.
    pub(crate) async fn page(&self, path: &str, by: Option<&Somebody>) -> Answer {
        let request = Request::get(path).header(header::ACCEPT, "text/html");
        let request = match by {
            Some(by) => request.header(header::COOKIE, format!("__Host-curfew-signin={}", by.cookie)),
            None => request,
        };
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form of a page in the browser of `by`, with its proof.
    pub(crate) async fn form(&self, path: &str, by: &Somebody, fields: &[(&str, &str)]) -> Answer {
        let proof = crate::api::csrf::proof(&by.cookie);
        self.form_with(path, Some(by), &[fields, &[("csrf", &proof)]].concat()).await
    }

    /// Sends these fields and no others.
    pub(crate) async fn form_with(
        &self,
        path: &str,
        by: Option<&Somebody>,
        fields: &[(&str, &str)],
    ) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match by {
            Some(by) => request.header(header::COOKIE, format!("__Host-curfew-signin={}", by.cookie)),
            None => request,
        };
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, by: &Somebody) -> Answer {
        self.call(Method::GET, path, by, None).await
    }

    pub(crate) async fn post(&self, path: &str, by: &Somebody, body: Value) -> Answer {
        self.call(Method::POST, path, by, Some(body)).await
    }
}

//! Who may do what: every route of the gate, asked by every role, printed to docs/roles.md.
//!
//! Each cell is an answer to a fresh world, so that no call changes the next one's. The routes come from the OpenAPI
//! document and from the list of pages below, which is checked against the source.

use std::collections::BTreeSet;
use std::fmt::Write;

use axum::body::Body;
use axum::http::{Method, Request, header};
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::Gate;
use super::world::Somebody;
use crate::api::v1::document;
use crate::golden::golden;

/// Pages and other routes that are not in the document: method, path, and what a form says besides its proof.
const PAGES: &[(&str, &str, &str)] = &[
    ("GET", "/", ""),
    ("GET", "/targets", ""),
    ("GET", "/targets/{name}", ""),
    ("GET", "/targets/{name}/credential", ""),
    ("POST", "/targets/{name}/credential", "account=orders_read"),
    ("GET", "/requests", ""),
    ("POST", "/requests", "target=orders&account=orders_read&reason=x"),
    ("GET", "/requests/new", ""),
    ("GET", "/requests/{id}", ""),
    ("GET", "/requests/{id}/{action}", ""),
    ("POST", "/requests/{id}/{action}", "reason=no"),
    ("GET", "/grants/{id}/{action}", ""),
    ("POST", "/grants/{id}/{action}", "reason=no"),
    ("GET", "/keys/remove", ""),
    ("POST", "/keys/remove", "fingerprint=SHA256:alices"),
    ("GET", "/style.css", ""),
    ("GET", "/copy.js", ""),
    ("GET", "/healthz", ""),
    ("GET", "/readyz", ""),
    ("GET", "/signin", ""),
    ("GET", "/signin/{provider}", ""),
    ("GET", "/oidc/callback/{provider}", ""),
    ("POST", "/oidc/callback/{provider}", "code=x&state=x"),
    ("POST", "/signout", ""),
    ("GET", "/link/{id}", ""),
    ("POST", "/link/{id}", "action=yes"),
    ("GET", "/device", ""),
    ("POST", "/device", "action=find&code=BBBB-BBBB"),
    ("GET", "/.well-known/oauth-authorization-server", ""),
    ("GET", "/.well-known/openid-configuration", ""),
    ("GET", "/oauth/authorize", ""),
    ("POST", "/oauth/authorize", "action=yes"),
    ("POST", "/oauth/token", "grant_type=authorization_code&code=x&client_id=curfew-cli"),
    ("POST", "/oauth/device_authorization", "client_id=curfew-cli"),
    ("POST", "/oauth/revoke", "token=x&client_id=curfew-cli"),
];

/// The name of the key that is bound to alice's sign-in.
const ALICES_KEY: &str = "SHA256:alices";

/// What a path with `{action}` is asked for.
const ACTIONS: &[(&str, &[&str])] =
    &[("/requests/", &["approve", "deny", "cancel"]), ("/grants/", &["extend", "return", "revoke"])];

const ROLES: [&str; 6] = ["anonymous", "user", "owner", "approver", "auditor", "admin"];

/// One call, with its ids still to be filled in.
struct Call {
    method: Method,
    path: String,
    form: Option<&'static str>,
}

impl Call {
    /// What the table calls it.
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn api(&self) -> bool {
        self.path.starts_with("/api/")
    }
}

fn calls() -> Vec<Call> {
    let document: Value = serde_json::from_str(document()).unwrap();
    let mut calls = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            calls.push(Call { method, path: path.clone(), form: None });
        }
    }
    for (method, path, form) in PAGES {
        let actions = match ACTIONS.iter().find(|(begin, _)| path.starts_with(begin)) {
            Some((_, actions)) if path.ends_with("{action}") => *actions,
            _ => &[""],
        };
        for action in actions {
            let method: Method = method.parse().unwrap();
            let form = (method == Method::POST).then_some(*form);
            calls.push(Call { method, path: path.replace("{action}", action), form });
        }
    }
    calls
}

/// Things that calls are about: alice's.
struct World {
    gate: Gate,
    people: [Somebody; 6],
    request: String,
    grant: String,
    session: String,
    credential: String,
}

impl World {
    async fn new() -> Self {
        let gate = Gate::alone().await;
        let people = gate.everybody().await;
        let [alice, bob, ..] = &people;
        let grant = gate.granted(alice, bob).await;
        let request = gate.pending(alice).await;
        let session = gate.session(&grant, alice, true).await.to_string();
        gate.bind_key(alice, ALICES_KEY).await;
        let credential = gate.credential(alice).await;
        Self { gate, people, request, grant, session, credential }
    }

    fn who(&self, role: &str) -> Option<&Somebody> {
        let [alice, bob, carol, dave, _, frank] = &self.people;
        match role {
            "anonymous" => None,
            "user" => Some(carol),
            "owner" => Some(alice),
            "approver" => Some(bob),
            "auditor" => Some(frank),
            _ => Some(dave),
        }
    }

    /// The path with alice's ids.
    fn path(&self, call: &Call) -> String {
        let alice = &self.people[0].viewer;
        let id = match call
            .path
            .split('/')
            .find(|part| ["requests", "grants", "sessions", "signins", "identities"].contains(part))
        {
            Some("requests") => self.request.clone(),
            Some("grants") => self.grant.clone(),
            Some("sessions") => self.session.clone(),
            Some("signins") => alice.signin.id.to_string(),
            Some("identities") => alice.identity.id.to_string(),
            _ => "aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        };
        let path =
            call.path.replace("{id}", &id).replace("{provider}", "example").replace("{name}", "orders");
        match path.as_str() {
            "/requests/new" => "/requests/new?target=orders&account=orders_read".to_owned(),
            "/api/v1/search" => format!("{path}?text=x"),
            "/api/v1/contracts/explain" => format!("{path}?target=orders&who=alice@example.com"),
            _ => path,
        }
    }

    async fn status(&self, call: &Call, role: &str) -> u16 {
        let who = self.who(role);
        let mut request = Request::builder().method(call.method.clone()).uri(self.path(call));
        if let Some(who) = who {
            request = match call.api() {
                true => request.header(header::AUTHORIZATION, format!("Bearer {}", who.bearer)),
                false => request.header(header::COOKIE, format!("__Host-curfew-signin={}", who.cookie)),
            };
        }
        let body = match call.form {
            Some(form) => {
                request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                let proof = who.map(|who| crate::api::csrf::proof(&who.cookie)).unwrap_or_default();
                Body::from(format!("{form}&csrf={proof}"))
            }
            None if call.method == Method::POST => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(self.body(&call.path).to_string())
            }
            None => Body::empty(),
        };
        self.gate.send(request.body(body).unwrap()).await.status.as_u16()
    }

    fn body(&self, path: &str) -> Value {
        match path {
            "/api/v1/requests" => json!({ "target": "orders", "account": "orders_read", "reason": "x" }),
            "/api/v1/certificates" => {
                let key = rcgen::KeyPair::generate().unwrap();
                let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
                json!({ "csr": csr.pem().unwrap() })
            }
            "/api/v1/ssh/certificates" => {
                let key = curfew_certs::SshKey::generate().unwrap();
                json!({ "key": key.public_line().unwrap() })
            }
            "/api/v1/credentials" => json!({ "target": "orders", "account": "orders_read" }),
            "/api/v1/credentials/revoke" => json!({ "user": self.credential }),
            "/api/v1/ssh/keys/revoke" => json!({ "fingerprint": ALICES_KEY }),
            _ if path.ends_with("/deny") || path.ends_with("/revoke") && path.contains("grants") => {
                json!({ "reason": "no" })
            }
            _ => json!({}),
        }
    }
}

#[tokio::test]
async fn pgbouncer_cve_2026_6667_every_route_is_answered_to_every_role_as_written_down() {
    let mut table = String::from(
        "# Who may do what\n\n\
         Made by a test: every route, asked by every role, and the status of the answer. Ids in paths are alice's \
         request, grant, session, sign-in or identity, of a contract that the approver may decide. 404 is also the \
         answer where there is no such thing; 303 leads pages that nobody is signed in for to the sign-in, and \
         forms that were taken to their outcome.\n\n",
    );
    writeln!(table, "| route | {} |", ROLES.join(" | ")).unwrap();
    writeln!(table, "|---|{}", "---|".repeat(ROLES.len())).unwrap();
    let shared = World::new().await;
    let rows = calls().into_iter().map(|call| row(call, &shared));
    let rows: Vec<String> = futures_util::stream::iter(rows).buffered(4).collect().await;
    table.extend(rows);
    golden("docs/roles.md", &table);
}

/// A call that changes things gets a world of its own, and another one once it has changed it.
async fn row(call: Call, shared: &World) -> String {
    let mut row = format!("| {} |", call.name());
    let mut own = None;
    for role in ROLES {
        let status = if call.method == Method::GET {
            shared.status(&call, role).await
        } else {
            let world = match own.take() {
                Some(world) => world,
                None => World::new().await,
            };
            let status = world.status(&call, role).await;
            own = (status >= 400 || role == "anonymous").then_some(world);
            status
        };
        write!(row, " {status} |").unwrap();
    }
    row + "\n"
}

#[tokio::test]
async fn jumpserver_cve_2023_42442_a_stranger_gets_nothing_from_any_route() {
    let open = [
        "/api/v1/ca",
        "/api/v1/keys",
        "/api/v1/gate",
        "/api/v1/ssh",
        "/api/v1/openapi.json",
        "/style.css",
        "/copy.js",
        // One word each, for whoever keeps the node up.
        "/healthz",
        "/readyz",
        "/signin",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        // A device begins to wait for somebody to sign in; a token that is none is taken back (RFC 7009, 2.2).
        "/oauth/device_authorization",
        "/oauth/revoke",
    ];
    let world = World::new().await;
    let before = world.gate.audit().await;
    for call in calls() {
        let status = world.status(&call, "anonymous").await;
        let name = call.name();
        let expected: &[u16] = if call.api() && !open.contains(&call.path.as_str()) {
            &[401]
        } else if open.contains(&call.path.as_str()) {
            &[200]
        } else {
            // To the sign-in, or back to a page that asks for it; a form without a sign-in; no such provider or link.
            &[303, 400, 403, 404]
        };
        assert!(expected.contains(&status), "{name}: {status}");
    }
    assert_eq!(world.gate.audit().await, before, "and changes nothing");
}

#[test]
fn no_route_is_missing_from_the_table() {
    let known: BTreeSet<String> = PAGES.iter().map(|(_, path, _)| (*path).to_owned()).collect();
    let document: Value = serde_json::from_str(document()).unwrap();
    let documented: BTreeSet<&String> = document["paths"].as_object().unwrap().keys().collect();
    let mut found = BTreeSet::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && !path.to_string_lossy().contains("tests")
            {
                let text = std::fs::read_to_string(path).unwrap();
                for rest in text.split(".route(\"").skip(1) {
                    found.insert(rest.split('"').next().unwrap().to_owned());
                }
                assert!(
                    !text.contains(".nest(") && !text.contains(".route_service("),
                    "routes that are not seen here"
                );
                for rest in text.split("path = \"/api").skip(1) {
                    let path = format!("/api{}", rest.split('"').next().unwrap());
                    assert!(documented.contains(&path), "{path} is described and not served");
                }
            }
        }
    }
    assert_eq!(found, known, "left: routes of src/api; right: those of the table");
}

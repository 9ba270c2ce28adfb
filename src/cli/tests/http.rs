//! The HTTP client: what it sends, and how it tells what went wrong.

use serde_json::json;
use tokio::net::TcpListener;

use super::fake::{Fake, Person, TOKEN};
use crate::cli::client::Client;
use crate::cli::context::Common;
use crate::cli::{CliError, Exit};

async fn refused(status: u16, body: impl ToString) -> CliError {
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/whoami", status, body);
    Person::signed_in(&gate).types(&["whoami"]).await.unwrap_err()
}

#[tokio::test]
async fn the_token_goes_along_and_into_no_message() {
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/whoami", 500, "");
    let mut person = Person::signed_in(&gate);
    let error = person.types(&["whoami"]).await.unwrap_err();
    let asked = gate.asked_once("GET /api/v1/whoami");
    assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
    let client = person.cx.client(&Common::default()).unwrap();
    for text in [format!("{error:?}"), error.to_string(), format!("{client:?}"), person.aside.text()] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[tokio::test]
async fn a_problem_becomes_its_sentence_and_its_hint() {
    let problem = json!({
        "type": "about:blank", "title": "Conflict", "status": 409,
        "detail": "several contracts fit: a, b", "hint": "name one with --contract\u{1b}[2J",
    });
    let error = refused(409, problem).await;
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(error.to_string(), "several contracts fit: a, b\n  name one with --contract\\u{1b}[2J");
}

#[tokio::test]
async fn an_ended_sign_in_says_how_to_sign_in_again() {
    let error = refused(401, json!({ "title": "Unauthorized", "detail": "your sign-in has ended" })).await;
    assert_eq!(error.exit(), Exit::NotSignedIn);
    let text = error.to_string();
    assert!(text.starts_with("your sign-in has ended\n  type `curfew login http://127.0.0.1:"), "{text}");
}

#[tokio::test]
async fn what_is_no_problem_document_is_told_by_its_status() {
    let error = refused(502, "<html>bad gateway</html>").await;
    assert!(error.to_string().ends_with("answered 502 Bad Gateway"), "{error}");
    let error = refused(200, "<html>a portal</html>").await;
    assert!(error.to_string().starts_with("the gate's answer is not understood"), "{error}");
}

#[tokio::test]
async fn a_redirect_takes_the_token_nowhere() {
    let other = Fake::plain().await;
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/whoami", 302, &other.url);
    let error = Person::signed_in(&gate).types(&["whoami"]).await.unwrap_err();
    assert!(error.to_string().contains("302"), "{error}");
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_gate_that_is_not_there_is_told_apart() {
    let gate = Fake::plain().await;
    let mut person = Person::signed_in(&gate);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let saved = person.cx.home.gate(&crate::cli::client::GateUrl::parse(&url).unwrap());
    let about = person.saved(&gate).about().unwrap();
    saved.save_gate(&person.saved(&gate).authority().unwrap(), &about).unwrap();
    saved.save_token(&curfew_adapter::Secret::new(TOKEN.to_owned())).unwrap();
    let error = person.types(&["whoami", "--gate", &url]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Unreachable);
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn nobody_signed_in_is_told_what_to_type() {
    let mut person = Person::new();
    let error = person.types(&["targets"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::NotSignedIn);
    assert!(error.to_string().contains("`curfew login URL`"), "{error}");
    let error = person.types(&["targets", "--gate", "gate.example.com"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::NotSignedIn);
    assert!(error.to_string().contains("`curfew login https://gate.example.com`"), "{error}");
}

#[tokio::test]
async fn pages_of_a_list_become_one() {
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/grants", 200, json!({ "items": [{ "id": 1 }], "next": "c1" })).says(
        "GET /api/v1/grants",
        200,
        json!({ "items": [{ "id": 2 }], "next": null }),
    );
    let person = Person::signed_in(&gate);
    let list =
        person.cx.client(&Common::default()).unwrap().list(&["grants"], &[("scope", "mine")]).await.unwrap();
    assert_eq!(list.json(), br#"{"items":[{"id":1},{"id":2}],"next":null}"#);
    let queries: Vec<_> = gate.asked().into_iter().map(|asked| asked.query).collect();
    assert_eq!(queries, ["scope=mine&limit=500", "scope=mine&limit=500&cursor=c1"]);
}

#[tokio::test]
async fn a_creating_call_carries_a_key_of_its_own() {
    let gate = Fake::plain().await;
    gate.says("POST /api/v1/requests", 201, "{}");
    let person = Person::signed_in(&gate);
    let client: Client = person.cx.client(&Common::default()).unwrap();
    client.create(&["requests"], &json!({})).await.unwrap();
    client.create(&["requests"], &json!({})).await.unwrap();
    let keys: Vec<_> = gate.asked().iter().map(|asked| asked.headers["idempotency-key"].clone()).collect();
    assert!(keys.len() == 2 && keys[0] != keys[1] && keys[0].len() == 32, "{keys:?}");
}

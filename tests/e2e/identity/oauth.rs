//! Signing in by a token (OAUTHBEARER), with the gate as the issuer: by bytes, and by the libpq 18 that psycopg brings.

use std::fs;
use std::time::Duration;

use curfew_harness::process::Stop;
use curfew_harness::wire::{Message, message, startup};
use curfew_harness::{Browser, Person, Process, Wire, python, repository};
use reqwest::Method;
use serde_json::Value;

use crate::world::{LIMIT, NOW, World};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A client of bytes that wants to sign in by a token, once it has been offered that.
async fn offered(world: &World) -> Wire {
    let mut wire = Wire::connect(world.client_side.address()).await.unwrap();
    let ask = [
        ("user", "orders_read"),
        ("database", "orders"),
        ("application_name", "psql"),
        ("options", "-c curfew.auth=oauth"),
    ];
    wire.send(&startup(&ask)).await.unwrap();
    let offer = wire.next().await.unwrap();
    assert_eq!((offer.tag, &offer.body[..]), (b'R', &b"\0\0\0\x0aOAUTHBEARER\0\0"[..]));
    wire
}

async fn bring(wire: &mut Wire, auth: &str) {
    let data = format!("n,,\x01auth={auth}\x01\x01").into_bytes();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    wire.send(&message(b'p', &[b"OAUTHBEARER\0", &length[..], &data].concat())).await.unwrap();
}

/// The error of the mechanism, and the sentence behind it.
async fn declined(mut wire: Wire) -> (Value, Message) {
    let error = wire.next().await.unwrap();
    assert_eq!((error.tag, &error.body[..4]), (b'R', &[0, 0, 0, 11][..]), "{error:?}");
    wire.send(&message(b'p', b"\x01")).await.unwrap();
    let told = wire.next().await.unwrap();
    assert_eq!((told.tag, told.field('C').as_deref()), (b'E', Some("28000")), "{told:?}");
    (serde_json::from_slice(&error.body[4..]).unwrap(), told)
}

async fn post(url: &str, form: &[(&str, &str)]) -> Value {
    let http = Browser::new().unwrap();
    http.request(Method::POST, url).unwrap().form(form).send().await.unwrap().json().await.unwrap_or_default()
}

/// Agrees to the code that a client shows.
async fn agree(person: &Person, page: &str, code: &str) {
    let page = person.open(page).await.unwrap();
    let page = person.browser.press(&page, "Go on", &[("code", code)]).await.unwrap();
    let page = person.browser.press(&page, "Yes, this is me", &[]).await.unwrap();
    assert!(page.text().contains("Go back to your program"), "{}", page.text());
}

/// A token of the device grant, as a Postgres client gets one.
async fn token(person: &Person, discovery: &str) -> String {
    let http = Browser::new().unwrap();
    let found: Value = serde_json::from_str(&http.get(discovery).await.unwrap().body).unwrap();
    let at = |name: &str| found[name].as_str().unwrap().to_owned();
    let ask = [("client_id", "psql"), ("scope", "postgres")];
    let device = post(&at("device_authorization_endpoint"), &ask).await;
    let fact = |name: &str| device[name].as_str().unwrap().to_owned();
    let code = fact("device_code");
    let form = [("grant_type", GRANT), ("client_id", "psql"), ("device_code", &code)];
    assert_eq!(post(&at("token_endpoint"), &form).await["error"], "authorization_pending");
    agree(person, &fact("verification_uri"), &fact("user_code")).await;
    post(&at("token_endpoint"), &form).await["access_token"].as_str().unwrap().to_owned()
}

/// How often sign-ins and refusals were counted.
async fn counted(world: &World, what: &str) -> u64 {
    let text = world.metrics().await;
    let line = text.lines().find_map(|line| line.strip_prefix(what)?.trim().parse().ok());
    line.unwrap_or(0)
}

const REFUSED: &str = "curfew_signins_total{method=\"token\",outcome=\"refused\"}";

#[tokio::test]
async fn a_client_learns_where_tokens_are_gets_one_and_works_with_it_until_it_signs_out() {
    let world = World::open(|options| options).await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "1h").await;

    let mut wire = offered(&world).await;
    bring(&mut wire, "").await;
    let (error, _) = declined(wire).await;
    assert_eq!(error["status"], "invalid_token");
    let discovery = error["openid-configuration"].as_str().unwrap();
    assert_eq!(discovery, world.gate.page("/.well-known/openid-configuration"));
    // Asking is no failed sign-in: nothing counts it, nothing writes it down.
    assert_eq!(counted(&world, REFUSED).await, 0);
    assert_eq!(counted(&world, "curfew_refusals_total{kind=\"not_signed_in\"}").await, 0);
    let logs = world.gate.logs().unwrap().tail();
    assert!(!logs.contains("refused"), "{logs}");
    let events = world.auditor().await.events(0).await;
    assert!(events.iter().all(|event| event["kind"] != "signin.refused"), "{events:?}");

    let token = token(&alice, discovery).await;
    let mut wire = offered(&world).await;
    bring(&mut wire, &format!("Bearer {token}")).await;
    let begun = wire.until(b'Z').await.unwrap();
    assert_eq!((begun[0].tag, &begun[0].body[..]), (b'R', &[0, 0, 0, 0][..]), "no SASLFinal");
    wire.query("select current_user").await.unwrap();
    let rows = wire.until(b'Z').await.unwrap();
    let row = rows.iter().find(|message| message.tag == b'D').unwrap();
    assert_eq!(row.row(), [Some("orders_read".to_owned())]);
    assert_eq!(counted(&world, "curfew_signins_total{method=\"token\",outcome=\"ok\"}").await, 1);

    // The sign-in ends, and the session with it; the token is worth nothing from then on.
    assert!(post(&world.gate.page("/oauth/revoke"), &[("token", &token)]).await.is_null());
    let cut = wire.until(b'E').await.unwrap().pop().unwrap();
    assert_eq!(cut.field('C').as_deref(), Some("57P01"), "{cut:?}");
    let mut wire = offered(&world).await;
    bring(&mut wire, &format!("Bearer {token}")).await;
    let (_, told) = declined(wire).await;
    assert!(told.field('M').unwrap().contains("its sign-in is over"), "{told:?}");
    assert_eq!(counted(&world, REFUSED).await, 1);
    let everything =
        format!("{}{:?}", world.gate.logs().unwrap().tail(), world.auditor().await.events(0).await);
    assert!(!everything.contains(&token[5..]), "a token is never written down");
}

#[tokio::test]
async fn teleport_13_4_0_no_other_kind_of_token_signs_in_a_postgres_client() {
    let world = World::open(|options| options).await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "1h").await;
    alice.open(&world.gate.page("/requests")).await.unwrap();
    let cookies = alice.browser.cookies();
    let browser = &cookies.iter().find(|cookie| cookie.value.starts_with("cfwb_")).unwrap().value;
    let api = fs::read_to_string(alice.kept().unwrap().join("token")).unwrap();
    let (api, swapped) = (api.trim(), browser.replace("cfwb_", "cfwa_"));
    let id_token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIn0.c2lnbmF0dXJl";
    let (upper, short) = (api.to_uppercase(), &api[..api.len() - 1]);
    for wrong in [browser, &swapped, id_token, &upper, short, "x"] {
        let mut wire = offered(&world).await;
        bring(&mut wire, &format!("Bearer {wrong}")).await;
        let (error, told) = declined(wire).await;
        assert_eq!(error["status"], "invalid_token", "{wrong}");
        assert!(told.field('M').unwrap().contains("the token is none"), "{wrong}: {told:?}");
    }
    // And that of a Postgres client is good for nothing else.
    let token = token(&alice, &world.gate.page("/.well-known/openid-configuration")).await;
    let http = Browser::new().unwrap();
    for path in ["/api/v1/requests", "/api/v1/grants", "/api/v1/targets"] {
        let ask = http.request(Method::GET, &world.gate.page(path)).unwrap().bearer_auth(&token);
        assert_eq!(ask.send().await.unwrap().status().as_u16(), 401, "{path}");
    }
    assert_eq!(world.target_side.connections(), 0);
}

#[tokio::test]
async fn libpq_18_signs_in_by_the_device_grant() {
    let world = World::secure(|mut options| {
        options.contracts.clear();
        options.contract("orders-now", NOW)
    })
    .await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "1h").await;
    let answer = Browser::new().unwrap().get(&world.gate.page("/api/v1/ca")).await.unwrap();
    let authority: Value = serde_json::from_str(&answer.body).unwrap();
    let ca = alice.home().join("gate-ca.pem");
    fs::write(&ca, authority["certificate"].as_str().unwrap()).unwrap();
    let conninfo = format!(
        "{} oauth_issuer={} oauth_client_id=psql options='-c curfew.auth=oauth'",
        world.psql("orders_read").param("application_name", "libpq").conninfo(),
        world.gate.url()
    );
    let run = |token: &str| {
        let mut command = curfew_harness::process::command(python(), Stop::Kill, None);
        let script = repository().join("tests/fixtures/drivers/libpq_oauth.py");
        command.arg("-B").arg(script).arg(&conninfo).arg(&ca).env("TOKEN", token);
        Process::spawn("libpq", command, Stop::Kill).unwrap()
    };
    let fact = |line: &curfew_harness::process::Line, name: &str| {
        let said: Value = serde_json::from_str(&line.text).ok()?;
        said.get(name).map(|_| said.clone())
    };
    let mut libpq = run("");
    let asked = libpq.logs().find("where to go", LIMIT, |line| fact(line, "visit")).await.unwrap();
    agree(&alice, asked["visit"].as_str().unwrap(), asked["code"].as_str().unwrap()).await;
    let row = libpq.logs().find("a row", LIMIT, |line| fact(line, "row")).await.unwrap();
    assert_eq!(row["row"], serde_json::json!(["orders_read", 3000]));
    assert_eq!(libpq.ended(LIMIT).await.unwrap().code(), Some(0));
    let said = libpq.logs().lines();
    let first = |name: &str| said.iter().find_map(|line| fact(line, name)).unwrap()[name].clone();
    assert!(first("libpq").as_u64().unwrap() >= 180_000, "a libpq that knows OAUTHBEARER");
    assert_eq!(first("discovery"), world.gate.page("/.well-known/openid-configuration"));
    assert_eq!(first("scope"), "postgres");

    // One that is worth nothing ends in the gate's sentence, once.
    let mut libpq = run("cfwp_worthless");
    let told = libpq.logs().find("the error", LIMIT, |line| fact(line, "error")).await.unwrap();
    let told = told["error"].as_str().unwrap();
    assert_eq!(told.matches("the token is none that Postgres clients sign in with").count(), 1, "{told}");
    assert!(libpq.ended(Duration::from_secs(10)).await.unwrap().success());
}

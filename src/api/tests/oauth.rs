//! The command line signs in: its endpoints, and the pages that a person sees.

use aws_lc_rs::digest::{SHA256, digest};
use curfew_harness::Browser;
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::Gate;
use crate::identity::TokenKind;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Nobody listens there.
const BACK: &str = "http://127.0.0.1:9/callback";

fn authorize(gate: &Gate, back: &str) -> String {
    let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, VERIFIER.as_bytes()).as_ref());
    let mut url = Url::parse(&gate.at("/oauth/authorize")).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "curfew-cli"),
        ("redirect_uri", back),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", "the state"),
    ]);
    url.into()
}

async fn post(gate: &Gate, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let request = Browser::new().unwrap().request(Method::POST, &gate.at(path)).unwrap();
    let answer = request.form(form).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// Presses a button of the consent page, and gives where the browser would go.
async fn press(gate: &Gate, browser: &Browser, name: &str, action: &str) -> Url {
    let page = browser.sign_in(&authorize(gate, BACK), name).await.unwrap();
    assert!(page.text().contains(&format!("{name}@example.com")), "{}", page.text());
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' http://127.0.0.1:9;"), "{policy}");
    let mut form = page.form("Yes, sign it in").unwrap().fields;
    form.push(("action".into(), action.into()));
    let request = browser.request(Method::POST, &gate.at("/oauth/authorize")).unwrap();
    let answer = request.header("origin", &gate.url).form(&form).send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().parse().unwrap()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn the_command_line_signs_in_through_a_browser_and_out() {
    let gate = Gate::start().await;
    let browser = Browser::new().unwrap();
    let metadata: Value = {
        let url = gate.at("/.well-known/oauth-authorization-server");
        browser.request(Method::GET, &url).unwrap().send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(metadata["issuer"], gate.url.as_str());
    assert_eq!(metadata["token_endpoint"], gate.at("/oauth/token"));

    let to = press(&gate, &browser, "alice", "yes").await;
    assert!(to.as_str().starts_with(BACK));
    assert_eq!(parameter(&to, "state").as_deref(), Some("the state"));
    assert_eq!(parameter(&to, "iss").as_deref(), Some(gate.url.as_str()));
    let code = parameter(&to, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "curfew-cli"),
        ("code", &code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let (status, body) = post(&gate, "/oauth/token", &form).await;
    assert_eq!((status, body["token_type"].as_str()), (200, Some("Bearer")), "{body}");
    let token = body["access_token"].as_str().unwrap();
    let viewer = gate.app.identities.viewer(token, TokenKind::Api).await.unwrap();
    assert_eq!(viewer.identity.email, "alice@example.com");
    assert_eq!(viewer.signin.method.as_str(), "loopback");

    assert_eq!(post(&gate, "/oauth/revoke", &[("token", token)]).await.0, 200);
    assert!(gate.app.identities.viewer(token, TokenKind::Api).await.is_err());
    let log = gate.audit().await;
    assert!(log.contains("\"loopback\"") && log.contains("\"logout\"") && !log.contains(token));
}

#[tokio::test]
async fn who_says_no_sends_no_code() {
    let gate = Gate::start().await;
    let to = press(&gate, &Browser::new().unwrap(), "alice", "no").await;
    assert_eq!(parameter(&to, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&to, "code"), None);
}

#[tokio::test]
async fn a_code_is_never_sent_to_another_host() {
    let gate = Gate::start().await;
    for back in ["https://evil.example/", "http://localhost:9/", "http://127.0.0.1:9@evil.example/"] {
        let page = Browser::new().unwrap().get(&authorize(&gate, back)).await.unwrap();
        assert_eq!((page.status, page.redirects.len()), (400, 0), "{back}: {}", page.text());
    }
    // Without a challenge, the client hears of it, and no one is asked to sign in.
    let plain = authorize(&gate, BACK).replace("S256", "plain");
    let request = Browser::new().unwrap().request(Method::GET, &plain).unwrap();
    let to: Url = request.send().await.unwrap().headers()["location"].to_str().unwrap().parse().unwrap();
    assert_eq!(parameter(&to, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_browser_that_signed_in_long_ago_signs_in_again_first() {
    let gate = Gate::start().await;
    let browser = Browser::new().unwrap();
    browser.sign_in(&gate.at("/signin?next=/style.css"), "alice").await.unwrap();
    assert!(browser.get(&authorize(&gate, BACK)).await.unwrap().offers("Yes, sign it in"));
    gate.backend.hand.advance(std::time::Duration::from_secs(6 * 3600 + 60));
    let request = browser.request(Method::GET, &authorize(&gate, BACK)).unwrap();
    let answer = request.send().await.unwrap();
    let to = answer.headers()["location"].to_str().unwrap();
    assert!(to.starts_with("/signin?again=1&next=%2Foauth%2Fauthorize"), "{to}");
}

#[tokio::test]
async fn a_machine_without_a_browser_is_signed_in_by_code_and_digits() {
    let gate = Gate::start().await;
    let client = [("client_id", "curfew-cli")];
    let (status, device) = post(&gate, "/oauth/device_authorization", &client).await;
    assert_eq!(status, 200);
    assert!(device.get("verification_uri_complete").is_none());
    let (device_code, user_code) =
        (device["device_code"].as_str().unwrap(), device["user_code"].as_str().unwrap());

    let browser = Browser::new().unwrap();
    let uri = device["verification_uri"].as_str().unwrap();
    let page = browser.sign_in(&format!("{uri}?user_code={user_code}"), "alice").await.unwrap();
    assert!(!page.body.contains(user_code), "a code is never prefilled");
    let wrong = browser.press(&page, "Go on", &[("code", "BBBB-BBBB")]).await.unwrap();
    assert!(wrong.text().contains("No program waits with this code"), "{}", wrong.text());
    let page = browser.press(&page, "Go on", &[("code", user_code)]).await.unwrap();
    assert!(page.text().contains("127.0.0.1") && page.text().contains("alice@example.com"));
    let page = browser.press(&page, "Yes, this is me", &[]).await.unwrap();
    let digits: String = {
        let rest = page.body.split("id=\"digits\">").nth(1).unwrap();
        rest.chars().take(6).collect()
    };

    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let mut form = vec![("grant_type", grant), ("client_id", "curfew-cli"), ("device_code", device_code)];
    let (status, body) = post(&gate, "/oauth/token", &form).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("digits_required")), "{body}");
    form.push(("digits", &digits));
    let (status, body) = post(&gate, "/oauth/token", &form).await;
    assert_eq!(status, 200, "{body}");
    let token = body["access_token"].as_str().unwrap();
    let viewer = gate.app.identities.viewer(token, TokenKind::Api).await.unwrap();
    assert_eq!(
        (viewer.identity.email.as_str(), viewer.signin.method.as_str()),
        ("alice@example.com", "device")
    );
}

#[tokio::test]
async fn teleport_13_4_0_a_clients_token_opens_no_page_and_a_browsers_no_client() {
    let gate = Gate::start().await;
    let browser = Browser::new().unwrap();
    let to = press(&gate, &browser, "alice", "yes").await;
    let code = parameter(&to, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "curfew-cli"),
        ("code", &code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let api = post(&gate, "/oauth/token", &form).await.1["access_token"].as_str().unwrap().to_owned();
    let stranger = Browser::new().unwrap();
    for path in ["/device", "/oauth/authorize"] {
        let url = if path == "/device" { gate.at(path) } else { authorize(&gate, BACK) };
        for (name, value) in [
            ("cookie", format!("curfew-signin={api}")),
            ("cookie", format!("curfew-signin={code}")),
            ("authorization", format!("Bearer {api}")),
        ] {
            let request = stranger.request(Method::GET, &url).unwrap().header(name, value);
            let answer = request.send().await.unwrap();
            let to = answer.headers()["location"].to_str().unwrap();
            assert!(to.starts_with("/signin?next="), "{path} {name}: {to}");
        }
    }
    // A browser's token is no client's: taking it back there does nothing.
    let cookie = browser.cookies().into_iter().find(|cookie| cookie.name == "curfew-signin").unwrap();
    post(&gate, "/oauth/revoke", &[("token", &cookie.value)]).await;
    assert!(gate.app.identities.viewer(&cookie.value, TokenKind::Browser).await.is_ok());
}

/// What libpq 18 says (oauth-curl.c): a name of the user's choice, the scope that the gate named, and no more.
#[tokio::test]
async fn a_postgres_client_is_signed_in_as_libpq_asks() {
    let gate = Gate::start().await;
    let browser = Browser::new().unwrap();
    let mut documents = Vec::new();
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let answer = browser.request(Method::GET, &gate.at(path)).unwrap().send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        documents.push(answer.json::<Value>().await.unwrap());
    }
    let [found, other] = &documents[..] else { panic!() };
    assert_eq!(found, other);
    // What it demands: the issuer, letter by letter, the two endpoints, and the grant among those that are known.
    assert_eq!(found["issuer"], gate.url.as_str());
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    assert!(found["grant_types_supported"].as_array().unwrap().contains(&grant.into()));
    let path = |name: &str| {
        let url = found[name].as_str().unwrap();
        url.strip_prefix(gate.url.as_str()).unwrap().to_owned()
    };
    let (ask, fetch) = (path("device_authorization_endpoint"), path("token_endpoint"));

    let (status, device) = post(&gate, &ask, &[("scope", "postgres"), ("client_id", "psql")]).await;
    assert_eq!(status, 200, "{device}");
    assert!(device["expires_in"].is_u64() && device["interval"].is_u64(), "{device}");
    let text = |name: &str| device[name].as_str().unwrap().to_owned();
    let (device_code, user_code, uri) = (text("device_code"), text("user_code"), text("verification_uri"));
    let poll = [("device_code", device_code.as_str()), ("grant_type", grant), ("client_id", "psql")];
    for expected in ["authorization_pending", "slow_down"] {
        let (status, body) = post(&gate, &fetch, &poll).await;
        assert_eq!((status, body["error"].as_str()), (400, Some(expected)), "{body}");
        assert!(body["error_description"].is_string());
    }
    let page = browser.sign_in(&uri, "alice").await.unwrap();
    let page = browser.press(&page, "Go on", &[("code", &user_code)]).await.unwrap();
    for fact in ["calls itself “psql”", "127.0.0.1", "alice@example.com", &user_code] {
        assert!(page.text().contains(fact), "{fact}: {}", page.text());
    }
    let page = browser.press(&page, "Yes, this is me", &[]).await.unwrap();
    assert!(page.text().contains("Go back to your program"), "{}", page.text());
    assert!(!page.body.contains("id=\"digits\""));
    let (status, body) = post(&gate, &fetch, &poll).await;
    assert_eq!(
        (status, body["token_type"].as_str(), body["scope"].as_str()),
        (200, Some("Bearer"), Some("postgres"))
    );
    let token = body["access_token"].as_str().unwrap();
    let who = gate.app.identities.judge_bearer(token).await.unwrap();
    assert_eq!(who.identity.email, "alice@example.com");
    // Good for nothing else.
    let me = browser.request(Method::GET, &gate.at("/api/v1/requests")).unwrap().bearer_auth(token);
    assert_eq!(me.send().await.unwrap().status().as_u16(), 401);
    assert_eq!(post(&gate, &fetch, &poll).await.1["error"], "invalid_grant");
    assert!(!gate.audit().await.contains(token));
}

#[tokio::test]
async fn a_postgres_clients_code_is_agreed_to_where_the_client_is() {
    let gate = Gate::start().await;
    let name = "<b>psql</b>";
    let (_, device) = post(&gate, "/oauth/device_authorization", &[("client_id", name)]).await;
    let (uri, code) = (device["verification_uri"].as_str().unwrap(), device["user_code"].as_str().unwrap());
    let far = Browser::from("127.0.0.2").unwrap();
    let page = far.sign_in(uri, "alice").await.unwrap();
    let page = far.press(&page, "Go on", &[("code", code)]).await.unwrap();
    assert_eq!(page.status, 403);
    for fact in ["127.0.0.1", "127.0.0.2", "don't"] {
        assert!(page.text().contains(fact), "{}", page.text());
    }
    let log = gate.audit().await;
    assert!(log.contains("signin.refused") && log.contains("your browser is at 127.0.0.2"), "{log}");
    let near = Browser::new().unwrap();
    let page = near.sign_in(uri, "alice").await.unwrap();
    let page = near.press(&page, "Go on", &[("code", code)]).await.unwrap();
    assert!(page.text().contains(name) && !page.body.contains(name), "a name is text, not markup");
    // Saying no ends it.
    let page = near.press(&page, "No, it is not", &[]).await.unwrap();
    assert!(page.text().contains("Refused"), "{}", page.text());
}

//! Signing in: whose authority is believed, and how the token comes.

use std::sync::Arc;

use curfew_adapter::Clock;
use curfew_certs::{Authority, ClientSubject};
use jiff::SignedDuration;
use serde_json::json;
use url::Url;

use super::fake::{Fake, Person};
use crate::cli::Exit;
use crate::cli::client::{GateUrl, Saved};
use crate::cli::login::{Metadata, device};

fn authority() -> Arc<Authority> {
    Arc::new(Authority::generate(Clock::system().wall()).unwrap())
}

/// A gate that signs anybody in as alice, and answers with the certificates that it is asked for.
async fn gate(authority: &Arc<Authority>) -> Fake {
    let gate = Fake::secure(authority.clone()).await;
    serve(&gate, authority);
    gate
}

fn serve(gate: &Fake, authority: &Arc<Authority>) {
    let at = |path: &str| format!("{}{path}", gate.url);
    gate.says("GET /api/v1/ca", 200, json!({ "certificate": authority.certificate_pem() }))
        .says(
            "GET /.well-known/oauth-authorization-server",
            200,
            json!({
                "issuer": gate.url.to_string(),
                "authorization_endpoint": at("/oauth/authorize"),
                "token_endpoint": at("/oauth/token"),
                "device_authorization_endpoint": at("/oauth/device_authorization"),
            }),
        )
        .says(
            "GET /api/v1/whoami",
            200,
            json!({
                "identity": { "identity": "ide_1", "email": "alice@example.com", "name": "Alice" },
                "roles": ["user"],
                "signin": { "id": "sig_1", "method": "loopback", "expires_at": "2026-11-22T02:22:00Z" },
            }),
        );
    let signer = authority.clone();
    gate.does("POST /api/v1/certificates", move |asked| {
        let now = Clock::system().wall();
        let subject = ClientSubject {
            serial: [1; 16],
            email: "alice@example.com".to_owned(),
            signin: "sig_1".to_owned(),
        };
        let csr = asked.json()["csr"].as_str().unwrap().to_owned();
        let until = now + SignedDuration::from_hours(1);
        let made = signer.sign_client(csr.as_bytes(), &subject, now, until).unwrap();
        (201, json!({ "certificate": made.pem, "expires_at": "2026-11-21T15:22:00Z" }).to_string())
    });
}

/// What a browser does: it reads the address, lets its person sign in, and follows the redirect back.
async fn browser(person_aside: super::fake::Printed, gate: GateUrl, tamper: impl Fn(&mut Url)) {
    let text = person_aside.wait_for("code_challenge").await;
    let address = text.lines().find(|line| line.contains("code_challenge")).unwrap();
    let address = Url::parse(address.trim()).unwrap();
    assert!(gate.owns(&address), "{address}");
    let value = |name: &str| address.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let mut back = Url::parse(&value("redirect_uri")).unwrap();
    assert_eq!((back.host_str(), back.path()), (Some("127.0.0.1"), "/callback"));
    back.query_pairs_mut()
        .append_pair("code", &value("code_challenge"))
        .append_pair("state", &value("state"));
    tamper(&mut back);
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(crate::cli::client::trust::anybody().unwrap())
        .no_proxy()
        .build()
        .unwrap();
    let mut forged = back.clone();
    forged.set_query(Some("code=stolen&state=guessed"));
    assert_eq!(client.get(forged).send().await.unwrap().status(), 400);
    let page = client.get(back).send().await.unwrap();
    assert_eq!(page.headers()["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
    let text = page.text().await.unwrap();
    assert!(text.to_lowercase().contains("go back to the terminal"), "{text}");
}

/// The code is the challenge, so that the token endpoint can check the verifier against it.
fn exchange(gate: &Fake) {
    gate.does("POST /oauth/token", |asked| {
        let fields: std::collections::HashMap<_, _> =
            url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
        let verifier = fields["code_verifier"].as_bytes();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier);
        let proven = data_encoding::BASE64URL_NOPAD.encode(digest.as_ref()) == fields["code"];
        let fine =
            proven && fields["client_id"] == "curfew-cli" && fields["redirect_uri"].ends_with("/callback");
        if fine {
            (
                200,
                json!({ "access_token": "cua_secret", "token_type": "Bearer", "expires_in": 43200 })
                    .to_string(),
            )
        } else {
            (400, json!({ "error": "invalid_grant" }).to_string())
        }
    });
}

async fn logs_in(person: &mut Person, gate: &Fake, more: &[&str]) -> Result<(), crate::cli::CliError> {
    let url = gate.url.to_string();
    let mut line = vec!["login", &url, "--no-browser"];
    line.extend(more);
    let browser = browser(person.aside.clone(), gate.url.clone(), |_| {});
    tokio::select! {
        done = person.types(&line) => done,
        never = async { browser.await; std::future::pending().await } => never,
    }
}

#[tokio::test]
async fn a_first_login_saves_authority_token_and_certificate_and_prints_no_secret() {
    let authority = authority();
    let gate = gate(&authority).await;
    exchange(&gate);
    let mut person = Person::new();
    logs_in(&mut person, &gate, &["--ca-fingerprint", &authority.fingerprint()]).await.unwrap();

    let saved = person.saved(&gate);
    assert_eq!(saved.authority().unwrap(), authority.certificate_pem());
    assert_eq!(saved.token().unwrap().reveal(), "cua_secret");
    assert_eq!(person.cx.home.last().unwrap(), gate.url);
    assert_eq!(saved.about().unwrap().email.as_deref(), Some("alice@example.com"));
    assert!(certificate_fits_key(&saved));
    let printed = person.printed.text();
    insta::assert_snapshot!(printed.replace(&gate.url.to_string(), "URL"), @r"
    Signed in at URL as alice@example.com
      until      in 12 h (Sun 22 Nov 02:22 UTC)
      psql       signs in silently; its certificate ends in 1 h (15:22 UTC), and `curfew psql` renews it
      next       type `curfew targets` to see what you can reach or ask for
    ");
    let aside = person.aside.text();
    assert!(aside.contains(&authority.fingerprint()), "{aside}");
    for text in [printed, aside] {
        assert!(!text.contains("cua_secret") && !text.contains("PRIVATE KEY"), "{text}");
    }
    for asked in gate.asked() {
        let bearer = asked.headers.get("authorization").is_some();
        let signed_in = ["whoami", "certificates", "api/v1/gate"];
        assert_eq!(bearer, signed_in.iter().any(|end| asked.what.ends_with(end)), "{}", asked.what);
    }
}

/// libpq loads both with the same reader.
fn certificate_fits_key(saved: &Saved) -> bool {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let certificate = CertificateDer::from_pem_file(saved.certificate_path()).unwrap();
    let key = PrivateKeyDer::from_pem_file(saved.key_path()).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    rustls::sign::CertifiedKey::new(vec![certificate], key).keys_match().is_ok()
}

#[tokio::test]
async fn a_login_again_asks_nothing() {
    let authority = authority();
    let gate = gate(&authority).await;
    exchange(&gate);
    let mut person = Person::new();
    logs_in(&mut person, &gate, &["--ca-fingerprint", &authority.fingerprint()]).await.unwrap();
    let mut again = person;
    again.saved(&gate).forget().unwrap();
    // The address of the first login is still on record; only what is new counts.
    again.aside = super::fake::Printed::default();
    let clock = curfew_adapter::ManualClock::at(super::fake::NOW.parse().unwrap()).clock();
    again.cx.out = crate::cli::output::Output::to(again.printed.clone(), again.aside.clone(), clock);
    logs_in(&mut again, &gate, &[]).await.unwrap();
    assert!(!again.aside.text().contains("SHA256:"), "{}", again.aside.text());
}

#[tokio::test]
async fn an_authority_that_nobody_vouches_for_is_not_saved() {
    let authority = authority();
    let gate = gate(&authority).await;
    let mut person = Person::new();
    let url = gate.url.to_string();
    // Tests have no terminal, so nobody can type yes.
    let error = person.types(&["login", &url, "--no-browser"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(error.to_string().contains(&format!("--ca-fingerprint {}", authority.fingerprint())), "{error}");
    assert!(person.saved(&gate).authority().is_none());

    let another = self::authority().fingerprint();
    let error = person.types(&["login", &url, "--ca-fingerprint", &another]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("REFUSED") && text.contains(&another), "{text}");
    assert!(person.saved(&gate).authority().is_none());
    assert!(gate.asked().iter().all(|asked| asked.what == "GET /api/v1/ca"));
}

#[tokio::test]
async fn a_changed_authority_is_refused_loudly_until_the_new_one_is_named() {
    let (old, new) = (authority(), authority());
    let gate = gate(&new).await;
    exchange(&gate);
    let mut person = Person::new();
    let saved = person.saved(&gate);
    let about = crate::cli::client::About {
        url: gate.url.to_string(),
        fingerprint: old.fingerprint(),
        trust: crate::cli::client::Trust::Authority,
        email: None,
        signin_ends_at: None,
        certificate_ends_at: None,
        ssh: None,
    };
    saved.save_gate(&old.certificate_pem(), &about).unwrap();
    saved.save_token(&curfew_adapter::Secret::new("cua_old".to_owned())).unwrap();

    // Any command: no token for a stranger.
    let url = gate.url.to_string();
    let error = person.types(&["whoami", "--gate", &url]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(error.to_string().contains("could not prove that it is the gate"), "{error}");
    assert!(gate.asked().is_empty());

    let error = person.types(&["login", &url, "--no-browser"]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("REFUSED: the authority of") && text.contains("has changed"), "{text}");
    assert!(text.contains(&old.fingerprint()) && text.contains(&new.fingerprint()), "{text}");
    assert_eq!(saved.authority().unwrap(), old.certificate_pem());
    assert!(gate.asked().iter().all(|asked| asked.headers.get("authorization").is_none()));

    logs_in(&mut person, &gate, &["--ca-fingerprint", &new.fingerprint()]).await.unwrap();
    assert_eq!(saved.authority().unwrap(), new.certificate_pem());
}

#[tokio::test]
async fn certificates_that_come_along_with_the_authority_are_not_saved() {
    let (own, stowaway) = (authority(), authority());
    let gate = Fake::secure(own.clone()).await;
    let both = own.certificate_pem() + &stowaway.certificate_pem();
    gate.says("GET /api/v1/ca", 200, json!({ "certificate": both }));
    serve(&gate, &own);
    exchange(&gate);
    let mut person = Person::new();
    logs_in(&mut person, &gate, &["--ca-fingerprint", &own.fingerprint()]).await.unwrap();
    assert_eq!(person.saved(&gate).authority().unwrap(), own.certificate_pem());
}

#[tokio::test]
async fn a_refusal_in_the_browser_reaches_the_terminal() {
    let authority = authority();
    let gate = gate(&authority).await;
    let mut person = Person::new();
    let url = gate.url.to_string();
    let print = authority.fingerprint();
    let browser = browser(person.aside.clone(), gate.url.clone(), |back| {
        let state = back.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
        back.query_pairs_mut().clear().append_pair("error", "access_denied").append_pair("state", &state);
    });
    let line = ["login", &url, "--no-browser", "--ca-fingerprint", &print];
    let error = tokio::select! {
        done = person.types(&line) => done.unwrap_err(),
        never = async { browser.await; std::future::pending().await } => never,
    };
    assert!(error.to_string().starts_with("the sign-in was refused: access_denied"));
    assert!(person.saved(&gate).token().is_err());
}

#[tokio::test]
async fn a_gate_that_speaks_for_another_is_refused() {
    let authority = authority();
    let gate = Fake::secure(authority.clone()).await;
    gate.says(
        "GET /.well-known/oauth-authorization-server",
        200,
        json!({
            "issuer": gate.url.to_string(),
            "authorization_endpoint": "https://evil.example.com/authorize",
            "token_endpoint": format!("{}/oauth/token", gate.url),
        }),
    );
    serve(&gate, &authority);
    let mut person = Person::new();
    let url = gate.url.to_string();
    let error =
        person.types(&["login", &url, "--ca-fingerprint", &authority.fingerprint()]).await.unwrap_err();
    assert!(error.to_string().contains("another host"), "{error}");
}

#[tokio::test]
async fn a_machine_without_a_browser_signs_in_by_code_and_digits() {
    let gate = Fake::plain().await;
    let at = |path: &str| format!("{}{path}", gate.url);
    let error = |code: &str| json!({ "error": code });
    gate.says(
        "POST /oauth/device_authorization",
        200,
        json!({
            "device_code": "dev_secret", "user_code": "WDJB-MJHT", "verification_uri": at("/device"),
            "expires_in": 600, "interval": 1,
        }),
    )
    .says("POST /oauth/token", 400, error("authorization_pending"))
    .says("POST /oauth/token", 400, error("digits_required"))
    .says("POST /oauth/token", 400, error("digits_wrong"))
    .says("POST /oauth/token", 200, json!({ "access_token": "cua_secret", "token_type": "Bearer" }));
    let mut person = Person::new();
    let client =
        crate::cli::client::Client::believing(&gate.url, crate::cli::client::trust::anybody().unwrap());
    let client = client.unwrap();
    let metadata = Metadata {
        issuer: gate.url.to_string(),
        authorization_endpoint: at("/oauth/authorize").parse().unwrap(),
        token_endpoint: at("/oauth/token").parse().unwrap(),
        device_authorization_endpoint: Some(at("/oauth/device_authorization").parse().unwrap()),
    };
    let typed = std::sync::Mutex::new(["654 321", "12345x", "123456"].iter());
    let ask = async || Ok((*typed.lock().unwrap().next().unwrap()).to_owned());
    let token = device::sign_in(&client, &metadata, &mut person.cx.out, ask).await.unwrap();
    assert_eq!(token.reveal(), "cua_secret");
    insta::assert_snapshot!(person.aside.text().replace(&gate.url.to_string(), "URL"), @r"
    Open URL/device in a browser on any machine, and type this code there:

      WDJB-MJHT

    Type the six digits that the page shows: Those are not the digits that the page shows.
    Type the six digits that the page shows: Those are not six digits.
    Type the six digits that the page shows:
    ");
    let sent: Vec<_> = gate.asked().into_iter().filter(|asked| asked.what == "POST /oauth/token").collect();
    assert!(!sent[0].body.contains("digits") && !sent[1].body.contains("digits"));
    assert!(sent[2].body.ends_with("&digits=654321") && sent[3].body.ends_with("&digits=123456"));
    assert!(sent.iter().all(|asked| asked.body.contains("device_code=dev_secret")));
}

#[tokio::test]
async fn a_code_that_was_refused_or_expired_says_so() {
    for (code, said) in [("access_denied", "was refused"), ("expired_token", "took too long")] {
        let gate = Fake::plain().await;
        let at = |path: &str| format!("{}{path}", gate.url);
        let device =
            json!({ "device_code": "d", "user_code": "U", "verification_uri": at("/device"), "interval": 1 });
        gate.says("POST /oauth/device_authorization", 200, device).says(
            "POST /oauth/token",
            400,
            json!({ "error": code }),
        );
        let mut person = Person::new();
        let tls = crate::cli::client::trust::anybody().unwrap();
        let client = crate::cli::client::Client::believing(&gate.url, tls).unwrap();
        let metadata = Metadata {
            issuer: gate.url.to_string(),
            authorization_endpoint: at("/oauth/authorize").parse().unwrap(),
            token_endpoint: at("/oauth/token").parse().unwrap(),
            device_authorization_endpoint: Some(at("/oauth/device_authorization").parse().unwrap()),
        };
        let nobody = async || panic!("nothing is to be typed");
        let error = device::sign_in(&client, &metadata, &mut person.cx.out, nobody).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

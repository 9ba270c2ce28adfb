//! Signing in at a real provider, and every way in which it must not work.

use curfew_harness::{Browser, Page};
use reqwest::Method;
use serde_json::{Value, json};

use super::Gate;
use crate::identity::TokenKind;

async fn who(gate: &Gate, browser: &Browser) -> Option<crate::identity::Viewer> {
    let name = if gate.app.site.secure() { "__Host-curfew-signin" } else { "curfew-signin" };
    let cookie = browser.cookies().into_iter().find(|cookie| cookie.name == name)?;
    gate.app.identities.viewer(&cookie.value, TokenKind::Browser).await.ok()
}

/// Where the provider sends the browser back to, without the browser going there: code and state, unused.
async fn come_back(gate: &Gate, browser: &Browser, name: &str) -> String {
    // The provider remembers nobody yet: its page is the first stop.
    let page = browser.get(&gate.at("/signin/example?next=/style.css")).await.unwrap();
    let redirects = page.redirects.len();
    assert!(redirects > 0);
    let form = page.forms().into_iter().find(|form| form.id == "login").unwrap();
    let mut page = browser.submit(&page, &form, None, &[("name", name)]).await.unwrap();
    if let Some(consent) = page.forms().into_iter().find(|form| form.id == "consent") {
        page = browser.submit(&page, &consent, None, &[]).await.unwrap();
    }
    let callback = page.redirects.iter().find(|url| url.path().starts_with("/oidc/callback/"));
    callback.unwrap_or_else(|| panic!("{}: {}", page.url, page.text())).to_string()
}

#[tokio::test]
async fn a_person_signs_in_at_the_provider_and_out_again() {
    let gate = Gate::start().await;
    let browser = Browser::new().unwrap();
    let page = gate.open(&browser, "/signin?next=/style.css", "alice").await;
    assert_eq!((page.url.path(), page.status), ("/style.css", 200), "{}", page.text());
    let viewer = who(&gate, &browser).await.unwrap();
    assert_eq!(viewer.identity.email, "alice@example.com");
    assert_eq!(viewer.identity.groups, ["sre"]);
    let cookie = browser.cookies().into_iter().find(|cookie| cookie.name == "curfew-signin").unwrap();
    assert!(cookie.http_only && cookie.same_site == "Lax" && !cookie.value.is_empty());
    let log = gate.audit().await;
    assert!(
        log.contains("signin.started") && log.contains("alice@example.com") && !log.contains(&cookie.value)
    );

    // Out, by a form with its proof; without it, nothing happens.
    let out = |body: String, origin: String| {
        let request = browser.request(Method::POST, &gate.at("/signout")).unwrap();
        let form = "application/x-www-form-urlencoded";
        request.header("content-type", form).header("origin", origin).body(body).send()
    };
    let proof = crate::api::csrf::proof(&cookie.value);
    for (body, origin) in [
        (String::new(), gate.url.clone()),
        ("csrf=".to_owned(), gate.url.clone()),
        (format!("csrf={}", crate::api::csrf::proof("another")), gate.url.clone()),
        (format!("csrf={proof}"), "https://evil.example".to_owned()),
        (format!("csrf={proof}"), "null".to_owned()),
    ] {
        assert_eq!(out(body.clone(), origin.clone()).await.unwrap().status(), 403, "{body} from {origin}");
        assert!(who(&gate, &browser).await.is_some());
    }
    assert_eq!(out(format!("csrf={proof}"), gate.url.clone()).await.unwrap().status(), 303);
    assert!(who(&gate, &browser).await.is_none());
}

#[tokio::test]
async fn warpgate_cve_2026_44347_a_callback_with_absent_other_or_reused_state_is_refused() {
    let gate = Gate::start().await;
    let (alice, other) = (Browser::new().unwrap(), Browser::new().unwrap());
    // Two callbacks: one that was used by the way, and one of another browser that is under way.
    let used = come_back(&gate, &alice, "alice").await;
    assert!(who(&gate, &alice).await.is_some());
    alice.forget();
    let begun = other.get(&gate.at("/signin/example")).await.unwrap();
    assert!(begun.url.path().starts_with("/interaction/"));
    let url: url::Url = used.parse().unwrap();
    let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let (code, state) = (parameter("code"), parameter("state"));
    let callback = gate.at("/oidc/callback/example");
    for (what, query) in [
        ("reused, without a cookie", format!("code={code}&state={state}")),
        ("absent", format!("code={code}")),
        ("empty", format!("code={code}&state=")),
        ("invented", format!("code={code}&state={}", "A".repeat(43))),
        ("nothing at all", String::new()),
    ] {
        for browser in [&alice, &other] {
            let page = browser.get(&format!("{callback}?{query}")).await.unwrap();
            assert_eq!(page.status, 400, "{what}: {}", page.text());
            assert!(who(&gate, browser).await.is_none(), "{what}");
        }
    }
}

#[tokio::test]
async fn one_browsers_state_is_worth_nothing_in_another() {
    let gate = Gate::start().await;
    let (mallory, victim) = (Browser::new().unwrap(), Browser::new().unwrap());
    // Mallory's own way to the provider and back, stopped before the gate is told: the state is still good.
    let away = mallory.request(Method::GET, &gate.at("/signin/example")).unwrap().send().await.unwrap();
    let to: url::Url = away.headers()["location"].to_str().unwrap().parse().unwrap();
    let state = to.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    assert!(to.query_pairs().any(|(key, value)| key == "code_challenge_method" && value == "S256"));
    assert!(to.query_pairs().any(|(key, _)| key == "nonce"));
    // The victim has a cookie of a sign-in of its own.
    victim.get(&gate.at("/signin/example")).await.unwrap();
    let page = victim.get(&gate.at(&format!("/oidc/callback/example?code=x&state={state}"))).await.unwrap();
    assert_eq!(page.status, 400, "{}", page.text());
    assert!(page.text().contains("another browser"), "{}", page.text());
}

#[tokio::test]
async fn opkssh_cve_2025_4658_a_crafted_id_token_is_refused() {
    let gate = Gate::start().await;
    let claims = |claims: Value| json!({ "claims": claims });
    for how in [
        json!({ "sign": "none" }),
        json!({ "sign": "foreign" }),
        json!({ "sign": "hs256-secret" }),
        json!({ "sign": "hs256-public" }),
        json!({ "sign": "broken" }),
        json!({ "header": { "typ": "at+jwt" } }),
        claims(json!({ "iss": "https://evil.example" })),
        claims(json!({ "aud": "another" })),
        claims(json!({ "aud": ["curfew", "another"] })),
        claims(json!({ "aud": null })),
        claims(json!({ "azp": "another" })),
        claims(json!({ "nonce": "another" })),
        claims(json!({ "nonce": null })),
        claims(json!({ "exp": 1_000_000_000 })),
        claims(json!({ "iat": 4_000_000_000_u64 })),
        claims(json!({ "nbf": 4_000_000_000_u64 })),
        claims(json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" })),
    ] {
        let browser = Browser::new().unwrap();
        gate.provider().tamper(&how).await.unwrap();
        let page = gate.open(&browser, "/signin?next=/style.css", "alice").await;
        assert!(page.status == 502 && page.text().contains("can't be trusted"), "{how}: {}", page.text());
        assert!(who(&gate, &browser).await.is_none(), "{how}");
    }
    let page = gate.open(&Browser::new().unwrap(), "/signin?next=/style.css", "alice").await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(gate.audit().await.contains("signin.refused"));
}

#[tokio::test]
async fn a_clock_that_is_a_minute_off_is_no_reason_to_refuse() {
    let gate = Gate::start().await;
    let now = gate.app.clock.wall().as_second();
    for claims in [json!({ "exp": now - 50 }), json!({ "iat": now + 50, "nbf": now + 50 })] {
        let browser = Browser::new().unwrap();
        gate.provider().tamper(&json!({ "claims": claims })).await.unwrap();
        let page = gate.open(&browser, "/signin?next=/style.css", "alice").await;
        assert_eq!(page.status, 200, "{claims}: {}", page.text());
    }
}

#[tokio::test]
async fn a_provider_changes_its_keys_without_anybody_noticing() {
    let gate = Gate::start().await;
    for keep_old in [true, false] {
        assert_eq!(gate.open(&Browser::new().unwrap(), "/signin?next=/style.css", "alice").await.status, 200);
        gate.provider().rotate_keys(keep_old).await.unwrap();
        gate.backend.hand.advance(std::time::Duration::from_secs(10));
        let page = gate.open(&Browser::new().unwrap(), "/signin?next=/style.css", "alice").await;
        assert_eq!(page.status, 200, "{}", page.text());
    }
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be_and_works_again_when_it_is_back() {
    let gate = Gate::start().await;
    gate.provider().down(true).await.unwrap();
    let browser = Browser::new().unwrap();
    let page = browser.get(&gate.at("/signin")).await.unwrap();
    assert_eq!(page.status, 503);
    assert!(page.text().contains("The provider example does not answer"), "{}", page.text());
    gate.provider().down(false).await.unwrap();
    gate.backend.hand.advance(std::time::Duration::from_secs(3));
    assert_eq!(gate.open(&browser, "/signin?next=/style.css", "alice").await.status, 200);
}

#[tokio::test]
async fn an_email_that_is_not_verified_or_not_theirs_to_assert_signs_nobody_in() {
    let gate = Gate::start_with(|entry| entry.groups = Some(vec!["sre".into()])).await;
    let browser = Browser::new().unwrap();
    let page = gate.open(&browser, "/signin", "mallory").await;
    assert_eq!(page.status, 403);
    assert!(page.text().contains("verified") && who(&gate, &browser).await.is_none(), "{}", page.text());

    gate.provider().person("zed", &json!({ "email": "zed@example.org" })).await.unwrap();
    let page = gate.open(&Browser::new().unwrap(), "/signin", "zed").await;
    assert!(page.status == 403 && page.text().contains("example.com"), "{}", page.text());

    gate.provider().person("alice", &json!({ "groups": ["sre", "sre-leads"] })).await.unwrap();
    let browser = Browser::new().unwrap();
    gate.open(&browser, "/signin?next=/style.css", "alice").await;
    assert_eq!(who(&gate, &browser).await.unwrap().identity.groups, ["sre"]);
    let log = gate.audit().await;
    assert!(log.contains("signin.claims_dropped") && log.contains("group sre-leads"));
}

#[tokio::test]
async fn groups_are_found_nested_and_in_userinfo() {
    let gate = Gate::start_with(|entry| entry.groups_claim = vec!["realm".into(), "roles".into()]).await;
    for only in [false, true] {
        gate.provider().groups_in_userinfo_only(only).await.unwrap();
        let browser = Browser::new().unwrap();
        gate.open(&browser, "/signin?next=/style.css", "bob").await;
        assert_eq!(
            who(&gate, &browser).await.unwrap().identity.groups,
            ["sre-leads"],
            "userinfo only: {only}"
        );
    }
}

#[tokio::test]
async fn warpgate_cve_2026_91165_nothing_of_a_strangers_is_markup_on_a_page() {
    let gate = Gate::start().await;
    let hostile = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    let browser = Browser::new().unwrap();
    let check = |page: &Page| {
        assert!(!page.body.contains("<script"), "{}", page.body);
        assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    };
    for path in [
        format!("/signin?out=1&next={hostile}"),
        format!("/signin/{hostile}"),
        format!("/oidc/callback/{hostile}?error={hostile}&state={hostile}"),
        format!("/oidc/callback/example?error={hostile}&state={hostile}&code={hostile}"),
    ] {
        check(&browser.get(&gate.at(&path)).await.unwrap());
    }
    // The same by form_post, with a state that is good, so that the provider's error is shown.
    let away = browser.request(Method::GET, &gate.at("/signin/example?next=//evil.example")).unwrap();
    let away = away.send().await.unwrap();
    let set = away.headers()["set-cookie"].to_str().unwrap();
    let cookie = set.split(';').next().unwrap().to_owned();
    let to: url::Url = away.headers()["location"].to_str().unwrap().parse().unwrap();
    let state = to.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    let post = browser.request(Method::POST, &gate.at("/oidc/callback/example")).unwrap();
    let form = [("state", state.as_str()), ("error", "\"><script>alert(1)</script>")];
    let answer = post.header("origin", "https://login.example").form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with("/oidc/callback/example?"), "{back}");
    let get =
        browser.request(Method::GET, &gate.at(&back)).unwrap().header("cookie", cookie).send().await.unwrap();
    assert_eq!(get.status(), 403);
    let text = get.text().await.unwrap();
    assert!(!text.contains("<script") && text.contains("did not sign you in"), "{text}");
}

#[tokio::test]
async fn warpgate_cve_2026_58491_a_hostile_next_is_followed_nowhere() {
    let gate = Gate::start().await;
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/%09/evil.example",
        "/..//evil.example",
    ] {
        let browser = Browser::new().unwrap();
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = gate.open(&browser, &format!("/signin?next={next}"), "alice").await;
        assert!(page.url.as_str().starts_with(&gate.url), "{next}: {}", page.url);
        assert!(who(&gate, &browser).await.is_some());
        // Signed in already: straight to `next`, and no further.
        let again = browser.get(&gate.at(&format!("/signin?next={next}"))).await.unwrap();
        assert!(again.url.as_str().starts_with(&gate.url), "{next}: {}", again.url);
    }
}

/// Whoever reads the store must not find a link there that waits for its person.
#[tokio::test]
async fn a_link_does_not_lie_open_in_the_store_while_its_browser_is_away() {
    let gate = Gate::start().await;
    let (browser, id) = (Browser::new().unwrap(), curfew_adapter::LinkId::random());
    let link = format!("/link/{}", id.as_str());
    let page = browser.get(&gate.at(&format!("/signin/example?next={link}"))).await.unwrap();
    let now = gate.app.clock.wall();
    assert_eq!(gate.backend.store.logins_away(now).await.unwrap(), 1);
    let db = gate.backend.path();
    let has = |bytes: &[u8], what: &str| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    let mut browsers = 0;
    for file in std::fs::read_dir(db.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            let bytes = std::fs::read(&file).unwrap();
            browsers += usize::from(has(&bytes, "INSERT INTO logins") || has(&bytes, "CREATE TABLE logins"));
            assert!(!has(&bytes, id.as_str()), "the link is in {}", file.display());
        }
    }
    assert!(browsers > 0, "this is not where the store is");
    // The browser is led to it all the same.
    let form = page.forms().into_iter().find(|form| form.id == "login").unwrap();
    let mut page = browser.submit(&page, &form, None, &[("name", "alice")]).await.unwrap();
    if let Some(consent) = page.forms().into_iter().find(|form| form.id == "consent") {
        page = browser.submit(&page, &consent, None, &[]).await.unwrap();
    }
    assert_eq!(page.url.path(), link, "{}", page.text());
}

//! Sign-in links, opened in a browser.

use curfew_adapter::{Progress, Protocol, SignedIn, Step};
use curfew_harness::Browser;

use super::Gate;
use crate::identity::Connecting;

fn psql(gate: &Gate, client: &str) -> (String, Progress<SignedIn>) {
    let about = Connecting {
        protocol: Protocol::Postgres,
        program: "psql".into(),
        client: client.parse().unwrap(),
        target: "orders".into(),
        account: "orders_read".into(),
        types: false,
    };
    let pending = gate.app.links.open(about);
    let url = pending.url().to_owned();
    (url, Progress::new(|tell| async move { pending.wait(&tell).await }))
}

#[tokio::test]
async fn a_person_opens_the_link_signs_in_and_consents() {
    let gate = Gate::start().await;
    let (url, mut connection) = psql(&gate, "127.0.0.1");
    let browser = Browser::new().unwrap();
    let page = browser.sign_in(&url, "alice").await.unwrap();
    assert_eq!(page.url.as_str(), url);
    for fact in ["psql", "127.0.0.1", "orders", "orders_read", "alice@example.com"] {
        assert!(page.text().contains(fact), "{fact}: {}", page.text());
    }
    let page = browser.press(&page, "Yes, this is me", &[]).await.unwrap();
    assert_eq!((page.status, page.url.as_str()), (200, url.as_str()), "{}", page.text());
    assert!(page.text().contains("psql is signed in") && page.offers("Ask"), "{}", page.text());
    let Step::Done(who) = connection.next().await else { panic!() };
    assert_eq!(who.identity.email, "alice@example.com");

    // A browser that is signed in needs one click for the next connection.
    let (url, mut connection) = psql(&gate, "127.0.0.1");
    let page = browser.get(&url).await.unwrap();
    assert!(page.redirects.is_empty());
    browser.press(&page, "Yes, this is me", &[]).await.unwrap();
    assert!(matches!(connection.next().await, Step::Done(_)));
}

#[tokio::test]
async fn warpgate_cve_2023_37268_anothers_browser_on_a_pending_link_is_clearly_another() {
    let gate = Gate::start().await;
    let (url, mut connection) = psql(&gate, "127.0.0.1");
    let (alice, bob) = (Browser::new().unwrap(), Browser::new().unwrap());
    let of_alice = alice.sign_in(&url, "alice").await.unwrap();
    let of_bob = bob.sign_in(&url, "bob").await.unwrap();
    assert!(
        of_bob.text().contains("bob@example.com") && !of_bob.text().contains("alice"),
        "{}",
        of_bob.text()
    );
    // Nothing was signed in by looking, and the one who says yes is who it is.
    bob.press(&of_bob, "Yes, this is me", &[]).await.unwrap();
    let Step::Done(who) = connection.next().await else { panic!() };
    assert_eq!(who.identity.email, "bob@example.com");
    let late = alice.press(&of_alice, "Yes, this is me", &[]).await.unwrap();
    assert!(late.status == 404 && late.text().contains("not good any more"), "{}", late.text());
    assert_eq!(alice.get(&url).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_link_opened_at_another_address_is_refused_plainly() {
    let gate = Gate::start().await;
    let (url, mut connection) = psql(&gate, "127.0.0.2");
    let page = Browser::new().unwrap().get(&url).await.unwrap();
    assert_eq!(page.status, 403);
    assert!(page.redirects.is_empty(), "nobody signs in for nothing");
    assert!(page.text().contains("127.0.0.2") && page.text().contains("127.0.0.1"), "{}", page.text());
    let Step::Show(notice) = connection.next().await else { panic!() };
    assert!(notice.message.contains("opened at 127.0.0.1") && notice.hint.contains(&url));
    assert!(gate.audit().await.contains("signin.refused"));

    let page = Browser::from("127.0.0.2").unwrap().sign_in(&url, "alice").await.unwrap();
    assert!(page.offers("Yes, this is me"), "{}", page.text());
}

#[tokio::test]
async fn a_forwarded_address_is_not_believed_from_a_stranger() {
    let gate = Gate::start().await;
    let (url, _connection) = psql(&gate, "127.0.0.2");
    let browser = Browser::new().unwrap();
    let request = browser.request(reqwest::Method::GET, &url).unwrap();
    let answer = request.header("x-forwarded-for", "127.0.0.2").send().await.unwrap();
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn saying_no_or_forging_the_form_signs_nobody_in() {
    let gate = Gate::start().await;
    let (url, mut connection) = psql(&gate, "127.0.0.1");
    let browser = Browser::new().unwrap();
    let page = browser.sign_in(&url, "alice").await.unwrap();
    let forged = browser.request(reqwest::Method::POST, &url).unwrap();
    let form = [("action", "yes"), ("csrf", "AAAA")];
    let answer = forged.header("origin", &gate.url).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let page = browser.press(&page, "No, it is not", &[]).await.unwrap();
    assert!(page.text().contains("not signed in"), "{}", page.text());
    assert!(matches!(connection.next().await, Step::Refused(_)));
    assert!(gate.audit().await.contains("not theirs"));
    assert_eq!(browser.get(&url).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_program_with_a_hostile_name_is_text() {
    let gate = Gate::start().await;
    let about = Connecting {
        protocol: Protocol::Postgres,
        program: "<script>alert(1)</script>".into(),
        client: "127.0.0.1".parse().unwrap(),
        target: "\"><img src=x>".into(),
        account: "'onload=".into(),
        types: false,
    };
    let pending = gate.app.links.open(about);
    let page = Browser::new().unwrap().sign_in(pending.url(), "alice").await.unwrap();
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<script") && !page.body.contains("<img"), "{}", page.body);
}

#[tokio::test]
async fn without_a_grant_the_link_leads_to_the_form_and_then_shows_how_the_request_stands() {
    let gate = Gate::start().await;
    let (url, _connection) = psql(&gate, "127.0.0.1");
    let (alice, bob) = (Browser::new().unwrap(), Browser::new().unwrap());
    let page = alice.sign_in(&url, "alice").await.unwrap();
    let form = alice.act(&page, "yes", &[]).await.unwrap();
    assert!(form.text().contains("orders_read"), "{}", form.text());
    let page = alice.act(&form, "ask", &[("reason", "INC-1")]).await.unwrap();
    assert_eq!(page.url.as_str(), url, "back at the link: {}", page.text());
    assert!(page.text().contains("pending") && page.text().contains("group sre-leads"), "{}", page.text());
    assert!(page.body.contains("http-equiv=\"refresh\" content=\"3\""), "it looks again by itself");

    let (_, request) = page.links().into_iter().find(|(says, _)| says == "See the request").unwrap();
    let page = bob.sign_in(request.as_str(), "bob").await.unwrap();
    bob.act(&page, "approve", &[]).await.unwrap();
    let page = alice.get(&url).await.unwrap();
    assert!(page.text().contains("psql is signed in You have access"), "{}", page.text());
    assert!(!page.body.contains("http-equiv"));

    // With a grant, the next connection needs one click and no form.
    let (url, _connection) = psql(&gate, "127.0.0.1");
    let page = alice.get(&url).await.unwrap();
    let page = alice.act(&page, "yes", &[]).await.unwrap();
    assert_eq!(page.url.as_str(), url);
    assert!(page.text().contains("You have access"), "{}", page.text());
}

#[tokio::test]
async fn a_denied_request_is_seen_on_the_page_of_the_link() {
    let gate = Gate::start().await;
    let (url, _connection) = psql(&gate, "127.0.0.1");
    let (alice, bob) = (Browser::new().unwrap(), Browser::new().unwrap());
    let page = alice.sign_in(&url, "alice").await.unwrap();
    let form = alice.act(&page, "yes", &[]).await.unwrap();
    let page = alice.act(&form, "ask", &[("reason", "INC-1")]).await.unwrap();
    let (_, request) = page.links().into_iter().find(|(says, _)| says == "See the request").unwrap();
    let page = bob.sign_in(request.as_str(), "bob").await.unwrap();
    bob.act(&page, "deny", &[("reason", "not today")]).await.unwrap();
    let page = alice.get(&url).await.unwrap();
    assert!(page.text().contains("denied"), "{}", page.text());
}

#[tokio::test]
async fn what_no_contract_gives_looks_like_what_is_not_there() {
    let gate = Gate::start().await;
    let mut pages = Vec::new();
    for target in ["payroll", "nowhere"] {
        let about = Connecting {
            protocol: Protocol::Postgres,
            program: "psql".into(),
            client: "127.0.0.1".parse().unwrap(),
            target: target.into(),
            account: "admin".into(),
            types: false,
        };
        let pending = gate.app.links.open(about);
        let browser = Browser::new().unwrap();
        let page = browser.sign_in(pending.url(), "alice").await.unwrap();
        let page = browser.act(&page, "yes", &[]).await.unwrap();
        pages.push(page.text().replace(target, "TARGET"));
    }
    assert!(pages[0].contains("No contract lets you ask"), "{}", pages[0]);
    assert_eq!(pages[0], pages[1]);
}

//! Tokens, links and certificates are good for one thing each, and for one person.

use std::fs;

use curfew_harness::psql::output;
use curfew_harness::{Browser, Person};
use reqwest::Method;

use super::linked;
use crate::cli::plain_psql;
use crate::world::{LIMIT, NOW, World};

/// The token that `curfew login` keeps.
fn api_token(who: &Person) -> String {
    fs::read_to_string(who.kept().unwrap().join("token")).unwrap().trim().to_owned()
}

/// The token in the cookie of the gate.
fn browser_token(who: &Person) -> (String, String) {
    let cookies = who.browser.cookies();
    let found = cookies.iter().find(|cookie| cookie.value.starts_with("cfwb_"));
    let found = found.unwrap_or_else(|| panic!("{cookies:?}"));
    (found.name.clone(), found.value.clone())
}

#[tokio::test]
async fn teleport_13_4_0_every_kind_of_token_at_every_endpoint() {
    let world = World::secure(|options| options).await;
    let erin = world.signed_in("erin").await;
    erin.open(&world.gate.page("/requests")).await.unwrap();
    let (api, (cookie, browser)) = (api_token(&erin), browser_token(&erin));
    let (_psql, link) = linked(&world).await;
    let link = link.rsplit('/').next().unwrap().to_owned();
    let http = Browser::new().unwrap();
    let document = http.get(&world.gate.page("/api/v1/openapi.json")).await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&document.body).unwrap();
    let open = ["/api/v1/ca", "/api/v1/keys", "/api/v1/gate", "/api/v1/openapi.json", "/api/v1/ssh"];
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let url = world.gate.page(&path.replace("{id}", "none"));
            let ask =
                || http.request(method.clone(), &url).unwrap().header("content-type", "application/json");
            let wrong = [
                ask(),
                ask().bearer_auth(&browser),
                ask().bearer_auth(&link),
                ask().bearer_auth(format!("{api}x")),
                ask().bearer_auth(api.replace("cfwa_", "cfwb_")),
                ask().bearer_auth(browser.replace("cfwb_", "cfwa_")),
                ask().basic_auth("erin", Some(&api)),
                ask().header("cookie", format!("{cookie}={api}")),
                ask().query(&[("access_token", &api)]),
            ];
            for request in wrong {
                let answer = request.body("{}").send().await.unwrap();
                let status = answer.status().as_u16();
                let fine = if open.contains(&path.as_str()) { [200, 400] } else { [401, 401] };
                assert!(fine.contains(&status), "{method} {path}: {status}");
                asked += 1;
            }
            if method != Method::GET {
                let answer =
                    ask().header("cookie", format!("{cookie}={browser}")).body("{}").send().await.unwrap();
                assert_eq!(answer.status().as_u16(), 401, "a cookie changes nothing: {method} {path}");
            }
        }
    }
    assert!(asked > 200, "{asked}");
    // Pages take the cookie and nothing else.
    for page in ["/", "/requests", "/requests/new", "/targets", "/device"] {
        let url = world.gate.page(page);
        for request in [
            http.request(Method::GET, &url).unwrap().bearer_auth(&api),
            http.request(Method::GET, &url).unwrap().bearer_auth(&browser),
            http.request(Method::GET, &url).unwrap().header("cookie", format!("{cookie}={api}")),
        ] {
            let answer = request.send().await.unwrap();
            let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
            assert!(
                to.as_ref().is_some_and(|to| to.starts_with("/signin")),
                "{page}: {} {to:?}",
                answer.status()
            );
        }
    }
}

#[tokio::test]
async fn teleport_cve_2025_49825_a_link_or_certificate_is_worth_nothing_elsewhere() {
    let world = World::secure(|mut options| {
        options.contracts.clear();
        options.contract("orders-now", NOW)
    })
    .await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "1h").await;

    // A link belongs to one connection and works once: a second use signs nobody in.
    let (mut first, link) = linked(&world).await;
    let (second, other) = linked(&world).await;
    assert_ne!(link, other);
    let page = alice.consent(&link).await.unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    let said = output(&mut first, LIMIT).await.unwrap().success().unwrap();
    assert_eq!(said.stdout.trim(), "in");
    let again = alice.open(&link).await.unwrap();
    assert!(again.action("yes").is_err(), "{}", again.text());
    let bob = world.gate.person("bob").unwrap();
    let page = bob.open(&link).await.unwrap();
    assert!(page.status == 404 && page.action("yes").is_err(), "{}", page.text());
    assert!(!page.text().contains("alice"), "{}", page.text());
    // The other connection got nothing from that.
    let url = world.gate.page(&format!("/link/{}", "A".repeat(22)));
    assert_eq!(alice.open(&url).await.unwrap().status, 404);
    assert!(second.logs().text(curfew_harness::process::Stream::Out).is_empty());

    // From another address the link is refused, and whoever waits is told.
    let far = world.gate.person_from("alice", "127.0.0.2").unwrap();
    let page = far.open(&other).await.unwrap();
    assert_eq!(page.status, 403, "{}", page.text());
    second.logs().wait_for("127.0.0.2", LIMIT).await.unwrap();

    // A certificate opens what there is a grant for: no other account, no other target.
    let psql = plain_psql(&alice).await.param("application_name", "a-program");
    psql.run(["-c", "select 1"]).await.unwrap().success().unwrap();
    let refused =
        [psql.clone().user("orders_write"), psql.clone().user("postgres"), psql.clone().database("postgres")];
    for elsewhere in refused {
        let said = elsewhere.run(["-c", "select 1"]).await.unwrap();
        assert_eq!(said.code, Some(2), "{}", said.stdout);
        assert!(
            said.stderr.contains("no grant") || said.stderr.contains("there is no target"),
            "{}",
            said.stderr
        );
    }
    // Bob's own certificate does not use alice's grant.
    let bob = world.signed_in("bob").await;
    let theirs =
        bob.curfew(["psql", "orders", "--as", "orders_read", "--", "-Xc", "select 1"]).await.unwrap();
    assert_ne!(theirs.code, Some(0), "{}", theirs.stdout);
    assert!(theirs.stderr.contains("there is no target"), "{}", theirs.stderr);
}

#[tokio::test]
async fn pages_carry_the_headers_that_keep_them_safe() {
    let world = World::secure(|options| options).await;
    let alice = world.gate.person("alice").unwrap();
    let (_psql, link) = linked(&world).await;
    for url in [link, world.gate.page("/"), world.gate.page("/requests"), world.gate.page("/requests/none")] {
        let page = alice.open(&url).await.unwrap();
        let header = |name: &str| page.header(name).unwrap_or_else(|| panic!("{url} has no {name}"));
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("default-src 'none'") || policy.contains("default-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(header("cache-control").contains("no-store"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(!header("referrer-policy").is_empty());
    }
    for cookie in alice.browser.cookies().into_iter().filter(|cookie| cookie.value.starts_with("cfwb_")) {
        assert!(cookie.secure && cookie.http_only, "{}", cookie.name);
        assert!(["Lax", "Strict"].contains(&cookie.same_site.as_str()), "{}", cookie.same_site);
    }
    for hostile in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/%2F/evil.example",
        "javascript:alert(1)",
    ] {
        let query = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>();
        let fresh = world.gate.person("alice").unwrap();
        let page = fresh.open(&world.gate.page(&format!("/signin?next={query}"))).await.unwrap();
        let ours = |url: &url::Url| url.host_str() == Some("127.0.0.1");
        assert!(
            ours(&page.url) && page.redirects.iter().all(ours),
            "{hostile}: {} {:?}",
            page.url,
            page.redirects
        );
    }
}

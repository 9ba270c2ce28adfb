//! Several providers side by side, each believed only for what its entry lets it assert.

use curfew_harness::{Gate, GateOptions, Provider};
use reqwest::Method;
use serde_json::json;

use crate::world::World;

/// The contractors' provider: it may speak for carol's company, and for no group but theirs.
fn contractors(issuer: &str) -> String {
    format!(
        "\n[[provider]]\nname = \"contractors\"\nissuer = \"{issuer}\"\nclient_id = \"curfew\"\n\
         client_secret = {{ file = \"secrets/oidc\" }}\ngroups_claim = \"realm.roles\"\n\
         emails = [\"example.net\"]\ngroups = [\"contractors\"]\n"
    )
}

#[tokio::test]
async fn a_contractors_provider_that_asserts_an_approvers_email_or_group_gets_neither() {
    let theirs = Provider::start(&[]).await.unwrap();
    let world = World::secure(|mut options| {
        options.provider = "groups = \"any\"\n".to_owned();
        options.tables.push_str(&contractors(theirs.issuer()));
        options
    })
    .await;
    theirs.redirect_uris(&[&world.gate.callback("contractors")]).await.unwrap();
    let auditor = {
        let person = world.gate.person("erin").unwrap();
        let page = person.open(&world.gate.page("/signin/example?next=/requests")).await.unwrap();
        assert_eq!(page.status, 200, "{}", page.text());
        person
    };
    let log = async || {
        let url = world.gate.page("/api/v1/audit?after=0&limit=500");
        let answer = auditor.browser.request(Method::GET, &url).unwrap().send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    };
    let to_sign_in = world.gate.page("/signin/contractors?next=/requests");

    // Their bob says that he is ours. He is nobody, and it is written down.
    let bob = world.gate.person("bob").unwrap();
    let page = bob.open(&to_sign_in).await.unwrap();
    assert_eq!(page.status, 403, "{}", page.text());
    assert!(page.text().contains("example.net"), "{}", page.text());
    let refusal = log().await;
    let refusal =
        refusal.lines().find(|line| line.contains("signin.refused")).unwrap_or_else(|| panic!("{refusal}"));
    assert!(refusal.contains("contractors"), "{refusal}");

    // Their mallory has an address of theirs, and says that she is one of our approvers.
    let claims = json!({ "email": "mallory@example.net", "email_verified": true,
        "groups": ["contractors", "sre-leads", "platform"] });
    theirs.person("mallory", &claims).await.unwrap();
    let mallory = world.gate.person("mallory").unwrap();
    let page = mallory.open(&to_sign_in).await.unwrap();
    assert_eq!((page.status, page.url.path()), (200, "/requests"), "{}", page.text());
    let url = world.gate.page("/api/v1/whoami");
    let me = mallory.browser.request(Method::GET, &url).unwrap().send().await.unwrap().text().await.unwrap();
    assert!(me.contains("mallory@example.net") && me.contains("contractors"), "{me}");
    assert!(!me.contains("sre-leads") && !me.contains("platform") && !me.contains("admin"), "{me}");
    let dropped = log().await;
    let dropped = dropped.lines().find(|line| line.contains("signin.claims_dropped")).unwrap();
    assert!(dropped.contains("group sre-leads") && dropped.contains("group platform"), "{dropped}");

    let alice = world.gate.person("alice").unwrap();
    let page = alice.open(&world.gate.page("/signin/example?next=/requests/new")).await.unwrap();
    assert!(page.status < 500, "{}", page.text());
    let choice = world.gate.person("alice").unwrap().browser.get(&world.gate.page("/signin")).await.unwrap();
    let names: Vec<_> = choice.links().into_iter().map(|(says, _)| says).collect();
    assert!(names.iter().any(|name| name.contains("example")), "{names:?}");
    assert!(names.iter().any(|name| name.contains("contractors")), "{names:?}");
}

#[tokio::test]
async fn a_provider_that_is_down_rotates_its_keys_or_says_groups_elsewhere_is_lived_with() {
    let provider = Provider::start(&[]).await.unwrap();
    let gate = Gate::start(GateOptions::new(env!("CARGO_BIN_EXE_curfew")), &provider).await.unwrap();
    let roles = async |name: &str| {
        let person = gate.person(name).unwrap();
        let page = person.open(&gate.page("/requests")).await.unwrap();
        assert_eq!(page.status, 200, "{}", page.text());
        let url = gate.page("/api/v1/whoami");
        person.browser.request(Method::GET, &url).unwrap().send().await.unwrap().text().await.unwrap()
    };
    provider.down(true).await.unwrap();
    let page = gate.person("dave").unwrap().open(&gate.page("/requests")).await.unwrap();
    assert_eq!(page.status, 503, "{}", page.text());
    assert!(page.text().contains("The provider example does not answer"), "{}", page.text());
    provider.down(false).await.unwrap();
    let back = async || {
        let page = gate.person("dave").unwrap().open(&gate.page("/requests")).await.ok()?;
        (page.status == 200).then_some(())
    };
    curfew_harness::until("the provider", crate::world::LIMIT, back).await.unwrap();
    assert!(roles("dave").await.contains("\"admin\""));
    provider.rotate_keys(false).await.unwrap();
    provider.groups_in_userinfo_only(true).await.unwrap();
    assert!(roles("dave").await.contains("\"admin\""));
    assert!(roles("erin").await.contains("\"auditor\""));

    // An address that the provider never verified is nobody's, least of all bob's.
    let page = gate.person("mallory").unwrap().open(&gate.page("/requests")).await.unwrap();
    assert_eq!(page.status, 403, "{}", page.text());
    assert!(page.text().contains("verified"), "{}", page.text());
}

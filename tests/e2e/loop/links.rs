//! Sign-in links: whose they are, from where they may be opened, and for how long.

use curfew_harness::wire::startup;
use curfew_harness::{Terminal, Wire};

use crate::world::{LIMIT, World};

#[tokio::test]
async fn programs_that_cant_wait_are_told_at_once() {
    let world = World::secure(|options| options).await;
    for program in ["pgAdmin 4", "report", "PSQL", "psql "] {
        let psql = world.psql("orders_read").param("application_name", program);
        let told = psql.run(["-c", "select 1"]).await.unwrap();
        assert_eq!(told.code, Some(2), "{program}");
        assert!(told.stderr.contains("FATAL:"), "{program}: {}", told.stderr);
        assert!(told.stderr.contains(&world.gate.url()), "no address in {}", told.stderr);
        assert!(told.stderr.contains("curfew login"), "no command in {}", told.stderr);
        assert!(!told.stderr.contains("/link/"), "a link that nobody waits for: {}", told.stderr);
    }
}

#[tokio::test]
async fn a_browser_elsewhere_is_refused() {
    let world = World::secure(|options| options).await;
    let mut terminal = Terminal::psql(&world.psql("orders_read"), [""; 0]).unwrap();
    let link = terminal.link(&world.gate.url(), LIMIT).await.unwrap();
    let elsewhere = world.gate.person_from("alice", "127.0.0.2").unwrap();
    let page = elsewhere.open(&link).await.unwrap();
    assert_eq!(page.status, 403);
    assert!(page.text().contains("127.0.0.2"), "{}", page.text());
    assert!(page.action("yes").is_err());
    // Whoever waits is told that somebody opened it, and where.
    terminal.wait_for("127.0.0.2", LIMIT).await.unwrap();
    // Somebody who is signed in already gets no further.
    let page = elsewhere.open(&world.gate.page("/signin")).await.unwrap();
    assert!(page.status < 500);
    assert_eq!(elsewhere.open(&link).await.unwrap().status, 403);
    // The link still works where it belongs.
    let alice = world.gate.person("alice").unwrap();
    assert_eq!(alice.consent(&link).await.unwrap().status, 200);
    terminal.wait_for("you have no grant", LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_link_is_finished_by_the_person_who_opens_it_and_nobody_else() {
    let world = World::secure(|options| options).await;
    let mut terminal = Terminal::psql(&world.psql("orders_read"), [""; 0]).unwrap();
    let link = terminal.link(&world.gate.url(), LIMIT).await.unwrap();
    let (alice, bob) = (world.gate.person("alice").unwrap(), world.gate.person("bob").unwrap());
    // Both have it open; the page says whose sign-in it would be.
    let (hers, his) = (alice.open(&link).await.unwrap(), bob.open(&link).await.unwrap());
    assert!(hers.text().contains("alice@example.com") && his.text().contains("bob@example.com"));
    alice.browser.act(&hers, "yes", &[]).await.unwrap();
    terminal.wait_for("you have no grant", LIMIT).await.unwrap();
    // The second yes does nothing, and neither he nor a third sees what the connection is about now.
    let late = bob.browser.act(&his, "yes", &[]).await.unwrap();
    assert_eq!(late.status, 404, "{}", late.text());
    assert_eq!(bob.open(&link).await.unwrap().status, 404);
    let again = alice.browser.act(&hers, "yes", &[]).await.unwrap();
    assert_eq!(again.status, 404, "{}", again.text());
    // It is hers still.
    assert_eq!(alice.open(&link).await.unwrap().status, 200);
}

#[tokio::test]
async fn one_persons_form_does_not_finish_anothers_sign_in() {
    let world = World::secure(|options| options).await;
    let mut wire = Terminal::psql(&world.psql("orders_read"), [""; 0]).unwrap();
    let link = wire.link(&world.gate.url(), LIMIT).await.unwrap();
    let (alice, bob) = (world.gate.person("alice").unwrap(), world.gate.person("bob").unwrap());
    alice.open(&link).await.unwrap();
    let his = bob.open(&link).await.unwrap();
    // alice's browser is made to send the form that was made for bob's.
    let forged = alice.browser.act(&his, "yes", &[]).await.unwrap();
    assert_eq!(forged.status, 403, "{}", forged.text());
    // The same from a page of another site, which brings no cookie along.
    let mut foreign = alice.open(&link).await.unwrap();
    foreign.url.set_host(Some("evil.example")).unwrap();
    let (form, button) = foreign.action("yes").unwrap();
    let form = curfew_harness::browser::Form { action: link.clone(), ..form };
    let forged = alice.browser.submit(&foreign, &form, Some(&button), &[]).await.unwrap();
    assert!(
        forged.action("yes").is_err() && forged.status != 200 || forged.url.path().contains("signin"),
        "{forged:?}"
    );
    // Nobody has been signed in by any of it.
    let mine = alice.open(&link).await.unwrap();
    assert!(mine.action("yes").is_ok(), "{}", mine.text());
}

#[tokio::test]
async fn saying_no_ends_the_connection() {
    let world = World::secure(|options| options).await;
    let mut terminal = Terminal::psql(&world.psql("orders_read"), [""; 0]).unwrap();
    let link = terminal.link(&world.gate.url(), LIMIT).await.unwrap();
    let alice = world.gate.person("alice").unwrap();
    let page = alice.open(&link).await.unwrap();
    alice.browser.act(&page, "no", &[]).await.unwrap();
    terminal.wait_for("not theirs", LIMIT).await.unwrap();
    assert_eq!(terminal.ended(LIMIT).await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_link_dies_with_its_connection() {
    let world = World::open(|options| options).await;
    let alice = world.gate.person("alice").unwrap();
    let mut wire = world.wire("orders_read").await;
    let link = wire.link(&world.gate.url()).await.unwrap();
    let page = alice.open(&link).await.unwrap();
    assert!(page.action("yes").is_ok());
    drop(wire);
    let gone = async || (alice.open(&link).await.unwrap().status == 404).then_some(());
    curfew_harness::until("the link to die", LIMIT, gone).await.unwrap();
    let late = alice.browser.act(&page, "yes", &[]).await.unwrap();
    assert_eq!(late.status, 404, "{}", late.text());
    let unknown = alice.open(&world.gate.page("/link/AAAAAAAAAAAAAAAAAAAAAAAAAA")).await.unwrap();
    let dead = alice.open(&link).await.unwrap();
    assert_eq!((unknown.status, unknown.text()), (dead.status, dead.text()));
}

#[tokio::test]
async fn too_many_pending_links_are_refused_and_leave_room_for_other_addresses() {
    let world = World::open(|mut options| {
        options.listen = "limits = { pending_links = 6, pending_links_per_address = 4 }".to_owned();
        options
    })
    .await;
    let ask = startup(&[("user", "orders_read"), ("database", "orders"), ("application_name", "psql")]);
    let connect = async |from: &str| {
        let mut wire = Wire::connect_from(from.parse().unwrap(), world.gate.postgres()).await.unwrap();
        wire.send(&ask).await.unwrap();
        wire
    };
    let refused = async |from: &str| {
        let mut wire = connect(from).await;
        let told = wire.until(b'E').await.unwrap().pop().unwrap();
        assert_eq!(told.field('C').as_deref(), Some("53300"), "{told:?}");
    };
    let mut held = Vec::new();
    for from in ["127.0.0.1"; 4].into_iter().chain(["127.0.0.2"; 2]) {
        let mut wire = connect(from).await;
        wire.link(&world.gate.url()).await.unwrap();
        held.push(wire);
        if held.len() == 4 {
            refused("127.0.0.1").await;
        }
    }
    // Room for 127.0.0.2 by itself, and none in all.
    refused("127.0.0.2").await;
    held.truncate(3);
    let again = async || {
        let mut wire = connect("127.0.0.1").await;
        (wire.next().await.unwrap().tag == b'R' && wire.next().await.unwrap().tag == b'N').then_some(())
    };
    curfew_harness::until("room after some have left", LIMIT, again).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_is_down_is_a_sentence_and_the_link_lives_on() {
    let world = World::open(|options| options).await;
    let mut wire = world.wire("orders_read").await;
    let link = wire.link(&world.gate.url()).await.unwrap();
    let alice = world.gate.person("alice").unwrap();
    world.provider.down(true).await.unwrap();
    let page = alice.open(&link).await.unwrap();
    assert!(page.status >= 500 && page.text().contains("example"), "{} {}", page.status, page.text());
    assert!(page.url.as_str().starts_with(&world.gate.url()), "{}", page.url);
    world.provider.down(false).await.unwrap();
    // The gate does not ask a provider again that failed a moment ago.
    let back = async || (alice.open(&link).await.unwrap().status == 200).then_some(());
    curfew_harness::until("the provider to be asked again", LIMIT, back).await.unwrap();
    assert_eq!(alice.consent(&link).await.unwrap().status, 200);
    wire.notice("you have no grant").await.unwrap();
}

#[tokio::test]
async fn a_wait_at_the_prompt_ends_with_its_patience_or_its_client_and_leaves_its_place() {
    let world = World::secure(|mut options| {
        options.signin = "patience = \"20s\"".to_owned();
        options.listen = "limits = { pending_links = 1, pending_links_per_address = 1 }".to_owned();
        options
    })
    .await;
    let alice = world.gate.person("alice").unwrap();
    let psql = world.psql("orders_read");
    let mut first = Terminal::psql(&psql, [""; 0]).unwrap();
    let link = first.link(&world.gate.url(), LIMIT).await.unwrap();
    alice.consent(&link).await.unwrap();
    // The link to ask for it is filled in already.
    first.wait_for("you have no grant for orders as orders_read", LIMIT).await.unwrap();
    first.wait_for("/requests/new?target=orders&account=orders_read", LIMIT).await.unwrap();
    let told = psql.run(["-c", "select 1"]).await.unwrap();
    assert!(told.stderr.contains("too many connections wait"), "{}", told.stderr);
    // Ctrl-C ends psql, and the wait with it: there is a place again.
    first.interrupt().await.unwrap();
    first.ended(LIMIT).await.unwrap();
    let room = async || {
        let mut next = Terminal::psql(&psql, [""; 0]).unwrap();
        next.link(&world.gate.url(), std::time::Duration::from_secs(3)).await.ok().map(|link| (next, link))
    };
    let ((mut second, link), _) = curfew_harness::until("a place that is free", LIMIT, room).await.unwrap();
    alice.consent(&link).await.unwrap();
    second.wait_for("you have no grant", LIMIT).await.unwrap();
    let told = second.wait_for("waited 20 s for an approval", LIMIT).await.unwrap();
    assert!(told.contains("FATAL:"), "{told}");
    assert_eq!(second.ended(LIMIT).await.unwrap(), Some(2));
    assert_eq!(world.target_side.connections(), 0);
}

//! From the link to the cut with psql on a terminal, asked for and approved on the pages.

use curfew_harness::{Page, Person, Terminal};

use crate::world::{LIMIT, World};

/// Opens the list of requests, and the only one that waits there.
async fn only_request(world: &World, approver: &Person) -> Page {
    let list = approver.open(&world.gate.page("/requests")).await.unwrap();
    let is_request = |path: &str| {
        path.strip_prefix("/requests/").is_some_and(|id| !id.is_empty() && id != "new" && !id.contains('/'))
    };
    let mut found = list.links().into_iter().map(|(_, url)| url).filter(|url| is_request(url.path()));
    let url = found.next().unwrap_or_else(|| panic!("nothing to decide: {}", list.text()));
    approver.browser.follow(&list, url.as_str()).await.unwrap()
}

#[tokio::test]
async fn psql_is_signed_in_waits_is_approved_works_and_is_cut() {
    let world = World::secure(|options| options).await;
    let (alice, bob) = (world.gate.person("alice").unwrap(), world.gate.person("bob").unwrap());
    let psql = world.psql("orders_read");
    let mut terminal = Terminal::psql(&psql, ["-v", "VERBOSITY=verbose", "-P", "pager=off"]).unwrap();

    let link = terminal.link(&world.gate.url(), LIMIT).await.unwrap();
    let page = alice.open(&link).await.unwrap();
    for fact in ["psql", "127.0.0.1", "orders", "orders_read", "alice@example.com"] {
        assert!(page.text().contains(fact), "the page does not say {fact}: {}", page.text());
    }
    // No grant: the same page is the form, and psql says that it waits.
    let page = alice.browser.act(&page, "yes", &[]).await.unwrap();
    terminal.wait_for("you have no grant for orders as orders_read", LIMIT).await.unwrap();
    let page = alice.browser.act(&page, "ask", &[("reason", "INC-7: stuck orders")]).await.unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("pending"), "{}", page.text());
    terminal.wait_for("waits for its approval", LIMIT).await.unwrap();
    assert_eq!(world.target_side.connections(), 0, "something reached the target before the approval");

    let request = only_request(&world, &bob).await;
    for fact in ["alice@example.com", "INC-7: stuck orders", "orders_read", "orders-debug"] {
        assert!(request.text().contains(fact), "the request does not say {fact}: {}", request.text());
    }
    let approved = bob.browser.act(&request, "approve", &[]).await.unwrap();
    assert!(approved.action("approve").is_err(), "{}", approved.text());

    terminal.wait_for("orders=> ", LIMIT).await.unwrap();
    terminal.send_line("select count(*) from orders;").await.unwrap();
    let shown = terminal.wait_for("(1 row)", LIMIT).await.unwrap();
    assert!(shown.contains("3000"), "{shown}");
    // The page knows without being asked again by hand.
    let page = alice.open(&link).await.unwrap();
    assert!(page.text().contains("You have access"), "{}", page.text());

    terminal.send_line("select pg_sleep(600);").await.unwrap();
    let asleep =
        "select count(*) = 1 from pg_stat_activity where usename = 'orders_read' and state = 'active'";
    world.postgres.wait_until(asleep, LIMIT).await.unwrap();
    let request = bob.open(request.url.as_str()).await.unwrap();
    bob.browser.act(&request, "revoke", &[("reason", "enough seen")]).await.unwrap();
    let cut = terminal.wait_for("HINT:", LIMIT).await.unwrap();
    assert!(cut.contains("57P01"), "{cut}");
    assert!(cut.contains("enough seen") && cut.contains("bob@example.com"), "who and why: {cut}");
    terminal.wait_for("/requests/new?", LIMIT).await.unwrap();
    // Its own reconnect gets the sentence, not a link and a wait.
    terminal.wait_for("!?> ", LIMIT).await.unwrap();
    terminal.send_line("\\q").await.unwrap();
    terminal.ended(LIMIT).await.unwrap();
    assert_eq!(terminal.transcript().matches("/link/").count(), 1, "{}", terminal.transcript());
    let gone = "select count(*) = 0 from pg_stat_activity where usename = 'orders_read'";
    world.postgres.wait_until(gone, LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_denied_ends_the_wait_with_the_reason() {
    let world = World::secure(|options| options).await;
    let (alice, bob) = (world.gate.person("alice").unwrap(), world.gate.person("bob").unwrap());
    let mut terminal = Terminal::psql(&world.psql("orders_read"), [""; 0]).unwrap();
    let link = terminal.link(&world.gate.url(), LIMIT).await.unwrap();
    let page = alice.consent(&link).await.unwrap();
    alice.browser.act(&page, "ask", &[("reason", "curious")]).await.unwrap();
    let request = only_request(&world, &bob).await;
    bob.browser.act(&request, "deny", &[("reason", "ask with a ticket")]).await.unwrap();
    let told = terminal.wait_for("ask with a ticket", LIMIT).await.unwrap();
    assert!(told.contains("FATAL:") && told.contains("denied"), "{told}");
    assert_eq!(terminal.ended(LIMIT).await.unwrap(), Some(2));
    assert_eq!(world.target_side.connections(), 0);
}

#[tokio::test]
async fn where_links_may_be_opened_elsewhere_an_approver_sees_both_addresses() {
    let world = World::secure(|mut options| {
        options.signin = "link_addresses = [\"127.0.0.2/32\"]".to_owned();
        options.contract("orders-now", crate::world::NOW)
    })
    .await;
    let alice = world.gate.person_from("alice", "127.0.0.2").unwrap();
    let mut terminal = Terminal::psql(&world.psql("orders_read"), [""; 0]).unwrap();
    let link = terminal.link(&world.gate.url(), LIMIT).await.unwrap();
    let page = alice.open(&link).await.unwrap();
    assert!(page.text().contains("127.0.0.1") && page.text().contains("127.0.0.2"), "{}", page.text());
    let page = alice.browser.act(&page, "yes", &[]).await.unwrap();
    terminal.wait_for("you have no grant", LIMIT).await.unwrap();

    let values = [("reason", "from my phone"), ("contract", "orders-debug")];
    let page = alice.browser.act(&page, "ask", &values).await.unwrap();
    assert!(page.text().contains("pending"), "{}", page.text());
    let bob = world.gate.person("bob").unwrap();
    let request = only_request(&world, &bob).await;
    assert!(
        request.text().contains("127.0.0.1") && request.text().contains("127.0.0.2"),
        "{}",
        request.text()
    );
    bob.browser.act(&request, "approve", &[]).await.unwrap();
    terminal.wait_for("orders=> ", LIMIT).await.unwrap();
}

//! The first bytes: garbage, lengths that lie, plaintext where TLS was asked for, headers that nobody may send.

use std::time::Duration;

use curfew_harness::Wire;
use curfew_harness::wire::{Message, SSL_REQUEST, cancel_request, messages, startup};

use crate::world::World;

/// What a client hears that says this first, up to the close.
async fn heard(world: &World, bytes: &[u8]) -> Vec<Message> {
    let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
    wire.send(bytes).await.unwrap();
    let rest = wire.rest().await.unwrap();
    let (heard, rest) = messages(&rest);
    assert!(rest.is_empty(), "cut short: {rest:?}");
    heard
}

fn code(heard: &[Message]) -> String {
    heard.last().and_then(|last| last.field('C')).unwrap_or_else(|| panic!("no error: {heard:?}"))
}

const ASK: [(&str, &str); 3] =
    [("user", "orders_read"), ("database", "orders"), ("application_name", "psql")];

#[tokio::test]
async fn garbage_and_lengths_that_lie_end_in_a_protocol_error() {
    let world = World::open(|options| options).await;
    let mut waiting = world.wire("orders_read").await;
    waiting.link(&world.gate.url()).await.unwrap();

    let length = |length: i32| [&length.to_be_bytes()[..], &[0, 3, 0, 0, 0]].concat();
    let mut not_ended = startup(&ASK);
    not_ended.pop();
    not_ended[3] -= 1;
    let mut not_utf8 = startup(&ASK);
    let place = not_utf8.windows(6).position(|window| window == b"orders").unwrap();
    not_utf8[place] = 0xff;
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\nhost: gate\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("letters", vec![b'A'; 64 * 1024]),
        ("a length of 0", length(0)),
        ("a length of 7", length(7)),
        ("a length below zero", length(-1)),
        ("a length of 2 GiB", length(i32::MAX)),
        ("parameters without an end", not_ended),
        ("a name that is not UTF-8", not_utf8),
        ("a PROXY header", [b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n".as_slice(), &startup(&ASK)].concat()),
    ] {
        assert_eq!(code(&heard(&world, &bytes).await), "08P01", "{what}");
    }
    let old = [0, 0, 0, 9, 0, 2, 0, 0, 0];
    assert_eq!(code(&heard(&world, &old).await), "0A000");
    // TLS spoken at once, and broken off: an alert or nothing, and a close.
    let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
    wire.send(b"\x16\x03\x01\x40\x00garbage garbage garbage").await.unwrap();
    wire.finish().await.unwrap();
    wire.rest().await.unwrap();

    // Whoever waited all the time is served as if nothing had been.
    let link = world.wire("orders_read").await.link(&world.gate.url()).await.unwrap();
    assert!(link.contains("/link/"));
    assert_eq!(world.target_side.connections(), 0);
}

#[tokio::test]
async fn a_packet_cut_short_is_closed_within_the_startup_deadline() {
    let world = World::open(|mut options| {
        options.listen = "limits = { startup = \"2s\" }".to_owned();
        options
    })
    .await;
    let whole = startup(&ASK);
    for end in [1, 4, 7, whole.len() - 1] {
        // The rest never comes, and neither does an end.
        let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
        wire.send(&whole[..end]).await.unwrap();
        let rest = tokio::time::timeout(Duration::from_secs(5), wire.rest()).await;
        rest.unwrap_or_else(|_| panic!("still open after {end} bytes")).unwrap();
        // An end comes instead of the rest.
        let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
        wire.send(&whole[..end]).await.unwrap();
        wire.finish().await.unwrap();
        wire.rest().await.unwrap();
    }
    let metrics = world.metrics().await;
    let counted = |line: &str| metrics.lines().any(|found| found.starts_with(line));
    assert!(
        counted("curfew_startup_failures_total{cause=\"deadline\",protocol=\"postgres\"} 4"),
        "{metrics}"
    );
}

#[tokio::test]
async fn lengths_that_lie_take_no_memory() {
    let world = World::open(|options| options).await;
    let mut held = vec![Wire::connect(world.gate.postgres()).await.unwrap()];
    let before = world.gate.resident_kib().unwrap();
    // The longest startup packet that is listened to, announced and not sent, two hundred times.
    for _ in 0..200 {
        let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
        wire.send(&[&10_000_i32.to_be_bytes()[..], &[0, 3, 0, 0], b"user\0"].concat()).await.unwrap();
        held.push(wire);
        assert_eq!(code(&heard(&world, &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0]).await), "08P01");
    }
    let more = world.gate.resident_kib().unwrap().saturating_sub(before);
    assert!(more < 40 * 1024, "{more} KiB for {} strangers", held.len());
}

#[tokio::test]
async fn ssl_request_with_plaintext_behind_it_is_refused() {
    let world = World::open(|options| options).await;
    let heard = heard(&world, &[&SSL_REQUEST[..], &startup(&ASK)].concat()).await;
    assert_eq!(code(&heard), "08P01");
    assert_eq!(heard.len(), 1, "{heard:?}");
}

#[tokio::test]
async fn plaintext_is_refused_save_a_cancel_request() {
    let world = World::secure(|options| options).await;
    let heard_startup = heard(&world, &startup(&ASK)).await;
    assert_eq!(code(&heard_startup), "28000");
    assert!(heard_startup[0].field('H').unwrap().contains("sslmode=require"), "{heard_startup:?}");
    // A CancelRequest is taken in the clear; a wrong key is told nothing.
    assert!(heard(&world, &cancel_request(&[0, 0, 0, 1, 2, 3, 4, 5])).await.is_empty());

    let psql = world.psql("orders_read").param("sslmode", "disable");
    let told = psql.run(["-c", "select 1"]).await.unwrap();
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("reached through TLS only"), "{}", told.stderr);
    assert_eq!(world.target_side.connections(), 0);
}

#[tokio::test]
async fn a_proxy_header_counts_from_a_trusted_peer_only() {
    let world = World::open(|mut options| {
        options.server = "trusted_proxies = [\"127.0.0.2/32\"]".to_owned();
        options.postgres.push_str(", proxy_protocol = true");
        options
    })
    .await;
    let header = b"PROXY TCP4 127.0.0.9 127.0.0.1 1234 5432\r\n";
    let bytes = [header.as_slice(), &startup(&ASK)].concat();
    let (here, proxy) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());

    let mut stranger = Wire::connect_from(here, world.gate.postgres()).await.unwrap();
    stranger.send(&bytes).await.unwrap();
    assert!(stranger.rest().await.unwrap().is_empty());

    let mut trusted = Wire::connect_from(proxy, world.gate.postgres()).await.unwrap();
    trusted.send(&bytes).await.unwrap();
    let link = trusted.link(&world.gate.url()).await.unwrap();
    let page = world.gate.person("alice").unwrap().open(&link).await.unwrap();
    assert!(page.text().contains("127.0.0.9"), "{}", page.text());
    // A browser says where it is by where it is, not by what it writes.
    let browser = curfew_harness::Browser::new().unwrap();
    let asked = browser.request(reqwest::Method::GET, &link).unwrap().header("x-forwarded-for", "127.0.0.9");
    assert_eq!(asked.send().await.unwrap().status(), 403);
}

//! What sessions are made of, message by message and through a real gate: named statements and portals, pipelines, COPY
//! both ways, NOTIFY, large objects, rows as large as Postgres has them; and that replication is none of it.

use std::time::Duration;

use curfew_harness::postgres::Postgres;
use curfew_harness::wire::{Message, message, startup};
use curfew_harness::{Gate, GateOptions, Provider, Wire};

use crate::world::{NOW, World};

/// A gate without taps, which would keep whatever passes.
struct Direct {
    gate: Gate,
    _provider: Provider,
    postgres: Postgres,
}

impl Direct {
    async fn open() -> Self {
        let (postgres, provider) = tokio::try_join!(Postgres::start(), Provider::start(&[])).unwrap();
        let mut options = GateOptions::new(env!("CARGO_BIN_EXE_curfew"));
        options = options.target_with("orders", postgres.address(), "mode = \"disable\"");
        options.postgres = ", plaintext = \"allow\"".to_owned();
        options.contracts.clear();
        let gate = Gate::start(options.contract("orders-now", NOW), &provider).await.unwrap();
        Self { gate, _provider: provider, postgres }
    }

    /// A session of this account, ready for its first query.
    async fn session(&self, account: &str) -> Wire {
        let alice = self.gate.person("alice").unwrap();
        alice.login().await.unwrap();
        let asked = ["request", "orders", "--as", account, "--reason", "a test", "--for", "30m", "--json"];
        alice.json(asked).await.unwrap();
        let mut wire = Wire::psql(self.gate.postgres(), account, "orders").await.unwrap();
        let link = wire.link(&self.gate.url()).await.unwrap();
        alice.consent(&link).await.unwrap();
        wire.until(b'Z').await.unwrap();
        wire
    }
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"].concat())
}

fn bind(portal: &str, statement: &str, values: &[&str]) -> Vec<u8> {
    let mut body = [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0\0\0"].concat();
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    body.extend([0, 0]);
    message(b'B', &body)
}

fn execute(portal: &str, rows: i32) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), b"\0", &rows.to_be_bytes()].concat())
}

fn named(tag: u8, kind: u8, name: &str) -> Vec<u8> {
    message(tag, &[&[kind], name.as_bytes(), b"\0"].concat())
}

fn sync() -> Vec<u8> {
    message(b'S', b"")
}

fn tags(messages: &[Message]) -> String {
    messages.iter().map(|message| char::from(message.tag)).collect()
}

fn rows(messages: &[Message]) -> Vec<String> {
    let rows = messages.iter().filter(|message| message.tag == b'D');
    rows.map(|row| row.row().into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|"))
        .collect()
}

#[tokio::test]
async fn named_statements_portals_and_pipelines_pass_as_they_are() {
    let direct = Direct::open().await;
    let mut wire = direct.session("orders_read").await;
    // One write: two statements and portals by name, one of them in steps, with an error in the middle of it all.
    let all = [
        parse("numbers", "select generate_series(1, $1::int)"),
        named(b'D', b'S', "numbers"),
        message(b'Q', b"begin\0"),
    ];
    wire.send(&all.concat()).await.unwrap();
    assert_eq!(tags(&wire.until(b'Z').await.unwrap()), "1tTCZ");
    let steps = [
        bind("steps", "numbers", &["5"]),
        bind("other", "numbers", &["1"]),
        execute("steps", 2),
        execute("other", 0),
        execute("steps", 2),
        execute("steps", 2),
        named(b'C', b'P', "steps"),
        sync(),
    ];
    wire.send(&steps.concat()).await.unwrap();
    let said = wire.until(b'Z').await.unwrap();
    assert_eq!(tags(&said), "22DDsDCDDsDC3Z");
    assert_eq!(rows(&said), ["1", "2", "1", "3", "4", "5"]);
    let broken = [
        bind("", "numbers", &["no number"]),
        execute("", 0),
        parse("skipped", "select 1"),
        sync(),
        message(b'Q', b"rollback\0"),
        bind("", "numbers", &["1"]),
        execute("", 0),
        bind("", "skipped", &[]),
        sync(),
    ];
    wire.send(&broken.concat()).await.unwrap();
    assert_eq!(tags(&wire.until(b'Z').await.unwrap()), "EZ");
    assert_eq!(tags(&wire.until(b'Z').await.unwrap()), "CZ");
    let said = wire.until(b'Z').await.unwrap();
    assert_eq!(tags(&said), "2DCEZ");
    assert_eq!(said[3].field('C').unwrap(), "26000", "what was skipped was never prepared");
    // A thousand at once, one answer after the other.
    let many: Vec<u8> = (1..=1000)
        .flat_map(|n| [bind("", "numbers", &[&(n % 3).to_string()]), execute("", 0)].concat())
        .collect();
    wire.send(&[many, sync()].concat()).await.unwrap();
    assert_eq!(rows(&wire.until(b'Z').await.unwrap()).len(), 333 * 3 + 1);
}

#[tokio::test]
async fn copy_notify_and_large_objects_pass_as_they_are() {
    let direct = Direct::open().await;
    let mut wire = direct.session("admin").await;
    let query = async |wire: &mut Wire, sql: &str| {
        wire.query(sql).await.unwrap();
        wire.until(b'Z').await.unwrap()
    };
    query(&mut wire, "create table copied (n int, t text); listen orders").await;
    wire.query("copy copied from stdin").await.unwrap();
    wire.until(b'G').await.unwrap();
    let mut lines = Vec::new();
    for n in 0..10_000 {
        lines.extend(message(b'd', format!("{n}\tline {n}\n").as_bytes()));
    }
    wire.send(&[lines, message(b'c', b"")].concat()).await.unwrap();
    let said = wire.until(b'Z').await.unwrap();
    assert_eq!(said[0].body, b"COPY 10000\0");
    let said = query(&mut wire, "copy (select * from copied order by n) to stdout").await;
    assert_eq!(said.iter().filter(|message| message.tag == b'd').count(), 10_000);
    assert_eq!(said[10_000].body, b"9999\tline 9999\n");
    // A COPY that its client gives up, with Syncs on the way as drivers send them.
    wire.send(&[parse("", "copy copied from stdin"), bind("", "", &[]), execute("", 0), sync()].concat())
        .await
        .unwrap();
    wire.until(b'G').await.unwrap();
    wire.send(&[message(b'd', b"1\tone\n"), message(b'f', b"changed my mind\0"), sync()].concat())
        .await
        .unwrap();
    let said = wire.until(b'Z').await.unwrap();
    assert_eq!(said[0].field('C').unwrap(), "57014");
    assert_eq!(rows(&query(&mut wire, "select count(*) from copied").await), ["10000"]);

    direct.postgres.query("notify orders, 'from behind the gate'").await.unwrap();
    let told = wire.until(b'A').await.unwrap().pop().unwrap();
    assert!(told.body.ends_with(b"orders\0from behind the gate\0"), "{told:?}");

    let made = query(&mut wire, "begin; select lo_create(4711); select lo_open(4711, 131072)").await;
    let handle = rows(&made)[1].clone();
    let content = "x".repeat(300_000);
    let said = query(&mut wire, &format!("select lowrite({handle}, '{content}'::bytea)")).await;
    assert_eq!(rows(&said), ["300000"]);
    // By the fast path too, as libpq does it: loread(fd, length), whose number is in the catalog.
    query(&mut wire, &format!("select lo_lseek({handle}, 0, 0)")).await;
    let function = rows(&query(&mut wire, "select 'loread'::regproc::oid").await)[0].parse::<u32>().unwrap();
    let integer = |value: u32| [4_u32.to_be_bytes(), value.to_be_bytes()].concat();
    let call = [
        &function.to_be_bytes()[..],
        &[0, 1, 0, 1, 0, 2],
        &integer(handle.parse().unwrap()),
        &integer(300_000),
        &[0, 1],
    ];
    wire.send(&message(b'F', &call.concat())).await.unwrap();
    let said = wire.until(b'Z').await.unwrap();
    assert_eq!(tags(&said), "VZ");
    assert_eq!(said[0].body.len(), 300_004);
    query(&mut wire, "commit").await;
}

#[tokio::test]
async fn replication_is_refused_in_a_sentence() {
    let world = World::open(|options| options).await;
    for value in ["database", "true", "on", "yes", "1", "anything"] {
        let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
        let ask = [("user", "orders_read"), ("database", "orders"), ("replication", value)];
        wire.send(&startup(&ask)).await.unwrap();
        let told = wire.until(b'E').await.unwrap().pop().unwrap();
        assert_eq!(told.field('C').unwrap(), "0A000", "{value}");
        assert!(told.field('M').unwrap().contains("replication"), "{told:?}");
    }
}

/// A row of a gigabyte, nearly the largest that Postgres has.
const ROW: usize = 1_000_000_000;

/// What the gate may take for it: its buffers, and nothing that grows with the row.
const MEMORY: u64 = 16 * 1024;

#[tokio::test]
async fn a_row_of_a_gigabyte_passes_in_pieces_and_in_flat_memory() {
    let direct = Direct::open().await;
    let mut wire = direct.session("orders_read").await;
    // Once around, so that what is made at the first query is there.
    wire.query("select repeat('x', 1000000)").await.unwrap();
    wire.until(b'Z').await.unwrap();
    let reading = async {
        wire.query(&format!("select repeat('x', {ROW})")).await.unwrap();
        let (mut seen, mut end) = (0, Vec::new());
        while !end.ends_with(b"Z\0\0\0\x05I") {
            let piece = wire.bytes().await.unwrap();
            assert!(!piece.is_empty(), "closed after {seen} bytes");
            seen += piece.len();
            end.extend_from_slice(&piece);
            end.drain(..end.len().saturating_sub(64));
        }
        seen
    };
    let (seen, grown) = direct.gate.growth(reading).await.unwrap();
    assert!(seen > ROW && seen < ROW + 1000, "{seen}");
    assert!(grown < MEMORY, "the gate grew by {grown} KiB");
}

/// One piece of a COPY: a client need not cut it.
const PIECE: usize = 250_000_000;

#[tokio::test]
async fn a_piece_of_copy_of_a_quarter_of_a_gigabyte_passes_in_flat_memory() {
    let direct = Direct::open().await;
    let mut wire = direct.session("admin").await;
    wire.query("create temp table large (t text)").await.unwrap();
    wire.until(b'Z').await.unwrap();
    wire.query("copy large from stdin").await.unwrap();
    wire.until(b'G').await.unwrap();
    let sending = async {
        let length = u32::try_from(PIECE + 5).unwrap();
        wire.send(&[&b"d"[..], &length.to_be_bytes()].concat()).await.unwrap();
        let bytes = vec![b'x'; 1_000_000];
        for _ in 0..PIECE / bytes.len() {
            wire.send(&bytes).await.unwrap();
        }
        wire.send(&[&b"\n"[..], &message(b'c', b"")].concat()).await.unwrap();
    };
    let ((), grown) = direct.gate.growth(sending).await.unwrap();
    let said = tokio::time::timeout(Duration::from_secs(120), wire.until(b'Z')).await.unwrap().unwrap();
    assert_eq!(said[0].body, b"COPY 1\0", "{said:?}");
    assert!(grown < MEMORY, "the gate grew by {grown} KiB");
}

//! What sessions do at the moment of the end, each time by revocation and by expiry.

use std::time::Duration;

use curfew_harness::wire::{self, messages};
use curfew_harness::{Direction, Person, Terminal, Wire};
use serde_json::Value;

use super::witness::{How, Place, cut, last_piece, quiet};
use crate::world::{Auditor, LIMIT, World};

/// The place and the people.
struct Scene {
    world: World,
    alice: Person,
    dave: Person,
    erin: Auditor,
}

impl Scene {
    async fn new() -> Self {
        let world = World::open(|options| options).await;
        let (alice, dave, erin) =
            tokio::join!(world.signed_in("alice"), world.signed_in("dave"), world.auditor());
        Self { world, alice, dave, erin }
    }

    /// A grant and psql under it. Each kind of end has an account of its own: whoever was cut a moment ago is told so.
    async fn psql(&self, how: How) -> (Value, Place, Terminal) {
        let grant = self.world.grant(&self.alice, account(how), how.duration()).await;
        let place = Place::next(&self.world);
        (grant, place, self.world.terminal(&self.alice, account(how)).await)
    }

    async fn wire(&self, how: How) -> (Value, Place, Wire) {
        let grant = self.world.grant(&self.alice, account(how), how.duration()).await;
        let place = Place::next(&self.world);
        (grant, place, self.world.signed_in_wire(&self.alice, account(how)).await)
    }

    async fn cut(&self, grant: &Value, how: How, place: Place) -> super::witness::Cut {
        cut(&self.world, &self.erin, &self.dave, grant, how, place).await
    }

    /// Waits until the account's backend is in this state with this statement.
    async fn running(&self, how: How, like: &str) {
        let sql = format!(
            "select count(*) = 1 from pg_stat_activity where usename = '{}' and state = 'active' and query like '{like}'",
            account(how)
        );
        self.world.postgres.wait_until(&sql, LIMIT).await.unwrap();
    }

    async fn marks(&self) -> String {
        let rows = self.world.postgres.query("select count(*) from marks").await.unwrap();
        rows[0].text(0).unwrap().to_owned()
    }

    /// A table that shows whether something was committed.
    async fn with_marks(self) -> Self {
        let table = "create table marks (t timestamptz not null default clock_timestamp()); \
                     grant insert on marks to orders_read, orders_write";
        self.world.postgres.query(table).await.unwrap();
        self
    }

    /// Every cut is in the histogram.
    async fn counted(&self) {
        let metrics = self.world.metrics().await;
        let counted = |line: &str| metrics.lines().any(|found| found == line);
        assert!(counted("curfew_cut_latency_seconds_count 2"), "{metrics}");
    }
}

const HOWS: [How; 2] = [How::Revoke, How::Expiry];

fn account(how: How) -> &'static str {
    if how == How::Expiry { "orders_read" } else { "orders_write" }
}

#[tokio::test]
async fn idle() {
    let scene = Scene::new().await;
    for how in HOWS {
        let (grant, place, mut psql) = scene.psql(how).await;
        let cut = scene.cut(&grant, how, place).await;
        quiet(&scene.world, &cut, place);
        // psql notices when it next speaks, and tries again by itself: it is told, and not made to wait.
        psql.send_line("select 1;").await.unwrap();
        let shown = psql.wait_for("!?> ", LIMIT).await.unwrap();
        assert!(shown.contains("57P01") && shown.contains("DETAIL:") && shown.contains("HINT:"), "{shown}");
        let again = scene.world.client_side.bytes(place.client + 1, Direction::ToClient);
        let told = messages(&again).0.pop().unwrap();
        assert_eq!(told.field('M'), cut.goodbye.unwrap().field('M'), "its reconnect was told {told:?}");
        assert!(!psql.transcript().contains("Succeeded"), "{}", psql.transcript());
        // The same for one who starts psql anew at once.
        let told = scene.world.open_psql(account(how)).run(["-c", "select 1"]).await.unwrap();
        assert!(told.code == Some(2) && told.stderr.contains("has ended"), "{told:?}");
        assert!(!told.stderr.contains("/link/"), "{told:?}");
    }
    scene.counted().await;
}

#[tokio::test]
async fn in_a_transaction() {
    let scene = Scene::new().await.with_marks().await;
    for how in HOWS {
        let (grant, place, mut psql) = scene.psql(how).await;
        psql.send_line("begin; insert into marks default values;").await.unwrap();
        psql.wait_for("INSERT 0 1", LIMIT).await.unwrap();
        let cut = scene.cut(&grant, how, place).await;
        quiet(&scene.world, &cut, place);
        assert_eq!(scene.marks().await, "0");
    }
    scene.counted().await;
}

#[tokio::test]
async fn in_pg_sleep() {
    let scene = Scene::new().await;
    for how in HOWS {
        let (grant, place, mut psql) = scene.psql(how).await;
        psql.send_line("select pg_sleep(600);").await.unwrap();
        scene.running(how, "select pg_sleep%").await;
        let cut = scene.cut(&grant, how, place).await;
        quiet(&scene.world, &cut, place);
        assert!(cut.event["cut"]["outstanding"].is_string(), "{}", cut.event);
        psql.wait_for("57P01", LIMIT).await.unwrap();
    }
    scene.counted().await;
}

#[tokio::test]
async fn in_a_function_that_catches_the_cancel() {
    let scene = Scene::new().await.with_marks().await;
    let sql = "do $$ begin loop begin perform pg_sleep(600); exception when query_canceled then \
               insert into marks default values; end; end loop; end $$;";
    for how in HOWS {
        let (grant, place, mut psql) = scene.psql(how).await;
        psql.send_line(sql).await.unwrap();
        scene.running(how, "do $$%").await;
        let cut = scene.cut(&grant, how, place).await;
        quiet(&scene.world, &cut, place);
        assert_eq!(scene.marks().await, "0");
        let work = cut.event["cut"]["target_work"].as_str().unwrap();
        assert!(work.contains("terminated"), "{work}");
    }
    scene.counted().await;
}

#[tokio::test]
async fn with_a_queue_of_simple_queries_already_sent() {
    let scene = Scene::new().await.with_marks().await;
    for how in HOWS {
        let (grant, place, mut wire) = scene.wire(how).await;
        let mut queue = wire::query("select pg_sleep(600)");
        for _ in 0..50 {
            queue.extend(wire::query("insert into marks default values"));
        }
        wire.send(&queue).await.unwrap();
        scene.running(how, "select pg_sleep%").await;
        let cut = scene.cut(&grant, how, place).await;
        quiet(&scene.world, &cut, place);
        assert_eq!(scene.marks().await, "0", "the queue ran on: {}", cut.event);
    }
    scene.counted().await;
}

/// Rows that say when they were made: none of those after the end may reach the client.
/// (The series stands in the list: below FROM, Postgres would make all of it before the first row.)
const STREAM: &str = "select clock_timestamp(), generate_series(1, 1000000000)";

fn newest(bytes: &[u8]) -> jiff::Timestamp {
    let mut rows = messages(bytes).0.into_iter().rev();
    let last = rows.find(|message| message.tag == b'd').expect("no row ever came");
    let text = String::from_utf8(last.body).unwrap();
    // 2026-01-31 12:00:00.123456+00, a tab and a number
    let at = text.split('\t').next().unwrap().replace(' ', "T");
    format!("{at}:00").parse().unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

#[tokio::test]
async fn in_the_middle_of_a_large_copy_out() {
    let scene = Scene::new().await;
    for how in HOWS {
        let (grant, place, mut psql) = scene.psql(how).await;
        psql.send_line(&format!("\\copy ({STREAM}) to '/dev/null'")).await.unwrap();
        scene.running(how, "COPY%").await;
        let flowing = |events: &[curfew_harness::tap::Event]| (events.len() > 200).then_some(());
        scene.world.client_side.wait_for("a stream", LIMIT, flowing).await.unwrap();
        let cut = scene.cut(&grant, how, place).await;
        let said = scene.world.client_side.bytes(place.client, Direction::ToClient);
        let newest = newest(&said);
        assert!(newest <= how.last_byte(&cut), "a row of {newest} passed, after the end at {}", cut.end_wall);
        // It was stopped in mid-stream, not some time before.
        assert!(
            cut.end_wall.duration_since(newest) < jiff::SignedDuration::from_secs(2),
            "{newest} {}",
            cut.end_wall
        );
        let last = last_piece(&scene.world, place);
        assert!(last <= cut.end + Duration::from_millis(2300), "bytes long after the end");
        psql.wait_for("!?> ", LIMIT).await.unwrap();
    }
    scene.counted().await;
}

#[tokio::test]
async fn in_the_middle_of_a_large_copy_in() {
    let scene = Scene::new().await.with_marks().await;
    for how in HOWS {
        let (grant, place, mut wire) = scene.wire(how).await;
        wire.query("copy marks from stdin").await.unwrap();
        wire.until(b'G').await.unwrap();
        let feed = async {
            // Each row says when it was sent, until nobody takes any more.
            loop {
                let row = format!("{}\n", curfew_harness::clock::wall());
                if wire.send(&wire::message(b'd', row.as_bytes())).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        let (cut, ()) = tokio::join!(scene.cut(&grant, how, place), feed);
        let taken = scene.world.target_side.bytes(place.target, Direction::ToTarget);
        let rows = String::from_utf8_lossy(&taken).into_owned();
        let newest = rows.split('Z').rev().filter_map(|row| {
            let at = row.rfind("20")?;
            format!("{}Z", row.get(at..)?).parse::<jiff::Timestamp>().ok()
        });
        let newest = newest.into_iter().next().expect("no row ever passed");
        assert!(newest <= how.last_byte(&cut), "a row of {newest} passed, after the end at {}", cut.end_wall);
        assert_eq!(scene.marks().await, "0");
    }
    scene.counted().await;
}

#[tokio::test]
async fn with_a_client_that_has_stopped_reading() {
    let scene = Scene::new().await;
    for how in HOWS {
        let (grant, place, mut wire) = scene.wire(how).await;
        wire.query(&format!("copy ({STREAM}) to stdout")).await.unwrap();
        scene.running(how, "copy%").await;
        let world = &scene.world;
        world.client_side.stall(Direction::ToClient);
        // Full to the brim: the backend waits for somebody to take its rows.
        let stuck = format!(
            "select count(*) = 1 from pg_stat_activity where usename = '{}' and wait_event = 'ClientWrite'",
            account(how)
        );
        world.postgres.wait_until(&stuck, LIMIT).await.unwrap();
        let resume = async {
            scene.erin.ended(grant["id"].as_str().unwrap()).await;
            world.client_side.resume(Direction::ToClient);
        };
        let reading = async { wire.rest().await.unwrap() };
        let (cut, (), rest) = tokio::join!(scene.cut(&grant, how, place), resume, reading);
        assert!(cut.goodbye.is_none(), "a goodbye to one who does not read: {}", cut.event);
        assert!(newest(&world.client_side.bytes(place.client, Direction::ToClient)) <= how.last_byte(&cut));
        assert!(!rest.is_empty());
    }
    scene.counted().await;
}

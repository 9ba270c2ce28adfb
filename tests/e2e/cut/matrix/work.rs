//! What sessions do: how each is begun, and how one sees that it is where it is to be ended.

use std::sync::Arc;
use std::time::Duration;

use curfew_harness::postgres::Db;
use curfew_harness::wire::{self, message, query};
use curfew_harness::{Direction, Tap, Wire, until};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use super::cell::{Cell, Doing};
use super::ear::Ear;
use super::notifier::Notifier;
use crate::matrix::stamps::{Pace, header};
use crate::matrix::subject::still;
use crate::matrix::table::Cell as _;
use crate::world::LIMIT;

/// What the database needs for it. The type is one whose values are sent as they lie in memory: a row of 1 GB takes a
/// backend 1 GB, and not three.
pub const PREPARED: &str = "
    create table marks (cell text not null);
    grant insert on marks to orders_write;
    create type large;
    create function large_in(cstring) returns large as 'textin' language internal strict immutable;
    create function large_out(large) returns cstring as 'textout' language internal strict immutable;
    create function large_send(large) returns bytea as 'xmltotext' language internal strict immutable;
    create type large (input = large_in, output = large_out, send = large_send, storage = extended);
    create cast (text as large) without function;
";

/// The row's columns, and what each has.
const COLUMNS: usize = 1600;
const COLUMN: usize = 640_000;

/// How much of the row has come before anything else happens.
const BEGUN: u64 = 1 << 20;

/// The size of a row of COPY, either way: one is as much as a backend sends at once.
const RECORD: usize = 8192;

/// 10 GB of them.
const RECORDS: usize = 1_250_000;

/// How fast a slow line goes: 64 KiB in each step.
const STEP: Duration = Duration::from_millis(4);

/// A client's side of a session.
pub struct Work {
    cell: Cell,
    pub ear: Arc<Ear>,
    /// Whole messages that had been heard when it was where it is to be ended.
    pub before: usize,
    to: Option<wire::To>,
    tasks: JoinSet<()>,
}

impl Work {
    /// Of this connection, which is ready for its first query.
    pub fn new(cell: Cell, wire: Wire) -> Self {
        let (ear, mut tasks) = (Arc::new(Ear::default()), JoinSet::new());
        let (from, to) = wire.into_split();
        let listening = ear.clone();
        tasks.spawn(async move { listening.listen(from).await });
        Self { cell, ear, before: 0, to: Some(to), tasks }
    }

    /// How a session is found again in the table of marks.
    pub fn mark(&self) -> String {
        format!("[{}]", self.cell.name())
    }

    /// Begins, and returns when it is where it is to be ended. `backend` is its process at the target.
    pub async fn begin(&mut self, db: &Db, backend: &str, notifier: &Notifier, [client, target]: [&Tap; 2]) {
        let name = self.cell.name();
        let mark = self.mark();
        match self.cell.doing {
            Doing::Idle => {
                // From now on: the others begin now too.
                self.say(&query("select 1")).await;
                self.ear.until(&name, |heard| heard.last.as_ref().is_some_and(|last| last.tag == b'Z')).await;
            }
            Doing::Transaction => {
                self.say(&query(&format!("begin; insert into marks values ('{mark}')"))).await;
                self.ear
                    .until(&name, |heard| heard.last.as_ref().is_some_and(|last| last.body == b"T"))
                    .await;
            }
            Doing::Sleep => self.say(&query("select pg_sleep(600)")).await,
            Doing::Catch => {
                let catch = format!(
                    "do $$ begin loop begin perform pg_sleep(600); exception when query_canceled then \
                     insert into marks values ('{mark}'); end; end loop; end $$"
                );
                self.say(&query(&catch)).await;
            }
            Doing::Batch => self.say(&batch(&mark)).await,
            Doing::CopyOut => {
                // (The series stands in the list: below FROM, Postgres would make all of it before the first row.)
                let wait = if self.cell.reads { "0.008" } else { "0" };
                let copy = format!(
                    "copy (select (extract(epoch from clock_timestamp()) * 1000000)::bigint, repeat('.', {RECORD}), \
                     pg_sleep({wait}), generate_series(1, {RECORDS})) to stdout"
                );
                self.say(&query(&copy)).await;
                until(&name, LIMIT, async || self.ear.newest.at()).await.unwrap();
            }
            Doing::CopyIn => {
                self.say(&query("copy marks from stdin")).await;
                self.ear.until(&name, |heard| heard.last.as_ref().is_some_and(|last| last.tag == b'G')).await;
                self.feed(&mark);
                let before = target.passed(Direction::ToTarget);
                let moves = async || (target.passed(Direction::ToTarget) > before + RECORD).then_some(());
                until(&name, LIMIT, moves).await.unwrap();
            }
            Doing::Listen => {
                self.say(&query(&format!("listen \"{name}\""))).await;
                self.ear.until(&name, |heard| heard.last.as_ref().is_some_and(|last| last.tag == b'Z')).await;
                if self.cell.tells() {
                    notifier.tell(&name);
                    until(&name, LIMIT, async || self.ear.newest.at()).await.unwrap();
                }
            }
            Doing::Row => {
                target.pace(Direction::ToClient, STEP);
                self.say(&row()).await;
                self.ear.until(&name, |heard| heard.bytes > BEGUN && heard.within == Some(b'D')).await;
            }
        }
        if self.cell.doing.sleeps() {
            let asleep = format!("select wait_event = 'PgSleep' from pg_stat_activity where pid = {backend}");
            let sleeps = async || {
                let rows = db.query(&asleep).await.ok()?;
                (rows.first()?.text(0) == Some("t")).then_some(())
            };
            until(&name, LIMIT, sleeps).await.unwrap();
        }
        self.before = self.ear.heard().messages;
        self.deafen(client, target).await;
    }

    /// Who is to stop reading stops, and what is on its way to them comes to stand still.
    async fn deafen(&self, client: &Tap, target: &Tap) {
        let Cell { doing, reads, answers, .. } = self.cell;
        if !reads {
            client.stall(Direction::ToClient);
        }
        if !answers {
            target.stall(Direction::ToTarget);
        }
        if self.cell.fills() {
            still(&[(target, Direction::ToClient)]).await;
        }
        if !answers && doing == Doing::CopyIn {
            still(&[(client, Direction::ToTarget)]).await;
        }
    }

    async fn say(&mut self, bytes: &[u8]) {
        let to = self.to.as_mut().unwrap();
        to.write_all(bytes).await.unwrap();
        to.flush().await.unwrap();
    }

    /// Rows that say when they were sent, until nobody takes any more.
    fn feed(&mut self, mark: &str) {
        let (mut to, mark) = (self.to.take().unwrap(), mark.to_owned());
        let pace = if self.cell.answers { Pace::Calm } else { Pace::Full };
        self.tasks.spawn(async move {
            let mut steps = pace.steps();
            loop {
                steps.next().await;
                let mut row = format!("{}{mark}", header()).into_bytes();
                row.resize(RECORD - 1, b'.');
                row.push(b'\n');
                let said = to.write_all(&message(b'd', &row)).await;
                if said.is_err() || to.flush().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Waits until the client hears the end of it, and closes.
    pub async fn over(&mut self) {
        self.ear.over(&self.cell.name()).await;
        self.to = None;
        self.tasks.shutdown().await;
    }
}

/// A statement of the extended protocol, and all of its rows: by the unnamed statement and portal, in text or in binary.
fn execute(sql: &str, binary: bool) -> Vec<u8> {
    let parse = message(b'P', &[&[0][..], sql.as_bytes(), &[0; 3]].concat());
    let bind = message(b'B', &[0, 0, 0, 0, 0, 0, 0, 1, 0, u8::from(binary)]);
    [parse, bind, message(b'E', &[0; 5])].concat()
}

/// Statements of the extended protocol behind one that sleeps, with a Sync, and simple ones behind that. All of them write
/// but the first.
fn batch(mark: &str) -> Vec<u8> {
    let write = format!("insert into marks values ('{mark}')");
    let mut all = execute("select pg_sleep(600)", false);
    (0..20).for_each(|_| all.extend(execute(&write, false)));
    all.extend(message(b'S', &[]));
    (0..20).for_each(|_| all.extend(query(&write)));
    all
}

/// One row of a little more than 1 GB.
fn row() -> Vec<u8> {
    let columns = vec!["c"; COLUMNS].join(", ");
    let sql = format!("select {columns} from (select repeat('.', {COLUMN})::large as c offset 0) one");
    [execute(&sql, true), message(b'S', &[])].concat()
}

/// What the row weighs.
pub const ROW: u64 = (COLUMNS * COLUMN) as u64;

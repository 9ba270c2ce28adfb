//! The driver of Rust: tokio-postgres, over rustls.

use std::io::Cursor;
use std::pin::pin;
use std::time::Duration;

use curfew_harness::tls::{self, ForPostgres};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config};

use super::desk::Desk;

const NAME: &str = "tour of tokio-postgres";
const ROWS: usize = 20_000;
const LARGE: i32 = 100_000;

async fn prepared(db: &Client) {
    let statement = db.prepare("select id, email from customers where id = $1").await.unwrap();
    for number in [1, 7, 400] {
        let row = db.query_one(&statement, &[&number]).await.unwrap();
        let expected = (number, format!("customer{number}@shop.example"));
        assert_eq!((row.get::<_, i32>(0), row.get::<_, String>(1)), expected);
    }
    let types = "select $1::int4, $2::int8, $3::float8, $4::bool, $5::text, $6::bytea, $7::int4[], $8::text";
    let (bytes, numbers) = (vec![0_u8, 255, 32], vec![Some(1), Some(2), None, Some(4)]);
    let (long, float, text, none) = (-(1_i64 << 40), 2.5_f64, "Zoë's “text”", None::<String>);
    let row =
        db.query_one(types, &[&42_i32, &long, &float, &true, &text, &bytes, &numbers, &none]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i64>(1), row.get::<_, f64>(2)), (42, long, float));
    assert_eq!((row.get::<_, bool>(3), row.get::<_, &str>(4)), (true, text));
    assert_eq!((row.get::<_, Vec<u8>>(5), row.get::<_, Vec<Option<i32>>>(6)), (bytes, numbers));
    assert_eq!(row.get::<_, Option<String>>(7), None);
    // Three hundred at once, which the driver pipelines.
    let many = (0..300).map(async |n: i32| db.query_one("select $1::int4 + 1", &[&n]).await);
    let many = futures_util::future::try_join_all(many).await.unwrap();
    assert!(many.iter().enumerate().all(|(n, row)| usize::try_from(row.get::<_, i32>(0)).unwrap() == n + 1));
}

async fn transactions(db: &mut Client) {
    async fn count(db: &Client) -> i64 {
        db.query_one("select count(*) from orders", &[]).await.unwrap().get(0)
    }
    let before = count(db).await;
    let insert = "insert into orders (customer_id, status, placed) values (5, 'new', now()) returning id";
    let transaction = db.transaction().await.unwrap();
    transaction.query_one(insert, &[]).await.unwrap();
    // Dropped, which is a rollback.
    drop(transaction);
    assert_eq!(count(db).await, before);
    let mut transaction = db.transaction().await.unwrap();
    let order: i32 = transaction.query_one(insert, &[]).await.unwrap().get(0);
    let twice = "insert into orders (id, customer_id, status, placed) values ($1, 1, 'new', now())";
    let savepoint = transaction.transaction().await.unwrap();
    let error = savepoint.execute(twice, &[&1]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION));
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("orders_pkey"));
    savepoint.rollback().await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(count(db).await, before + 1);
    db.execute("delete from orders where id = $1", &[&order]).await.unwrap();
}

async fn copies(db: &Client) {
    db.batch_execute("create temp table copied (n int, t text)").await.unwrap();
    let line =
        |n| format!("{n}\t{}\n", if n % 3 == 0 { "\\N".to_owned() } else { format!("row {n} “there”") });
    let made: String = (0..ROWS).map(line).collect();
    let mut sink = pin!(db.copy_in::<_, Cursor<Vec<u8>>>("copy copied from stdin").await.unwrap());
    for piece in made.as_bytes().chunks(10_000) {
        sink.send(Cursor::new(piece.to_owned())).await.unwrap();
    }
    assert_eq!(sink.as_mut().finish().await.unwrap(), ROWS as u64);
    let out = db.copy_out("copy (select * from copied order by n) to stdout").await.unwrap();
    let came: Vec<_> = out.try_collect().await.unwrap();
    assert!(came.concat() == made.as_bytes(), "what came back is something else");
}

async fn cancels(db: &Client, desk: &Desk, tls: &ForPostgres) {
    let sleeping = db.query("select pg_sleep($1)", &[&600_f64]);
    let cancelling = async {
        let asleep = "select count(*) = 1 from pg_stat_activity where usename = 'orders_write' and wait_event = 'PgSleep'";
        desk.world.postgres.wait_until(asleep, Duration::from_secs(10)).await.unwrap();
        // Over TLS, unlike others.
        db.cancel_token().cancel_query(tls.clone()).await.unwrap();
    };
    let (slept, ()) = tokio::join!(sleeping, cancelling);
    assert_eq!(slept.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    assert_eq!(db.query_one("select 20 + 22", &[]).await.unwrap().get::<_, i32>(0), 42);
}

async fn large(db: &Client) {
    let sql = "select n, repeat(chr(97 + n % 26), 1000) from generate_series(1, $1) n";
    let mut rows = pin!(db.query_raw(sql, [LARGE]).await.unwrap());
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.next().await {
        let row = row.unwrap();
        count += 1;
        assert_eq!(row.get::<_, i32>(0), count);
        bytes += row.get::<_, &str>(1).len();
    }
    assert_eq!((count, bytes), (LARGE, 100_000_000));
}

#[tokio::test]
async fn tokio_postgres_does_what_programs_use_it_for() {
    let desk = Desk::of("orders_write").await;
    let tls = ForPostgres::new(tls::connector(&desk.alice.kept().unwrap()).unwrap());
    let address = desk.world.gate.postgres();
    let mut config = Config::new();
    config.host(address.ip().to_string()).port(address.port()).user("orders_write").dbname("orders");
    config.application_name(NAME).ssl_mode(tokio_postgres::config::SslMode::Require);
    let (mut db, mut connection) = config.connect(tls.clone()).await.unwrap();
    let (told, mut heard) = tokio::sync::mpsc::channel(8);
    let mut driving = tokio::task::JoinSet::new();
    driving.spawn(async move {
        let mut messages = futures_util::stream::poll_fn(|cx| connection.poll_message(cx));
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message.unwrap() {
                told.send(notification).await.unwrap();
            }
        }
    });
    let name = db.query_one("show application_name", &[]).await.unwrap();
    assert_eq!(name.get::<_, &str>(0), NAME);
    prepared(&db).await;
    transactions(&mut db).await;
    copies(&db).await;
    cancels(&db, &desk, &tls).await;
    large(&db).await;
    db.batch_execute("listen tour; select pg_notify('tour', 'heard')").await.unwrap();
    let notification = heard.recv().await.unwrap();
    assert_eq!((notification.channel(), notification.payload()), ("tour", "heard"));
    drop(db);
    driving.join_next().await.unwrap().unwrap();
    assert_eq!(desk.recorded("copy copied from stdin").await, 1);
}

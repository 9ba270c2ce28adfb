//! The tools that come with Postgres: psql, pg_dump and pg_restore, pgbench. All of them are libpq.

use std::ffi::OsString;
use std::fs;

use curfew_harness::Terminal;
use curfew_harness::postgres::program;

use super::desk::Desk;
use crate::world::LIMIT;

/// Everything that a script of psql's does.
const SCRIPT: &str = r#"
\set ON_ERROR_STOP on
prepare customer (int) as select email from customers where id = $1;
execute customer(1);
execute customer(400);
begin;
insert into orders (customer_id, status, placed) values (6, 'new', now());
savepoint here;
\set ON_ERROR_STOP off
insert into orders (id, customer_id, status, placed) values (1, 1, 'new', now());
\echo sqlstate :LAST_ERROR_SQLSTATE
\set ON_ERROR_STOP on
rollback to here;
rollback;
select count(*) = 3000 from orders;
create temp table copied (like customers);
\copy (select * from customers order by id) to 'customers.txt'
\copy copied from 'customers.txt'
select count(*) = 400 from (select * from copied intersect select * from customers) both_of_them;
\set FETCH_COUNT 1000
select n, repeat(chr(97 + n % 26), 1000) from generate_series(1, 100000) n \g large.txt
\unset FETCH_COUNT
select n, repeat(chr(97 + n % 26), 1000) from generate_series(1, 100000) n \g large-at-once.txt
\lo_import customers.txt
\lo_export :LASTOID customers-again.txt
\lo_unlink :LASTOID
select 1 \; select 2 \; select 3;
\d orders
"#;

#[tokio::test]
async fn psql_does_what_people_use_it_for() {
    let desk = Desk::of("orders_write").await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let in_folder = ["customers.txt", "large.txt", "large-at-once.txt", "customers-again.txt"].iter().fold(
        SCRIPT.to_owned(),
        |script, name| {
            let quoted = format!("'{name}'");
            let full = format!("'{}'", path(name).display());
            script.replace(&quoted, name).replace(&format!(" {name}"), &format!(" {full}"))
        },
    );
    let psql = desk.psql().param("application_name", "tour of psql");
    let said = psql.feed(["-AtqX"], &in_folder).await.unwrap().success().unwrap();
    let expected = "customer1@shop.example\ncustomer400@shop.example\nsqlstate 23505\nt\nt\n";
    assert!(said.stdout.starts_with(expected), "{said:?}");
    assert!(said.stdout.contains("1\n2\n3\n") && said.stdout.contains("placed|timestamp"), "{said:?}");
    for name in ["large.txt", "large-at-once.txt"] {
        let large = fs::read(path(name)).unwrap();
        let rows: Vec<&[u8]> = large.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()).collect();
        assert_eq!(rows.len(), 100_000, "{name}");
        assert!(rows.iter().all(|row| row.ends_with(&row[row.len() - 1..].repeat(1000))), "{name}");
    }
    assert_eq!(fs::read(path("customers.txt")).unwrap(), fs::read(path("customers-again.txt")).unwrap());

    let mut terminal = Terminal::psql(&psql, ["-v", "VERBOSITY=verbose"]).unwrap();
    terminal.wait_for("orders=> ", LIMIT).await.unwrap();
    terminal.send_line("select pg_sleep(600);").await.unwrap();
    let asleep = "select count(*) = 1 from pg_stat_activity where wait_event = 'PgSleep'";
    desk.world.postgres.wait_until(asleep, LIMIT).await.unwrap();
    terminal.interrupt().await.unwrap();
    terminal.wait_for("57014", LIMIT).await.unwrap();
    terminal.send_line("\\q").await.unwrap();
    terminal.ended(LIMIT).await.unwrap();
    assert_eq!(desk.recorded("savepoint here").await, 2);
}

#[tokio::test]
async fn pg_dump_and_pg_restore_move_a_schema_with_two_jobs_each() {
    let desk = Desk::of("admin").await;
    let psql = desk.psql();
    let run = async |sql: &str| psql.run(["-Atqc", sql]).await.unwrap().success().unwrap().stdout;
    run("create schema moved; create table moved.orders as select * from orders; \
         create table moved.items as select * from items; create index on moved.orders (customer_id); \
         create view moved.lost as select * from moved.orders where status = 'lost'; \
         create table moved.large as select n, repeat(chr(97 + n % 26), 1000) t from generate_series(1, 100000) n; \
         select lo_from_bytea(0, 'a large object')").await;
    let sums = "select (select md5(string_agg(o::text, ',' order by id)) from moved.orders o), \
                (select md5(string_agg(i::text, ',' order by order_id, product_id)) from moved.items i), \
                (select sum(length(t)) from moved.large), (select count(*) from moved.lost)";
    let before = run(sums).await;
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    let conninfo = format!("--dbname={}", psql.conninfo());
    let args = |more: &[&str]| -> Vec<OsString> {
        more.iter().map(OsString::from).chain([OsString::from(&conninfo)]).collect()
    };
    let to = format!("--file={}", dump.display());
    let dumping = args(&["--schema=moved", "--format=directory", "--jobs=2", &to]);
    desk.run(program("pg_dump").unwrap(), &dumping).await;
    run("drop schema moved cascade").await;
    let from = dump.display().to_string();
    let restoring = args(&["--exit-on-error", "--jobs=2", &from]);
    desk.run(program("pg_restore").unwrap(), &restoring).await;
    assert_eq!(run(sums).await, before);
    let sessions = desk.recorded("COPY moved.orders").await;
    assert!(sessions >= 4 + 3 + 3, "a leader and two workers each: {sessions}");
}

#[tokio::test]
async fn pgbench_runs_a_minute_without_an_error() {
    let desk = Desk::of("admin").await;
    let conninfo = OsString::from(desk.psql().param("application_name", "pgbench").conninfo());
    let pgbench = program("pgbench").unwrap();
    let args = |more: &[&str]| -> Vec<OsString> {
        more.iter().map(OsString::from).chain([conninfo.clone()]).collect()
    };
    desk.run(&pgbench, &args(&["--initialize", "--scale=2", "--quiet"])).await;
    let said =
        desk.run(&pgbench, &args(&["--client=4", "--jobs=2", "--time=60", "--protocol=prepared"])).await;
    assert!(said.stdout.contains("number of failed transactions: 0 (0.000%)"), "{said:?}");
    let done =
        said.stdout.lines().find_map(|line| line.strip_prefix("number of transactions actually processed: "));
    assert!(done.unwrap().parse::<u64>().unwrap() > 1000, "{said:?}");
    assert!(!said.stderr.contains("error") && !said.stderr.contains("aborted"), "{said:?}");
    eprintln!("{}", said.stdout);
    assert_eq!(desk.recorded("UPDATE pgbench_accounts").await, 1 + 1 + 4);
}

//! What was exported as SQL can be read, and can be run.

use curfew_harness::Psql;
use curfew_harness::postgres::{DATABASE, Postgres, password};
use curfew_harness::wire::{message, query};

use super::say::{SYNC, bind, execute, parse};
use crate::world::World;

const CREATE: &str =
    "create table visits (who text, score int4, at timestamptz, tags text[]); -- begins here";

#[tokio::test]
async fn the_script_of_a_harmless_session_runs_on_an_empty_copy() {
    let world = World::open(|options| options).await;
    let (copy, alice, erin) =
        tokio::join!(Postgres::start(), world.signed_in("alice"), world.signed_in("erin"));
    let copy = copy.unwrap();
    let grant = world.grant(&alice, "admin", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "admin").await;
    let insert = "insert into visits values ($1, $2 - 1, $3, $4)";
    // int4, timestamptz, text[] in binary; the text as it is.
    let (score, at) = (8_i32.to_be_bytes(), 1_000_000_i64.to_be_bytes());
    let tags =
        [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3][..], b"a,b"].concat();
    let given = |who: &'static str| [Some(who.as_bytes()), Some(&score[..]), Some(&at[..]), Some(&tags[..])];
    let session = [
        query(CREATE),
        parse("i", insert, &[25, 23, 1184, 1009]),
        bind("", "i", &given("it's \\ alice"), 1, 0),
        execute("", 0),
        bind("", "i", &given("bob\n\\! touch pwned"), 1, 0),
        execute("", 0),
        SYNC.to_vec(),
        query("begin; update visits set score = score / 0"),
        query("commit"),
        query("select 1 \\! touch pwned\n\\! touch pwned"),
        query("copy visits to stdout"),
        query("do $$ begin perform 1; end $$; select 'x:y', count(*) from visits where who like '%\\\\%'"),
        query("copy visits (who) from stdin"),
    ];
    wire.send(&session.concat()).await.unwrap();
    wire.until(b'G').await.unwrap();
    wire.send(&[message(b'd', b"\\.\n"), message(b'c', b"")].concat()).await.unwrap();
    wire.until(b'Z').await.unwrap();
    wire.send(b"X\0\0\0\x04").await.unwrap();
    let ended = world.auditor().await.ended(grant["id"].as_str().unwrap()).await;
    let id = ended["session"].as_str().unwrap();

    let file = erin.home().join("session.sql");
    let file = file.to_str().unwrap();
    let args = ["sessions", "export", id, "--format", "sql", "-o", file];
    erin.curfew(args).await.unwrap().success().unwrap();
    let script = std::fs::read_to_string(file).unwrap();
    for told in [
        CREATE,
        "alice@example.com on orders as admin (postgres)",
        "-- $1 = E'it''s \\\\ alice'\n-- $2 = '8'\n-- $3 = '2000-01-01 00:00:01+00'\n-- $4 = '{\"a,b\"}'\n",
        "PREPARE curfew_2 (text, int4, timestamptz, text[]) AS\n",
        " ms, INSERT 0 1\n",
        "-- error 22012: division by zero\n",
        "-- select 1 \\! touch pwned\n-- \\! touch pwned\n",
        " bytes, COPY 2\n",
    ] {
        assert!(script.contains(told), "{told:?} is not in\n{script}");
    }
    let psql = Psql::to(copy.address()).user("admin").password(&password("admin")).database(DATABASE);
    let folder = tempfile::tempdir().unwrap();
    let said = psql.run(["-v", "ON_ERROR_STOP=1", "-f", file]).await.unwrap().success().unwrap();
    assert!(!said.stderr.contains("ERROR"), "{}", said.stderr);
    drop(folder);
    let rows = copy.query("select who || score || at || tags::text from visits order by who").await.unwrap();
    let here = world
        .postgres
        .query("select who || score || at || tags::text from visits where score is not null order by who");
    let here = here.await.unwrap();
    let text = |rows: Vec<curfew_harness::postgres::Row>| {
        rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (there, here) = (text(rows), text(here));
    assert_eq!(there.len(), 2, "{there:?}");
    assert_eq!(there, here);
    assert!(!std::path::Path::new("pwned").exists());
}

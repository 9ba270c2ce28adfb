use super::*;
use crate::postgres::{DATABASE, Postgres, password};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn psql_on_a_terminal_can_be_typed_at_and_interrupted() {
    let postgres = Postgres::start().await.unwrap();
    let psql = Psql::to(postgres.address())
        .user("orders_read")
        .database(DATABASE)
        .password(&password("orders_read"));
    let mut terminal = Terminal::psql(&psql, ["-v", "VERBOSITY=verbose"]).unwrap();
    terminal.wait_for("orders=> ", LIMIT).await.unwrap();
    terminal.send_line("select 20 + 22 as answer;").await.unwrap();
    terminal.wait_for("(1 row)", LIMIT).await.unwrap();
    assert!(terminal.transcript().contains("42"));

    terminal.send_line("select pg_sleep(600);").await.unwrap();
    let sleeping = "select count(*) = 1 from pg_stat_activity where query like 'select pg_sleep%' \
                    and state = 'active' and pid <> pg_backend_pid()";
    postgres.wait_until(sleeping, LIMIT).await.unwrap();
    terminal.interrupt().await.unwrap();
    terminal.wait_for("57014", LIMIT).await.unwrap();
    terminal.wait_for("orders=> ", LIMIT).await.unwrap();

    let error = terminal.wait_for("never", Duration::from_millis(50)).await.unwrap_err();
    assert!(error.to_string().contains("took too long"), "{error}");
    terminal.send_line("\\q").await.unwrap();
    assert_eq!(terminal.ended(LIMIT).await.unwrap(), Some(0));
}

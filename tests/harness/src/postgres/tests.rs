use super::*;
use crate::psql::Psql;

#[tokio::test]
async fn it_starts_with_the_sample_over_tls_and_leaves_nothing() {
    let mut postgres = Postgres::start().await.unwrap();
    let psql = Psql::to(postgres.address())
        .user("orders_read")
        .database(DATABASE)
        .password(&password("orders_read"))
        .param("sslmode", "verify-full")
        .param("sslrootcert", &postgres.ca().to_string_lossy());
    let sql = "select count(*), (select ssl from pg_stat_ssl where pid = pg_backend_pid()) from orders";
    let output = psql.run(["-Atc", sql]).await.unwrap();
    assert_eq!(output.stdout, "3000|t\n", "{output:?}");

    let refused = psql.clone().password("wrong").run(["-c", "select 1"]).await.unwrap();
    assert!(refused.stderr.contains("password authentication failed"), "{refused:?}");

    let rows = postgres.query("select count(*) from items").await.unwrap();
    assert_eq!(rows[0].text(0), Some("9000"));

    postgres.stop();
    assert!(postgres.query("select 1").await.is_err());
    postgres.resume().await.unwrap();
    postgres.wait_until("select true", Duration::from_secs(5)).await.unwrap();

    let folder = postgres.socket().to_owned();
    assert!(folder.exists());
    drop(postgres);
    assert!(!folder.exists());
}

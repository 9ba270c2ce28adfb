//! The drivers of Python.

use curfew_harness::python;

use super::desk::{Desk, script};

#[tokio::test]
async fn psycopg_does_what_programs_use_it_for() {
    let desk = Desk::of("orders_write").await;
    let conninfo = desk.psql().conninfo();
    // Without its cache: nothing is written beside the scripts.
    let said = desk.tour(python(), &["-B".into(), script("psycopg_tour.py"), conninfo.into()]).await;
    assert!(said["libpq"].as_u64().unwrap() >= 170_000, "it cancels in the clear: {said}");
    assert_eq!(desk.recorded("insert into many values").await, 1);
}

#[tokio::test]
async fn psycopg_signs_in_by_a_connection_credential() {
    let desk = Desk::of("orders_write").await;
    let uri = desk.credential().await["uri"].as_str().unwrap().to_owned();
    // Bound to the channel, which its libpq insists on here.
    let uri = format!("{uri}&channel_binding=require");
    desk.tour(python(), &["-B".into(), script("psycopg_tour.py"), uri.into()]).await;
    assert_eq!(desk.recorded("insert into many values").await, 1);
}

#[tokio::test]
async fn asyncpg_signs_in_by_a_connection_credential() {
    let desk = Desk::of("orders_write").await;
    let told = desk.told_with_credential().await.to_string();
    desk.tour(python(), &["-B".into(), script("asyncpg_tour.py"), told.into()]).await;
    assert_eq!(desk.recorded("select 20 + $1::int").await, 6, "one, and five of a pool");
}

#[tokio::test]
async fn asyncpg_does_what_programs_use_it_for() {
    let desk = Desk::of("orders_write").await;
    let told = desk.told().to_string();
    desk.tour(python(), &["-B".into(), script("asyncpg_tour.py"), told.into()]).await;
    assert_eq!(desk.recorded("select 20 + $1::int").await, 6, "one, and five of a pool");
}

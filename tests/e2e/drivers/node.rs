//! The driver of JavaScript.

use serde_json::Value;

use super::desk::{Desk, script};

async fn tour(desk: &Desk, told: Value) {
    desk.tour("node", &[script("pg_tour.mjs"), told.to_string().into()]).await;
    assert_eq!(
        desk.recorded("copy (select * from copied order by n) to stdout").await,
        7,
        "two, and a pool of five"
    );
}

#[tokio::test]
async fn node_postgres_does_what_programs_use_it_for() {
    let desk = Desk::of("orders_write").await;
    tour(&desk, desk.told()).await;
}

#[tokio::test]
async fn node_postgres_signs_in_by_a_connection_credential() {
    let desk = Desk::of("orders_write").await;
    tour(&desk, desk.told_with_credential().await).await;
}

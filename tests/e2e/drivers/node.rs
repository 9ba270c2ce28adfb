//! The driver of JavaScript.

use super::desk::{Desk, script};

#[tokio::test]
async fn node_postgres_does_what_programs_use_it_for() {
    let desk = Desk::of("orders_write").await;
    desk.tour("node", &[script("pg_tour.mjs"), desk.told().to_string().into()]).await;
    assert_eq!(
        desk.recorded("copy (select * from copied order by n) to stdout").await,
        7,
        "two, and a pool of five"
    );
}

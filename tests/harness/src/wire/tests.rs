use super::*;
use crate::postgres::Postgres;

#[test]
fn whole_messages_are_found_and_the_rest_is_left() {
    let mut bytes = query("select 1");
    bytes.extend_from_slice(&message(b'E', b"SFATAL\0C57P01\0Mgone\0\0"));
    bytes.extend_from_slice(b"D\0\0\0\x10cut");
    let (found, rest) = messages(&bytes);
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].field('C').as_deref(), Some("57P01"));
    assert_eq!(found[1].field('H'), None);
    assert_eq!(rest, b"D\0\0\0\x10cut");
}

#[tokio::test]
async fn it_speaks_to_a_real_postgres() {
    let postgres = Postgres::start().await.unwrap();
    let mut wire = Wire::connect(postgres.address()).await.unwrap();
    wire.send(&startup(&[("user", "nobody"), ("database", "orders")])).await.unwrap();
    // SCRAM is asked for before anybody is told that there is no such role.
    assert_eq!(wire.next().await.unwrap().tag, b'R');
    wire.send(b"garbage").await.unwrap();
    let rest = wire.rest().await.unwrap();
    assert_eq!(messages(&rest).0[0].field('S').as_deref(), Some("FATAL"));
}

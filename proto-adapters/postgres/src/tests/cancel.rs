//! CancelRequests.

use super::Fixture;
use super::target::PROCESS;
use crate::codec::backend;
use crate::codec::frontend::write_query;
use crate::codec::startup::cancel_request;
use curfew_adapter::Ended;

fn request(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    cancel_request(&mut out, i32::from_be_bytes(key[..4].try_into().unwrap()), &key[4..]);
    out
}

#[tokio::test]
async fn a_cancel_reaches_the_target_with_the_targets_own_key() {
    let mut fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.start(&[]).await;
    let greeting = talk.until(backend::READY).await;
    let key = &greeting.iter().find(|(tag, _)| *tag == backend::KEY_DATA).unwrap().1;
    let mut out = Vec::new();
    write_query(&mut out, "sleep");
    talk.send(&out).await;
    fixture.target.notes.until("sleeping").await;
    let mut other = fixture.dial().await;
    other.send(&request(key)).await;
    // The close says that the target knows.
    assert_eq!(other.rest().await, b"");
    assert!(fixture.target.notes.all().contains(&format!("cancel {PROCESS}")));
    assert!(matches!(fixture.stage.served().await, Some(Ok(Ended::Cancel))));
    assert_eq!(fixture.core.sink().of_kind("cancel").len(), 1);
}

#[tokio::test]
async fn a_wrong_key_and_one_of_a_session_that_ended_reach_nothing() {
    let mut fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.start(&[]).await;
    let greeting = talk.until(backend::READY).await;
    let key = &greeting.iter().find(|(tag, _)| *tag == backend::KEY_DATA).unwrap().1;
    let mut wrong = key.clone();
    wrong[7] ^= 1;
    let mut other = fixture.dial().await;
    other.send(&request(&wrong)).await;
    assert_eq!(other.rest().await, b"");
    drop(talk);
    fixture.core.closing().await;
    let mut other = fixture.dial().await;
    other.send(&request(key)).await;
    assert_eq!(other.rest().await, b"");
    for _ in 0..3 {
        assert!(matches!(fixture.stage.served().await, Some(Ok(_))));
    }
    assert!(fixture.target.notes.all().iter().all(|note| !note.starts_with("cancel")));
}

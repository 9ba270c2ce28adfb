//! Writing: what is stored when, what a slow store does, and what a broken one does.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use curfew_adapter::{Clock, EndReason, Event, RecordError, RecordSink, SessionId};
use serde_json::{Value, json};

use super::store::{Mood, TestStore};
use super::{Gate, opening, statement};
use crate::audit::finding::Verdict;
use crate::record::recorder::MAX_BACKLOG;
use crate::record::{Folders, ReadError, StartError};

async fn events(gate: &Gate, session: &SessionId) -> Vec<Value> {
    let mut reader = gate.writer.folders().events(session);
    let mut events = Vec::new();
    while let Some(event) = reader.next().await.unwrap() {
        events.push(event);
    }
    events
}

async fn pending(recorder: &impl RecordSink) -> bool {
    poll_fn(|cx| Poll::Ready(recorder.poll_ready(cx).is_pending())).await
}

#[tokio::test]
async fn a_session_is_recorded_read_back_and_verified() {
    let gate = Gate::over(TestStore::new());
    let (session, recorder) = gate.begin(true).await;
    recorder.append(&statement(1, "SELECT 'a' WHERE iban = 'DE02'; ALTER ROLE b PASSWORD 'c'")).unwrap();
    let tag = "SELECT 1";
    let result =
        Event::Result { n: 1, tag, rows: 1, bytes: 9, copy_in: 0, micros: 5, sqlstate: None, error: None };
    recorder.append(&result).unwrap();
    let sealed = recorder.seal(EndReason::Expired).await.unwrap();
    assert_eq!((sealed.chain.chunks, sealed.chain.events, sealed.lost), (2, 3, 0));

    let events = events(&gate, &session).await;
    assert_eq!(events[0]["kind"], "session");
    assert_eq!(events[0]["identity"]["email"], "alice@example.com");
    assert_eq!(events[1]["text"], "SELECT 'a' WHERE iban = '***'; ALTER ROLE b PASSWORD '***'");
    assert_eq!(events[2]["rows"], json!(1));
    assert!(events[1]["at"].as_i64().unwrap() >= events[0]["at"].as_i64().unwrap());

    let report = gate.writer.folders().verify(&session, false, None, &gate.key.public()).await.unwrap();
    assert_eq!((report.findings.as_slice(), report.sealed), (&[][..], true));
    assert_eq!(report.reason.as_deref(), Some("expired"));
    assert_eq!(report.head, sealed.chain.head);
    assert_eq!(gate.writer.backlog(), 0);
}

#[tokio::test]
async fn a_sealed_recording_takes_no_event_and_no_second_seal() {
    let gate = Gate::over(TestStore::new());
    let (_, recorder) = gate.begin(true).await;
    recorder.seal(EndReason::ClientClosed).await.unwrap();
    assert!(recorder.append(&Event::Cancel).is_err());
    assert!(recorder.flush().await.is_err());
    assert!(recorder.seal(EndReason::ClientClosed).await.is_err());
}

/// What a `kill -9` leaves: nobody flushes and nobody seals.
#[tokio::test]
async fn an_event_is_stored_within_a_second_without_being_asked_for() {
    let store = TestStore::new();
    let gate = Gate::over(store.clone());
    let (session, recorder) = gate.begin(true).await;
    recorder.append(&statement(1, "SELECT 1")).unwrap();
    tokio::time::timeout(Duration::from_secs(1), store.stored(2)).await.unwrap();
    assert_eq!(events(&gate, &session).await.len(), 2);

    recorder.append(&statement(2, "SELECT 2")).unwrap();
    tokio::time::timeout(Duration::from_secs(1), store.stored(3)).await.unwrap();
    let report = gate.writer.folders().verify(&session, true, None, &gate.key.public()).await.unwrap();
    assert_eq!(
        report.findings.iter().map(|f| f.verdict).collect::<Vec<_>>(),
        [Verdict::CompletenessNotProven]
    );
}

#[tokio::test]
async fn a_slow_store_makes_the_session_wait_and_loses_nothing() {
    let store = TestStore::new();
    let gate = Gate::over(store.clone());
    let (session, recorder) = gate.begin(true).await;
    store.be(Mood::Waits);
    let text = "x".repeat(100_000);
    let mut appended = 0;
    while !pending(&recorder).await {
        appended += 1;
        recorder.append(&statement(appended, &text)).unwrap();
        assert!(appended < 100, "the backlog has no bound");
        tokio::task::yield_now().await;
    }
    assert!(gate.writer.backlog() >= i64::try_from(MAX_BACKLOG).unwrap());
    store.be(Mood::Works);
    poll_fn(|cx| recorder.poll_ready(cx)).await.unwrap();
    recorder.seal(EndReason::ClientClosed).await.unwrap();
    assert_eq!(events(&gate, &session).await.len() as u64, appended + 1);
    assert_eq!(gate.writer.backlog(), 0);
}

#[tokio::test]
async fn a_strict_recording_that_fails_says_so_and_stays_failed() {
    let store = TestStore::new();
    let gate = Gate::over(store.clone());
    let (session, recorder) = gate.begin(true).await;
    recorder.append(&statement(1, "SELECT 1")).unwrap();
    recorder.flush().await.unwrap();

    store.be(Mood::Fails);
    recorder.append(&statement(2, "SELECT 2")).unwrap();
    recorder.failed().await;
    assert!(recorder.append(&statement(3, "SELECT 3")).is_err());
    assert!(poll_fn(|cx| recorder.poll_ready(cx)).await.is_err());
    assert!(recorder.flush().await.is_err());
    assert_eq!(gate.writer.errors(), 1);

    store.be(Mood::Works);
    let sealed = recorder.seal(EndReason::RecordingFailed).await.unwrap();
    assert_eq!(
        (sealed.chain.chunks, sealed.lost),
        (2, 1),
        "what was stored is sealed, what was not is counted"
    );
    let report = gate.writer.folders().verify(&session, false, None, &gate.key.public()).await.unwrap();
    assert_eq!((report.findings.as_slice(), report.events), (&[][..], 2));
}

#[tokio::test]
async fn a_waiting_session_is_woken_when_the_store_breaks() {
    let store = TestStore::new();
    let gate = Gate::over(store.clone());
    let (_, recorder) = gate.begin(true).await;
    store.be(Mood::Waits);
    let text = "x".repeat(MAX_BACKLOG);
    recorder.append(&statement(1, &text)).unwrap();
    while !pending(&recorder).await {
        recorder.append(&statement(2, &text)).unwrap();
    }
    let breaks = async { store.be(Mood::Fails) };
    let (ready, ()) = tokio::join!(poll_fn(|cx| recorder.poll_ready(cx)), breaks);
    // The first write fails; room made by taking the second is no reason to go on.
    assert!(
        ready.is_err() || {
            recorder.failed().await;
            recorder.append(&Event::Cancel).is_err()
        }
    );
}

#[tokio::test]
async fn a_best_effort_recording_goes_on_and_counts_what_is_lost() {
    let store = TestStore::new();
    let gate = Gate::over(store.clone());
    let (session, recorder) = gate.begin(false).await;
    store.be(Mood::Fails);
    recorder.append(&statement(1, "SELECT 1")).unwrap();
    recorder.flush().await.unwrap();
    store.be(Mood::Works);
    recorder.append(&statement(2, "SELECT 2")).unwrap();
    let sealed = recorder.seal(EndReason::ClientClosed).await.unwrap();
    assert_eq!((sealed.chain.chunks, sealed.chain.events, sealed.lost), (2, 2, 1));
    let report = gate.writer.folders().verify(&session, false, None, &gate.key.public()).await.unwrap();
    assert_eq!(report.findings, []);
}

#[tokio::test]
async fn a_session_that_cannot_be_recorded_does_not_begin() {
    let store = TestStore::new();
    let gate = Gate::over(store.clone());
    store.be(Mood::Fails);
    assert!(matches!(gate.writer.begin(&opening(true)).await, Err(StartError::Write(RecordError))));
    assert!(gate.writer.begin(&opening(false)).await.is_ok(), "best effort");
    let mut wrong = opening(true);
    wrong.record.mask = vec!["(".to_owned()];
    assert!(matches!(gate.writer.begin(&wrong).await, Err(StartError::Mask(_))));
}

#[tokio::test]
async fn many_sessions_at_once_keep_their_own_order() {
    let gate = Gate::over(TestStore::new());
    let text = "SELECT 'a rather long statement'".repeat(20);
    let one = async |count: u64| {
        let (session, recorder) = gate.begin(true).await;
        for n in 1..=count {
            recorder.append(&statement(n, &text)).unwrap();
            poll_fn(|cx| recorder.poll_ready(cx)).await.unwrap();
            if n % 97 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let sealed = recorder.seal(EndReason::ClientClosed).await.unwrap();
        assert!(sealed.chain.chunks > 3, "{sealed:?}");
        let numbers: Vec<u64> =
            events(&gate, &session).await.iter().skip(1).map(|event| event["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
        let report = gate.writer.folders().verify(&session, false, None, &gate.key.public()).await.unwrap();
        assert_eq!(report.findings, []);
    };
    futures_util::future::join_all((0..8).map(|n| one(900 + n))).await;
}

#[tokio::test]
async fn checkpoints_name_live_recordings_and_those_sealed_since() {
    let gate = Gate::over(TestStore::new());
    let (live, recorder) = gate.begin(true).await;
    let (done, other) = gate.begin(true).await;
    other.seal(EndReason::ClientClosed).await.unwrap();

    let mut heads = gate.writer.heads();
    heads.sort_by_key(|head| head.sealed);
    assert_eq!(heads.len(), 2);
    assert_eq!((heads[0].session.as_str(), heads[0].chunks, heads[0].sealed), (live.as_str(), 1, false));
    assert_eq!((heads[1].session.as_str(), heads[1].sealed), (done.as_str(), true));

    gate.writer.checkpointed(&heads);
    drop(recorder);
    gate.writer.stop().await;
    assert_eq!(gate.writer.heads(), [], "an abandoned recording is no live one");
}

#[tokio::test]
async fn an_interrupted_recording_is_sealed_at_the_next_start() {
    let gate = Gate::over(TestStore::new());
    let (session, recorder) = gate.begin(true).await;
    recorder.append(&statement(1, "SELECT 1")).unwrap();
    recorder.flush().await.unwrap();
    drop(recorder);

    let (folders, clock) = (gate.writer.folders(), Clock::system());
    assert_eq!(folders.sessions().await.unwrap(), std::slice::from_ref(&session));
    let sealed = folders.resume_interrupted(&session, &gate.key, &clock).await.unwrap().unwrap();
    assert_eq!((sealed.chain.chunks, sealed.chain.events), (2, 2));
    let report = folders.verify(&session, false, None, &gate.key.public()).await.unwrap();
    assert_eq!((report.findings.as_slice(), report.reason.as_deref()), (&[][..], Some("interrupted")));
    assert_eq!(folders.resume_interrupted(&session, &gate.key, &clock).await.unwrap(), None);
    let other = folders.resume_interrupted(&SessionId::random(), &gate.key, &clock).await;
    assert!(matches!(other, Err(ReadError::NotFound)));
}

#[tokio::test]
async fn stopping_writes_what_is_left_and_lets_nobody_wait() {
    let gate = Gate::over(TestStore::new());
    let (session, recorder) = gate.begin(true).await;
    recorder.append(&statement(1, "SELECT 1")).unwrap();
    gate.writer.stop().await;
    assert_eq!(events(&gate, &session).await.len(), 2);
    assert!(recorder.flush().await.is_err());
    assert!(recorder.seal(EndReason::Drained).await.is_err());
    assert!(gate.writer.begin(&opening(true)).await.is_err());
}

#[tokio::test]
async fn a_folder_is_made_for_its_owner_only_and_its_files_are_the_recording() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/recordings");
    let url = format!("file://{}", path.display());
    let folders = Folders::open(&url).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);

    let key = std::sync::Arc::new(crate::audit::SigningKey::generate().unwrap().0);
    let writer = crate::record::Writer::start(folders, key.clone(), Clock::system()).unwrap();
    let gate = Gate { writer, key };
    let (session, recorder) = gate.begin(true).await;
    recorder.append(&statement(1, "SELECT 1")).unwrap();
    recorder.seal(EndReason::ClientClosed).await.unwrap();
    let folder_of = path.join(session.as_str());
    let mut files: Vec<_> =
        std::fs::read_dir(&folder_of).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let on_disk: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(on_disk.concat(), gate.file(&session).await);
    // The last chunk is stored with the seal.
    let seal = on_disk.last().unwrap();
    assert!(seal.starts_with(b"{\"v\":1,\"session\"") && seal.ends_with(b"}\n"), "{files:?}");

    for other in ["s3://bucket", "/var/lib/curfew", "file://host/x", ""] {
        let refused = Folders::open(other).unwrap_err().to_string();
        assert!(refused.contains("file:///var/lib/curfew/recordings"), "{refused}");
    }
}

/// sshpiper #819: a user name `../x` led out of the folder of recordings.
#[tokio::test]
async fn sshpiper_819_no_name_leads_a_recording_elsewhere() {
    for no_id in ["../x", "ses_../x", "ses_a/b", "ses_", "", "ses_a\0", "SES_A"] {
        assert_eq!(SessionId::parse(no_id), None, "{no_id}");
    }
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("recordings");
    let folders = Folders::local(&recordings).unwrap();
    let key = std::sync::Arc::new(crate::audit::SigningKey::generate().unwrap().0);
    let writer = crate::record::Writer::start(folders, key, Clock::system()).unwrap();
    let mut hostile = opening(true);
    let name = "../../x".to_owned();
    (hostile.account, hostile.target, hostile.contract) = (name.clone(), name.clone(), name.clone());
    (hostile.identity.name, hostile.identity.email, hostile.database) =
        (name.clone(), name.clone(), Some(name));
    let recorder = writer.begin(&hostile).await.unwrap();
    recorder.append(&statement(1, "SELECT 1")).unwrap();
    recorder.seal(EndReason::ClientClosed).await.unwrap();
    let names = |folder: &std::path::Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names(folder.path()), ["recordings"]);
    assert_eq!(names(&recordings), [hostile.session.as_str()]);
    let mut events = writer.folders().events(&hostile.session);
    assert_eq!(events.next().await.unwrap().unwrap()["account"], "../../x");
}

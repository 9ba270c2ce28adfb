//! Recordings from the first event to the seal and back, on a store that works, waits or fails.

mod reading;
mod store;
mod verifying;
mod writing;

use std::sync::Arc;

use curfew_adapter::{Clock, EndReason, Event, ParameterPolicy, RecordSink, SessionId};
use futures_util::TryStreamExt;

use super::opening::{Opening, Policy, Who};
use super::{Folders, SessionRecorder, Writer};
use crate::audit::SigningKey;

/// A writer over a store.
struct Gate {
    writer: Writer,
    key: Arc<SigningKey>,
}

impl Gate {
    fn over(store: Arc<store::TestStore>) -> Self {
        let key = Arc::new(SigningKey::generate().unwrap().0);
        Self { writer: Writer::start(Folders::new(store), key.clone(), Clock::system()).unwrap(), key }
    }

    async fn begin(&self, strict: bool) -> (SessionId, SessionRecorder) {
        let opening = opening(strict);
        (opening.session.clone(), self.writer.begin(&opening).await.unwrap())
    }

    async fn file(&self, session: &SessionId) -> Vec<u8> {
        let pieces: Vec<_> = self.writer.folders().file(session).try_collect().await.unwrap();
        pieces.concat()
    }
}

fn opening(strict: bool) -> Opening {
    Opening {
        session: SessionId::random(),
        protocol: "postgres".to_owned(),
        identity: Who {
            id: "ide_a".to_owned(),
            email: "alice@example.com".to_owned(),
            name: "Alice".to_owned(),
        },
        client: "192.0.2.7".to_owned(),
        target: "orders".to_owned(),
        address: "orders-db.internal:5432".to_owned(),
        account: "orders_read".to_owned(),
        database: Some("orders".to_owned()),
        contract: "orders-debug".to_owned(),
        request: "req_a".to_owned(),
        grant: "gra_a".to_owned(),
        record: Policy {
            parameters: ParameterPolicy::Full,
            results: curfew_adapter::ResultPolicy::None,
            input: false,
            mask: vec!["(?i)iban".to_owned()],
            strict,
        },
    }
}

fn statement(n: u64, text: &str) -> Event<'_> {
    Event::Statement { n, text: Some(text), prepared: None, continues: None, parameters: &[] }
}

/// A sealed recording of a shell that said this.
async fn recorded_shell(gate: &Gate, output: &[&str]) -> SessionId {
    let (session, recorder) = gate.begin(true).await;
    let terminal = Some(curfew_adapter::Terminal { term: "xterm", cols: 80, rows: 24 });
    recorder.append(&Event::Channel { ch: 1, purpose: "shell", command: None, terminal }).unwrap();
    for text in output {
        let data = curfew_adapter::Text(text.as_bytes());
        recorder.append(&Event::Output { ch: 1, err: false, data }).unwrap();
        recorder.flush().await.unwrap();
    }
    let (input, errors) = (0, 0);
    let end = Event::ChannelEnd { ch: 1, status: Some(0), signal: None, input, output: 9, errors };
    recorder.append(&end).unwrap();
    recorder.seal(EndReason::ClientClosed).await.unwrap();
    session
}

/// A recording of `chunks` chunks, as a file, and the key that sealed it.
async fn recorded(chunks: u64) -> (Vec<u8>, Arc<SigningKey>) {
    let gate = Gate::over(store::TestStore::new());
    let (session, recorder) = gate.begin(true).await;
    for n in 1..chunks {
        recorder.append(&statement(n, "SELECT 1")).unwrap();
        recorder.flush().await.unwrap();
    }
    recorder.seal(EndReason::ClientClosed).await.unwrap();
    (gate.file(&session).await, gate.key)
}

//! Requests, grants, sessions and keys to be about, for the tests of the API and the pages.

use curfew_adapter::{
    EndReason, GrantId, Only, ParameterPolicy, Protocol, ProvedKey, RequestId, SessionId, SignedIn,
};

use super::Gate;
use super::world::Somebody;
use crate::audit::Actor;
use crate::contract::PersonKey;
use crate::record::opening::{Opening, Policy, Who};
use crate::record::{SessionRecorder, Writer};
use crate::store::{SessionEnd, SessionRecord, SessionStart};

impl Gate {
    /// The id of a pending request of `by` for reading orders.
    pub(crate) async fn pending(&self, by: &Somebody) -> String {
        let ask =
            serde_json::json!({ "target": "orders", "account": "orders_read", "reason": "pool exhausted" });
        self.post("/requests", by, ask).await.is(201).get("id")
    }

    /// Binds an SSH key with this name to their sign-in.
    pub(crate) async fn bind_key(&self, to: &Somebody, fingerprint: &str) {
        let who = SignedIn::new(to.viewer.identity.clone(), to.viewer.signin.id.clone());
        let key = ProvedKey { line: "ssh-ed25519 AAAA".to_owned(), fingerprint: fingerprint.to_owned() };
        self.app.identities.bind_key(&who, &key, [127, 0, 0, 1].into()).await.unwrap();
    }

    /// The name of a credential of theirs for reading orders.
    pub(crate) async fn credential(&self, of: &Somebody) -> String {
        let only = Only { target: "orders".to_owned(), account: "orders_read".to_owned() };
        self.app.identities.make_credential(&of.viewer, &only, None).await.unwrap().0.name
    }

    /// The id of a session under this grant of `of`, which has ended and whose recording is sealed.
    pub(crate) async fn session(&self, grant: &str, of: &Somebody, live: bool) -> SessionId {
        let (id, recorder) = self.live_session(grant, of).await;
        if !live {
            self.end_session(&id, &recorder).await;
        }
        id
    }

    /// Ends a session, and seals its recording.
    pub(crate) async fn end_session(&self, id: &SessionId, recorder: &SessionRecorder) {
        recorder.seal(EndReason::ClientClosed).await.unwrap();
        let end = SessionEnd {
            at: self.app.clock.wall(),
            reason: EndReason::ClientClosed,
            detail: None,
            cut: None,
            bytes_in: 10,
            bytes_out: 20,
            recording: None,
        };
        assert!(self.backend.store.end_session(id, &end, Actor::Curfew).await.unwrap());
    }

    /// A session that runs, and what records it.
    pub(crate) async fn live_session(&self, grant: &str, of: &Somebody) -> (SessionId, SessionRecorder) {
        let grant = self.get(&format!("/grants/{grant}"), of).await.json();
        let word = |field: &str| grant[field].as_str().unwrap().to_owned();
        let id = SessionId::random();
        let record = SessionRecord {
            id: id.clone(),
            grant: GrantId::parse(&word("id")).unwrap(),
            request: RequestId::parse(&word("request")).unwrap(),
            identity: of.viewer.identity.id.clone(),
            person: PersonKey::new(of.viewer.identity.person.clone()),
            signin: of.viewer.signin.id.clone(),
            contract: word("contract"),
            target: word("target"),
            protocol: Protocol::Postgres,
            account: word("account"),
            database: Some("orders".to_owned()),
            client_address: "192.0.2.9".parse().unwrap(),
            program: Some("psql".to_owned()),
            started_at: self.app.clock.wall(),
            ended: None,
        };
        let store = &self.backend.store;
        let started = store.start_session(&record, None, of.viewer.actor(None)).await.unwrap();
        assert_eq!(started, SessionStart::Started);
        let writer =
            Writer::start(self.app.recordings.clone(), self.key.clone(), self.app.clock.clone()).unwrap();
        let recorder = writer.begin(&opening(&record, of)).await.unwrap();
        (id, recorder)
    }

    /// The id of a grant of `of`, approved by `by`.
    pub(crate) async fn granted(&self, of: &Somebody, by: &Somebody) -> String {
        let id = self.pending(of).await;
        let approved = self.post(&format!("/requests/{id}/approve"), by, serde_json::json!({})).await.is(200);
        approved.get("grant_id")
    }
}

fn opening(record: &SessionRecord, of: &Somebody) -> Opening {
    Opening {
        session: record.id.clone(),
        protocol: "postgres".to_owned(),
        identity: Who {
            id: of.viewer.identity.id.to_string(),
            email: of.viewer.identity.email.clone(),
            name: of.viewer.identity.name.clone(),
        },
        client: record.client_address.to_string(),
        target: record.target.clone(),
        address: "orders-db.internal:5432".to_owned(),
        account: record.account.clone(),
        database: record.database.clone(),
        contract: record.contract.clone(),
        request: record.request.to_string(),
        grant: record.grant.to_string(),
        record: Policy {
            parameters: ParameterPolicy::Full,
            results: curfew_adapter::ResultPolicy::None,
            input: false,
            mask: Vec::new(),
            strict: true,
        },
    }
}

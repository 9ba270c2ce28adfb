//! Connection credentials, message by message.

use super::talk::Talk;
use super::tls::secured;
use super::{Fixture, packet, refused};
use crate::codec::startup::startup;
use crate::codec::{backend, frontend};
use crate::target::scram::{Bound, Exchange, Keys};
use crate::{Options, PostgresAdapter, binding};
use curfew_adapter::{Only, Proof, SCRAM, SCRAM_PLUS};
use curfew_conformance::{FakeCore, Script, Stage, client_config, self_signed};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

use super::target::{FakeTarget, answer};

const NAME: &str = "c-known";
const SECRET: &str = "the secret";

fn known(script: &mut Script) {
    script.credential = Some((NAME.to_owned(), SECRET.to_owned()));
    script.only = Some(Only { target: "orders".to_owned(), account: "orders_read".to_owned() });
}

fn hello(user: &str, database: &str) -> Vec<u8> {
    let mut out = Vec::new();
    startup(&mut out, 0, [("user", user), ("database", database)]);
    out
}

/// The body of an AuthenticationSASL…, which must be of this kind.
async fn authentication<S: AsyncRead + AsyncWrite + Unpin>(talk: &mut Talk<S>, kind: i32) -> Vec<u8> {
    let (tag, body) = talk.message().await;
    assert_eq!((tag, &body[..4]), (backend::AUTHENTICATION, &kind.to_be_bytes()[..]), "{body:?}");
    body[4..].to_vec()
}

/// Proves what is to be proved, up to and with the proof itself.
async fn prove<S: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<S>,
    mechanism: &str,
    bound: Bound,
    secret: &str,
) -> Exchange {
    let mut exchange = Exchange::begin(bound);
    let mut out = Vec::new();
    frontend::sasl_initial(&mut out, mechanism, exchange.first().as_bytes());
    talk.send(&out).await;
    let salt = exchange.challenge(&authentication(talk, 11).await).unwrap();
    out.clear();
    frontend::sasl(&mut out, exchange.prove(&Keys::derive(secret, &salt)).unwrap().as_bytes());
    talk.send(&out).await;
    exchange
}

#[tokio::test]
async fn who_proves_the_secret_is_let_in_as_the_credential_says() {
    let fixture = Fixture::new(known).await;
    // As GUI clients fill their field for the database: the target, a database there, nothing.
    for database in ["orders", "sales", NAME] {
        let mut talk = fixture.dial().await;
        talk.send(&hello(NAME, database)).await;
        assert_eq!(authentication(&mut talk, 10).await, b"SCRAM-SHA-256\0\0");
        let exchange = prove(&mut talk, SCRAM, Bound::Nothing, SECRET).await;
        exchange.finish(&authentication(&mut talk, 12).await).unwrap();
        assert_eq!(authentication(&mut talk, 0).await, b"");
        talk.until(backend::READY).await;
        let (ask, proof) = fixture.core.asks().pop().unwrap();
        assert!(matches!(proof, Proof::Credential(name) if name == NAME));
        assert_eq!((ask.account.as_str(), ask.target.as_str()), (NAME, database));
    }
    let mut began = fixture.target.notes.all();
    began.retain(|note| note.starts_with("startup "));
    assert_eq!(began.len(), 3);
    assert!(began.iter().all(|note| note.starts_with("startup user=orders_read ")), "{began:?}");
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_name_look_the_same() {
    let mut told = Vec::new();
    for (name, secret) in [(NAME, "another"), ("c-unknown", SECRET)] {
        let fixture = Fixture::new(|script| {
            known(script);
            script.refuse_sign_in = Some(curfew_adapter::Refusal::new(
                curfew_adapter::RefusalKind::NotSignedIn,
                "curfew: wrong",
                "",
            ));
        })
        .await;
        let mut talk = fixture.dial().await;
        let mut out = Vec::new();
        let psql = [("user", name), ("database", "orders"), ("application_name", "psql")];
        startup(&mut out, 0, psql);
        talk.send(&out).await;
        authentication(&mut talk, 10).await;
        prove(&mut talk, SCRAM, Bound::Nothing, secret).await;
        // No AuthenticationOk comes before the no, though psql would show notices.
        let (tag, body) = talk.message().await;
        assert_eq!(tag, backend::ERROR);
        told.push(String::from_utf8_lossy(&body).into_owned());
        assert!(told.last().unwrap().contains("C28P01"), "{told:?}");
        let (_, proof) = fixture.core.asks().pop().unwrap();
        assert!(matches!(proof, Proof::WrongSecret(_)), "{proof:?}");
        assert_eq!(fixture.target.notes.all(), Vec::<String>::new());
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn over_tls_the_exchange_is_bound_to_the_certificate() {
    let target = FakeTarget::start(answer).await;
    let (tls, certificate) = self_signed();
    let hash = binding::server_end_point(&certificate).unwrap();
    let mut script = Script::fine(target.address);
    known(&mut script);
    let gate = Arc::new(PostgresAdapter::new(tls, Options::default()));
    let stage = Stage::open(gate, FakeCore::new(script), Duration::from_secs(10)).await.unwrap();
    let mut elsewhere = hash.clone();
    elsewhere[0] ^= 1;
    for (mechanism, bound, fine) in [
        (SCRAM_PLUS, Bound::EndPoint(hash.clone()), true),
        (SCRAM, Bound::Nothing, true),
        (SCRAM_PLUS, Bound::EndPoint(elsewhere), false),
    ] {
        let mut talk = secured(&stage, client_config(&certificate), "localhost").await;
        talk.send(&hello(NAME, "orders")).await;
        assert_eq!(authentication(&mut talk, 10).await, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        let exchange = prove(&mut talk, mechanism, bound, SECRET).await;
        if fine {
            exchange.finish(&authentication(&mut talk, 12).await).unwrap();
            talk.until(backend::READY).await;
        } else {
            assert!(refused(talk).await.1.contains("bound to another connection"));
        }
    }
    // A client that could be bound, and was told by somebody in between that we can't.
    let mut talk = secured(&stage, client_config(&certificate), "localhost").await;
    talk.send(&hello(NAME, "orders")).await;
    authentication(&mut talk, 10).await;
    let mut out = Vec::new();
    frontend::sasl_initial(&mut out, SCRAM, Exchange::begin(Bound::NotOffered).first().as_bytes());
    talk.send(&out).await;
    let (code, told) = refused(talk).await;
    assert!(code == "28P01" && told.contains("somebody may be in between"), "{code} {told}");
}

#[tokio::test]
async fn what_is_no_proof_ends_the_connection() {
    let fixture = Fixture::new(known).await;
    let password = |body: &[u8]| {
        let mut out = Vec::new();
        frontend::sasl(&mut out, body);
        out
    };
    let mut query = Vec::new();
    frontend::write_query(&mut query, "select 1");
    for (said, code) in [
        (password(b"secret\0"), "28P01"),
        (password(b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=abc"), "28P01"),
        (password(b"PLAIN\0\0\0\0\x03n,,"), "28P01"),
        (query, "08P01"),
        (password(&[b'x'; 5000]), "08P01"),
    ] {
        let mut talk = fixture.dial().await;
        talk.send(&hello(NAME, "orders")).await;
        authentication(&mut talk, 10).await;
        talk.send(&said).await;
        assert_eq!(refused(talk).await.0, code);
    }
    // Who leaves in the middle of it holds up nobody.
    let mut talk = fixture.dial().await;
    talk.send(&hello(NAME, "orders")).await;
    authentication(&mut talk, 10).await;
    drop(talk);
    assert_eq!(fixture.target.notes.all(), Vec::<String>::new());
    let mut talk = fixture.dial().await;
    talk.send(&packet(&[])).await;
    talk.until(backend::READY).await;
}

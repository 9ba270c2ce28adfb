//! Signing in by a bearer token, byte for byte: SASL OAUTHBEARER as libpq 18 and RFC 7628 have it.

use super::talk::Talk;
use super::{Fixture, refused};
use crate::codec::frontend::{sasl, sasl_initial, terminate};
use crate::codec::{backend, report};
use curfew_adapter::{AdapterError, Ended, Notice, Proof, Refusal, RefusalKind};
use tokio::net::TcpStream;

/// What the server offers: AuthenticationSASL with one mechanism.
const OFFER: &[u8] = b"R\0\0\0\x15\0\0\0\x0aOAUTHBEARER\0\0";

/// The error of RFC 7628, 3.2.2, in AuthenticationSASLContinue.
const ERROR: &[u8] = b"R\0\0\0\x88\0\0\0\x0b{\"status\":\"invalid_token\",\"openid-configuration\":\
    \"https://gate.example.com/.well-known/openid-configuration\",\"scope\":\"postgres\"}";

const OAUTH: (&str, &str) = ("options", "-c curfew.auth=oauth");

/// A client that was offered the mechanism.
async fn offered(fixture: &Fixture, more: &[(&str, &str)]) -> Talk<TcpStream> {
    let mut talk = fixture.start(&[&[OAUTH], more].concat()).await;
    expect(&mut talk, OFFER).await;
    talk
}

/// The next bytes are these.
async fn expect(talk: &mut Talk<TcpStream>, bytes: &[u8]) {
    while talk.buffer.len() < bytes.len() {
        assert!(talk.more().await > 0, "{:?}", String::from_utf8_lossy(&talk.buffer));
    }
    let said: Vec<u8> = talk.buffer.drain(..bytes.len()).collect();
    assert_eq!(said, bytes, "{}", String::from_utf8_lossy(&said));
}

async fn bring(talk: &mut Talk<TcpStream>, data: &[u8]) {
    let mut out = Vec::new();
    sasl_initial(&mut out, "OAUTHBEARER", data);
    talk.send(&out).await;
}

async fn say(talk: &mut Talk<TcpStream>, data: &[u8]) {
    let mut out = Vec::new();
    sasl(&mut out, data);
    talk.send(&out).await;
}

#[tokio::test]
async fn a_good_token_signs_in_with_one_message() {
    let fixture = Fixture::new(|script| script.pending = Some(Notice::default())).await;
    let mut talk = offered(&fixture, &[("application_name", "psql"), ("jit", "off")]).await;
    talk.send(b"p\0\0\0\x37OAUTHBEARER\0\0\0\0\x23n,,\x01auth=Bearer cfwp_a-token.of_x\x01\x01").await;
    // No more of SASL: AuthenticationOk at once, and the wait behind it is told.
    expect(&mut talk, b"R\0\0\0\x08\0\0\0\0N").await;
    fixture.core.go_on();
    let asks = fixture.core.asks();
    let [(ask, Proof::Bearer(token))] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(
        (token.reveal(), ask.account.as_str(), ask.can_wait),
        ("cfwp_a-token.of_x", "orders_read", true)
    );
    assert!(!format!("{asks:?}").contains("cfwp"), "a token is never printed");
    // The setting that chose it reaches no target.
    let said = fixture.target.notes.until("startup").await;
    assert_eq!(said, "startup user=orders_read database=orders application_name=psql jit=off");
}

#[tokio::test]
async fn a_client_without_a_token_is_told_where_to_get_one_and_the_gate_hears_nothing() {
    for program in ["psql", "another"] {
        let mut fixture = Fixture::new(|_| ()).await;
        let mut talk = offered(&fixture, &[("application_name", program)]).await;
        talk.send(b"p\0\0\0\x1fOAUTHBEARER\0\0\0\0\x0bn,,\x01auth=\x01\x01").await;
        expect(&mut talk, ERROR).await;
        talk.send(b"p\0\0\0\x05\x01").await;
        let (tag, body) = talk.message().await;
        assert_eq!(tag, backend::ERROR, "no AuthenticationOk before it");
        let told = report::read(&body);
        assert_eq!((told.is_fatal(), &*told.code), (true, "28000"));
        assert_eq!(talk.rest().await, b"");
        assert!(fixture.core.asks().is_empty(), "asking is no sign-in");
        assert!(matches!(fixture.stage.served().await, Some(Ok(Ended::Refused))));
    }
}

#[tokio::test]
async fn a_client_that_goes_for_a_token_and_says_nothing_more_is_no_fault() {
    for goodbye in [false, true] {
        let mut fixture = Fixture::new(|_| ()).await;
        let mut talk = offered(&fixture, &[]).await;
        bring(&mut talk, b"n,,\x01auth=\x01\x01").await;
        expect(&mut talk, ERROR).await;
        if goodbye {
            let mut out = Vec::new();
            terminate(&mut out);
            talk.send(&out).await;
        } else {
            drop(talk);
        }
        assert!(matches!(fixture.stage.served().await, Some(Ok(Ended::Refused))));
        assert!(fixture.core.asks().is_empty());
    }
}

#[tokio::test]
async fn a_token_that_is_worth_nothing_gets_the_error_and_then_the_sentence() {
    let no = Refusal::new(RefusalKind::NotSignedIn, "the token is worth nothing", "get another");
    let fixture = Fixture::new(|script| script.refuse_sign_in = Some(no)).await;
    let mut talk = offered(&fixture, &[("application_name", "psql")]).await;
    bring(&mut talk, b"n,,\x01auth=Bearer worthless\x01\x01").await;
    expect(&mut talk, ERROR).await;
    say(&mut talk, b"\x01").await;
    assert_eq!(talk.buffer, b"", "nothing before the answer");
    assert_eq!(refused(talk).await, ("28000".to_owned(), "the token is worth nothing".to_owned()));
    // What another token would not help against is said at once.
    let down = Refusal::new(RefusalKind::Unavailable, "the store is down", "wait");
    fixture.core.rewrite(|script| script.refuse_sign_in = Some(down));
    let mut talk = offered(&fixture, &[]).await;
    bring(&mut talk, b"n,,\x01auth=Bearer fine\x01\x01").await;
    assert_eq!(refused(talk).await.0, "57P03");
    assert!(fixture.target.notes.all().is_empty());
}

#[tokio::test]
async fn after_an_error_only_a_separator_ends_the_exchange() {
    let no = Refusal::new(RefusalKind::NotSignedIn, "no", "no");
    let fixture = Fixture::new(|script| script.refuse_sign_in = Some(no)).await;
    for answer in [&b"n,,\x01auth=Bearer another\x01\x01"[..], b"", b"\x01\x01"] {
        let mut talk = offered(&fixture, &[]).await;
        bring(&mut talk, b"n,,\x01auth=Bearer worthless\x01\x01").await;
        expect(&mut talk, ERROR).await;
        let before = fixture.core.asks().len();
        say(&mut talk, answer).await;
        assert_eq!(refused(talk).await.0, "08P01");
        assert_eq!(fixture.core.asks().len(), before, "a second token on one connection is none");
    }
}

#[tokio::test]
async fn whatever_else_a_client_says_is_refused_and_the_gate_hears_nothing() {
    let mut fixture = Fixture::new(|_| ()).await;
    for hostile in [
        &b"n,a=admin,\x01auth=Bearer x\x01\x01"[..],
        b"p=tls-exporter,,\x01auth=Bearer x\x01\x01",
        b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
        b"n,,\x01auth=Bearer x\x01\x01more",
        b"n,,\x01auth=Basic eDp5\x01\x01",
        b"\x01",
        b"",
    ] {
        let mut talk = offered(&fixture, &[]).await;
        bring(&mut talk, hostile).await;
        assert_eq!(refused(talk).await.0, "08P01", "{}", String::from_utf8_lossy(hostile));
        drop(fixture.stage.served().await);
    }
    // Another mechanism, another message, a length that lies, one too long.
    let mut scram = Vec::new();
    sasl_initial(&mut scram, "SCRAM-SHA-256", b"n,,n=,r=abc");
    let mut long = Vec::new();
    sasl_initial(&mut long, "OAUTHBEARER", &[b'x'; 5000]);
    let lies: &[u8] = b"p\0\0\0\x1fOAUTHBEARER\0\x7f\xff\xff\xffn,,\x01auth=\x01\x01";
    for said in [&scram[..], &long, lies, b"Q\0\0\0\x0dselect 1\0", b"p\x7f\xff\xff\xff", b"p\0\0\0\x03"] {
        let mut talk = offered(&fixture, &[]).await;
        talk.send(said).await;
        assert_eq!(refused(talk).await.0, "08P01", "{}", String::from_utf8_lossy(said));
        assert!(matches!(
            fixture.stage.served().await,
            Some(Ok(Ended::Refused) | Err(AdapterError::Protocol(_)))
        ));
    }
    assert!(fixture.core.asks().is_empty());
    assert!(fixture.target.notes.all().is_empty());
}

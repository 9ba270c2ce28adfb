//! TLS on both sides.

use super::startup::unreachable;
use super::talk::Talk;
use super::target::{FakeTarget, answer};
use super::{Fixture, packet};
use crate::codec::backend;
use crate::codec::frontend::write_query;
use crate::codec::startup::{ssl_request, startup};
use crate::{Options, PostgresAdapter};
use curfew_adapter::{AdapterError, TargetTls, TlsMode};
use curfew_conformance::{FakeCore, Script, Stage, client_config, self_signed, target_roots};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Asks for TLS and speaks it.
pub async fn secured(
    stage: &Stage,
    config: impl Into<Arc<rustls::ClientConfig>>,
    name: &'static str,
) -> Talk<TlsStream<TcpStream>> {
    let mut socket = TcpStream::connect(stage.address).await.unwrap();
    let mut out = Vec::new();
    ssl_request(&mut out);
    socket.write_all(&out).await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'S');
    let name = ServerName::try_from(name).unwrap();
    Talk::new(TlsConnector::from(config.into()).connect(name, socket).await.unwrap())
}

#[tokio::test]
async fn a_session_runs_in_tls_after_a_no_to_gssapi() {
    let target = FakeTarget::start(answer).await;
    let core = FakeCore::new(Script::fine(target.address));
    let (tls, certificate) = self_signed();
    let gate = Arc::new(PostgresAdapter::new(tls, Options::default()));
    let stage = Stage::open(gate, core.clone(), Duration::from_secs(10)).await.unwrap();
    let mut socket = TcpStream::connect(stage.address).await.unwrap();
    socket.write_all(&[0, 0, 0, 8, 4, 210, 22, 48]).await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'N');
    let mut out = Vec::new();
    ssl_request(&mut out);
    socket.write_all(&out).await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'S');
    let connector = TlsConnector::from(client_config(&certificate));
    let name = ServerName::try_from("localhost").unwrap();
    let mut talk = Talk::new(connector.connect(name, socket).await.unwrap());
    talk.send(&packet(&[])).await;
    talk.until(backend::READY).await;
    let mut out = Vec::new();
    write_query(&mut out, "hello");
    talk.send(&out).await;
    assert_eq!(talk.message().await, (backend::DATA_ROW, b"hello\0".to_vec()));
}

#[tokio::test]
async fn direct_tls_needs_its_alpn_name() {
    for (alpn, fine) in [(&b"postgresql"[..], true), (&b""[..], false)] {
        let target = FakeTarget::start(answer).await;
        let core = FakeCore::new(Script::fine(target.address));
        let (tls, certificate) = self_signed();
        let gate = Arc::new(PostgresAdapter::new(tls, Options::default()));
        let mut stage = Stage::open(gate, core.clone(), Duration::from_secs(10)).await.unwrap();
        let mut config = Arc::unwrap_or_clone(client_config(&certificate));
        if fine {
            config.alpn_protocols = vec![alpn.to_vec()];
        }
        let socket = TcpStream::connect(stage.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut talk = Talk::new(TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap());
        let _ = talk.stream.write_all(&packet(&[])).await;
        if fine {
            talk.until(backend::READY).await;
        } else {
            assert_eq!(talk.rest().await, b"");
            assert!(matches!(stage.served().await, Some(Err(AdapterError::Protocol(_)))));
        }
    }
}

/// A client's TLS that looks at no certificate, so that the gate may be called anything.
fn blind() -> rustls::ClientConfig {
    Arc::unwrap_or_clone(TargetTls::new(TlsMode::Require, rustls::RootCertStore::empty()).unwrap().config())
}

#[tokio::test]
async fn a_host_below_the_gates_names_the_target() {
    for (host, database, target, opened) in [
        ("orders.gate.example.com", "main", "orders", Some("main")),
        ("orders.GATE.example.com", "main", "orders", Some("main")),
        ("gate.example.com", "orders", "orders", None),
        ("orders.gate.example.com.evil.net", "billing", "billing", None),
        ("ordersgate.example.com", "billing", "billing", None),
    ] {
        let core = FakeCore::new(Script::fine(FakeTarget::start(answer).await.address));
        let options = Options { hosts: vec!["gate.example.com".to_owned()], ..Options::default() };
        let gate = Arc::new(PostgresAdapter::new(self_signed().0, options));
        let stage = Stage::open(gate, core.clone(), Duration::from_secs(10)).await.unwrap();
        for direct in [false, true] {
            let mut config = blind();
            let mut talk = if direct {
                config.alpn_protocols = vec![crate::ALPN.to_vec()];
                let socket = TcpStream::connect(stage.address).await.unwrap();
                let name = ServerName::try_from(host).unwrap();
                Talk::new(TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap())
            } else {
                secured(&stage, config, host).await
            };
            let mut out = Vec::new();
            startup(&mut out, 0, [("user", "orders_read"), ("database", database)]);
            talk.send(&out).await;
            // The target is gone by now; that it was asked for is what counts.
            talk.rest().await;
            let ask = core.asks().pop().unwrap().0;
            assert_eq!((ask.target.as_str(), ask.database.as_deref()), (target, opened), "{host}");
        }
    }
}

#[tokio::test]
async fn a_host_and_a_database_that_name_two_targets_are_refused() {
    let core = FakeCore::new(Script::fine(FakeTarget::start(answer).await.address));
    let options = Options { hosts: vec!["gate.example.com".to_owned()], ..Options::default() };
    let gate = Arc::new(PostgresAdapter::new(self_signed().0, options));
    let stage = Stage::open(gate, core.clone(), Duration::from_secs(10)).await.unwrap();
    let mut talk = secured(&stage, blind(), "orders.gate.example.com").await;
    let mut out = Vec::new();
    startup(&mut out, 0, [("user", "orders_read"), ("database", "billing/main")]);
    talk.send(&out).await;
    let (code, message) = super::refused(talk).await;
    assert_eq!(code, "28000");
    assert!(message.contains("the target orders, and the database the target billing"), "{message}");
    assert!(core.asks().is_empty());
}

#[tokio::test]
async fn another_protocols_name_in_tls_is_refused() {
    let core = FakeCore::new(Script::fine(FakeTarget::start(answer).await.address));
    let gate = Arc::new(PostgresAdapter::new(self_signed().0, Options::default()));
    let mut stage = Stage::open(gate, core.clone(), Duration::from_secs(10)).await.unwrap();
    let mut config = blind();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let socket = TcpStream::connect(stage.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let refused = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
    assert!(refused.is_err(), "a handshake under another protocol's name");
    assert!(matches!(stage.served().await, Some(Err(AdapterError::Tls(_)))));
}

#[tokio::test]
async fn a_target_that_answers_s_with_bytes_behind_it_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 8];
        socket.read_exact(&mut request).await.unwrap();
        socket.write_all(b"SR\0\0\0\x08\0\0\0\0").await.unwrap();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
        assert_eq!(rest, b"", "not a byte goes to such a target");
    };
    let roots = target_roots(&self_signed().1);
    let mut fixture = Fixture::new(|script| {
        script.target = address;
        script.tls = TargetTls::new(TlsMode::VerifyFull, roots).unwrap();
    })
    .await;
    let (message, ()) = tokio::join!(unreachable(&mut fixture), serving);
    assert!(message.contains("plaintext"), "{message}");
}

#[tokio::test]
async fn a_target_without_tls_is_refused_where_tls_is_demanded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
        assert_eq!(rest.len(), 8, "the request for TLS, and nothing more");
    };
    let roots = target_roots(&self_signed().1);
    let mut fixture = Fixture::new(|script| {
        script.target = address;
        script.tls = TargetTls::new(TlsMode::Require, roots).unwrap();
    })
    .await;
    let (message, ()) = tokio::join!(unreachable(&mut fixture), serving);
    assert!(message.contains("does not offer TLS"), "{message}");
}

/// Stands before a target that speaks no TLS, and speaks it for it.
async fn wrap(target: std::net::SocketAddr) -> (std::net::SocketAddr, CertificateDer<'static>, JoinSet<()>) {
    let (config, certificate) = self_signed();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(config.clone());
            connections.spawn(async move {
                let mut request = [0; 8];
                socket.read_exact(&mut request).await.unwrap();
                socket.write_all(b"S").await.unwrap();
                let Ok(mut near) = acceptor.accept(socket).await else { return };
                let mut far = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (address, certificate, tasks)
}

#[tokio::test]
async fn a_target_is_reached_in_tls_and_cancelled_in_tls() {
    let target = FakeTarget::start(answer).await;
    let (address, certificate, _tasks) = wrap(target.address).await;
    for mode in [TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let fixture = Fixture::new(|script| {
            script.target = address;
            script.tls = TargetTls::new(mode, target_roots(&certificate)).unwrap();
        })
        .await;
        let mut talk = fixture.ready().await;
        let mut out = Vec::new();
        write_query(&mut out, "sleep");
        talk.send(&out).await;
        drop(talk);
        fixture.core.closing().await;
    }
    target.notes.until("cancel").await;
}

#[tokio::test]
async fn a_target_with_a_certificate_of_another_authority_is_refused() {
    let target = FakeTarget::start(answer).await;
    let (address, _, _tasks) = wrap(target.address).await;
    for mode in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let mut fixture = Fixture::new(|script| {
            script.target = address;
            script.tls = TargetTls::new(mode, target_roots(&self_signed().1)).unwrap();
        })
        .await;
        let message = unreachable(&mut fixture).await;
        assert!(message.contains("TLS failed"), "{message}");
    }
    assert!(target.notes.all().is_empty());
}

#[tokio::test]
async fn a_client_certificate_is_the_proof_where_there_is_one() {
    let made = rcgen::generate_simple_self_signed(vec!["alice".to_owned()]).unwrap();
    let key = || PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let certificate = made.cert.der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(target_roots(&certificate)),
        provider.clone(),
    );
    let config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        .with_single_cert(vec![certificate.clone()], key())
        .unwrap();
    let target = FakeTarget::start(answer).await;
    let core = FakeCore::new(Script::fine(target.address));
    let gate = Arc::new(PostgresAdapter::new(Arc::new(config), Options::default()));
    let stage = Stage::open(gate, core.clone(), Duration::from_secs(10)).await.unwrap();
    let trusting = || {
        rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(
                rustls::client::WebPkiServerVerifier::builder_with_provider(
                    Arc::new(target_roots(&certificate)),
                    provider.clone(),
                )
                .build()
                .unwrap(),
            )
    };
    for (config, shown) in [
        (trusting().with_client_auth_cert(vec![certificate.clone()], key()).unwrap(), true),
        (trusting().with_no_client_auth(), false),
    ] {
        let mut talk = secured(&stage, config, "alice").await;
        talk.send(&packet(&[])).await;
        talk.until(backend::READY).await;
        assert_eq!(matches!(core.asks().last().unwrap().1, curfew_adapter::Proof::Certificate(_)), shown);
    }
}

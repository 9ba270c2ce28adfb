//! How an account proves itself to a real Postgres, and what somebody in between learns: nothing that lets him in.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use curfew_adapter::{TargetTls, TlsMode};
use curfew_harness::postgres::password;
use curfew_harness::wire::SSL_REQUEST;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{address, ask, entry};
use crate::world::World;

#[tokio::test]
async fn scram_is_bound_to_the_targets_certificate_over_tls() {
    let plus = |tls: &'static str| {
        World::open(move |options| {
            let tap = address(&options);
            entry(options, &tap, tls, "auth = \"scram-sha-256-plus\"")
        })
    };
    let world = plus("mode = \"require\"").await;
    assert_eq!(ask(&world, "orders_read", "select current_user").await.unwrap(), "orders_read");
    // Without TLS there is nothing to bind to, and the entry demands it.
    let world = plus("mode = \"disable\"").await;
    let told = ask(&world, "orders_read", "select 1").await.unwrap_err();
    assert!(told.contains("SCRAM-SHA-256-PLUS (auth)"), "{told}");
}

/// Takes TLS apart between the gate and the target, with a certificate of its own.
async fn in_between(target: SocketAddr) -> (SocketAddr, JoinSet<()>) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let blind = TargetTls::new(TlsMode::Require, RootCertStore::empty()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut request = [0; 8];
            near.read_exact(&mut request).await.unwrap();
            assert_eq!(request, SSL_REQUEST);
            near.write_all(b"S").await.unwrap();
            let mut near = acceptor.accept(near).await.unwrap();
            let mut far = TcpStream::connect(target).await.unwrap();
            far.write_all(&SSL_REQUEST).await.unwrap();
            assert_eq!(far.read_u8().await.unwrap(), b'S');
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let mut far = TlsConnector::from(blind.config()).connect(name, far).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    });
    (address, task)
}

#[tokio::test]
async fn somebody_who_takes_tls_apart_is_found_out_also_where_no_certificate_is_checked() {
    let (spy, mut relay) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), JoinSet::new());
    let at = spy.local_addr().unwrap();
    let world = World::open(|options| entry(options, &format!("\"{at}\""), "mode = \"require\"", "")).await;
    let (between, _task) = in_between(world.postgres.address()).await;
    relay.spawn(async move {
        while let Ok((mut near, _)) = spy.accept().await {
            let mut far = TcpStream::connect(between).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    });
    let told = ask(&world, "orders_read", "select 1").await.unwrap_err();
    assert!(told.contains("channel binding"), "{told}");
}

#[tokio::test]
async fn md5_is_spoken_only_where_the_entry_names_it() {
    for (auth, fine) in [("", false), ("auth = \"md5\"", true)] {
        let world = World::open(|options| {
            let tap = address(&options);
            entry(options, &tap, "mode = \"disable\"", auth)
        })
        .await;
        let secret = password("orders_read");
        let old = format!("set password_encryption = 'md5'; alter role orders_read password '{secret}'");
        world.postgres.query(&old).await.unwrap();
        world.postgres.admit("host all all 127.0.0.1/32 md5").await.unwrap();
        match ask(&world, "orders_read", "select current_user").await {
            Ok(user) => assert!(fine && user == "orders_read"),
            Err(told) => assert!(!fine && told.contains("it asks for MD5"), "{told}"),
        }
    }
}

/// A certificate for this role, signed by itself, and its key, as `cert.pem` and `key.pem`.
fn certificate(folder: &Path, role: &str) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, role);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    std::fs::write(folder.join("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::set_permissions(folder.join("key.pem"), PermissionsExt::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn an_account_signs_in_by_certificate_and_is_told_where_its_key_lies_open() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "orders_write");
    let path = folder.path().display().to_string();
    let world = World::open(|options| {
        let tap = address(&options);
        let mut options = entry(options, &tap, "mode = \"require\"", "");
        let by =
            format!("certificate = true, tls = {{ cert = \"{path}/cert.pem\", key = \"{path}/key.pem\" }}");
        options.tables = options.tables.replace("secret = { file = \"secrets/orders_write\" }", &by);
        options
    })
    .await;
    let postgres = &world.postgres;
    std::fs::copy(folder.path().join("cert.pem"), postgres.folder().join("people.pem")).unwrap();
    let trusted = postgres.folder().join("people.pem").display().to_string();
    postgres.query(&format!("alter system set ssl_ca_file = '{trusted}'")).await.unwrap();
    let lines = "hostssl all orders_write 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256";
    postgres.admit(lines).await.unwrap();
    assert_eq!(ask(&world, "orders_write", "select current_user").await.unwrap(), "orders_write");
    assert_eq!(ask(&world, "orders_read", "select current_user").await.unwrap(), "orders_read");

    // Renewed without a restart; and not used once others may read it.
    certificate(folder.path(), "orders_write");
    let told = ask(&world, "orders_write", "select 1").await.unwrap_err();
    assert!(told.contains("orders"), "a certificate that the target does not know: {told}");
    std::fs::set_permissions(folder.path().join("key.pem"), PermissionsExt::from_mode(0o644)).unwrap();
    let told = ask(&world, "orders_write", "select 1").await.unwrap_err();
    assert!(told.contains("the certificate of orders_write on orders can't be read"), "{told}");
    assert!(!told.contains(&path), "where it lies is the operator's to know: {told}");
    world.gate.logs().unwrap().wait_for("chmod 600", crate::world::LIMIT).await.unwrap();
}

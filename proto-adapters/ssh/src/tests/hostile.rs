//! Clients and targets that don't play by the rules, and what others have been caught by.

use super::peer::{self, Client, Target};
use super::{Fixture, PATIENCE, eventually, keys};
use curfew_adapter::{EndReason, Login, Proof, Refusal, RefusalKind};
use russh::client;
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{HashAlg, PrivateKey};
use russh::{AgentAuthError, Preferred, Signer, cipher, kex, mac};
use std::borrow::Cow;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A gate before a target that is made of russh, with a password.
async fn before(target: &Target) -> Fixture {
    let address = target.address;
    Fixture::new(|script| {
        script.target = address;
        script.login = Login::Password;
        script.secret = "the account's".to_owned();
    })
    .await
}

#[tokio::test]
async fn a_certificate_is_handed_to_the_gate_as_it_is() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let mut builder = keys::builder(&keys::key(keys::ALICE), CertType::User, 1);
    builder.valid_principal("alice").unwrap();
    let certificate = keys::sign(builder);
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    let key = Arc::new(keys::key(keys::ALICE));
    let done = handle.authenticate_openssh_cert("deploy%web-1", key, certificate.clone()).await.unwrap();
    assert!(done.success());
    let (_, proof) = &fixture.core.asks()[0];
    let Proof::UserCertificate(shown) = proof else { panic!("{proof:?}") };
    assert_eq!(shown, &certificate.to_openssh().unwrap());
    assert_eq!(target.notes.all(), ["password deploy the account's"]);
}

/// CVE-2023-43660: a key that was only offered counted as proof. OpenSSH does not sign with what it has no key for, so
/// the offer and the signature are russh's: a certificate of Alice's key, signed with another.
#[tokio::test]
async fn warpgate_cve_2023_43660_a_key_counts_only_with_its_signature() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let mut builder = keys::builder(&keys::key(keys::ALICE), CertType::User, 1);
    builder.valid_principal("alice").unwrap();
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    let other = Arc::new(keys::key(8));
    let done = handle.authenticate_openssh_cert("deploy%web-1", other, keys::sign(builder)).await;
    assert!(!done.is_ok_and(|done| done.success()));
    assert!(fixture.core.asks().is_empty(), "the gate was asked about a key that nobody has proved");
}

/// Signs what alice's key is asked to sign with another key, or not at all.
struct Forger<'a> {
    fixture: &'a Fixture,
    key: Option<PrivateKey>,
}

impl Signer for Forger<'_> {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        _hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        // The gate has said that it would take a signature: by then it must not have asked whose key that is.
        assert!(self.fixture.core.asks().is_empty(), "an offer counted as proof");
        let Some(key) = &self.key else { return Err(russh::keys::Error::AgentFailure.into()) };
        let signature = key.try_sign(&to_sign).unwrap();
        let blob = [string(b"ssh-ed25519"), string(signature.as_bytes())].concat();
        to_sign.extend(string(&blob));
        Ok(to_sign)
    }
}

/// RFC 4251, section 5.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// The same with bare keys: alice's is offered and never signed with, or another signs.
#[tokio::test]
async fn warpgate_cve_2023_43660_an_offer_is_no_proof_and_another_keys_signature_is_none() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let public = keys::key(keys::ALICE).public_key().clone();
    for (key, proves) in [(None, false), (Some(8), false), (Some(keys::ALICE), true)] {
        let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
        let mut forger = Forger { fixture: &fixture, key: key.map(keys::key) };
        let done =
            handle.authenticate_publickey_with("deploy%web-1", public.clone(), None, &mut forger).await;
        assert_eq!(done.is_ok_and(|done| done.success()), proves, "{key:?}");
        assert_eq!(fixture.core.asks().len(), usize::from(proves), "{key:?}");
    }
}

/// CVE-2023-48712: the user name changed between two factors.
#[tokio::test]
async fn warpgate_cve_2023_48712_the_user_name_stays_the_same() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    fixture.core.rewrite(|script| {
        script.refuse_sign_in = Some(Refusal::new(RefusalKind::NotSignedIn, "nobody", ""));
    });
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    assert!(!handle.authenticate_publickey("deploy%web-1", peer::alice()).await.unwrap().success());
    fixture.core.rewrite(|script| script.refuse_sign_in = None);
    let done = handle.authenticate_publickey("root%web-1", peer::alice()).await;
    assert!(!done.is_ok_and(|done| done.success()));
    assert_eq!(fixture.core.asks().len(), 1);
    assert!(target.notes.all().is_empty());
}

/// CVE-2023-48795 (Terrapin), as a client sees it: the exchange is strict, and its first choice is post-quantum. What that
/// is worth on the wire, and with targets, is in `exchange`.
#[tokio::test]
async fn terrapin_cve_2023_48795_key_exchange_is_strict_and_post_quantum() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let preferred = Preferred {
        cipher: Cow::Borrowed(&[cipher::CHACHA20_POLY1305, cipher::AES_256_GCM]),
        ..Preferred::DEFAULT
    };
    let config = client::Config { preferred, ..client::Config::default() };
    let seen = Client::default();
    let stream = TcpStream::connect(fixture.stage.address).await.unwrap();
    let mut handle = peer::connect_over(stream, config, seen.clone()).await;
    peer::sign_in(&mut handle).await;
    let (kex, cipher, strict) = seen.0.lock().unwrap().clone().unwrap();
    assert_eq!((&*kex, &*cipher, strict), ("mlkem768x25519-sha256", "chacha20-poly1305@openssh.com", true));
}

#[tokio::test]
async fn sha1_and_cbc_are_spoken_with_nobody() {
    let fixture = Fixture::new(|_| ()).await;
    let weak = [
        Preferred { kex: Cow::Borrowed(&[kex::DH_G14_SHA1]), ..Preferred::DEFAULT },
        Preferred { cipher: Cow::Borrowed(&[cipher::AES_256_CBC]), ..Preferred::DEFAULT },
        Preferred {
            cipher: Cow::Borrowed(&[cipher::AES_256_CTR]),
            mac: Cow::Borrowed(&[mac::HMAC_SHA1, mac::HMAC_SHA1_ETM]),
            ..Preferred::DEFAULT
        },
    ];
    for preferred in weak {
        let stream = TcpStream::connect(fixture.stage.address).await.unwrap();
        let config = client::Config { preferred: preferred.clone(), ..client::Config::default() };
        let done = client::connect_stream(Arc::new(config), stream, Client::default()).await;
        assert!(done.is_err(), "{preferred:?}");
    }
    let ours = crate::algorithms::for_clients();
    let theirs = crate::algorithms::for_targets(Vec::new(), Vec::new());
    for preferred in [ours, theirs] {
        let kex = preferred.kex.iter().map(AsRef::as_ref);
        let cipher = preferred.cipher.iter().map(AsRef::as_ref);
        let mac = preferred.mac.iter().map(AsRef::as_ref);
        let names: Vec<&str> = kex.chain(cipher).chain(mac).collect();
        assert!(!names.iter().any(|name| name.contains("sha1") || name.contains("cbc")), "{names:?}");
        assert_eq!(
            (names[0], preferred.cipher[0].as_ref()),
            ("mlkem768x25519-sha256", "aes256-gcm@openssh.com")
        );
    }
}

/// CVE-2026-42189 and others: what a peer says of lengths is not believed.
#[tokio::test]
async fn russh_cve_2026_42189_hostile_lengths_end_the_connection() {
    let fixture = Fixture::new(|_| ()).await;
    for length in [u32::MAX, 0x7fff_ffff, 0x1000_0000, 300_000, 0] {
        let mut stranger = TcpStream::connect(fixture.stage.address).await.unwrap();
        stranger.write_all(b"SSH-2.0-stranger\r\n").await.unwrap();
        stranger.write_all(&length.to_be_bytes()).await.unwrap();
        stranger.write_all(&[20; 64]).await.unwrap();
        let mut said = Vec::new();
        // A reset is an end too.
        let _ = timeout(PATIENCE, stranger.read_to_end(&mut said)).await.expect("an end");
        assert!(said.len() < 4096, "{}", said.len());
    }
}

#[tokio::test]
async fn a_client_that_proves_without_end_is_sent_away() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    fixture.core.rewrite(|script| {
        script.refuse_sign_in = Some(Refusal::new(RefusalKind::NotSignedIn, "nobody", ""));
    });
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    for _ in 0..100 {
        match handle.authenticate_publickey("deploy%web-1", peer::alice()).await {
            Ok(done) => assert!(!done.success()),
            Err(_) => break,
        }
        if handle.is_closed() {
            break;
        }
    }
    assert!(handle.is_closed());
    assert!(fixture.core.asks().len() <= 21, "{}", fixture.core.asks().len());
}

#[tokio::test]
async fn a_recording_that_fails_ends_the_session_before_the_command_runs() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    peer::sign_in(&mut handle).await;
    let channel = handle.channel_open_session().await.unwrap();
    fixture.core.sink().break_down();
    let _ = channel.exec(true, "anything").await;
    let closing = timeout(PATIENCE, fixture.core.closing()).await.unwrap();
    assert_eq!(closing.reason, EndReason::RecordingFailed);
    assert!(!target.notes.all().iter().any(|note| note.starts_with("exec")), "{:?}", target.notes.all());
}

#[tokio::test]
async fn nothing_is_handed_on_while_the_recording_is_not_ready() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    peer::sign_in(&mut handle).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "cat").await.unwrap();
    assert!(matches!(
        channel.wait().await,
        Some(russh::ChannelMsg::WindowAdjusted { .. } | russh::ChannelMsg::Success)
    ));
    fixture.core.sink().set_full(true);
    channel.data(&b"waits"[..]).await.unwrap();
    let early = timeout(std::time::Duration::from_millis(200), channel.wait()).await;
    assert!(early.is_err(), "{early:?}");
    fixture.core.sink().set_full(false);
    let came = timeout(PATIENCE, channel.wait()).await.unwrap();
    assert!(matches!(&came, Some(russh::ChannelMsg::Data { data }) if data[..] == b"waits"[..]), "{came:?}");
}

#[tokio::test]
async fn channels_have_a_bound() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    peer::sign_in(&mut handle).await;
    let mut open = Vec::new();
    let refused = loop {
        match handle.channel_open_session().await {
            Ok(channel) => open.push(channel),
            Err(error) => break error,
        }
        assert!(open.len() <= 512);
    };
    assert_eq!(open.len(), 512);
    let shortage = russh::ChannelOpenFailure::ResourceShortage;
    assert!(matches!(refused, russh::Error::ChannelOpenFailure(reason) if reason == shortage));
    // What is closed makes room.
    open.pop().unwrap().close().await.unwrap();
    eventually(|| async { handle.channel_open_session().await.is_ok() }).await;
}

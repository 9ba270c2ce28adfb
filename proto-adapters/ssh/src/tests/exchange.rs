//! Key exchange as it is on the wire, on both legs: what the gate says of itself before anything is encrypted, and what
//! it does about a peer that puts something in between.

use super::peer::{self, Client, Target};
use super::{Fixture, PATIENCE};
use curfew_adapter::{EndReason, Login};
use russh::{Preferred, client, kex};
use std::borrow::Cow;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Message numbers (RFC 4253, section 12; RFC 5656, section 7.1).
const IGNORE: u8 = 2;
const KEXINIT: u8 = 20;
const ECDH_INIT: u8 = 30;
const ECDH_REPLY: u8 = 31;

const POST_QUANTUM: &str = "mlkem768x25519-sha256";
const CLASSIC: &str = "curve25519-sha256";
const STRICT_CLIENT: &str = "kex-strict-c-v00@openssh.com";
const STRICT_SERVER: &str = "kex-strict-s-v00@openssh.com";

/// A peer of plain packets (RFC 4253, section 6).
struct Raw(TcpStream);

impl Raw {
    /// Exchanges first lines.
    async fn over(mut stream: TcpStream) -> Self {
        stream.write_all(b"SSH-2.0-raw\r\n").await.unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.push(stream.read_u8().await.unwrap());
        }
        assert!(line.starts_with(b"SSH-2.0-Curfew_"), "{}", String::from_utf8_lossy(&line));
        Self(stream)
    }

    async fn send(&mut self, payload: &[u8]) {
        let padding = 8 - (payload.len() + 5) % 8 + 4;
        let length = u32::try_from(payload.len() + padding + 1).unwrap();
        let packet = [&length.to_be_bytes()[..], &[padding as u8], payload, &vec![0; padding]].concat();
        self.0.write_all(&packet).await.unwrap();
    }

    /// The next packet; `None` at the end.
    async fn packet(&mut self) -> Option<Vec<u8>> {
        let reading = async {
            let length = self.0.read_u32().await.ok()? as usize;
            let padding = self.0.read_u8().await.ok()? as usize;
            let mut rest = vec![0; length - 1];
            self.0.read_exact(&mut rest).await.ok()?;
            rest.truncate(length - 1 - padding);
            Some(rest)
        };
        timeout(PATIENCE, reading).await.expect("a packet, or an end")
    }

    /// Everything that comes until the end: the numbers of the messages.
    async fn numbers(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(packet) = self.packet().await {
            all.push(packet[0]);
        }
        all
    }
}

/// A KEXINIT that leaves no choice but this one.
fn kexinit(kex: &[&str]) -> Vec<u8> {
    let (cipher, mac) = ("aes256-gcm@openssh.com", "hmac-sha2-256-etm@openssh.com");
    let mut payload = vec![KEXINIT];
    payload.extend([7; 16]);
    for list in [&kex.join(","), "ssh-ed25519", cipher, cipher, mac, mac, "none", "none", "", ""] {
        payload.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
        payload.extend(list.as_bytes());
    }
    payload.extend([0; 5]);
    payload
}

/// The ten lists of a KEXINIT (RFC 4253, section 7.1).
fn lists(payload: &[u8]) -> Vec<Vec<String>> {
    assert_eq!(payload[0], KEXINIT);
    let mut rest = &payload[17..];
    let mut all = Vec::new();
    for _ in 0..10 {
        let (length, more) = rest.split_at(4);
        let (names, more) = more.split_at(u32::from_be_bytes(length.try_into().unwrap()) as usize);
        all.push(String::from_utf8(names.to_vec()).unwrap().split(',').map(str::to_owned).collect());
        rest = more;
    }
    all
}

/// A string as a packet has it (RFC 4251, section 5).
fn message(number: u8, string: &[u8]) -> Vec<u8> {
    let length = u32::try_from(string.len()).unwrap();
    [&[number][..], &length.to_be_bytes(), string].concat()
}

/// A gate whose target is this listener.
async fn before(listener: &TcpListener) -> Fixture {
    let address = listener.local_addr().unwrap();
    Fixture::new(|script| {
        script.target = address;
        script.login = Login::Password;
        script.secret = "the account's".to_owned();
    })
    .await
}

/// What connects to it.
async fn reached(listener: &TcpListener) -> Raw {
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    Raw::over(stream).await
}

/// Nothing weak is offered, not even last.
fn is_strong(kexinit: &[u8], strict: &str) {
    let lists = lists(kexinit);
    let weak =
        ["sha1", "cbc", "md5", "3des", "arcfour", "dss", "-96", "umac-64", "group1-", "nistp192", "zlib"];
    for name in lists.iter().flatten() {
        assert!(!weak.iter().any(|weak| name.contains(weak)), "{name}");
        // Signed with SHA-1 (RFC 8332).
        assert!(name != "ssh-rsa" && !name.starts_with("ssh-rsa-cert"), "{name}");
    }
    assert_eq!(lists[0][0], POST_QUANTUM);
    assert!(lists[0].iter().any(|name| name == strict), "{:?}", lists[0]);
    assert_eq!((&*lists[2][0], &*lists[3][0]), ("aes256-gcm@openssh.com", "aes256-gcm@openssh.com"));
    assert!(lists[2..6].iter().flatten().all(|name| name != "none"));
    assert_eq!((&*lists[6], &*lists[7]), (&["none".to_owned()][..], &["none".to_owned()][..]));
}

#[tokio::test]
async fn what_the_gate_offers_has_no_sha1_and_no_cbc_on_either_leg() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fixture = before(&listener).await;
    let mut client = Raw::over(TcpStream::connect(fixture.stage.address).await.unwrap()).await;
    is_strong(&client.packet().await.unwrap(), STRICT_SERVER);
    let asking = fixture.ssh.run("ssh", &["web-1", "true"]);
    let target = async {
        let mut target = reached(&listener).await;
        is_strong(&target.packet().await.unwrap(), STRICT_CLIENT);
    };
    tokio::join!(asking, target);
}

#[tokio::test]
async fn key_exchange_is_post_quantum_with_whoever_can() {
    let only = || Preferred { kex: Cow::Borrowed(&[kex::MLKEM768X25519_SHA256]), ..Preferred::DEFAULT };
    // A target that speaks nothing else.
    let target = Target::with(|config| config.preferred = only()).await;
    let address = target.address;
    let fixture = Fixture::new(|script| {
        script.target = address;
        script.login = Login::Password;
    })
    .await;
    let (config, seen) =
        (client::Config { preferred: only(), ..client::Config::default() }, Client::default());
    let stream = TcpStream::connect(fixture.stage.address).await.unwrap();
    let mut handle = peer::connect_over(stream, config, seen.clone()).await;
    peer::sign_in(&mut handle).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "cat").await.unwrap();
    channel.data(&b"through both"[..]).await.unwrap();
    while !matches!(timeout(PATIENCE, channel.wait()).await.unwrap().unwrap(),
        russh::ChannelMsg::Data { data } if data[..] == b"through both"[..])
    {}
    let (kex, ..) = seen.0.lock().unwrap().clone().unwrap();
    assert_eq!(kex, POST_QUANTUM);
    // Who can choose gets it too: the classic exchange stands behind it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fixture = before(&listener).await;
    let asking = fixture.ssh.run("ssh", &["web-1", "true"]);
    let target = async {
        let mut target = reached(&listener).await;
        target.packet().await.unwrap();
        target.send(&kexinit(&[CLASSIC, POST_QUANTUM])).await;
        let init = target.packet().await.unwrap();
        // A key of ML-KEM-768 (1184 bytes) and one of X25519 (32).
        assert_eq!((init[0], init.len()), (ECDH_INIT, 1 + 4 + 1184 + 32));
    };
    tokio::join!(asking, target);
}

/// CVE-2023-48795 (Terrapin): what is slipped in before encryption moves the sequence numbers, so that as much can be cut
/// out behind it. Where the client knows strict key exchange, nothing may be slipped in.
#[tokio::test]
async fn terrapin_cve_2023_48795_nothing_is_slipped_into_a_clients_key_exchange() {
    let fixture = Fixture::new(|_| ()).await;
    for (strict, slipped) in [(true, true), (true, false), (false, true)] {
        let mut client = Raw::over(TcpStream::connect(fixture.stage.address).await.unwrap()).await;
        client.packet().await.unwrap();
        let kex: &[&str] = if strict { &[CLASSIC, STRICT_CLIENT] } else { &[CLASSIC] };
        client.send(&kexinit(kex)).await;
        if slipped {
            client.send(&message(IGNORE, b"slipped in")).await;
        }
        // The base point is as good a key as any.
        let mut point = [0; 32];
        point[0] = 9;
        client.send(&message(ECDH_INIT, &point)).await;
        if strict && slipped {
            assert!(!client.numbers().await.contains(&ECDH_REPLY));
        } else {
            assert_eq!(client.packet().await.unwrap()[0], ECDH_REPLY, "strict {strict}, slipped {slipped}");
        }
    }
}

/// The same with a target.
#[tokio::test]
async fn terrapin_cve_2023_48795_nothing_is_slipped_into_a_targets_key_exchange() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fixture = before(&listener).await;
    let asking = fixture.ssh.run("ssh", &["web-1", "true"]);
    let target = async {
        let mut target = reached(&listener).await;
        target.packet().await.unwrap();
        target.send(&kexinit(&[CLASSIC, STRICT_SERVER])).await;
        assert_eq!(target.packet().await.unwrap()[0], ECDH_INIT);
        target.send(&message(IGNORE, b"slipped in")).await;
        target.numbers().await
    };
    let (done, _) = tokio::join!(asking, target);
    assert!(done.status == Some(255) && done.err.contains("curfew: "), "{done:?}");
    let closing = timeout(PATIENCE, fixture.core.closing()).await.unwrap();
    assert_eq!(closing.reason, EndReason::TargetUnreachable);
    let cause = closing.cause.unwrap();
    assert!(cause.to_lowercase().contains("strict"), "{cause}");
}

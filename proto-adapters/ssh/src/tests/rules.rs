//! The rules that hold for every adapter, as far as ciphertext shows them: see `cut` for what passes in the clear.

use super::peer::{self, Target};
use super::{Fixture, PATIENCE, eventually};
use crate::tests::cut::revoked;
use curfew_adapter::{EndReason, Goodbye, Login};
use russh::ChannelMsg;
use russh::client;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

async fn before(target: &Target) -> Fixture {
    let address = target.address;
    Fixture::new(|script| {
        script.target = address;
        script.login = Login::Password;
    })
    .await
}

/// Nothing of what the target sends reaches the client once the lease is over: what was on its way at that instant is
/// a few pieces, and stands before the goodbye.
#[tokio::test]
async fn bytes_after_the_end_are_none() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    peer::sign_in(&mut handle).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "flood").await.unwrap();
    let (mut seen, mut ended) = (0_usize, None);
    let (mut late, mut told) = (0, false);
    let reading = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    seen += data.len();
                    match ended {
                        None if seen > 4_000_000 => {
                            fixture.core.keeper().await.end(EndReason::Revoked, revoked());
                            ended = Some(Instant::now());
                        }
                        Some(at) if at + Duration::from_millis(300) < Instant::now() => late += data.len(),
                        _ => {}
                    }
                    assert!(!told, "bytes behind the goodbye");
                }
                ChannelMsg::ExtendedData { data, .. } => {
                    told |= data.starts_with(b"curfew: revoked by the test")
                }
                _ => {}
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    let ended = ended.unwrap();
    assert!(ended.elapsed() < Duration::from_millis(2300), "{:?}", ended.elapsed());
    assert_eq!(late, 0);
    let closing = timeout(PATIENCE, fixture.core.closing()).await.unwrap();
    let cut = closing.cut.unwrap();
    assert_eq!((closing.reason, &cut.goodbye), (EndReason::Revoked, &Goodbye::Sent));
    assert!(target.notes.all().contains(&"signal TERM".to_owned()), "{:?}", target.notes.all());
}

/// Nothing that the client sends past the end reaches the target.
#[tokio::test]
async fn input_after_the_end_reaches_nobody() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    peer::sign_in(&mut handle).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "cat").await.unwrap();
    let keeper = fixture.core.keeper().await;
    let sent = fixture.core.bytes_from_target().await;
    keeper.end(EndReason::Revoked, revoked());
    let _ = channel.data(&b"too late"[..]).await;
    let mut echoed = Vec::new();
    let reading = async {
        while let Some(message) = channel.wait().await {
            if let ChannelMsg::Data { data } = message {
                echoed.extend_from_slice(&data);
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    assert_eq!((echoed.len(), fixture.core.bytes_from_target().await), (0, sent));
}

#[tokio::test]
async fn an_abandoned_session_is_let_go() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    peer::sign_in(&mut handle).await;
    fixture.core.keeper().await;
    fixture.stage.collapse();
    timeout(PATIENCE, fixture.core.until_abandoned()).await.unwrap();
    eventually(|| async { handle.is_closed() }).await;
}

#[tokio::test]
async fn an_end_while_the_target_is_being_connected_is_told() {
    // Accepts, and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let fixture = Fixture::new(|script| script.target = address).await;
    let asking = fixture.ssh.run("ssh", &["web-1", "true"]);
    let ending = async {
        let _open = silent.accept().await.unwrap();
        fixture.core.keeper().await.end(EndReason::Revoked, revoked());
        fixture.core.closing().await
    };
    let (done, closing) = tokio::join!(asking, timeout(PATIENCE, ending));
    assert!(done.err.contains("curfew: revoked by the test"), "{done:?}");
    assert_eq!(closing.unwrap().reason, EndReason::Revoked);
}

#[tokio::test]
async fn garbage_and_silence_are_over_within_the_startup_deadline_and_others_are_served() {
    let target = Target::start().await;
    let fixture = before(&target).await;
    let garbage: [&[u8]; 8] = [
        b"",
        b"SSH-2.0-x\r\n",
        b"SSH-2.0-x\r\n\x00\x00\x01\x00\x04\x14",
        b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n",
        b"SSH-1.5-old\r\n",
        b"SSH-2.0-x\r\n\xff\xff\xff\xff",
        b"\x16\x03\x01\x02\x00\x01",
        &[0xff; 4096],
    ];
    let began = Instant::now();
    let mut strangers = Vec::new();
    for garbage in garbage {
        let mut stranger = TcpStream::connect(fixture.stage.address).await.unwrap();
        stranger.write_all(garbage).await.unwrap();
        strangers.push(stranger);
    }
    // One that has exchanged keys, and proves nothing.
    let nobody = peer::connect(fixture.stage.address, client::Config::default()).await;
    let mut handle = peer::connect(fixture.stage.address, client::Config::default()).await;
    peer::sign_in(&mut handle).await;
    assert!(began.elapsed() < Duration::from_secs(9), "served behind the strangers");
    for mut stranger in strangers {
        let mut said = Vec::new();
        match timeout(PATIENCE, stranger.read_to_end(&mut said)).await.expect("an end") {
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            Ok(_) => assert!(said.starts_with(b"SSH-2.0-Curfew_"), "{}", String::from_utf8_lossy(&said)),
        }
    }
    eventually(|| async { nobody.is_closed() }).await;
    assert!(!handle.is_closed());
}

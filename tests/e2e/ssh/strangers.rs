//! Whoever connects and does not go on as SSH does: what they announce takes no memory, and they hold up nobody.

use std::time::Instant;

use curfew_harness::{GateOptions, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::scene::Scene;
use crate::world::LIMIT;

const FIRST_LINE: &[u8] = b"SSH-2.0-stranger\r\n";

async fn stranger(scene: &Scene, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(scene.gate.ssh()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Waits until the gate has closed it; a reset is an end too.
async fn is_left(mut stream: TcpStream) -> Result<()> {
    let mut said = Vec::new();
    let _ = tokio::time::timeout(LIMIT, stream.read_to_end(&mut said)).await?;
    Ok(())
}

/// russh CVE-2026-42189 and others: memory was taken for a length that was only announced.
#[tokio::test]
async fn russh_cve_2026_42189_lengths_that_lie_take_no_more_than_a_packet() {
    let scene = Scene::at_once("").await;
    let mut held = Vec::new();
    let work = async {
        // The longest packet that is listened to, announced and not sent, two hundred times.
        for _ in 0..200 {
            let begun = [FIRST_LINE, &(256 * 1024_u32).to_be_bytes(), &[4, 20], &[7; 100]].concat();
            held.push(stranger(&scene, &begun).await);
            // More than that is not waited for, and neither are lists that are longer than their packet.
            let list = [&[4, 20][..], &[7; 16], &u32::MAX.to_be_bytes(), &[b'a'; 42]].concat();
            let longer = [FIRST_LINE, &64_u32.to_be_bytes(), &list].concat();
            is_left(stranger(&scene, &longer).await).await.unwrap();
            is_left(stranger(&scene, &[FIRST_LINE, &[0xff; 64]].concat()).await).await.unwrap();
        }
    };
    let ((), grown) = scene.gate.growth(work).await.unwrap();
    // Room for one such packet each, which the limits of connections bound; who announces more is left at once.
    let each = grown / held.len() as u64;
    assert!(each < 512, "{each} KiB for each of {} strangers", held.len());
}

/// Boundary CVE-2026-7776: a stalled handshake blocked the accept loop.
#[tokio::test]
async fn boundary_cve_2026_7776_who_stalls_at_any_stage_holds_up_nobody() {
    let options = |mut options: GateOptions| {
        options.listen = "limits = { startup = \"8s\" }".to_owned();
        options
    };
    let scene = Scene::with("", options).await;
    let (_alice, ssh) = scene.alice().await;
    let packet = [&60_u32.to_be_bytes()[..], &[4, 20], &[7; 16]].concat();
    let stages: [&[u8]; 4] = [b"", b"SSH-2.0-str", FIRST_LINE, &[FIRST_LINE, &packet].concat()];
    let (began, mut slow) = (Instant::now(), Vec::new());
    for _ in 0..20 {
        for bytes in stages {
            slow.push(stranger(&scene, bytes).await);
        }
    }
    let said = ssh.run(&scene.user(), ["-o", "BatchMode=yes", "--", "echo served"]).await.unwrap();
    assert_eq!(said.stdout, "served\n", "{}", said.stderr);
    assert!(began.elapsed().as_secs() < 7, "served after {:?}", began.elapsed());
    for stream in slow {
        is_left(stream).await.unwrap();
    }
    assert!(began.elapsed().as_secs() < 14, "the last was left after {:?}", began.elapsed());
}

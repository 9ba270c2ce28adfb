//! Slow and stuck peers: memory stays bounded, and one full direction does not hold up the other.

use super::{Fixture, PATIENCE};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// What one command echoes back while it is still being sent: both directions are full all the time.
#[tokio::test]
async fn a_stream_that_comes_back_through_the_same_channel_does_not_stall() {
    const BYTES: usize = 200_000_000;
    let fixture = Fixture::new(|_| ()).await;
    let mut child = fixture.ssh.start("ssh", &["web-1", "cat"]);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let sending = async {
        let chunk = vec![b'x'; 1_000_000];
        for _ in 0..BYTES / chunk.len() {
            stdin.write_all(&chunk).await.unwrap();
        }
        drop(stdin);
    };
    let reading = async {
        let mut chunk = vec![0; 256 * 1024];
        let mut got = 0;
        loop {
            match stdout.read(&mut chunk).await.unwrap() {
                0 => return got,
                read => got += read,
            }
        }
    };
    let both = async { tokio::join!(sending, reading) };
    let ((), got) = timeout(PATIENCE * 3, both).await.expect("no stall");
    assert_eq!(got, BYTES);
}

/// The client pushes at a command that reads nothing, and the command's output passes all the same.
#[tokio::test]
async fn a_command_that_reads_nothing_is_pushed_at_in_bounded_memory_and_still_heard() {
    let fixture = Fixture::new(|_| ()).await;
    let command = "while echo tick; do sleep 0.1; done";
    let mut child = fixture.ssh.start("ssh", &["web-1", command]);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let chunk = vec![b'x'; 1_000_000];
    let mut pushed = 0;
    let pushing = async {
        // The pipe, ssh and the gate fill up; then nothing moves any more.
        while timeout(Duration::from_secs(2), stdin.write_all(&chunk)).await.is_ok() {
            pushed += chunk.len();
            assert!(pushed < 64_000_000, "nobody reads, and {pushed} bytes were taken");
        }
    };
    timeout(PATIENCE, pushing).await.unwrap();
    let mut ticks = vec![0; 64 * 1024];
    let mut heard = 0;
    while heard < 20 {
        let read = timeout(PATIENCE, stdout.read(&mut ticks)).await.expect("a tick").unwrap();
        heard += ticks[..read].iter().filter(|byte| **byte == b'\n').count();
    }
    drop(child);
}

/// A client that stops for a while goes on where it was.
#[tokio::test]
async fn a_reader_that_pauses_goes_on() {
    let fixture = Fixture::new(|_| ()).await;
    let mut child = fixture.ssh.start("ssh", &["web-1", "head -c 100000000 /dev/zero"]);
    let mut stdout = child.stdout.take().unwrap();
    let mut first = vec![0; 1_000_000];
    stdout.read_exact(&mut first).await.unwrap();
    let before = fixture.core.bytes_once_full().await;
    assert!(before < 32_000_000, "{before} bytes on the way to a client that has stopped");
    let mut rest = Vec::new();
    timeout(PATIENCE, stdout.read_to_end(&mut rest)).await.expect("no stall").unwrap();
    assert_eq!(rest.len() + first.len(), 100_000_000);
}

/// Keys are exchanged anew every megabyte, by the client's wish, in the middle of both streams.
#[tokio::test]
async fn keys_are_exchanged_anew_while_bytes_stream_both_ways() {
    const BYTES: usize = 30_000_000;
    let fixture = Fixture::new(|_| ()).await;
    let mut child = fixture.ssh.start("ssh", &["-o", "RekeyLimit=1M", "web-1", "cat"]);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let sending = async {
        let chunk: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        for _ in 0..BYTES / chunk.len() {
            stdin.write_all(&chunk).await.unwrap();
        }
        drop(stdin);
    };
    let mut got = Vec::new();
    let both = async { tokio::join!(sending, stdout.read_to_end(&mut got)) };
    timeout(PATIENCE, both).await.expect("no stall").1.unwrap();
    assert_eq!(got.len(), BYTES);
    assert!(
        got.chunks(1_000_000).all(|chunk| chunk.iter().enumerate().all(|(n, byte)| *byte == (n % 251) as u8))
    );
}

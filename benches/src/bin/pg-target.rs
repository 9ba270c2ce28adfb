//! A stand-in for a Postgres server, light enough for ten thousand sessions: it lets anybody in without TLS, answers
//! every query with one row, and `stream MS` with a row each MS milliseconds until its client is gone. It prints its
//! address, and serves until it is killed.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Interval, interval};

/// Codes in the place of a protocol version (Postgres manual, 55.7).
const CANCEL: i32 = 80_877_102;
const SSL: i32 = 80_877_103;

/// More than a client of the benches ever says at once.
const LONGEST: usize = 1024 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        #[expect(clippy::disallowed_methods, reason = "ends with the process")]
        tokio::spawn(async move {
            // How it ends is the gate's to tell.
            let _ = session(stream).await;
        });
    }
}

async fn session(mut stream: TcpStream) -> io::Result<()> {
    let mut code = first(&mut stream).await?;
    if code == SSL {
        stream.write_all(b"N").await?;
        code = first(&mut stream).await?;
    }
    if code == CANCEL {
        return Ok(());
    }
    let mut out = BytesMut::new();
    message(&mut out, b'R', |out| out.put_i32(0));
    for (name, value) in [
        ("server_version", "15.0"),
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
    ] {
        message(&mut out, b'S', |out| {
            text(out, name);
            text(out, value);
        });
    }
    message(&mut out, b'K', |out| {
        out.put_i32(1);
        out.put_i32(1);
    });
    ready(&mut out);
    let mut rows: Option<Interval> = None;
    loop {
        stream.write_all(&out.split()).await?;
        tokio::select! {
            () = next(&mut rows) => row(&mut out),
            asked = stream.read_u8() => match asked? {
                b'Q' => rows = query(&mut out, &body(&mut stream).await?),
                b'X' => return Ok(()),
                _ => drop(body(&mut stream).await?),
            },
        }
    }
}

/// The first four bytes of a startup packet behind its length.
async fn first(stream: &mut TcpStream) -> io::Result<i32> {
    body(stream)
        .await?
        .first_chunk()
        .copied()
        .map(i32::from_be_bytes)
        .ok_or(io::ErrorKind::InvalidData.into())
}

/// What follows a length.
async fn body(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await? as usize;
    let length = length.checked_sub(4).filter(|length| *length <= LONGEST);
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Begins to answer; what comes now and then, where it streams.
fn query(out: &mut BytesMut, sql: &[u8]) -> Option<Interval> {
    message(out, b'T', |out| {
        out.put_i16(1);
        text(out, "answer");
        // Of no table, of type text, in text format.
        out.put_slice(&[0; 6]);
        out.put_i32(25);
        out.put_i16(-1);
        out.put_i32(-1);
        out.put_i16(0);
    });
    row(out);
    let sql = String::from_utf8_lossy(sql);
    if let Some(every) = sql.trim_end_matches('\0').strip_prefix("stream ").and_then(|ms| ms.parse().ok()) {
        return Some(interval(Duration::from_millis(every)));
    }
    message(out, b'C', |out| text(out, "SELECT 1"));
    ready(out);
    None
}

async fn next(rows: &mut Option<Interval>) {
    match rows {
        Some(rows) => drop(rows.tick().await),
        None => std::future::pending().await,
    }
}

fn row(out: &mut BytesMut) {
    message(out, b'D', |out| {
        out.put_i16(1);
        out.put_i32(4);
        out.put_slice(b"here");
    });
}

fn ready(out: &mut BytesMut) {
    message(out, b'Z', |out| out.put_u8(b'I'));
}

fn text(out: &mut BytesMut, text: &str) {
    out.put_slice(text.as_bytes());
    out.put_u8(0);
}

fn message(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    let mut inner = BytesMut::new();
    body(&mut inner);
    out.put_u8(tag);
    // A few dozen bytes.
    out.put_u32(u32::try_from(inner.len()).unwrap_or(u32::MAX) + 4);
    out.put_slice(&inner);
}

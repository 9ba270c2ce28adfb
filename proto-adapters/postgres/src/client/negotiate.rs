//! The first packets: TLS or not, cancel or session.
//!
//! The socket is read exactly up to the packet's end. What stands behind a request for TLS in the same
//! write would be plaintext that somebody slipped in (CVE-2021-23214), and is refused.

use super::Sentence;
use crate::Options;
use crate::codec::startup::{self, CancelKey, First, Invalid, Startup};
use crate::stream::Stream;
use curfew_adapter::{AdapterError, ClientIo};
use rustls::server::Acceptor;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;

/// The first byte of a TLS handshake: a client that skips the request for TLS (Postgres 17,
/// `sslnegotiation=direct`).
const TLS_HANDSHAKE: u8 = 0x16;

/// What the first packets came to.
pub enum Greeting {
    /// Stop what this key names.
    Cancel(Stream, CancelKey),
    /// A session is asked for. The bytes behind the startup message are handed on.
    Startup(Stream, Startup, Vec<u8>),
    /// The client is told no.
    Refused(Stream, Sentence),
    /// The client went away without a word.
    Gone,
}

/// Listens to the first packets of a client.
///
/// # Errors
/// Where the client breaks the protocol or its TLS handshake fails.
pub async fn greet(
    io: ClientIo,
    tls: Arc<rustls::ServerConfig>,
    options: &Options,
) -> Result<Greeting, AdapterError> {
    let mut first = [0];
    if io.peek(&mut first).await? == 0 {
        return Ok(Greeting::Gone);
    }
    if first == [TLS_HANDSHAKE] {
        return within_tls(handshake(io, tls, true).await?).await;
    }
    let mut stream = io;
    let (mut asked_gss, mut buffer) = (false, Vec::new());
    loop {
        let first = match packet(&mut stream, &mut buffer).await? {
            Ok(Some(first)) => first,
            Ok(None) => return Ok(Greeting::Gone),
            Err(invalid) => return Ok(broken(Stream::Plain(stream), invalid)),
        };
        match first {
            First::Tls if !buffer.is_empty() => {
                let sentence = Sentence::protocol("there is plaintext behind the request for TLS");
                return Ok(Greeting::Refused(Stream::Plain(stream), sentence));
            }
            First::Tls => {
                stream.write_all(b"S").await?;
                return within_tls(handshake(stream, tls, false).await?).await;
            }
            First::Gss if asked_gss || !buffer.is_empty() => {
                let sentence = Sentence::protocol("GSSAPI encryption is not spoken here");
                return Ok(Greeting::Refused(Stream::Plain(stream), sentence));
            }
            First::Gss => {
                asked_gss = true;
                stream.write_all(b"N").await?;
            }
            // libpq before 17 sends it in the clear, also for a session that runs in TLS.
            First::Cancel(key) => return Ok(Greeting::Cancel(Stream::Plain(stream), key)),
            First::Startup(startup) if options.plaintext => {
                return Ok(Greeting::Startup(Stream::Plain(stream), startup, buffer));
            }
            First::Startup(_) => {
                let sentence = Sentence::new(
                    "28000",
                    "curfew: this gate is reached through TLS only, and the connection is not encrypted",
                    "Connect again with sslmode=require or stronger.",
                );
                return Ok(Greeting::Refused(Stream::Plain(stream), sentence));
            }
        }
    }
}

async fn handshake(
    io: ClientIo,
    tls: Arc<rustls::ServerConfig>,
    direct: bool,
) -> Result<Stream, AdapterError> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), io).await.map_err(AdapterError::Tls)?;
    // As the handshake itself is about to choose it.
    let shown = tls.cert_resolver.resolve(hello.client_hello());
    let stream = hello.into_stream(tls).await.map_err(AdapterError::Tls)?;
    // Without the name, bytes meant for another protocol could be replayed here (Postgres manual,
    // 55.2.11: direct TLS demands ALPN).
    if direct && stream.get_ref().1.alpn_protocol() != Some(crate::ALPN) {
        return Err(AdapterError::Protocol("direct TLS without the ALPN name `postgresql`".into()));
    }
    Ok(Stream::Tls(Box::new(stream.into()), shown))
}

async fn within_tls(mut stream: Stream) -> Result<Greeting, AdapterError> {
    let mut buffer = Vec::new();
    loop {
        return Ok(match packet(&mut stream, &mut buffer).await? {
            Ok(None) => Greeting::Gone,
            Err(invalid) => broken(stream, invalid),
            Ok(Some(First::Cancel(key))) => Greeting::Cancel(stream, key),
            Ok(Some(First::Startup(startup))) => Greeting::Startup(stream, startup, buffer),
            Ok(Some(First::Gss)) if buffer.is_empty() => {
                stream.write_all(b"N").await?;
                stream.flush().await?;
                continue;
            }
            Ok(Some(First::Tls | First::Gss)) => {
                Greeting::Refused(stream, Sentence::protocol("encryption is already agreed on"))
            }
        });
    }
}

fn broken(stream: Stream, invalid: Invalid) -> Greeting {
    let sentence = match invalid {
        Invalid::Malformed(malformed) => Sentence::protocol(malformed.0),
        Invalid::Version(..) => Sentence::new(
            "0A000",
            format!("curfew: the client can't be understood: {invalid}"),
            "Use a client that speaks version 3 of the Postgres protocol.",
        ),
    };
    Greeting::Refused(stream, sentence)
}

/// Reads one packet; what is behind it stays in `buffer`. `None` where the client is gone.
async fn packet<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
) -> Result<Result<Option<First>, Invalid>, AdapterError> {
    loop {
        match startup::parse(buffer) {
            Ok(Some((first, taken))) => {
                buffer.drain(..taken);
                return Ok(Ok(Some(first)));
            }
            Ok(None) => {}
            Err(invalid) => return Ok(Err(invalid)),
        }
        // The parser bounds the packet before it is whole, so the buffer stays below two of them.
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk).await? {
            0 if buffer.is_empty() => return Ok(Ok(None)),
            0 => return Err(AdapterError::Protocol("the first packet ends too early".into())),
            read => buffer.extend_from_slice(chunk.get(..read).unwrap_or_default()),
        }
    }
}

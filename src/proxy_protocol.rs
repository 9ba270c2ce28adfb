//! The PROXY protocol, versions 1 and 2: the header with which a load balancer names the client
//! (HAProxy, "The PROXY protocol", sections 2.1 and 2.2). Parsed by the `ppp` crate.

use curfew_adapter::GuardedSocket;
use ppp::{HeaderResult, PartialResult, v1, v2};
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncReadExt;

/// The most that a header may take: version 2 with its extensions, well beyond what balancers send.
const LONGEST: usize = 1024;

/// Reads the header, and not a byte more. `None` where the proxy speaks for itself (LOCAL, UNKNOWN).
///
/// # Errors
/// Where there is no header, or none that makes sense. The caller's deadline bounds the wait.
pub async fn read(io: &GuardedSocket) -> io::Result<Option<SocketAddr>> {
    let mut io = io.share();
    let mut header = Vec::with_capacity(128);
    while header.len() < LONGEST {
        // Byte by byte: what stands behind the header belongs to the protocol above.
        header.push(io.read_u8().await?);
        // Version 1 is a line: before its end there is nothing to judge.
        if header.starts_with(b"P") && !header.ends_with(b"\n") {
            continue;
        }
        let parsed = HeaderResult::parse(&header);
        if parsed.is_complete() {
            return address(&parsed);
        }
    }
    Err(malformed("no PROXY header"))
}

fn address(header: &HeaderResult<'_>) -> io::Result<Option<SocketAddr>> {
    match header {
        HeaderResult::V1(Ok(header)) => Ok(match header.addresses {
            v1::Addresses::Unknown => None,
            v1::Addresses::Tcp4(tcp) => Some(SocketAddr::from((tcp.source_address, tcp.source_port))),
            v1::Addresses::Tcp6(tcp) => Some(SocketAddr::from((tcp.source_address, tcp.source_port))),
        }),
        HeaderResult::V2(Ok(header)) => Ok(match (header.command, header.addresses) {
            (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
                Some(SocketAddr::from((ip.source_address, ip.source_port)))
            }
            (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
                Some(SocketAddr::from((ip.source_address, ip.source_port)))
            }
            _ => None,
        }),
        HeaderResult::V1(Err(error)) => Err(malformed(error)),
        HeaderResult::V2(Err(error)) => Err(malformed(error)),
    }
}

fn malformed(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    async fn after(bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut io = GuardedSocket::new(listener.accept().await.unwrap().0);
        let address = read(&io).await;
        let mut rest = Vec::new();
        io.read_to_end(&mut rest).await.unwrap();
        (address, rest)
    }

    #[tokio::test]
    async fn a_header_is_read_and_nothing_behind_it() {
        let (address, rest) = after(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 5432\r\nhello").await;
        assert_eq!(address.unwrap(), Some("192.0.2.7:4711".parse().unwrap()));
        assert_eq!(rest, b"hello");
        let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x12\x67\x15\x38hi";
        let (address, rest) = after(v2).await;
        assert_eq!(address.unwrap(), Some("192.0.2.7:4711".parse().unwrap()));
        assert_eq!(rest, b"hi");
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for bytes in [&b"\0\0\0\x08\x04\xd2\x16\x2f"[..], b"PROXY TCP4 nonsense\r\n", b"", b"PROXY "] {
            assert!(after(bytes).await.0.is_err(), "{bytes:?}");
        }
    }
}

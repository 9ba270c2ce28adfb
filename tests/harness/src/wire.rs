//! A Postgres client that is nothing but bytes, and the messages in bytes that a tap saw. It says what it is told to
//! say, in any pieces and any order; it must never be polite by itself.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::{Context, Error, Result};

/// The longest that any read may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The request for TLS (Postgres manual, 55.7).
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A message with its type byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The type: `b'Z'` is ReadyForQuery.
    pub tag: u8,
    /// What is behind the length.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", char::from(self.tag), String::from_utf8_lossy(&self.body).escape_debug())
    }
}

impl Message {
    /// A field of an ErrorResponse or NoticeResponse: `C` the SQLSTATE, `M` the message, `D` the detail, `H` the hint.
    #[must_use]
    pub fn field(&self, code: char) -> Option<String> {
        let fields = self.body.split(|byte| *byte == 0);
        let found = fields.filter_map(|field| field.split_first());
        let found = found.into_iter().find(|(first, _)| char::from(**first) == code);
        found.map(|(_, text)| String::from_utf8_lossy(text).into_owned())
    }

    /// The values of a DataRow, each as text.
    #[must_use]
    pub fn row(&self) -> Vec<Option<String>> {
        let mut values = Vec::new();
        let mut rest = self.body.get(2..).unwrap_or_default();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                values.push(None);
                rest = behind;
                continue;
            };
            let Some((value, behind)) = behind.split_at_checked(length) else { break };
            values.push(Some(String::from_utf8_lossy(value).into_owned()));
            rest = behind;
        }
        values
    }
}

/// Splits what a backend said into whole messages; what is left over is a message cut short.
#[must_use]
pub fn messages(mut bytes: &[u8]) -> (Vec<Message>, &[u8]) {
    let mut found = Vec::new();
    while let Some((message, behind)) = first(bytes) {
        found.push(message);
        bytes = behind;
    }
    (found, bytes)
}

fn first(bytes: &[u8]) -> Option<(Message, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (length, _) = rest.split_first_chunk::<4>()?;
    let (message, behind) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some((Message { tag: *tag, body: message.get(4..)?.to_owned() }, behind))
}

/// A message as it is sent.
#[must_use]
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&length(body.len() + 4));
    bytes.extend_from_slice(body);
    bytes
}

/// A simple Query.
#[must_use]
pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), &[0]].concat())
}

/// A startup packet of version 3.0.
#[must_use]
pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = vec![0, 3, 0, 0];
    for (name, value) in parameters {
        body.extend_from_slice(&[name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
    }
    body.push(0);
    [&length(body.len() + 4)[..], &body].concat()
}

/// A CancelRequest with what BackendKeyData gave.
#[must_use]
pub fn cancel_request(key: &[u8]) -> Vec<u8> {
    let code = 80_877_102_u32.to_be_bytes();
    [&length(8 + key.len())[..], &code, key].concat()
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// What a [`Wire`] speaks over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What a client hears by.
pub type From = ReadHalf<Box<dyn Stream>>;

/// What a client speaks by.
pub type To = WriteHalf<Box<dyn Stream>>;

/// A connection, without TLS if not said.
pub struct Wire {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

impl Wire {
    /// Connects from 127.0.0.1.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(to: SocketAddr) -> Result<Self> {
        Self::connect_from(IpAddr::V4(Ipv4Addr::LOCALHOST), to).await
    }

    /// Connects from another address of this machine, such as 127.0.0.2.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect_from(from: IpAddr, to: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        let stream = socket.connect(to).await.context(format!("connecting to {to}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: Box::new(stream), unread: Vec::new() })
    }

    /// Asks for TLS, and goes on in it.
    ///
    /// # Errors
    /// When that is refused, or the handshake fails.
    pub async fn secured(mut self, tls: &TlsConnector) -> Result<Self> {
        self.send(&SSL_REQUEST).await?;
        let answer = self.stream.read_u8().await.context("an answer to the request for TLS")?;
        if answer != b'S' {
            return Err(Error::new(format!("the request for TLS was answered with {answer}")));
        }
        let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
        let stream = timeout(LIMIT, tls.connect(name, self.stream)).await.context("TLS")??;
        Ok(Self { stream: Box::new(stream), unread: self.unread })
    }

    /// Its two ways apart. To be taken apart when all that came has been looked at: what was not is lost.
    #[must_use]
    pub fn into_split(self) -> (From, To) {
        tokio::io::split(self.stream)
    }

    /// Connects and says who it is: `psql`, which waits where it must.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn psql(to: SocketAddr, account: &str, target: &str) -> Result<Self> {
        let mut wire = Self::connect(to).await?;
        wire.send(&startup(&[("user", account), ("database", target), ("application_name", "psql")])).await?;
        Ok(wire)
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// When the connection is gone, or takes nothing for half a minute.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(LIMIT, sending).await.context("sending")??;
        Ok(())
    }

    /// Sends a simple Query.
    ///
    /// # Errors
    /// As for [`Wire::send`].
    pub async fn query(&mut self, sql: &str) -> Result<()> {
        self.send(&query(sql)).await
    }

    /// Sends nothing more.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn finish(&mut self) -> Result<()> {
        Ok(self.stream.shutdown().await?)
    }

    /// The next bytes that come, as many as there are; none at the end.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for half a minute.
    pub async fn bytes(&mut self) -> Result<Vec<u8>> {
        if !self.unread.is_empty() {
            return Ok(std::mem::take(&mut self.unread));
        }
        let mut buffer = vec![0; 16 * 1024];
        let read = timeout(LIMIT, self.stream.read(&mut buffer)).await.context("reading")??;
        buffer.truncate(read);
        Ok(buffer)
    }

    /// Everything up to the end of the connection. A reset ends it too.
    ///
    /// # Errors
    /// When it is still open after half a minute.
    pub async fn rest(&mut self) -> Result<Vec<u8>> {
        let mut all = std::mem::take(&mut self.unread);
        let reading = async {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = self.stream.read(&mut buffer).await {
                all.extend_from_slice(buffer.get(..read).unwrap_or_default());
            }
        };
        timeout(LIMIT, reading).await.context("the connection is still open")?;
        Ok(all)
    }

    /// The next message.
    ///
    /// # Errors
    /// When the connection ends before, or nothing comes for half a minute.
    pub async fn next(&mut self) -> Result<Message> {
        loop {
            if let Some((message, behind)) = first(&self.unread) {
                self.unread = behind.to_owned();
                return Ok(message);
            }
            let mut buffer = vec![0; 16 * 1024];
            let read = timeout(LIMIT, self.stream.read(&mut buffer)).await.context("reading")??;
            if read == 0 {
                return Err(Error::new("the connection is closed"));
            }
            self.unread.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
    }

    /// The messages up to the first of this type, that one included.
    ///
    /// # Errors
    /// When it does not come; what came instead is in the error.
    pub async fn until(&mut self, tag: u8) -> Result<Vec<Message>> {
        let mut seen = Vec::new();
        loop {
            let message = match self.next().await {
                Ok(message) => message,
                Err(error) => {
                    return Err(error).context(format!("waiting for {} after {seen:?}", char::from(tag)));
                }
            };
            let found = message.tag == tag;
            seen.push(message);
            if found {
                return Ok(seen);
            }
        }
    }

    /// Waits for the sign-in link of the gate at this address.
    ///
    /// # Errors
    /// When none comes.
    pub async fn link(&mut self, gate: &str) -> Result<String> {
        let links = format!("{gate}/link/");
        let notice = self.notice(&links).await?;
        let said = notice.field('M').and_then(|said| crate::gate::address(&said, &links));
        said.context(format!("no link in the message of {notice:?}"))
    }

    /// The next notice whose message, detail or hint contains this.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn notice(&mut self, text: &str) -> Result<Message> {
        loop {
            let mut seen = self.until(b'N').await.context(text)?;
            let Some(notice) = seen.pop() else { continue };
            if ['M', 'D', 'H'].iter().any(|code| notice.field(*code).is_some_and(|said| said.contains(text)))
            {
                return Ok(notice);
            }
        }
    }
}

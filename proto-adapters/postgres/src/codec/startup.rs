//! The first packets of a connection, which have no type byte (Postgres manual, 55.2.1).

use super::{Cursor, Malformed, frame, limits};

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;

/// The lowest version of the protocol that is spoken here: major and minor.
pub const LOWEST: (u16, u16) = (3, 0);

/// The newest minor version that is spoken here. There never was a 3.1; whoever asks for it gets it, and nothing new in it,
/// as from Postgres 18.
pub const NEWEST: u16 = 2;

/// The version 3 of this minor one, as it stands in a packet.
pub const fn version(minor: u16) -> i32 {
    (LOWEST.0 as i32) << 16 | minor as i32
}

/// The major part of a version in a packet.
pub const fn major(version: i32) -> u16 {
    let [a, b, ..] = version.to_be_bytes();
    u16::from_be_bytes([a, b])
}

/// The minor part of a version in a packet.
pub const fn minor(version: i32) -> u16 {
    let [.., c, d] = version.to_be_bytes();
    u16::from_be_bytes([c, d])
}

/// Names a running session, to stop what it does. Equality is not for secrets: compare in constant time.
#[derive(Clone)]
pub struct CancelKey {
    /// Stands for the process.
    pub process: i32,
    /// Known to the client alone: 4 bytes up to protocol 3.1, up to 256 from 3.2 on.
    pub secret: Box<[u8]>,
}

impl std::fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CancelKey({}, …)", self.process)
    }
}

/// What a client wants.
#[derive(Clone, Debug)]
pub enum First {
    /// TLS.
    Tls,
    /// Encryption by GSSAPI.
    Gss,
    /// That a statement stops.
    Cancel(CancelKey),
    /// A session.
    Startup(Startup),
}

/// A startup message: a version, and parameters as the client spelled them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// The minor version asked for; the major one is 3.
    pub minor: u16,
    /// The parameters in their order, repetitions included.
    pub parameters: Vec<(String, String)>,
}

/// Why a startup packet is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not a startup packet.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Another major version.
    #[error("it speaks version {0}.{1} of the protocol, and only version 3 is spoken here")]
    Version(u16, u16),
}

/// Reads the packet at the beginning of `bytes`, and says how many bytes it takes.
///
/// # Errors
/// Where it can't become a startup packet. The length is judged before the rest has arrived.
pub fn parse(bytes: &[u8]) -> Result<Option<(First, usize)>, Invalid> {
    let Some((length, _)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
    if !(8..=limits::STARTUP + 4).contains(&length) {
        return Err(Malformed("this is not a Postgres client's first packet").into());
    }
    let Some(body) = bytes.get(4..length) else {
        return Ok(None);
    };
    let mut body = Cursor::new(body);
    let first = match body.int32()? {
        SSL_REQUEST => body.end().map(|()| First::Tls)?,
        GSS_REQUEST => body.end().map(|()| First::Gss)?,
        CANCEL_REQUEST => {
            let process = body.int32()?;
            let secret = body.rest();
            if !limits::CANCEL_SECRET.contains(&secret.len()) {
                return Err(Malformed("a request to cancel has no key, or one of absurd length").into());
            }
            First::Cancel(CancelKey { process, secret: secret.into() })
        }
        version => {
            let (major, minor) = (major(version), minor(version));
            if major != LOWEST.0 {
                return Err(Invalid::Version(major, minor));
            }
            First::Startup(Startup { minor, parameters: parameters(body)? })
        }
    };
    Ok(Some((first, length)))
}

fn parameters(mut body: Cursor<'_>) -> Result<Vec<(String, String)>, Malformed> {
    let text = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed("a startup parameter is not UTF-8"))?;
        Ok(text.to_owned())
    };
    let mut found = Vec::new();
    loop {
        let name = body.string()?;
        if name.is_empty() {
            body.end()?;
            return Ok(found);
        }
        found.push((text(name)?, text(body.string()?)?));
    }
}

/// Appends the request for TLS.
pub fn ssl_request(out: &mut Vec<u8>) {
    frame::packet(out, |out| out.extend_from_slice(&SSL_REQUEST.to_be_bytes()));
}

/// Appends the request to stop what `process` does. The secret has the length that its server gave it.
pub fn cancel_request(out: &mut Vec<u8>, process: i32, secret: &[u8]) {
    frame::packet(out, |out| {
        out.extend_from_slice(&CANCEL_REQUEST.to_be_bytes());
        out.extend_from_slice(&process.to_be_bytes());
        out.extend_from_slice(secret);
    });
}

/// Appends a startup message of version 3 and this minor one.
pub fn startup<'a>(out: &mut Vec<u8>, minor: u16, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) {
    frame::packet(out, |out| {
        out.extend_from_slice(&version(minor).to_be_bytes());
        for (name, value) in parameters {
            frame::string(out, name);
            frame::string(out, value);
        }
        out.push(0);
    });
}

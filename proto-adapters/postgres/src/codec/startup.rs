//! The first packets of a connection, which have no type byte (Postgres manual, 55.2.1).

use super::{Cursor, Malformed, frame, limits};

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;

/// The protocol version that is spoken here: 3.0.
pub const VERSION: i32 = 3 << 16;

/// Names a running session, to stop what it does. Equality is not for secrets: compare in constant time.
#[derive(Clone, Copy)]
pub struct CancelKey {
    /// Stands for the process.
    pub process: i32,
    /// Known to the client alone.
    pub secret: [u8; 4],
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
            let secret = body.int32()?.to_be_bytes();
            body.end()?;
            First::Cancel(CancelKey { process, secret })
        }
        version => {
            let [a, b, c, d] = version.to_be_bytes();
            let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            if major != 3 {
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

/// Appends a startup message of version 3.0.
pub fn startup<'a>(out: &mut Vec<u8>, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) {
    frame::packet(out, |out| {
        out.extend_from_slice(&VERSION.to_be_bytes());
        for (name, value) in parameters {
            frame::string(out, name);
            frame::string(out, value);
        }
        out.push(0);
    });
}

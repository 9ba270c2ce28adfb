//! What an operator wants to know of a target before anybody depends on it: whether it is the right host, whether it lets
//! the gate in, and what else it would let in. It signs in, and does nothing once it is in; to a wrong host it shows
//! nothing.

use super::back::{Back, Side};
use super::connect::{PATIENCE, config};
use super::host_keys::HostKeyring;
use super::login::{with_agent, with_key, with_password};
use crate::flow::Flow;
use curfew_adapter::{HostKeys, HostPort, Login, Secret, random_bytes};
use russh::client::{AuthResult, Handle, connect_stream};
use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Certificate, HashAlg, PrivateKey, PublicKey, decode_secret_key};
use russh::{SendError, Signer};
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The account that a certificate is made out to, to see whether one for somebody else opens this one.
const STRANGER: &str = "curfew-check-somebody-else";

/// A certificate that the check needs.
#[derive(Clone, Copy, Debug)]
pub struct CheckCertificate<'a> {
    /// The key to certify: algorithm and base64.
    pub key: &'a str,
    /// The account that it is to open.
    pub account: &'a str,
    /// Where it is used from.
    pub source: IpAddr,
}

/// An account on a target, as the gate would reach it.
#[derive(Clone, Copy)]
pub struct Check<'a> {
    /// Where.
    pub address: &'a HostPort,
    /// By what the host is known.
    pub host_keys: &'a HostKeys,
    /// The account.
    pub account: &'a str,
    /// How the gate signs in with it.
    pub login: &'a Login,
    /// Its password or private key, where it takes one.
    pub secret: Option<&'a Secret>,
    /// Makes certificates, each one line.
    pub certify: &'a (dyn Fn(CheckCertificate<'_>) -> Result<String, String> + Send + Sync),
    /// Public keys that are offered, each one line, and should not be taken.
    pub offers: &'a [String],
    /// Seconds since 1970.
    pub now: i64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Whether it is the right host; if it is not, nothing else was tried.
    pub host: Result<(), String>,
    /// Whether the gate is let in.
    pub sign_in: Result<(), String>,
    /// By what one may try to get in; `None` where nothing at all is asked.
    pub methods: Option<Vec<String>>,
    /// Whether a certificate for another account opens this one; `None` where no certificates are used.
    pub stranger: Option<bool>,
    /// The fingerprint of each key that was offered, and whether it would be taken.
    pub offers: Vec<(String, bool)>,
}

impl fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("address", &self.address)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Looks at the account. Each thing is tried on a connection of its own, so that none counts against another.
///
/// # Errors
/// Where the target can't be reached, or does not speak SSH.
pub async fn check(asked: &Check<'_>) -> Result<Findings, String> {
    let wrong_host = |cause| Findings {
        host: Err(cause),
        sign_in: Err("not tried".to_owned()),
        methods: Some(Vec::new()),
        stranger: None,
        offers: Vec::new(),
    };
    let (mut handle, _) = match open(asked).await {
        Ok(opened) => opened,
        Err(Closed::WrongHost(cause)) => return Ok(wrong_host(cause)),
        Err(Closed::Unreachable(cause)) => return Err(cause),
    };
    let methods = match in_time(handle.authenticate_none(asked.account)).await? {
        AuthResult::Success => None,
        AuthResult::Failure { remaining_methods, .. } => {
            Some(remaining_methods.iter().map(|method| <&str>::from(method).to_owned()).collect())
        }
    };
    // Whoever is let in without proof is in: what else would open can't be told apart.
    if methods.is_none() {
        return Ok(Findings { host: Ok(()), sign_in: Ok(()), methods, stranger: None, offers: Vec::new() });
    }
    let sign_in = sign_in(asked).await?;
    let stranger = match asked.login {
        Login::Certificate => Some(by_certificate(asked, STRANGER).await?.is_ok()),
        _ => None,
    };
    let mut offers = Vec::new();
    for line in asked.offers {
        let key = PublicKey::from_openssh(line).map_err(|error| format!("a key to offer: {error}"))?;
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        offers.push((fingerprint, takes(asked, key).await?));
    }
    Ok(Findings { host: Ok(()), sign_in, methods, stranger, offers })
}

enum Closed {
    WrongHost(String),
    Unreachable(String),
}

impl From<Closed> for String {
    fn from(closed: Closed) -> Self {
        let (Closed::WrongHost(cause) | Closed::Unreachable(cause)) = closed;
        cause
    }
}

/// A connection to the right host, and where it comes from.
async fn open(asked: &Check<'_>) -> Result<(Handle<Back>, IpAddr), Closed> {
    let HostPort { host, port } = asked.address;
    let keyring = HostKeyring::new(asked.host_keys, asked.address, asked.now).map_err(Closed::WrongHost)?;
    let side = Arc::new(Side::default());
    let opening = async {
        let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| error.to_string())?;
        let source = socket.local_addr().map_err(|error| error.to_string())?.ip();
        let config = Arc::new(config(&keyring));
        let back = Back::new(keyring, side.clone(), Arc::new(Flow::default()));
        let handle = connect_stream(config, socket, back).await.map_err(|error| error.to_string())?;
        Ok((handle, source))
    };
    let opened =
        timeout(PATIENCE, opening).await.unwrap_or_else(|_| Err("no SSH within 20 seconds".to_owned()));
    opened.map_err(|cause: String| side.wrong_key().map_or(Closed::Unreachable(cause), Closed::WrongHost))
}

/// As the gate does it: the outer error is the connection's, the inner one the target's no.
async fn sign_in(asked: &Check<'_>) -> Result<Result<(), String>, String> {
    let account = asked.account;
    let secret = || asked.secret.ok_or_else(|| "there is no secret for it".to_owned());
    let taken = match asked.login {
        Login::Certificate => return by_certificate(asked, account).await,
        Login::Password => {
            let secret = secret()?;
            let (mut handle, _) = open(asked).await?;
            timeout(PATIENCE, with_password(&mut handle, account, secret.reveal())).await
        }
        Login::Key => {
            let Ok(key) = decode_secret_key(secret()?.reveal(), None) else {
                return Ok(Err("its key can't be read".to_owned()));
            };
            let (mut handle, _) = open(asked).await?;
            timeout(PATIENCE, with_key(&mut handle, account, key)).await
        }
        Login::Agent(path) => {
            let (mut handle, _) = open(asked).await?;
            timeout(PATIENCE, with_agent(&mut handle, account, path)).await
        }
    };
    let taken = taken.map_err(|_| "no answer within 20 seconds".to_owned())?;
    Ok(taken.and_then(refused))
}

async fn by_certificate(asked: &Check<'_>, made_for: &str) -> Result<Result<(), String>, String> {
    let (mut handle, source) = open(asked).await?;
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&random_bytes()));
    let line = PublicKey::new(key.public_key().key_data().clone(), "").to_openssh();
    let line = line.map_err(|error| error.to_string())?;
    let certificate = (asked.certify)(CheckCertificate { key: &line, account: made_for, source })?;
    let certificate = Certificate::from_openssh(&certificate).map_err(|error| error.to_string())?;
    let tried = handle.authenticate_openssh_cert(asked.account, Arc::new(key), certificate);
    Ok(refused(in_time(tried).await?))
}

fn refused(result: AuthResult) -> Result<(), String> {
    match result {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { remaining_methods, .. } => {
            let methods: Vec<&str> = remaining_methods.iter().map(Into::into).collect();
            Err(format!("refused; it takes {}", methods.join(", ")))
        }
    }
}

/// Whether the target would take a signature by this key: it is asked, as any client may (RFC 4252, section 7), and none
/// is given.
async fn takes(asked: &Check<'_>, key: PublicKey) -> Result<bool, String> {
    let (mut handle, _) = open(asked).await?;
    let hash = key.algorithm().is_rsa().then_some(HashAlg::Sha512);
    let mut asks = Asks { asked: false };
    let tried = handle.authenticate_publickey_with(asked.account, key, hash, &mut asks);
    // The failure to sign ends the attempt: what counts is that a signature was asked for.
    let _ = timeout(PATIENCE, tried).await.map_err(|_| "no answer within 20 seconds".to_owned())?;
    Ok(asks.asked)
}

/// Signs nothing, and remembers that it was asked to.
struct Asks {
    asked: bool,
}

/// There is no signature.
struct Unsigned;

impl From<SendError> for Unsigned {
    fn from(_: SendError) -> Self {
        Self
    }
}

impl Signer for Asks {
    type Error = Unsigned;

    fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        _hash: Option<HashAlg>,
        _to_sign: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, Unsigned>> + Send {
        self.asked = true;
        std::future::ready(Err(Unsigned))
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, russh::Error>>) -> Result<T, String> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("no answer within 20 seconds".to_owned()),
    }
}

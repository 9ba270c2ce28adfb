//! Signs in to the target with the account: by password, key, agent, or a certificate made for the session.

use super::back::Back;
use super::failure::Failure;
use crate::allow::Allow;
use curfew_adapter::{CertificateAsk, Login, Session, random_bytes};
use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key};
use std::fmt::Display;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Questions of a target that takes its password by keyboard-interactive.
const QUESTIONS: usize = 4;

/// Keys of an agent that are tried; sshd's MaxAuthTries is 6.
const KEYS: usize = 5;

/// Signs `session`'s account in.
///
/// # Errors
/// Where the target does not take it, or the secret can't be had.
pub async fn sign_in(
    handle: &mut Handle<Back>,
    session: &Session,
    source: IpAddr,
) -> Result<(), Box<Failure>> {
    let terms = session.terms();
    let account = terms.account.as_str();
    let failed = |cause: &dyn Display| Failure::account(&terms.target.name, cause);
    let taken = match &terms.login {
        Login::Password => {
            let secret = session.secret().await?;
            with_password(handle, account, secret.reveal()).await
        }
        Login::Key => {
            let secret = session.secret().await?;
            // The library's words could repeat what stands in the key.
            let key = decode_secret_key(secret.reveal(), None)
                .map_err(|_| failed(&"the account's key can't be read"))?;
            with_key(handle, account, key).await
        }
        Login::Agent(path) => with_agent(handle, account, path).await,
        Login::Certificate => {
            let key = PrivateKey::from(Ed25519Keypair::from_seed(&random_bytes()));
            let line = PublicKey::new(key.public_key().key_data().clone(), "").to_openssh();
            let ask = CertificateAsk {
                key: line.map_err(|error| failed(&error))?,
                source,
                extensions: extensions(&Allow::new(&terms.allow)),
            };
            let line = session.certify(ask).await?;
            let certificate = Certificate::from_openssh(&line).map_err(|error| failed(&error))?;
            handle
                .authenticate_openssh_cert(account, Arc::new(key), certificate)
                .await
                .map_err(|e| e.to_string())
        }
    };
    match taken {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { remaining_methods, .. }) => {
            let methods: Vec<&str> = remaining_methods.iter().map(Into::into).collect();
            Err(failed(&format!("refused; it takes {}", methods.join(", "))))
        }
        Err(cause) => Err(failed(&cause)),
    }
}

/// What a certificate permits: no more than the session needs (OpenSSH, PROTOCOL.certkeys).
fn extensions(allow: &Allow) -> Vec<&'static str> {
    let mut extensions = Vec::new();
    if allow.agent() {
        extensions.push("permit-agent-forwarding");
    }
    if allow.forwards() {
        extensions.push("permit-port-forwarding");
    }
    if allow.shell() || allow.exec() {
        extensions.push("permit-pty");
    }
    extensions
}

pub(super) async fn with_password(
    handle: &mut Handle<Back>,
    account: &str,
    password: &str,
) -> Result<AuthResult, String> {
    let first = handle.authenticate_password(account, password).await.map_err(|e| e.to_string())?;
    let AuthResult::Failure { remaining_methods, .. } = &first else { return Ok(first) };
    if !remaining_methods.contains(&MethodKind::KeyboardInteractive)
        || remaining_methods.contains(&MethodKind::Password)
    {
        return Ok(first);
    }
    let mut answer =
        handle.authenticate_keyboard_interactive_start(account, None).await.map_err(|e| e.to_string())?;
    for _ in 0..QUESTIONS {
        answer = match answer {
            KeyboardInteractiveAuthResponse::Success => return Ok(AuthResult::Success),
            KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                return Ok(AuthResult::Failure { remaining_methods, partial_success });
            }
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                // One question that is not echoed is for the password; what else it wants, nobody here knows.
                let answers = match prompts.as_slice() {
                    [] => Vec::new(),
                    [prompt] if !prompt.echo => vec![password.to_owned()],
                    _ => return Err("it asks for more than a password".to_owned()),
                };
                handle.authenticate_keyboard_interactive_respond(answers).await.map_err(|e| e.to_string())?
            }
        };
    }
    Err("it asks without end".to_owned())
}

async fn rsa_hash(handle: &Handle<Back>, rsa: bool) -> Option<HashAlg> {
    if !rsa {
        return None;
    }
    // Where the target does not say what it takes, it is old, and takes SHA-2 all the same since OpenSSH 7.2.
    handle.best_supported_rsa_hash().await.ok().flatten().flatten().or(Some(HashAlg::Sha256))
}

pub(super) async fn with_key(
    handle: &mut Handle<Back>,
    account: &str,
    key: PrivateKey,
) -> Result<AuthResult, String> {
    let hash = rsa_hash(handle, key.algorithm().is_rsa()).await;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    handle.authenticate_publickey(account, key).await.map_err(|e| e.to_string())
}

pub(super) async fn with_agent(
    handle: &mut Handle<Back>,
    account: &str,
    path: &Path,
) -> Result<AuthResult, String> {
    let mut agent = AgentClient::connect_uds(path).await.map_err(|e| format!("the agent: {e}"))?;
    let identities = agent.request_identities().await.map_err(|e| format!("the agent: {e}"))?;
    let mut last = Err("the agent holds no key".to_owned());
    for identity in identities.into_iter().take(KEYS) {
        let hash = rsa_hash(handle, identity.public_key().algorithm().is_rsa()).await;
        let tried = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                handle.authenticate_publickey_with(account, key, hash, &mut agent).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                handle.authenticate_certificate_with(account, certificate, hash, &mut agent).await
            }
        };
        match tried {
            Ok(AuthResult::Success) => return Ok(AuthResult::Success),
            Ok(failure) => last = Ok(failure),
            Err(error) => return Err(format!("the agent: {error}")),
        }
    }
    last
}

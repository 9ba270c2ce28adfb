//! The SSH certificate that plain ssh signs in with.
//!
//! Owns the key, which is made here and never leaves this machine but into its person's agent, and the renewal: the
//! same key, a new certificate.

use curfew_certs::SshKey;
use jiff::Timestamp;
use serde::Serialize;

use super::agent::{self, Agent};
use super::door::Door;
use super::files::Files;
use crate::cli::CliError;
use crate::cli::certificate::SOON;
use crate::cli::client::{Client, Saved, SshAbout, wire};
use crate::cli::context::Context;

#[derive(Serialize)]
struct Ask {
    key: String,
}

/// A certificate that is good for a while.
#[derive(Debug)]
pub struct Held {
    /// Where it opens.
    pub door: Door,
    /// When it ends.
    pub ends: Timestamp,
    /// What the agent did with it, where it is new.
    pub agent: Agent,
}

/// Makes a key and gets a certificate for it; `None` where the gate does not speak SSH.
///
/// # Errors
/// Refused, not reached, or not saved.
pub async fn begin(client: &Client, saved: &Saved, cx: &Context) -> Result<Option<Held>, CliError> {
    let Some(door) = Door::find(client, saved).await? else { return Ok(None) };
    let key = SshKey::generate()
        .map_err(|error| CliError::failed(format!("a key for the SSH certificate can't be made: {error}")))?;
    certify(client, saved, cx, door, &key).await.map(Some)
}

/// Renews the certificate where it is gone or ends soon; `None` where the gate does not speak SSH.
///
/// # Errors
/// Refused, not reached, or not saved.
pub async fn keep(client: &Client, saved: &Saved, cx: &Context) -> Result<Option<Held>, CliError> {
    if let Some((about, ends)) = good(saved, cx.out.now()) {
        return Ok(Some(Held { door: Door::from(&about), ends, agent: Agent::Absent }));
    }
    let Some(key) = Files::of(saved).key() else { return begin(client, saved, cx).await };
    let Some(door) = Door::find(client, saved).await? else { return Ok(None) };
    certify(client, saved, cx, door, &key).await.map(Some)
}

/// What is on disk, where it is good for a while.
pub fn good(saved: &Saved, now: Timestamp) -> Option<(SshAbout, Timestamp)> {
    let about = saved.about()?.ssh?;
    let ends = about.certificate_ends_at.filter(|ends| ends.duration_since(now) > SOON)?;
    Files::of(saved).are_there().then_some((about, ends))
}

/// Takes key and certificate off this machine, and out of the agent.
///
/// # Errors
/// A file is there and can't be removed.
pub async fn forget(saved: &Saved, cx: &Context) -> Result<(), CliError> {
    let files = Files::of(saved);
    agent::remove(cx.agent.as_deref(), &files.key_path()).await;
    files.forget()
}

async fn certify(
    client: &Client,
    saved: &Saved,
    cx: &Context,
    door: Door,
    key: &SshKey,
) -> Result<Held, CliError> {
    let line = key.public_line();
    let line = line.map_err(|error| CliError::failed(format!("the SSH key can't be read: {error}")))?;
    let answer: wire::Certificate =
        client.create(&["ssh", "certificates"], &Ask { key: line }).await?.read()?;
    let (files, socket) = (Files::of(saved), cx.agent.as_deref());
    // The agent keeps certificates apart by their bytes: the one before would stay beside the new one.
    agent::remove(socket, &files.key_path()).await;
    files.save(key, &answer.certificate)?;
    let ends = answer.expires_at;
    if let Some(mut about) = saved.about() {
        let Door { host, port } = door.clone();
        about.ssh = Some(SshAbout { host, port, certificate_ends_at: Some(ends) });
        saved.save_about(&about)?;
    }
    let seconds = ends.duration_since(cx.out.now()).as_secs();
    let agent = agent::add(socket, &files.key_path(), seconds).await;
    Ok(Held { door, ends, agent })
}

//! The gate itself, as the API tells of it.

use jiff::Timestamp;
use serde::Deserialize;

/// `GET gate`.
#[derive(Debug, Deserialize)]
pub struct Gate {
    /// Where its protocols listen.
    #[serde(default)]
    pub listeners: Vec<Listener>,
}

/// Where a protocol listens.
#[derive(Debug, Deserialize)]
pub struct Listener {
    /// Which protocol.
    pub protocol: String,
    /// `host:port`, as clients reach it.
    pub address: String,
}

/// `POST certificates` and `POST ssh/certificates`.
#[derive(Debug, Deserialize)]
pub struct Certificate {
    /// In PEM, or for SSH as one line.
    pub certificate: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `GET ca`.
#[derive(Debug, Deserialize)]
pub struct Authority {
    /// In PEM.
    pub certificate: String,
}

/// `GET ssh`: the gate's keys for SSH, each one line.
#[derive(Debug, Deserialize)]
pub struct SshFacts {
    /// Vouches for the gate's host key.
    pub authority: String,
    /// Signs the certificates of sessions at targets.
    pub sessions: String,
}

/// An item of `GET ssh/keys`.
#[derive(Debug, Deserialize)]
pub struct BoundKey {
    /// `SHA256:…`
    pub fingerprint: String,
    /// Whose it is.
    #[serde(default)]
    pub email: String,
    /// The sign-in that it stands for.
    #[serde(default)]
    pub signin: String,
    /// Where the client that proved it was.
    #[serde(default)]
    pub address: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// `GET keys`: what seals and checkpoints are signed with.
#[derive(Debug, Deserialize)]
pub struct PublicKey {
    /// In PEM.
    pub pem: String,
}

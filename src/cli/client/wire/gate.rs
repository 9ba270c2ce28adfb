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

/// `POST certificates`.
#[derive(Debug, Deserialize)]
pub struct Certificate {
    /// In PEM.
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

/// `GET keys`: what seals and checkpoints are signed with.
#[derive(Debug, Deserialize)]
pub struct PublicKey {
    /// In PEM.
    pub pem: String,
}

//! The public keys that seals and checkpoints are judged by.
//!
//! Owns where they come from: a file, which the gate can't have changed, or else the gate itself, and then it says so.

use std::path::Path;

use super::CliError;
use super::client::Client;
use super::client::wire::PublicKey;
use super::context::{Common, Context};
use super::file;
use crate::audit::PublicKeys;

/// The keys, and a word on whose word they are.
pub struct Judges {
    /// The keys.
    pub keys: PublicKeys,
    /// `of FILE`, or `as the gate at URL tells them`.
    pub source: String,
}

/// From the file, else from the gate.
///
/// # Errors
/// Not read, not keys, not reached.
pub async fn find(file: Option<&Path>, common: &Common, cx: &Context) -> Result<Judges, CliError> {
    let wrong = |source: &str, error: &dyn std::fmt::Display| {
        CliError::failed(format!("the public keys {source} can't be used: {error}"))
    };
    if let Some(path) = file {
        let source = format!("of {}", path.display());
        let text = String::from_utf8_lossy(&file::read(path)?).into_owned();
        let keys = PublicKeys::from_pem(&text).map_err(|error| wrong(&source, &error))?;
        return Ok(Judges { keys, source });
    }
    let client = Client::saved(&cx.saved(common)?)?;
    let source = format!("as the gate at {} tells them", client.url());
    let told: Vec<PublicKey> = client.get(&["keys"], &[]).await?.read()?;
    let text: String = told.into_iter().map(|key| key.pem + "\n").collect();
    let keys = PublicKeys::from_pem(&text).map_err(|error| wrong(&source, &error))?;
    Ok(Judges { keys, source })
}

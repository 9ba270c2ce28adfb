//! Ids as people type them: any beginning that only one thing in their lists has.
//!
//! Owns the completion. What the gate does not list to this person can't be completed, only named in full.

use serde::Deserialize;

use super::CliError;
use super::client::Client;
use super::output::clean;

/// A list that ids can be completed from.
#[derive(Clone, Copy, Debug)]
pub struct Thing {
    /// In sentences.
    pub name: &'static str,
    /// The path of its list.
    pub path: &'static str,
    /// What its ids begin with, before the `_`.
    pub prefix: &'static str,
    /// The scopes to look through, the narrowest first; one that this person may not see is skipped.
    pub scopes: &'static [&'static str],
}

/// Requests that one could decide come first.
pub const TO_DECIDE: Thing =
    Thing { name: "request", path: "requests", prefix: "req", scopes: &["to-approve", "mine", "all"] };
/// One's own requests come first.
pub const REQUEST: Thing =
    Thing { name: "request", path: "requests", prefix: "req", scopes: &["mine", "to-approve", "all"] };
/// Grants that one could take away come first.
pub const TO_REVOKE: Thing =
    Thing { name: "grant", path: "grants", prefix: "gra", scopes: &["to-revoke", "mine", "all"] };
/// Grants.
pub const GRANT: Thing = Thing { name: "grant", path: "grants", prefix: "gra", scopes: &["mine", "all"] };
/// Sessions.
pub const SESSION: Thing = Thing { name: "session", path: "sessions", prefix: "ses", scopes: &[""] };
/// Sign-ins.
pub const SIGNIN: Thing = Thing { name: "sign-in", path: "signins", prefix: "sig", scopes: &["mine", "all"] };
/// Identities.
pub const IDENTITY: Thing = Thing { name: "identity", path: "identities", prefix: "ide", scopes: &[""] };

/// How long an id is behind its prefix: ten bytes in base32.
const RANDOM: usize = 16;
/// How many candidates a refusal lists.
const SHOWN: usize = 5;

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// The whole id that `text` begins.
///
/// # Errors
/// None begins so, or several do.
pub async fn complete(client: &Client, thing: Thing, text: &str) -> Result<String, CliError> {
    let text = text.trim().to_lowercase();
    let Thing { name, path, prefix, .. } = thing;
    let letters =
        |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if text.is_empty() || !letters(&text) {
        return Err(CliError::usage(format!("`{}` is not the id of a {name}", clean(&text)))
            .hint(format!("`curfew {path}` lists them; the first letters of an id are enough")));
    }
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    if rest.is_some_and(|rest| rest.len() == RANDOM) {
        return Ok(text);
    }
    let mut refusal = None;
    for scope in thing.scopes {
        let query = [("scope", *scope)];
        let query = if scope.is_empty() { &[][..] } else { &query[..] };
        let ids = match client.list(&[path], query).await {
            Ok(list) => list.read::<Named>()?,
            Err(error) if error.exit() == super::Exit::Failed => {
                refusal = refusal.or(Some(error));
                continue;
            }
            Err(error) => return Err(error),
        };
        let found: Vec<_> = ids.into_iter().map(|named| named.id).filter(|id| begins(id, &text)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one.clone()),
            several => {
                let shown: Vec<_> = several.iter().take(SHOWN).map(|id| clean(id)).collect();
                let more = if several.len() > SHOWN { ", …" } else { "" };
                return Err(CliError::usage(format!("several ids of a {name} begin with `{text}`"))
                    .hint(format!("type more of it: {}{more}", shown.join(", "))));
            }
        }
    }
    match refusal {
        Some(refusal) if thing.scopes.len() == 1 => Err(refusal),
        _ => Err(CliError::failed(format!("no {name} that you can see has an id that begins with `{text}`"))
            .hint(format!("`curfew {path}` lists them"))),
    }
}

/// Whether an id begins so, with or without its prefix.
fn begins(id: &str, text: &str) -> bool {
    id.starts_with(text) || id.split_once('_').is_some_and(|(_, random)| random.starts_with(text))
}

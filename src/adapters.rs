//! The adapters that this gate is built with, as far as the core knows them: their words for contracts.
//!
//! A new protocol is a new folder, a line here, and a listener in `serve`.

use curfew_adapter::{Protocol, Words};

/// What contracts may say in `allow`, by adapter.
pub const WORDS: &[Words] = &[curfew_ssh::WORDS];

/// The words of the adapter for this protocol; `None` where it has none.
#[must_use]
pub fn words(protocol: Protocol) -> Option<&'static Words> {
    WORDS.iter().find(|words| words.protocol == protocol)
}

//! What an adapter lets contracts say about it.

use crate::Protocol;
use std::fmt;

/// The words of one protocol in a contract's `allow`: each adapter exports its own, and the core knows none of them.
#[derive(Clone, Copy)]
pub struct Words {
    /// Whose words these are.
    pub protocol: Protocol,
    /// Whether this is one of them.
    ///
    /// # Errors
    /// What is wrong with it, to follow the word itself in a sentence: `is not …`.
    pub check: fn(&str) -> Result<(), String>,
    /// What is allowed where a contract has no `allow`.
    pub default: &'static [&'static str],
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

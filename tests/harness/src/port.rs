//! Ports that the kernel picks, for programs that can't be told to pick one themselves.

use std::net::TcpListener;

use crate::error::{Context, Result};

/// How often a fixture tries again when its port was taken between picking and binding.
pub(crate) const ATTEMPTS: usize = 5;

/// A TCP port of 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// When the machine has none left.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

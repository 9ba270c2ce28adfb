//! Sockets that are closed when they are let go of: the library's tasks would hold them on.

use curfew_adapter::SocketHandle;

/// Shuts a socket down when dropped.
#[derive(Debug)]
pub struct Shut(pub SocketHandle);

impl Drop for Shut {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

//! The SSH adapter (RFC 4251 to 4254): speaks SSH to a client on one side and to a target on the other.

pub mod sftp;

//! What a server says: its message types, and the messages that the gate says in its place.

use super::frame::{message, string};
use super::startup::{self, CancelKey};

/// Authentication…
pub const AUTHENTICATION: u8 = b'R';
/// BackendKeyData
pub const KEY_DATA: u8 = b'K';
/// BindComplete
pub const BIND_COMPLETE: u8 = b'2';
/// CloseComplete
pub const CLOSE_COMPLETE: u8 = b'3';
/// CommandComplete
pub const COMMAND_COMPLETE: u8 = b'C';
/// CopyData
pub const COPY_DATA: u8 = b'd';
/// CopyDone
pub const COPY_DONE: u8 = b'c';
/// CopyInResponse
pub const COPY_IN: u8 = b'G';
/// CopyOutResponse
pub const COPY_OUT: u8 = b'H';
/// DataRow
pub const DATA_ROW: u8 = b'D';
/// EmptyQueryResponse
pub const EMPTY_QUERY: u8 = b'I';
/// ErrorResponse
pub const ERROR: u8 = b'E';
/// FunctionCallResponse
pub const FUNCTION_RESULT: u8 = b'V';
/// NegotiateProtocolVersion
pub const NEGOTIATE: u8 = b'v';
/// NoData
pub const NO_DATA: u8 = b'n';
/// NoticeResponse
pub const NOTICE: u8 = b'N';
/// NotificationResponse
pub const NOTIFICATION: u8 = b'A';
/// ParameterDescription
pub const PARAMETER_DESCRIPTION: u8 = b't';
/// ParameterStatus
pub const PARAMETER_STATUS: u8 = b'S';
/// ParseComplete
pub const PARSE_COMPLETE: u8 = b'1';
/// PortalSuspended
pub const PORTAL_SUSPENDED: u8 = b's';
/// ReadyForQuery
pub const READY: u8 = b'Z';
/// RowDescription
pub const ROW_DESCRIPTION: u8 = b'T';

/// Appends AuthenticationOk.
pub fn authentication_ok(out: &mut Vec<u8>) {
    message(out, AUTHENTICATION, |out| out.extend_from_slice(&0_i32.to_be_bytes()));
}

/// Appends AuthenticationSASL: what is offered, best first.
pub fn sasl(out: &mut Vec<u8>, mechanisms: &[&str]) {
    message(out, AUTHENTICATION, |out| {
        out.extend_from_slice(&10_i32.to_be_bytes());
        mechanisms.iter().for_each(|name| string(out, name));
        out.push(0);
    });
}

/// Appends AuthenticationSASLContinue.
pub fn sasl_continue(out: &mut Vec<u8>, data: &[u8]) {
    message(out, AUTHENTICATION, |out| {
        out.extend_from_slice(&11_i32.to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// Appends AuthenticationSASLFinal.
pub fn sasl_final(out: &mut Vec<u8>, data: &[u8]) {
    message(out, AUTHENTICATION, |out| {
        out.extend_from_slice(&12_i32.to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// Appends BackendKeyData.
pub fn key_data(out: &mut Vec<u8>, key: &CancelKey) {
    message(out, KEY_DATA, |out| {
        out.extend_from_slice(&key.process.to_be_bytes());
        out.extend_from_slice(&key.secret);
    });
}

/// Appends ReadyForQuery with the state of the transaction (`I`, `T` or `E`).
pub fn ready(out: &mut Vec<u8>, status: u8) {
    message(out, READY, |out| out.push(status));
}

/// Appends NegotiateProtocolVersion: the minor version that is spoken, and the options that are not known here. The
/// version goes out whole, as Postgres sends it and libpq reads it.
pub fn negotiate<'a>(out: &mut Vec<u8>, minor: u16, unknown: impl ExactSizeIterator<Item = &'a str>) {
    message(out, NEGOTIATE, |out| {
        out.extend_from_slice(&startup::version(minor).to_be_bytes());
        out.extend_from_slice(&i32::try_from(unknown.len()).unwrap_or(0).to_be_bytes());
        unknown.for_each(|name| string(out, name));
    });
}

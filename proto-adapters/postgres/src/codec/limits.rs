//! A cap for every length that a peer sends, with its source.

/// The longest startup packet, without its length word: `MAX_STARTUP_PACKET_LENGTH` in pqcomm.h.
pub const STARTUP: usize = 10_000;

/// The longest message that carries no bulk: `PQ_SMALL_MESSAGE_LIMIT` in libpq.h.
pub const SMALL: usize = 10_000;

/// The longest message that may carry bulk: `PQ_LARGE_MESSAGE_LIMIT` in libpq.h (MaxAllocSize - 1).
pub const LARGE: usize = 0x3fff_fffe;

/// The longest message from a server that is not of a bulky type: fe-protocol3.c refuses more.
pub const BACKEND_SMALL: usize = 30_000;

/// The longest message of a server while a connection is set up. libpq takes 2,000 bytes of
/// authentication request and 30,000 of an error (fe-connect.c, `MAX_ERRLEN`).
pub const BACKEND_STARTUP: usize = 30_000;

/// What a server may send in all while a connection is set up: our own bound on settings and notices.
pub const BACKEND_STARTUP_TOTAL: usize = 256 * 1024;

/// The longest statement that is held back until it is whole, and so recorded whole. What is longer is
/// refused, because the end of a statement that nobody recorded could hide anything. Bulk goes by COPY.
pub const STATEMENT: usize = 16 * 1024 * 1024;

/// The longest value of a parameter that is recorded; of a longer one, its length.
pub const PARAMETER: usize = 1024 * 1024;

/// The secret of a cancel key: 4 bytes in protocol 3.0, at most 256 in 3.2 (Postgres manual, 55.7, BackendKeyData).
pub const CANCEL_SECRET: std::ops::RangeInclusive<usize> = 4..=256;

//! What strangers say first: bytes that make no sense, clients that are slow, names that are nobody's.

mod bytes;
mod cancel;
mod names;
mod slow;
mod sni;
mod target;

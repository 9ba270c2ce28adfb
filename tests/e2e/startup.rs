//! What strangers say first: bytes that make no sense, clients that are slow, names that are nobody's.

mod bytes;
mod names;
mod slow;

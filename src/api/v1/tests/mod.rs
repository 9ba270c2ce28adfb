//! The API, called in memory by several people.

mod document;
mod idempotency;
mod reading;
mod recordings;
mod requests;
mod strict;
mod watching;

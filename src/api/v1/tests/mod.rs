//! The API, called in memory by several people.

mod document;
mod idempotency;
mod reading;
mod requests;
mod strict;
mod watching;

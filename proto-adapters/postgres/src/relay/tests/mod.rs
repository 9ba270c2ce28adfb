//! The relay's parts by themselves, without sockets.

mod matching;
mod passing;
mod recorded;
mod scene;

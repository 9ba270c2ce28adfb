//! What the tables of cuts share, whatever the protocol: how sessions come to their end and by whom, how all those of one
//! ending are played at the same time, and what must be true of each. What a session does is the protocol's own.

pub mod ending;
pub mod hands;
pub mod kernel;
pub mod log;
pub mod play;
pub mod stamps;
pub mod subject;
pub mod table;
pub mod witness;

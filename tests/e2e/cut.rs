//! The end of a session, measured by taps between the gate and each of its peers, never by the gate itself.

mod again;
mod matrix;
mod reasons;
mod trouble;

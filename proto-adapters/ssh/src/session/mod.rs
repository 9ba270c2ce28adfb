//! A session from its admission to its close.
//!
//! - `live`: what both legs and all channels share.
//! - `run`: the target is reached, and the session watched until one side ends it.
//! - `cut`: no byte passes any more; goodbye to the client, and an end to the target's work.

mod cut;
mod goodbye;
mod live;
mod run;
mod work;

pub use live::{Fault, Live};
pub use run::{ClientLeg, run};

//! The client's side until its session begins: TLS, startup, sign-in, admission, refusals.
//!
//! Nothing here reaches a target, and nothing that a client says before it is admitted is carried out.

mod cancel;
pub mod credential;
mod negotiate;
pub mod oauth;
mod options;
mod parameters;
mod refuse;
mod scram;
mod wait;

pub use cancel::serve as serve_cancel;
pub use negotiate::{Greeting, greet};
pub use parameters::{Parameters, read as read_parameters};
pub use refuse::{Sentence, fatal};
pub use wait::{Client, Left};

//! The shapes of the API's answers, as far as commands show them.
//!
//! Owns the client's reading of docs/openapi.json: what it does not know it skips, so that an older client can talk to
//! a newer gate. Never used to answer anything.

mod access;
mod gate;
mod people;
mod session;

pub use access::{Grant, Offer, Request, Target, TargetAccount, Vote};
pub use gate::{Authority, BoundKey, Certificate, Gate, Listener, PublicKey, SshFacts};
pub use people::{Credential, Identity, NewCredential, Signin, Who, Whoami, WhoamiSignin};
pub use session::{Cut, Recording, Session};

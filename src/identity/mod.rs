//! Who: identities, their sign-ins, and every way of proving one.
//!
//! Owns the relying party of OIDC, sign-in links, tokens, client certificates, and the small authorization server
//! for Curfew's own clients. It never decides what an identity may reach: contracts do.

mod bearer;
mod certificate;
mod credential;
mod ending;
mod key;
pub mod link;
pub mod oauth;
pub mod oidc;
mod role;
mod service;
mod signin;
#[cfg(test)]
pub(crate) mod tests;
mod token;

pub use crate::contract::fold_email as person_key;
pub use certificate::{Certified, CertifyError};
pub use credential::{CredentialError, CredentialRecord};
pub use key::{BindError, KeyRecord};
pub use link::{Connecting, Links, PendingLink};
pub use role::Roles;
pub(crate) use service::actor;
pub use service::{Identities, SigninError, WhoError};
pub use signin::{EndWhy, IdentityRecord, Method, SigninRecord, Standing, Viewer, Vouched};
pub use token::{Hashed, Token, TokenKind, random_text};

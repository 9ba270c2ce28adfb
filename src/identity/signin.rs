//! Identities and sign-ins as values.

use std::net::IpAddr;

use curfew_adapter::{Identity, IdentityId, SigninId};
use jiff::Timestamp;

use super::role::Roles;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// The word in the store, the audit log and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads the word back.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// How somebody signed in.
    Method {
        /// At the provider, in a browser.
        Browser = "browser",
        /// By a link that a client showed.
        Link = "link",
        /// `curfew login` with a browser on the same machine (RFC 8252).
        Loopback = "loopback",
        /// `curfew login` on a machine without one (RFC 8628).
        Device = "device",
    }
}

words! {
    /// Why a sign-in ended.
    EndWhy {
        /// The person signed out.
        Logout = "logout",
        /// Its time was up.
        Expired = "expired",
        /// Somebody revoked it.
        Revoked = "revoked",
        /// The identity was disabled.
        IdentityDisabled = "identity_disabled",
    }
}

/// What a provider vouches for, after the limits of its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The name of the provider's entry.
    pub provider: String,
    /// Its issuer.
    pub issuer: String,
    /// The provider's own id of the person.
    pub subject: String,
    /// The verified email.
    pub email: String,
    /// What to call them.
    pub name: String,
    /// The groups that it may assert and does.
    pub groups: Vec<String>,
    /// What it asserted beyond its limits, for the audit log.
    pub dropped: Vec<String>,
}

/// An identity as the store knows it.
#[derive(Clone, Debug)]
pub struct IdentityRecord {
    /// Who.
    pub identity: Identity,
    /// The provider's entry.
    pub provider: String,
    /// The provider's issuer.
    pub issuer: String,
    /// The provider's id of it.
    pub subject: String,
    /// The first sign-in.
    pub first_at: Timestamp,
    /// The last one.
    pub seen_at: Timestamp,
    /// Since when it may do nothing.
    pub disabled_at: Option<Timestamp>,
    /// Why it may not.
    pub disabled_why: Option<String>,
}

/// A sign-in as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigninRecord {
    /// Its id.
    pub id: SigninId,
    /// Whose it is.
    pub identity: IdentityId,
    /// The provider's entry.
    pub provider: String,
    /// How.
    pub method: Method,
    /// The browser's sign-in that consented to this one.
    pub parent: Option<SigninId>,
    /// Where the client is.
    pub address: Option<IpAddr>,
    /// Since when.
    pub started_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_why: Option<EndWhy>,
}

impl SigninRecord {
    /// Why it is over at `now`, if it is.
    pub fn over(&self, now: Timestamp) -> Option<EndWhy> {
        self.end_why.or_else(|| (self.ends_at <= now).then_some(EndWhy::Expired))
    }
}

/// A sign-in with its identity: what vouches for a session, and how long.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Who, as known now.
    pub identity: Identity,
    /// The sign-in.
    pub signin: SigninRecord,
    /// Whether the identity may do nothing.
    pub disabled: bool,
}

impl Standing {
    /// Why nothing may run under it at `now`; `None` while it may.
    pub fn over(&self, now: Timestamp) -> Option<EndWhy> {
        if self.disabled { Some(EndWhy::IdentityDisabled) } else { self.signin.over(now) }
    }
}

/// Who makes a request over HTTP.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Who.
    pub identity: Identity,
    /// Under which sign-in.
    pub signin: SigninRecord,
    /// The roles in Curfew itself.
    pub roles: Roles,
}

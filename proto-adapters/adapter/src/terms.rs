//! What a session may do: fixed when it is admitted, and never changed.

use crate::{GrantId, IdentityId, Login, RequestId, SigninId, TargetRoute};
use serde::{Deserialize, Serialize};

/// Whether an identity is a person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// A person.
    User,
    /// A program.
    Service,
}

/// Who: issuer and subject, with what the provider vouched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Curfew's own id of issuer + subject.
    pub id: IdentityId,
    /// The key under which rules about people compare: the verified email, in lower case.
    pub person: String,
    /// The verified email, as the provider spells it.
    pub email: String,
    /// What to call them; the email where the provider gives no name.
    pub name: String,
    /// The groups that the provider asserted and was allowed to assert.
    pub groups: Vec<String>,
    /// Person or program.
    pub kind: IdentityKind,
}

/// How much of a statement's parameters is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterPolicy {
    /// Nothing.
    None,
    /// Their types and lengths.
    Types,
    /// Their values.
    #[default]
    Full,
}

/// How much is recorded of what the target sends back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultPolicy {
    /// Counts and outcomes; of a command's output its beginning. Terminals are always recorded whole.
    #[default]
    None,
    /// All of it.
    Full,
}

/// How a session is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordPolicy {
    /// How much of the parameters.
    pub parameters: ParameterPolicy,
    /// How much of what comes back.
    pub results: ResultPolicy,
    /// Whether what is typed into terminals is recorded, beside what is shown there.
    pub input: bool,
    /// Patterns whose matches are masked, as written in the contract.
    pub mask: Vec<String>,
    /// Whether a recording that fails ends the session.
    pub strict: bool,
}

/// The terms of a session, from one grant.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who.
    pub identity: Identity,
    /// Under which sign-in.
    pub signin: SigninId,
    /// The grant that it runs under.
    pub grant: GrantId,
    /// The request that became the grant.
    pub request: RequestId,
    /// The contract's name.
    pub contract: String,
    /// Where to.
    pub target: TargetRoute,
    /// The login used on the target.
    pub account: String,
    /// How the gate signs in with it.
    pub login: Login,
    /// What may be done there, in the adapter's own words (see `Words`).
    pub allow: Vec<String>,
    /// The database to open (Postgres), already checked against what the grant covers.
    pub database: Option<String>,
    /// How it is recorded.
    pub record: RecordPolicy,
    /// Remaining times at which the client is told that the end is near, longest first.
    pub countdown: Vec<std::time::Duration>,
    /// The command that extends the grant, shown with the countdown; empty where none does.
    pub extend_hint: String,
}

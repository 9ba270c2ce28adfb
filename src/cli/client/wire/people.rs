//! People, their sign-ins and roles, as the API tells them.

use jiff::Timestamp;
use serde::Deserialize;

/// A person or service, as others see it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Who {
    /// The identity's id.
    #[serde(default, alias = "id")]
    pub identity: String,
    /// Verified, where there is one.
    #[serde(default)]
    pub email: Option<String>,
    /// As the provider tells it.
    #[serde(default)]
    pub name: Option<String>,
}

impl Who {
    /// The email, else the name, else the id.
    pub fn shown(&self) -> &str {
        self.email.as_deref().or(self.name.as_deref()).unwrap_or(&self.identity)
    }
}

/// `GET whoami`.
#[derive(Debug, Deserialize)]
pub struct Whoami {
    /// Who.
    pub identity: Who,
    /// Roles in Curfew.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The sign-in that asks.
    pub signin: WhoamiSignin,
}

/// The sign-in of [`Whoami`].
#[derive(Debug, Deserialize)]
pub struct WhoamiSignin {
    /// Its id.
    pub id: String,
    /// How.
    #[serde(default)]
    pub method: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An item of `GET signins`.
#[derive(Debug, Deserialize)]
pub struct Signin {
    /// Its id.
    pub id: String,
    /// Whose.
    #[serde(default)]
    pub identity: Who,
    /// How.
    #[serde(default)]
    pub method: String,
    /// From where.
    #[serde(default)]
    pub address: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was ended before that.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// Whether it is the one that asks.
    #[serde(default)]
    pub current: bool,
}

/// An item of `GET identities`.
#[derive(Debug, Deserialize)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// Verified, where there is one.
    #[serde(default)]
    pub email: Option<String>,
    /// As the provider tells it.
    #[serde(default)]
    pub name: Option<String>,
    /// `user` or `service`.
    #[serde(default)]
    pub kind: String,
    /// As the provider told at the last sign-in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether an admin shut it out.
    #[serde(default)]
    pub disabled: bool,
    /// When it last signed in.
    #[serde(default)]
    pub last_signin_at: Option<Timestamp>,
}

/// An item of `GET credentials`.
#[derive(Debug, Deserialize)]
pub struct Credential {
    /// Its name.
    pub user: String,
    /// Whose.
    pub email: String,
    /// The one target that it is good for.
    pub target: String,
    /// The one account there.
    pub account: String,
    /// Where it was asked for.
    #[serde(default)]
    pub address: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

/// What `POST credentials` answers.
#[derive(Deserialize)]
pub struct NewCredential {
    /// Its name.
    pub user: String,
    /// Its secret.
    pub password: String,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

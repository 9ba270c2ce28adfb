//! Who a contract speaks about: a person, with what their providers assert about them now.
//!
//! Owns comparing people, emails and groups. It never fetches anything: the caller brings current facts, and a
//! person whom the caller leaves out of [`People`] (disabled, unknown) has no rights at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use curfew_adapter::{Identity, IdentityKind};
use serde::{Deserialize, Serialize};

/// The key of a person. Linked identities share it, so that one human with two sign-ins is counted once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonKey(String);

impl PersonKey {
    /// Wraps the store's key of a person.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key as the store wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person as known at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The same for all linked identities.
    pub key: PersonKey,
    /// Verified emails, lower-cased; more than one where identities are linked, so that an exception made for
    /// one of them can't be walked around with another.
    pub emails: BTreeSet<String>,
    /// Groups that a provider may assert and does, compared exactly.
    pub groups: BTreeSet<String>,
    /// Human or program. A program never approves, and no group of people lets it in.
    pub kind: IdentityKind,
}

impl Person {
    /// A person with at most one email. Emails are lower-cased here, once.
    pub fn new<G: Into<String>>(
        key: PersonKey,
        email: Option<&str>,
        groups: impl IntoIterator<Item = G>,
        kind: IdentityKind,
    ) -> Self {
        Self {
            key,
            emails: email.map(fold_email).into_iter().collect(),
            groups: groups.into_iter().map(Into::into).collect(),
            kind,
        }
    }

    /// Adds the email of a linked identity.
    #[must_use]
    pub fn also(mut self, email: &str) -> Self {
        self.emails.insert(fold_email(email));
        self
    }

    /// What to call this person in a sentence: an email if there is one, else the key.
    #[must_use]
    pub fn name(&self) -> &str {
        self.emails.first().map_or(self.key.as_str(), String::as_str)
    }
}

impl From<&Identity> for Person {
    fn from(identity: &Identity) -> Self {
        let key = PersonKey::new(identity.person.clone());
        Self::new(key, Some(&identity.email), identity.groups.iter().cloned(), identity.kind)
    }
}

/// The form in which emails are compared. Only ASCII is folded: Unicode folding makes distinct addresses equal
/// (U+212A KELVIN SIGN folds to `k`), and would hand one person the rights of another.
#[must_use]
pub fn fold_email(email: &str) -> String {
    email.trim().to_ascii_lowercase()
}

/// The people whom a decision may look up, by key, with the groups they have now.
#[derive(Debug, Clone, Default)]
pub struct People(BTreeMap<PersonKey, Person>);

impl People {
    /// The person with this key, unless unknown or disabled.
    #[must_use]
    pub fn find(&self, key: &PersonKey) -> Option<&Person> {
        self.0.get(key)
    }

    /// Everyone, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.0.values()
    }
}

impl FromIterator<Person> for People {
    fn from_iter<I: IntoIterator<Item = Person>>(people: I) -> Self {
        Self(people.into_iter().map(|person| (person.key.clone(), person)).collect())
    }
}

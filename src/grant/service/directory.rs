//! Where the facts of now come from: people with their groups, targets with their labels.
//!
//! Owns the question, and how linked identities make up one person. It never remembers an answer.

use curfew_adapter::{Identity, IdentityKind};
use futures_util::future::BoxFuture;

use crate::contract::{Person, PersonKey, TargetFacts};
use crate::store::StoreError;

/// An identity, and whether it may do anything.
#[derive(Debug, Clone)]
pub struct Known {
    /// The identity, with the groups that it had at its last sign-in.
    pub identity: Identity,
    /// It was disabled.
    pub disabled: bool,
}

/// Looks people and targets up.
pub trait Directory: Send + Sync + 'static {
    /// All identities of this person, the disabled ones too.
    fn identities<'a>(&'a self, person: &'a PersonKey) -> BoxFuture<'a, Result<Vec<Known>, StoreError>>;

    /// The target of this name, as configured now.
    fn target(&self, name: &str) -> Option<TargetFacts>;
}

/// The person that these identities are; `None` where all of them are disabled. One of a program among them makes
/// them all a program: it has the lesser rights.
pub(super) fn person(known: &[Known]) -> Option<Person> {
    let mut identities = known.iter().filter(|known| !known.disabled).map(|known| &known.identity);
    let mut person = Person::from(identities.next()?);
    for other in identities {
        person = person.also(&other.email);
        person.groups.extend(other.groups.iter().cloned());
        if other.kind == IdentityKind::Service {
            person.kind = IdentityKind::Service;
        }
    }
    Some(person)
}

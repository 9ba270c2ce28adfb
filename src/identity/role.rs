//! Roles in Curfew itself, as the configuration gives them.
//!
//! Owns `admin` and `auditor`. Everybody who is signed in is a user; who is an approver, contracts say.

use curfew_adapter::{Identity, IdentityKind};

use crate::config;

/// The roles of one identity, beside that of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// May kill, revoke and disable; reads everything too.
    pub admin: bool,
    /// Reads everything.
    pub auditor: bool,
}

impl Roles {
    /// What the rules make of this identity. A program has no role.
    pub fn of(who: &Identity, rules: &config::Roles) -> Self {
        let person = who.kind == IdentityKind::User;
        let is = |members: &config::Members| person && members.contains(&who.person, &who.groups);
        Self { admin: is(&rules.admin), auditor: is(&rules.auditor) }
    }

    /// Whether it may read what is not its own.
    pub const fn reads_everything(self) -> bool {
        self.admin || self.auditor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Members;
    use curfew_adapter::IdentityId;

    #[test]
    fn a_role_comes_by_group_or_by_email_and_to_people_only() {
        let rules = config::Roles {
            admin: Members { groups: vec!["platform".into()], users: vec!["root@example.com".into()] },
            auditor: Members { groups: vec!["security".into()], users: Vec::new() },
        };
        let roles = |email: &str, groups: &[&str], kind| {
            let who = Identity {
                id: IdentityId::random(),
                person: crate::identity::person_key(email),
                email: email.to_owned(),
                name: email.to_owned(),
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
                kind,
            };
            Roles::of(&who, &rules)
        };
        use IdentityKind::{Service, User};
        assert!(roles("dave@example.com", &["platform"], User).admin);
        assert!(roles("root@EXAMPLE.com", &[], User).admin);
        assert!(roles("erin@example.com", &["security"], User).auditor);
        assert_eq!(roles("dave@example.com", &["platform", "security"], Service), Roles::default());
        assert_eq!(roles("x@example.com", &["Platform", "platform "], User), Roles::default());
    }
}

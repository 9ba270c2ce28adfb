//! `[[provider]]`: the OIDC providers and what each may assert; `[roles]`: who has which role in Curfew itself.

use std::path::Path;

use super::{SecretSource, refuse_twins, words};
use crate::contract::fold_email;
use crate::toml_doc::{Mark, Section, Value};

/// `[[provider]]`
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name, for pages, logs and metrics.
    pub name: String,
    /// The issuer, exactly as written: it is compared character by character (OpenID Connect Discovery 1.0, 4.3).
    pub issuer: String,
    /// Curfew's own id there.
    pub client_id: String,
    /// Curfew's own secret there; none for a public client.
    pub client_secret: Option<SecretSource>,
    /// The path to the groups in the claims, outermost first.
    pub groups_claim: Vec<String>,
    /// The email domains that it may assert, lower-cased.
    pub emails: Vec<String>,
    /// Those of them that another provider may assert too.
    pub shared: Vec<String>,
    /// The groups that it may assert; `None` for all.
    pub groups: Option<Vec<String>>,
    /// The scopes to ask for; `openid` is among them.
    pub scopes: Vec<String>,
    /// The only roots to trust for its certificate, as PEM; none for the machine's.
    pub ca: Option<Vec<u8>>,
}

impl Provider {
    /// Whether it may assert `email`: the domain counts as a whole, and subdomains are others.
    pub fn may_assert_email(&self, email: &str) -> bool {
        fold_email(email)
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && self.emails.iter().any(|one| one == domain))
    }

    /// Whether it may assert `group`.
    pub fn may_assert_group(&self, group: &str) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.iter().any(|one| one == group))
    }

    fn read(section: &Section<'_>, base: &Path, alone: bool) -> Option<(Self, Marks)> {
        let name = section.require("name", "\"example\"");
        let at = name.as_ref().map_or(section.mark(), Value::mark);
        let name = name.and_then(|value| words::name(&value));
        let issuer = section.require("issuer", "\"https://login.example.com\"").and_then(|value| {
            words::secure_url(&value)?;
            value.string()
        });
        let client_id = section.string("client_id", "\"curfew\"");
        let client_secret = section.get("client_secret").map(|value| SecretSource::read_value(&value, base));
        let groups_claim =
            section.get("groups_claim").map_or(Some(vec!["groups".to_owned()]), |value| claim_path(&value));
        let mut marks = Marks { name: at, emails: section.mark() };
        let emails = section.require("emails", "[\"example.com\"]").and_then(|value| {
            marks.emails = value.mark();
            let domains = value.list_of(words::domain)?;
            let named = !domains.is_empty();
            value.check(
                named
                    .then_some(domains)
                    .ok_or("must name at least one email domain that the provider may assert"),
            )
        });
        let shared = section.get("shared").map_or(Some(Vec::new()), |value| {
            let domains = value.list_of(words::domain)?;
            let own = |domain: &String| emails.as_ref().is_none_or(|emails| emails.contains(domain));
            let other = domains.iter().find(|domain| !own(domain)).cloned();
            let other = other.map(|domain| format!("names {domain}, which is not among `emails`"));
            value.check(other.map_or(Ok(domains), Err))
        });
        let groups = match section.get("groups") {
            Some(value) if value.is_string() => value.one_of(&[("any", None)]),
            Some(value) => value.strings().map(Some),
            None if alone => Some(None),
            None => {
                section.problem(
                    "with several providers, each needs `groups`: the groups that it may assert, or \"any\" for the one \
                     that you trust with all of them",
                );
                None
            }
        };
        let mut scopes = section.strings("scopes");
        if scopes.is_empty() {
            scopes = ["openid", "email", "profile"].map(str::to_owned).to_vec();
        } else if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        let ca = section.get("ca").map_or(Some(None), |value| {
            let path = super::resolve(base, &value.string()?);
            let unreadable = |error| format!("names {}, which can't be read: {error}", path.display());
            value.check(std::fs::read(&path).map_err(unreadable)).map(Some)
        });
        let client_secret = match client_secret {
            Some(read) => Some(read?),
            None => None,
        };
        let provider = Self {
            name: name?,
            issuer: issuer?,
            client_id: client_id?,
            client_secret,
            groups_claim: groups_claim?,
            emails: emails?,
            shared: shared?,
            groups: groups?,
            scopes,
            ca: ca?,
        };
        Some((provider, marks))
    }
}

pub(super) fn read_all(root: &Section<'_>, base: &Path) -> Vec<Provider> {
    let declared = root.get("provider");
    let count =
        declared.as_ref().filter(|value| value.is_list()).and_then(Value::list).map_or(0, |list| list.len());
    if declared.is_none() {
        root.problem(
            "missing section [[provider]]: without an OIDC provider nobody can sign in; it needs name, issuer, client_id, \
             client_secret and emails",
        );
    }
    let read = root.tables("provider", |section| Provider::read(section, base, count == 1));
    refuse_twins(root, "[[provider]]", read.iter().map(|(provider, at)| (provider.name.as_str(), at.name)));
    refuse_two_voices(root, &read);
    read.into_iter().map(|(provider, _)| provider).collect()
}

/// A person is their verified email: two providers that may assert one domain can each sign in as anybody there. That
/// is said on purpose, in both entries, or it is a mistake.
fn refuse_two_voices(root: &Section<'_>, read: &[(Provider, Marks)]) {
    for (n, (second, at)) in read.iter().enumerate() {
        for (first, _) in read.iter().take(n) {
            let both = |domain: &&String| first.emails.contains(domain);
            let meant = |domain: &&String| first.shared.contains(domain) && second.shared.contains(domain);
            for domain in second.emails.iter().filter(both).filter(|domain| !meant(domain)) {
                root.problem_at(
                    at.emails,
                    format!(
                        "{domain} may be asserted by the provider \"{}\" too, and then each of the two can sign in as \
                         anybody there; leave it to one of them, or, if you trust both alike, write \
                         `shared = [\"{domain}\"]` in both",
                        first.name
                    ),
                );
            }
        }
    }
}

/// Where things of an entry stand.
struct Marks {
    name: Mark,
    emails: Mark,
}

/// A dotted path, or a list for claims whose names have dots themselves.
fn claim_path(value: &Value<'_>) -> Option<Vec<String>> {
    if value.is_list() {
        return value.strings();
    }
    let text = value.string()?;
    let path: Vec<String> = text.split('.').map(str::to_owned).collect();
    let whole = path.iter().all(|part| !part.is_empty());
    value.check(whole.then_some(path).ok_or("must be a claim such as \"groups\" or \"realm_access.roles\""))
}

/// `[roles]`
#[derive(Debug, Clone, Default)]
pub struct Roles {
    /// May do everything, and are recorded doing it.
    pub admin: Members,
    /// May read everything.
    pub auditor: Members,
}

/// Who is in: by group or by email.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Groups, as providers assert them.
    pub groups: Vec<String>,
    /// Emails, lower-cased.
    pub users: Vec<String>,
}

impl Members {
    /// Whether someone with this email and these groups is in.
    pub fn contains(&self, email: &str, groups: &[String]) -> bool {
        let email = fold_email(email);
        self.users.contains(&email) || self.groups.iter().any(|group| groups.contains(group))
    }

    fn read(section: &Section<'_>) -> Option<Self> {
        let users = section.get("users").map_or(Some(Vec::new()), |value| value.list_of(words::email));
        Some(Self { groups: section.strings("groups"), users: users? })
    }
}

impl Roles {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let members = |key: &str| section.optional_table(key, Members::read).unwrap_or_default();
        Some(Self { admin: members("admin"), auditor: members("auditor") })
    }
}

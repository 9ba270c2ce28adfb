//! `[[target]]`: what is reached, how, and with which accounts.

mod account;
mod postgres;
mod ssh;
mod tls;

use std::{collections::BTreeMap, path::Path};

use curfew_adapter::{HostKeys, HostPort, PostgresRoute, Protocol, TargetTls};

use super::{refuse_twins, words};
use crate::contract::{Databases, TargetFacts};
use crate::toml_doc::{Mark, Section, Value};

pub use account::Account;
pub use tls::CertificateFiles;

/// `[[target]]`
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name: `psql -d NAME`.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it is; the first place, where there are several.
    pub address: HostPort,
    /// For contracts to match.
    pub labels: BTreeMap<String, String>,
    /// The databases that may be opened there; the first is opened where the client names none. Postgres; else none.
    pub databases: Vec<String>,
    /// How TLS is spoken to it, ready to use. Postgres.
    pub tls: TargetTls,
    /// By what it proves that it is the right one. SSH.
    pub host_keys: HostKeys,
    /// Its other hosts, and how the gate signs in there. Postgres.
    pub postgres: PostgresRoute,
    /// The logins that the gate holds there, at least one.
    pub accounts: Vec<Account>,
}

impl Target {
    /// The account called `name`, spelled exactly so.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// What contracts may know of it.
    pub fn facts(&self) -> TargetFacts {
        TargetFacts {
            name: self.name.clone(),
            protocol: self.protocol,
            labels: self.labels.clone(),
            databases: match self.databases.as_slice() {
                [] => Databases::Any,
                names => Databases::Only(names.iter().cloned().collect()),
            },
        }
    }

    fn read(section: &Section<'_>, base: &Path) -> Option<(Self, Mark)> {
        let name = section.require("name", "\"orders\"");
        let at = name.as_ref().map_or(section.mark(), Value::mark);
        let name = name.and_then(|value| words::name(&value));
        let protocol = section.require("protocol", "\"postgres\" or \"ssh\"").and_then(|value| {
            let known: Vec<_> = Protocol::ALL.iter().map(|protocol| (protocol.as_str(), *protocol)).collect();
            value.one_of(&known)
        });
        let address =
            section.require("address", "\"orders-db.internal:5432\"").and_then(|value| match protocol {
                Some(Protocol::Ssh) => words::host_port(&value).map(|only| (only, Vec::new())),
                Some(Protocol::Postgres) | None => postgres::addresses(&value),
            });
        let (address, more) = address.map_or((None, Vec::new()), |(first, more)| (Some(first), more));
        let labels = section.string_map("labels");
        let (databases, tls, host_keys, postgres) = match protocol {
            // Which keys belong here can't be known, so none of them is wrong.
            None => {
                let keys =
                    ["databases", "tls", "host_keys", "auth", "target_session_attrs", "max_protocol_version"];
                keys.iter().for_each(|key| drop(section.get(key)));
                (None, None, None, None)
            }
            Some(Protocol::Postgres) => (
                non_empty(section, "databases", "[\"orders\"]", object_name),
                section.table("tls", |section| tls::read_tls(section, base)),
                Some(HostKeys::default()),
                postgres::read(section, more),
            ),
            Some(Protocol::Ssh) => (
                Some(Vec::new()),
                ssh::no_tls(section).map(|tls| (tls, None)),
                section.table("host_keys", |keys| ssh::read_host_keys(keys, base)),
                Some(PostgresRoute::default()),
            ),
        };
        let (tls, certificate) = tls.map_or((None, None), |(tls, files)| (Some(tls), files));
        let accounts = non_empty(
            section,
            "accounts",
            "[{ name = \"orders_read\", secret = { file = \"secrets/orders_read\" } }]",
            |value| value.table(|section| Account::read(section, base, protocol, certificate.as_ref())),
        );
        if let Some(accounts) = &accounts {
            refuse_twins(
                section,
                "account",
                accounts.iter().map(|(account, at)| (account.name.as_str(), *at)),
            );
        }
        let target = Self {
            name: name?,
            protocol: protocol?,
            address: address?,
            labels,
            databases: databases?,
            tls: tls?,
            host_keys: host_keys?,
            postgres: postgres?,
            accounts: accounts?.into_iter().map(|(account, _)| account).collect(),
        };
        Some((target, at))
    }
}

pub(super) fn read_all(root: &Section<'_>, base: &Path) -> Vec<Target> {
    let read = root.tables("target", |section| Target::read(section, base));
    refuse_twins(root, "[[target]]", read.iter().map(|(target, at)| (target.name.as_str(), *at)));
    read.into_iter().map(|(target, _)| target).collect()
}

fn non_empty<T>(
    section: &Section<'_>,
    key: &str,
    example: &str,
    reader: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let value = section.require(key, example)?;
    let list = value.list_of(reader)?;
    let any = !list.is_empty();
    value.check(any.then_some(list).ok_or("must have at least one element"))
}

/// The name of a role or database: what Postgres takes, at most 63 bytes (Postgres manual, 4.1.1).
fn object_name(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    let fits = text.len() <= 63 && !text.chars().any(char::is_control);
    value.check(fits.then_some(text).ok_or("must be at most 63 bytes, without control characters"))
}

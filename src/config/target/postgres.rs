//! What only a Postgres target's entry has: several hosts, which of them will do, the proof of a password, the version.

use curfew_adapter::{HostPort, PasswordProof, PostgresRoute, SessionAttrs};

use crate::config::words;
use crate::toml_doc::{Section, Value};

/// Hosts of one target: more would not be tried within a client's patience.
const HOSTS: usize = 8;

/// `target_session_attrs`, as libpq spells them.
const ATTRS: [(&str, SessionAttrs); 6] = [
    ("any", SessionAttrs::Any),
    ("read-write", SessionAttrs::ReadWrite),
    ("read-only", SessionAttrs::ReadOnly),
    ("primary", SessionAttrs::Primary),
    ("standby", SessionAttrs::Standby),
    ("prefer-standby", SessionAttrs::PreferStandby),
];

/// `auth`, in the words of pg_hba.conf and of SASL.
const PROOFS: [(&str, PasswordProof); 3] = [
    ("scram-sha-256-plus", PasswordProof::ScramPlus),
    ("scram-sha-256", PasswordProof::Scram),
    ("md5", PasswordProof::Md5),
];

/// `address`: one host, or a list of hosts in the order of trying. The first, and the others.
pub(super) fn addresses(value: &Value<'_>) -> Option<(HostPort, Vec<HostPort>)> {
    if !value.is_list() {
        return words::host_port(value).map(|only| (only, Vec::new()));
    }
    let mut hosts = value.list_of(words::host_port)?.into_iter();
    let Some(first) = hosts.next() else {
        value.problem("must have at least one element");
        return None;
    };
    let others: Vec<_> = hosts.collect();
    if others.len() >= HOSTS {
        value.problem(format_args!("must name at most {HOSTS} hosts"));
        return None;
    }
    let twice = others
        .iter()
        .enumerate()
        .any(|(n, host)| *host == first || others.iter().skip(n + 1).any(|o| o == host));
    value.check(if twice { Err("names a host twice") } else { Ok(()) })?;
    Some((first, others))
}

/// The rest of it, where `more` are the hosts behind the first.
pub(super) fn read(section: &Section<'_>, more: Vec<HostPort>) -> Option<PostgresRoute> {
    let wanted = section
        .get("target_session_attrs")
        .map_or(Some(SessionAttrs::default()), |value| value.one_of(&ATTRS));
    let weakest = section.get("auth").map_or(Some(PasswordProof::default()), |value| value.one_of(&PROOFS));
    let minor =
        section.get("max_protocol_version").map_or(Some(0), |value| value.one_of(&[("3.0", 0), ("3.2", 2)]));
    Some(PostgresRoute { more, wanted: wanted?, weakest: weakest?, minor: minor? })
}

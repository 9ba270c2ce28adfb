//! The startup parameters: what they ask for, and which of them the target will see.
//!
//! Parameters go through an allowlist and reach only the target, after admission: nothing here is ever
//! run before (pgbouncer CVE-2025-12819). Where something is missing, it is never guessed: an empty
//! database is not the user's name (Teleport PR 45178).

use super::{Sentence, options};
use crate::codec::startup::Startup;
use curfew_adapter::Ask;

/// Settings that a client may make at startup. Each is one that any role may set by itself.
const SETTINGS: &[&str] = &[
    "application_name",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "DateStyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "geqo",
    "idle_in_transaction_session_timeout",
    "IntervalStyle",
    "jit",
    "lock_timeout",
    "search_path",
    "standard_conforming_strings",
    "statement_timeout",
    "TimeZone",
    "work_mem",
];

/// The program that shows notices as they come, and so can wait for a person.
const WAITS: &str = "psql";

/// The setting that chooses how the client signs in. It is the gate's own: no target sees it.
const AUTH: &str = "curfew.auth";

/// What a client asks for, and with which settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// What it asks for.
    pub ask: Ask,
    /// Settings for the target.
    pub settings: Vec<(String, String)>,
    /// Protocol options that are not known here; the client is told so.
    pub unknown_options: Vec<String>,
    /// Whether it wants to sign in by a token.
    pub by_token: bool,
}

/// Reads a startup message. `named` is the target that the client named in TLS, by the host that it called.
///
/// # Errors
/// The sentence to refuse it with.
pub fn read(startup: Startup, named: Option<String>) -> Result<Parameters, Box<Sentence>> {
    let (mut user, mut database, mut auth) = (None, None, None);
    let mut settings: Vec<(String, String)> = Vec::new();
    let mut unknown_options = Vec::new();
    for (name, value) in startup.parameters {
        match name.as_str() {
            "user" => once(&mut user, &name, value)?,
            "database" => once(&mut database, &name, value)?,
            "replication" => replication(&value)?,
            "options" => {
                for (name, value) in options::parse(&value)? {
                    if name.eq_ignore_ascii_case(AUTH) {
                        once(&mut auth, AUTH, value)?;
                    } else {
                        setting(&mut settings, &name, value)?;
                    }
                }
            }
            _ if name.starts_with("_pq_.") => unknown_options.push(name),
            _ => setting(&mut settings, &name, value)?,
        }
    }
    let by_token = match auth.as_deref() {
        None => false,
        Some("oauth") => true,
        Some(other) => {
            return Err(Box::new(Sentence::new(
                "0A000",
                format!("curfew: there is no way to sign in that is called `{}`", shown(other)),
                "There is options='-c curfew.auth=oauth', for clients that bring a token; leave it out for all others.",
            )));
        }
    };
    let account = user.filter(|user| !user.is_empty()).ok_or_else(|| {
        missing("the connection names no account", "Give the account as the user: psql -U ACCOUNT -d TARGET.")
    })?;
    let (target, database) = place(database, named)?;
    let program = settings.iter().find(|(name, _)| name == "application_name");
    let program = program.map(|(_, value)| value.clone()).unwrap_or_default();
    let can_wait = program == WAITS;
    Ok(Parameters {
        ask: Ask { target, account, database, program, can_wait, can_answer: false },
        settings,
        unknown_options,
        by_token,
    })
}

/// The target and its database: `TARGET` or `TARGET/DATABASE`, and the database alone where the host has named the target.
fn place(database: Option<String>, named: Option<String>) -> Result<(String, Option<String>), Box<Sentence>> {
    let database = database.filter(|database| !database.is_empty());
    match (database, named) {
        (None, Some(target)) => Ok((target, None)),
        (None, None) => Err(missing(
            "the connection names no target",
            "Give the target as the database: psql -d TARGET, or -d TARGET/DATABASE.",
        )),
        (Some(database), named) => match (database.split_once('/'), named) {
            (None, Some(target)) => Ok((target, Some(database))),
            (None, None) => Ok((database, None)),
            (Some((target, database)), None) if !target.is_empty() && !database.is_empty() => {
                Ok((target.to_owned(), Some(database.to_owned())))
            }
            (Some((target, database)), Some(named)) if target == named && !database.is_empty() => {
                Ok((named, Some(database.to_owned())))
            }
            (Some((target, database)), Some(named)) if !target.is_empty() && !database.is_empty() => {
                let (named, target) = (shown(&named), shown(target));
                Err(missing(
                    &format!("the host names the target {named}, and the database the target {target}"),
                    "Under a target's own host the database is named alone: -d DATABASE.",
                ))
            }
            (Some(_), _) => Err(missing(
                "one side of the `/` in the database's name is empty",
                "Write -d TARGET, or -d TARGET/DATABASE.",
            )),
        },
    }
}

fn once(place: &mut Option<String>, name: &str, value: String) -> Result<(), Box<Sentence>> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(repeated(name)),
    }
}

fn setting(settings: &mut Vec<(String, String)>, name: &str, value: String) -> Result<(), Box<Sentence>> {
    // Names of settings are the same in any case.
    let Some(known) = SETTINGS.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
        return Err(Box::new(Sentence::new(
            "0A000",
            format!("curfew: the setting `{}` can't be made while connecting", shown(name)),
            "Leave it out of the connection's options, and SET it once connected.",
        )));
    };
    if settings.iter().any(|(name, _)| name == known) {
        return Err(repeated(known));
    }
    settings.push(((*known).to_owned(), value));
    Ok(())
}

fn replication(value: &str) -> Result<(), Box<Sentence>> {
    // Whatever Postgres reads as false is an ordinary session.
    if ["false", "off", "no", "0"].iter().any(|off| off.eq_ignore_ascii_case(value)) {
        return Ok(());
    }
    Err(Box::new(Sentence::new(
        "0A000",
        "curfew: replication does not pass through this gate",
        "Connect without the replication parameter.",
    )))
}

fn repeated(name: &str) -> Box<Sentence> {
    Box::new(Sentence::new(
        "08P01",
        format!("curfew: the parameter `{}` is given twice, so it is not clear what is meant", shown(name)),
        "Give each parameter once.",
    ))
}

fn missing(what: &str, hint: &str) -> Box<Sentence> {
    Box::new(Sentence::new("28000", format!("curfew: {what}"), hint))
}

/// A name that a stranger chose, safe to show.
pub fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(63).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn startup(parameters: &[(&str, &str)]) -> Startup {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Startup { minor: 0, parameters: parameters.iter().map(own).collect() }
    }

    fn code(parameters: &[(&str, &str)]) -> &'static str {
        read(startup(parameters), None).unwrap_err().code
    }

    #[test]
    fn an_empty_database_never_becomes_the_user_name() {
        assert_eq!(code(&[("user", "u")]), "28000");
        assert_eq!(code(&[("user", "u"), ("database", "")]), "28000");
        assert_eq!(code(&[("database", "d")]), "28000");
        assert_eq!(code(&[("user", ""), ("database", "d")]), "28000");
        assert_eq!(code(&[("user", "u"), ("database", "d/")]), "28000");
        assert_eq!(code(&[("user", "u"), ("database", "/d")]), "28000");
    }

    #[test]
    fn the_database_names_the_target() {
        let found = read(
            startup(&[("user", "U"), ("database", "orders/Main/x"), ("application_name", "psql")]),
            None,
        );
        let ask = found.unwrap().ask;
        assert_eq!((ask.target.as_str(), ask.account.as_str()), ("orders", "U"));
        assert_eq!(ask.database.as_deref(), Some("Main/x"));
        assert!(ask.can_wait);
        let found = read(startup(&[("user", "u"), ("database", "d"), ("application_name", "psql ")]), None);
        assert!(!found.unwrap().ask.can_wait);
    }

    #[test]
    fn a_targets_own_host_names_it_and_leaves_the_database_to_itself() {
        let read = |database: &[(&str, &str)]| {
            let all = [&[("user", "u")], database].concat();
            read(startup(&all), Some("orders".to_owned()))
                .map(|found| (found.ask.target, found.ask.database))
                .map_err(|sentence| (sentence.code, sentence.notice.message))
        };
        let orders = |database: Option<&str>| Ok(("orders".to_owned(), database.map(str::to_owned)));
        assert_eq!(read(&[]), orders(None));
        assert_eq!(read(&[("database", "")]), orders(None));
        assert_eq!(read(&[("database", "main")]), orders(Some("main")));
        assert_eq!(read(&[("database", "orders")]), orders(Some("orders")));
        assert_eq!(read(&[("database", "orders/main")]), orders(Some("main")));
        for (other, word) in
            [("billing/main", "billing"), ("Orders/main", "Orders"), ("orders/", "empty"), ("/main", "empty")]
        {
            let (code, message) = read(&[("database", other)]).unwrap_err();
            assert!(code == "28000" && message.contains(word), "{message}");
        }
    }

    #[test]
    fn repeated_parameters_are_refused() {
        let base = [("user", "u"), ("database", "d")];
        assert_eq!(code(&[base[0], base[1], ("user", "v")]), "08P01");
        assert_eq!(code(&[base[0], base[1], ("timezone", "UTC"), ("TimeZone", "UTC")]), "08P01");
        assert_eq!(code(&[base[0], base[1], ("jit", "on"), ("options", "-c JIT=off")]), "08P01");
        let twice = "-c curfew.auth=oauth -c Curfew.Auth=oauth";
        assert_eq!(code(&[base[0], base[1], ("options", twice)]), "08P01");
    }

    #[test]
    fn hostile_options_are_refused() {
        let base = [("user", "u"), ("database", "d")];
        for hostile in ["-c session_preload_libraries=x", "-c role=admin", "-d 5", "-c", "--", "-c x"] {
            assert_eq!(code(&[base[0], base[1], ("options", hostile)]), "0A000", "{hostile}");
        }
        assert_eq!(code(&[base[0], base[1], ("replication", "database")]), "0A000");
        assert_eq!(code(&[base[0], base[1], ("role", "admin")]), "0A000");
        for hostile in
            ["-c curfew.auth=trust", "-c curfew.auth=", "-c curfew.auth=OAUTH", "-c curfew.other=oauth"]
        {
            assert_eq!(code(&[base[0], base[1], ("options", hostile)]), "0A000", "{hostile}");
        }
        let fine = "-c statement_timeout=5s --search-path=a\\ b -cgeqo=off";
        let found = read(startup(&[base[0], base[1], ("options", fine)]), None).unwrap();
        let expected = [("statement_timeout", "5s"), ("search_path", "a b"), ("geqo", "off")];
        assert_eq!(found.settings, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
    #[test]
    fn how_to_sign_in_is_no_setting_of_the_target() {
        let base = [("user", "u"), ("database", "d")];
        let options = ("options", "-c jit=off -c curfew.auth=oauth");
        let found = read(startup(&[base[0], base[1], options]), None).unwrap();
        assert!(found.by_token);
        assert_eq!(found.settings, [("jit".to_owned(), "off".to_owned())]);
        assert!(!read(startup(&base), None).unwrap().by_token);
    }
}

//! What an operator wants to know of a target before anybody depends on it: whether it lets the gate in and by which proof,
//! what the account could do there beside its work, and whether it gets in from elsewhere too. It signs in and reads the
//! catalog; it changes nothing.

use super::connect::{Begin, Target, connect};
use super::place::Place;
use super::wire::Wire;
use super::{Failure, KeyCache};
use crate::codec::{Cursor, backend, frontend, report};
use curfew_adapter::{GuardedSocket, HostPort, PasswordProof, PostgresRoute, Secret, TargetTls};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// How long each connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An account on one host of a target, as the gate would reach it.
#[derive(Clone, Copy)]
pub struct Check<'a> {
    /// The target's name.
    pub target: &'a str,
    /// Where.
    pub host: &'a HostPort,
    /// How TLS is spoken there, with the account's certificate where it has one.
    pub tls: &'a TargetTls,
    /// How passwords are proved.
    pub route: &'a PostgresRoute,
    /// The account.
    pub account: &'a str,
    /// A database of the target.
    pub database: &'a str,
    /// Its password; none where it signs in by certificate.
    pub secret: Option<&'a Secret>,
    /// Other addresses of this machine, from which it should not get in.
    pub elsewhere: &'a [IpAddr],
}

impl fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("host", self.host)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The account, where it was let in; else why it was not.
    pub account: Result<Inside, String>,
    /// What came of trying from each of the other addresses.
    pub elsewhere: Vec<(IpAddr, Elsewhere)>,
}

/// What an account that is in sees of itself and of the server.
#[derive(Clone, Debug, Default)]
pub struct Inside {
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// How its password was proved; none where none was asked for.
    pub proved: Option<PasswordProof>,
    /// The address that the gate comes from, as the server sees it.
    pub comes_from: Option<IpAddr>,
    /// Rights that lead further than the account's work: the words of CREATE ROLE, and predefined roles.
    pub rights: Vec<String>,
    /// How the server stores passwords that are set from now on.
    pub password_encryption: String,
    /// The rules of pg_hba.conf, in their order, where the account may read them.
    pub rules: Option<Vec<Rule>>,
    /// The roles that it is a member of, itself included.
    pub roles: Vec<String>,
}

/// A line of pg_hba.conf (Postgres manual, 54.7, `pg_hba_file_rules`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its number.
    pub line: String,
    /// `local`, `host`, `hostssl`…
    pub kind: String,
    /// Its databases.
    pub databases: Vec<String>,
    /// Its users.
    pub users: Vec<String>,
    /// An address, `all`, `samehost`, `samenet` or a name; none for `local`.
    pub address: Option<String>,
    /// The mask of the address, where it has one.
    pub mask: Option<String>,
    /// `scram-sha-256`, `reject`…
    pub method: String,
}

/// What came of trying to get in from another address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// The server does not take the account from there.
    Refused,
    /// It lets the account in.
    LetIn,
    /// It goes as far as asking for a proof, so that whoever has one gets in.
    Asked(String),
    /// Nobody knows.
    Unknown(String),
}

/// Looks.
///
/// # Errors
/// Where the host can't be reached at all.
pub async fn check(asked: &Check<'_>) -> Result<Findings, String> {
    let addresses = asked.host.resolve().await.map_err(|error| error.to_string())?;
    let Some(&address) = addresses.first() else { return Err("its name stands for no address".to_owned()) };
    let keys = KeyCache::default();
    let socket = dial(address, None).await.map_err(|error| error.to_string())?;
    let account = match open(asked, address, socket, &keys).await {
        Ok(target) => look(target).await,
        Err(failure) => Err(failure.cause),
    };
    let mut elsewhere = Vec::new();
    for from in asked.elsewhere {
        let found = match dial(address, Some(*from)).await {
            Ok(socket) => match open(asked, address, socket, &keys).await {
                Ok(_) => Elsewhere::LetIn,
                Err(failure) => judge(failure),
            },
            Err(error) => Elsewhere::Unknown(error.to_string()),
        };
        elsewhere.push((*from, found));
    }
    Ok(Findings { account, elsewhere })
}

/// Postgres names pg_hba.conf where a line of it, or the want of one, refuses, in whatever language it speaks.
fn judge(failure: Failure) -> Elsewhere {
    let said = failure.cause.strip_prefix("it says: ");
    if said.is_some_and(|said| said.contains("pg_hba.conf")) {
        Elsewhere::Refused
    } else if failure.conclusive {
        Elsewhere::Asked(failure.cause)
    } else {
        Elsewhere::Unknown(failure.cause)
    }
}

async fn dial(to: SocketAddr, from: Option<IpAddr>) -> io::Result<GuardedSocket> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = timeout(PATIENCE, socket.connect(to)).await.map_err(io::Error::from)??;
    Ok(GuardedSocket::new(stream))
}

async fn open(
    asked: &Check<'_>,
    address: SocketAddr,
    socket: GuardedSocket,
    keys: &KeyCache,
) -> Result<Target, Failure> {
    let Check { target, host, tls, route, account, database, secret, .. } = *asked;
    let place = Place { host: host.clone(), address, tls: tls.clone() };
    let settings = [
        ("search_path".to_owned(), "pg_catalog".to_owned()),
        ("application_name".to_owned(), "curfew".to_owned()),
    ];
    let begin =
        Begin { target, account, database, route, settings: &settings, secret, keys, asks_state: false };
    match timeout(PATIENCE, connect(socket, place, begin)).await {
        Ok(done) => done,
        Err(_) => Err(Failure::unreachable(target, "it was not ready within 10 seconds")),
    }
}

/// The rights of the account and of every role that it could become (SET ROLE).
const RIGHTS: &str = "SELECT r.rolname, r.rolsuper, r.rolcreaterole, r.rolreplication, r.rolbypassrls, \
     r.rolname = session_user FROM pg_catalog.pg_roles r \
     WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER') ORDER BY r.rolname <> session_user, r.rolname";

/// Where it comes from, and how passwords are stored.
const SETTINGS: &str = "SELECT pg_catalog.host(pg_catalog.inet_client_addr()), \
     pg_catalog.current_setting('password_encryption')";

/// Lists with an unlikely character between.
const RULES: &str = "SELECT line_number, type, pg_catalog.array_to_string(database, E'\\x1f'), \
     pg_catalog.array_to_string(user_name, E'\\x1f'), address, netmask, auth_method \
     FROM pg_catalog.pg_hba_file_rules WHERE error IS NULL ORDER BY line_number";

/// Predefined roles that lead out of the database, or into others' sessions (Postgres manual, 22.5).
const PREDEFINED: [&str; 4] =
    ["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files", "pg_signal_backend"];

async fn look(target: Target) -> Result<Inside, String> {
    let (encrypted, proved) = (target.stream.peer_certificates().is_some(), target.proved);
    let mut wire = Wire::new(target.stream);
    let mut inside = Inside { encrypted, proved, ..Inside::default() };
    for row in rows(&mut wire, RIGHTS).await? {
        let [Some(name), superuser, createrole, replication, bypassrls, itself] = row.as_slice() else {
            return Err("its catalog is not that of Postgres".to_owned());
        };
        let yes = |value: &Option<String>| value.as_deref() == Some("t");
        inside.roles.push(name.clone());
        let attributes = [
            (superuser, "SUPERUSER"),
            (createrole, "CREATEROLE"),
            (replication, "REPLICATION"),
            (bypassrls, "BYPASSRLS"),
        ];
        let becomes = if yes(itself) { String::new() } else { format!(", by way of the role {name}") };
        for (_, word) in attributes.iter().filter(|(value, _)| yes(value)) {
            inside.rights.push(format!("{word}{becomes}"));
        }
        if yes(superuser) && yes(itself) {
            // A superuser is a member of everything, and needs none of it.
            inside.rights = vec!["SUPERUSER".to_owned()];
            break;
        }
        if PREDEFINED.contains(&name.as_str()) {
            inside.rights.push(name.clone());
        }
    }
    if let [row] = rows(&mut wire, SETTINGS).await?.as_mut_slice()
        && let [from, encryption] = row.as_mut_slice()
    {
        inside.comes_from = from.take().and_then(|text| text.parse().ok());
        inside.password_encryption = encryption.take().unwrap_or_default();
    }
    // The account is not expected to be allowed to.
    inside.rules = rows(&mut wire, RULES).await.ok().map(|rows| rows.into_iter().filter_map(rule).collect());
    let mut out = Vec::new();
    frontend::terminate(&mut out);
    // Whether it hears that or sees the close is all the same.
    let _ = wire.send(&out).await;
    Ok(inside)
}

fn rule(row: Row) -> Option<Rule> {
    let [line, kind, databases, users, address, mask, method] = <[Option<String>; 7]>::try_from(row).ok()?;
    let list = |text: Option<String>| text.unwrap_or_default().split('\x1f').map(str::to_owned).collect();
    Some(Rule {
        line: line?,
        kind: kind?,
        databases: list(databases),
        users: list(users),
        address,
        mask,
        method: method?,
    })
}

type Row = Vec<Option<String>>;

/// The rows of a simple query.
async fn rows(wire: &mut Wire, sql: &str) -> Result<Vec<Row>, String> {
    let mut out = Vec::new();
    frontend::write_query(&mut out, sql);
    timeout(PATIENCE, async {
        wire.send(&out).await.map_err(|error| error.to_string())?;
        let (mut found, mut failed) = (Vec::new(), None);
        loop {
            let (tag, body) = wire.message().await.map_err(|error| error.to_string())?;
            match tag {
                backend::DATA_ROW => found.push(row(body).ok_or("it sends a row that is none")?),
                backend::ERROR => failed = Some(report::read(body).message.into_owned()),
                backend::READY => return failed.map_or(Ok(found), Err),
                _ => {}
            }
        }
    })
    .await
    .unwrap_or_else(|_| Err("it does not answer within 10 seconds".to_owned()))
}

fn row(body: &[u8]) -> Option<Row> {
    let mut cursor = Cursor::new(body);
    let columns = cursor.count().ok()?;
    let mut row = Row::new();
    for _ in 0..columns {
        row.push(match cursor.int32().ok()? {
            -1 => None,
            length => {
                let value = cursor.take(usize::try_from(length).ok()?).ok()?;
                Some(String::from_utf8_lossy(value).into_owned())
            }
        });
    }
    Some(row)
}

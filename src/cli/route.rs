//! The way to a target with libpq: host, port, database, user, and the files that sign in.
//!
//! Owns which connection parameters there are (Postgres manual, 34.1.2). There is no secret among them: the
//! key is named by its path.

use super::CliError;
use super::client::wire::{Gate, Target};
use super::client::{Client, Saved};
use super::context::Context;
use super::output::clean;
use super::{certificate, context::Common};
use crate::toml_doc::closest;
use crate::ways::{self, Place};

/// The parameters, in the order in which they are shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Route(Vec<(&'static str, String)>);

impl Route {
    /// Finds the way, and sees to it that the certificate holds for a while.
    ///
    /// # Errors
    /// Not signed in, not reached, or it is not clear which account is meant.
    pub async fn find(
        common: &Common,
        target: &str,
        account: Option<&str>,
        cx: &Context,
    ) -> Result<Self, CliError> {
        let saved = cx.saved(common)?;
        let client = Client::signed_in(&saved)?;
        let account = account_on(&client, target, "postgres", account).await?;
        certificate::keep(&client, &saved, cx.out.now()).await?;
        let gate: Gate = client.get(&["gate"], &[]).await?.read()?;
        let listener =
            gate.listeners.iter().find(|listener| listener.protocol == "postgres").ok_or_else(|| {
                CliError::failed(format!("the gate at {} has no listener for Postgres", client.url()))
            })?;
        Self::to(&listener.address, target, account, &saved)
    }

    fn to(address: &str, target: &str, account: String, saved: &Saved) -> Result<Self, CliError> {
        let (host, port) = host_port(address)?;
        let path = |path: std::path::PathBuf| path.display().to_string();
        Ok(Self(vec![
            ("host", host),
            ("port", port.to_string()),
            ("dbname", target.to_owned()),
            ("user", account),
            ("sslmode", "verify-full".to_owned()),
            ("sslrootcert", path(saved.authority_path())),
            ("sslcert", path(saved.certificate_path())),
            ("sslkey", path(saved.key_path())),
        ]))
    }

    /// Name and value of each parameter.
    pub fn parameters(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// One of them.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// As one connection string.
    pub fn conninfo(&self) -> String {
        ways::conninfo(&self.0)
    }

    /// As a section of pg_service.conf.
    pub fn service(&self, name: &str) -> String {
        ways::service(name, &self.0)
    }

    /// Where it leads.
    pub fn place(&self) -> Place<'_> {
        Place {
            host: self.get("host"),
            port: self.get("port").parse().unwrap_or_default(),
            database: self.get("dbname"),
        }
    }
}

/// Host and port of a listener.
///
/// # Errors
/// They are not those of one plain host.
pub fn host_port(address: &str) -> Result<(String, u16), CliError> {
    let (host, port) = ways::host_port(address).ok_or_else(|| {
        CliError::failed(format!("the gate's address {} is not understood", clean(address)))
    })?;
    Ok((host.to_owned(), port))
}

/// The account that is meant: the one that is named, or else the only one, or the only one that is open now.
///
/// # Errors
/// It is not clear which; or the target is unknown, or speaks something else.
pub async fn account_on(
    client: &Client,
    target: &str,
    protocol: &str,
    named: Option<&str>,
) -> Result<String, CliError> {
    if let Some(account) = named {
        return Ok(account.to_owned());
    }
    let name = target.split_once('/').map_or(target, |(name, _)| name);
    let targets: Vec<Target> = client.list(&["targets"], &[]).await?.read()?;
    let Some(found) = targets.iter().find(|target| target.name == name) else {
        let near = closest(name, targets.iter().map(|target| target.name.as_str()));
        let hint = near.map_or_else(
            || "`curfew targets` lists them".to_owned(),
            |near| format!("did you mean `{}`?", clean(near)),
        );
        let unknown = format!("no target `{}` is known that you may reach or ask for", clean(name));
        return Err(CliError::failed(unknown).hint(hint));
    };
    if found.protocol != protocol {
        let command = if found.protocol == "ssh" { "ssh" } else { "psql" };
        return Err(CliError::usage(format!(
            "the target `{}` speaks {}",
            clean(name),
            clean(&found.protocol)
        ))
        .hint(format!("type `curfew {command} {}`", clean(target))));
    }
    let open: Vec<_> = found.accounts.iter().filter(|account| account.grant.is_some()).collect();
    match (open.as_slice(), found.accounts.as_slice()) {
        ([one], _) => Ok(one.name.clone()),
        (_, [one]) => Ok(one.name.clone()),
        (_, all) => {
            let names: Vec<_> = all.iter().map(|account| clean(&account.name)).collect();
            Err(CliError::usage(format!(
                "the target `{}` has several accounts: {}",
                clean(name),
                names.join(", ")
            ))
            .hint(format!("name one with `--as {}`", names.first().map_or("ACCOUNT", String::as_str))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::{GateUrl, Home};

    fn route(address: &str, target: &str) -> Result<Route, CliError> {
        let saved =
            Home::at("/home/o'neil/.config/curfew").gate(&GateUrl::parse("gate.example.com").unwrap());
        Route::to(address, target, "orders_read".to_owned(), &saved)
    }

    #[test]
    fn a_path_with_a_quote_survives() {
        let conninfo = route("gate.example.com:5432", "orders").unwrap().conninfo();
        assert_eq!(
            conninfo,
            "host=gate.example.com port=5432 dbname=orders user=orders_read sslmode=verify-full \
             sslrootcert='/home/o\\'neil/.config/curfew/gate.example.com/ca.pem' \
             sslcert='/home/o\\'neil/.config/curfew/gate.example.com/client.crt' \
             sslkey='/home/o\\'neil/.config/curfew/gate.example.com/client.key'"
        );
    }

    #[test]
    fn a_database_on_the_target_stays_in_one_value() {
        let conninfo = route("[::1]:5432", "orders/sales host=evil").unwrap().conninfo();
        assert!(conninfo.starts_with("host=::1 port=5432 dbname='orders/sales host=evil' "), "{conninfo}");
    }
}

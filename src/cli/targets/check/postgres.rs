//! `curfew targets check` of a Postgres server: each account on each host, as the gate would reach it.
//!
//! It changes nothing: what an account could do is read from the catalog, and what pg_hba.conf says is read where one of the
//! accounts may, else tried from other addresses of this machine.

use std::net::{IpAddr, Ipv4Addr};

use curfew_adapter::{HostPort, Login, PasswordProof, TargetTls, TlsMode};
use curfew_postgres::check::{Check, Elsewhere, Findings, Inside, Rule, check};

use super::{hba, say};
use crate::cli::CliError;
use crate::cli::context::Context;
use crate::cli::output::{Output, clean};
use crate::config::{Account, Target};

/// Looks at these accounts of `target`, and gives how much is not as it should be.
///
/// # Errors
/// A host can't be reached, or a secret can't be read.
pub async fn run(
    target: &Target,
    accounts: &[&Account],
    from: &[IpAddr],
    cx: &mut Context,
) -> Result<usize, CliError> {
    let mut wrong = 0;
    for host in std::iter::once(&target.address).chain(&target.postgres.more) {
        cx.out.line(format!("{} at {host}", target.name))?;
        let elsewhere = elsewhere(host, from).await;
        let mut found = Vec::new();
        for account in accounts {
            found.push((*account, look(target, host, account, &elsewhere).await?));
        }
        wrong += tls(target, &mut cx.out)?;
        // One account that may read the rules is enough for all.
        let rules = found.iter().find_map(|(_, findings)| findings.account.as_ref().ok()?.rules.clone());
        for (account, findings) in &found {
            let mut tell = Tell { target, account, out: &mut cx.out, wrong: 0 };
            tell.all(findings, rules.as_deref())?;
            wrong += tell.wrong;
        }
    }
    Ok(wrong)
}

/// Where else to try from: what was asked for, else another address of loopback where the target is there.
async fn elsewhere(host: &HostPort, from: &[IpAddr]) -> Vec<IpAddr> {
    if !from.is_empty() {
        return from.to_vec();
    }
    let addresses = host.resolve().await.unwrap_or_default();
    match addresses.first().map(std::net::SocketAddr::ip) {
        Some(IpAddr::V4(ip)) if ip.is_loopback() => vec![Ipv4Addr::new(127, 0, 0, 2).into()],
        _ => Vec::new(),
    }
}

async fn look(
    target: &Target,
    host: &HostPort,
    account: &Account,
    elsewhere: &[IpAddr],
) -> Result<Findings, CliError> {
    let failed = |what: &str, why: &str| {
        CliError::failed(format!("the {what} of {} can't be read: {}", account.name, clean(why)))
    };
    let secret = match &account.secret {
        Some(source) => Some(source.read().await.map_err(|error| failed("secret", &error.to_string()))?),
        None => None,
    };
    let tls: TargetTls = match &account.certificate {
        Some(files) => {
            let certificate = files.read().await.map_err(|error| failed("certificate", &error))?;
            target.tls.showing(certificate).map_err(|error| failed("certificate", &error.to_string()))?
        }
        None => target.tls.clone(),
    };
    let asked = Check {
        target: &target.name,
        host,
        tls: &tls,
        route: &target.postgres,
        account: &account.name,
        database: target.databases.first().map_or("postgres", String::as_str),
        secret: secret.as_ref(),
        elsewhere,
    };
    check(&asked).await.map_err(|cause| {
        CliError::unreachable(format!("{} at {host} can't be reached: {}", target.name, clean(&cause)))
            .hint("check its address, and that the gate's machine may connect there")
    })
}

/// How far the connection itself can be trusted.
fn tls(target: &Target, out: &mut Output) -> Result<usize, CliError> {
    let mut wrong = 0;
    let (fine, text) = match target.tls.mode() {
        TlsMode::VerifyFull => (true, "its certificate is checked in full"),
        TlsMode::VerifyCa => {
            (true, "its certificate is checked, its name is not (tls.mode = \"verify-full\")")
        }
        TlsMode::Require => (false, "its certificate is not checked (tls.mode = \"verify-full\", tls.ca)"),
        TlsMode::Prefer => {
            (false, "whoever is in between may take TLS away (tls.mode = \"verify-full\", tls.ca)")
        }
        TlsMode::Disable => (false, "the connection is not encrypted (tls.mode = \"verify-full\", tls.ca)"),
    };
    say(out, &mut wrong, fine, text)?;
    Ok(wrong)
}

/// Tells one account.
struct Tell<'a> {
    target: &'a Target,
    account: &'a Account,
    out: &'a mut Output,
    wrong: usize,
}

impl Tell<'_> {
    fn say(&mut self, fine: bool, text: &str) -> Result<(), CliError> {
        let text = format!("{}: {}", self.account.name, clean(text));
        say(self.out, &mut self.wrong, fine, &text)
    }

    fn all(&mut self, findings: &Findings, rules: Option<&[Rule]>) -> Result<(), CliError> {
        match &findings.account {
            Err(cause) => self.say(false, &format!("the gate is not let in: {cause}"))?,
            Ok(inside) => {
                self.proof(inside)?;
                self.rights(inside)?;
            }
        }
        let open = self.elsewhere(findings, rules)?;
        self.password(open)
    }

    fn proof(&mut self, inside: &Inside) -> Result<(), CliError> {
        match (inside.proved, &self.account.login) {
            (Some(PasswordProof::ScramPlus), _) => self.say(true, "the gate is let in (SCRAM-SHA-256-PLUS)")?,
            (Some(PasswordProof::Scram), _) => self.say(true, "the gate is let in (SCRAM-SHA-256)")?,
            (Some(PasswordProof::Md5), _) => self.say(
                false,
                "its password is kept and proved as MD5 (password_encryption = 'scram-sha-256', then set it anew)",
            )?,
            (None, Login::Certificate) => self.say(true, "the gate is let in, and no password is asked for")?,
            (None, _) => self.say(false, "the gate is let in without any proof (pg_hba.conf: trust)")?,
        }
        if inside.password_encryption == "md5" {
            self.say(false, "passwords that are set from now on are kept as MD5 (password_encryption)")?;
        }
        Ok(())
    }

    fn rights(&mut self, inside: &Inside) -> Result<(), CliError> {
        for right in &inside.rights {
            let (word, by) = right.split_once(", ").unwrap_or((right, ""));
            let means = match word {
                "SUPERUSER" => "is a superuser, so no rule of this server holds it",
                "CREATEROLE" => "may make accounts that the gate does not know (CREATEROLE)",
                "REPLICATION" => "may copy the whole server (REPLICATION)",
                "BYPASSRLS" => "reads past row security (BYPASSRLS)",
                "pg_execute_server_program" => {
                    "runs programs on the server's machine (member of pg_execute_server_program)"
                }
                "pg_read_server_files" => {
                    "reads files of the server's machine (member of pg_read_server_files)"
                }
                "pg_write_server_files" => {
                    "writes files of the server's machine, pg_hba.conf among them (member of pg_write_server_files)"
                }
                "pg_signal_backend" => "ends other people's sessions (member of pg_signal_backend)",
                other => other,
            };
            let by = if by.is_empty() { String::new() } else { format!(", {by}") };
            self.say(false, &format!("{means}{by}"))?;
        }
        if inside.rights.is_empty() {
            self.say(true, "has no rights beyond its databases")?;
        }
        Ok(())
    }

    /// Whether it gets in from elsewhere; `None` where that can't be seen.
    fn elsewhere(&mut self, findings: &Findings, rules: Option<&[Rule]>) -> Result<Option<bool>, CliError> {
        let mut open = None;
        for (from, found) in &findings.elsewhere {
            match found {
                Elsewhere::Refused => {
                    self.say(true, &format!("is refused from {from}"))?;
                }
                Elsewhere::LetIn => {
                    open = Some(true);
                    self.say(false, &format!("is let in from {from} too (pg_hba.conf)"))?;
                }
                Elsewhere::Asked(why) => {
                    open = Some(true);
                    self.say(false, &format!("is asked for a proof from {from} too (pg_hba.conf): {why}"))?;
                }
                Elsewhere::Unknown(why) => {
                    self.out.note(format!(
                        "  ?     {}: what happens from {from} can't be seen: {}",
                        self.account.name,
                        clean(why)
                    ))?;
                }
            }
        }
        let Some(rules) = rules else {
            // One address that is refused says nothing of the others.
            return Ok(open);
        };
        let inside = findings.account.as_ref().ok();
        let roles = inside.map(|inside| inside.roles.clone()).unwrap_or_default();
        let gate = inside.and_then(|inside| inside.comes_from);
        let lines = hba::open(rules, &self.account.name, &roles, &self.target.databases, gate);
        for line in &lines {
            self.say(false, &format!("is let in {line}"))?;
        }
        if lines.is_empty() {
            self.say(true, "is let in by no line of pg_hba.conf but the gate's")?;
        }
        Ok(Some(open == Some(true) || !lines.is_empty()))
    }

    /// Every role may give itself another password, and nothing in Postgres forbids that: so it must be worth nothing.
    fn password(&mut self, open: Option<bool>) -> Result<(), CliError> {
        let may = "may give itself another password, as every role may (ALTER ROLE … PASSWORD)";
        match open {
            Some(true) => self.say(false, &format!("{may}, and get in with it past the gate")),
            Some(false) => self.say(true, &format!("{may}, and get in with it nowhere but through the gate")),
            None => {
                let name = &self.account.name;
                self.out.note(format!(
                    "  ?     {name}: {may}; whether it then gets in past the gate can't be seen from here: no account \
                     may read pg_hba_file_rules. Try from another address of this machine with --from ADDRESS, and \
                     look whether `curfew targets add-postgres` lines stand first in pg_hba.conf"
                ))
            }
        }
    }
}
